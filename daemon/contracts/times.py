"""Times on the wire: RFC 3339 in UTC, exactly three decimals, from and to nanoseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = 1_000_000


def instant(utc_ns: int) -> str:
    """The time as "2025-01-08T12:34:56.789Z": the millisecond that `utc_ns` falls in, years 1 to 9999."""
    return _rfc3339(utc_ns // _MS, "milliseconds")


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of any RFC 3339 time, to the microsecond. Raises ValueError for one without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone: {text}")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def to_the_second(text: str) -> str:
    """The same time without decimals where they are zeros, as in the roadmap's payloads; all three where they say something."""
    return text.replace(".000Z", "Z")


def uuid7_instant(key: str) -> str:
    """When a UUIDv7 was made: its first 48 bits are milliseconds since 1970."""
    return _rfc3339(int(key.replace("-", "")[:12], 16), "milliseconds")


def _rfc3339(ms: int, digits: str) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec=digits).replace("+00:00", "Z")
