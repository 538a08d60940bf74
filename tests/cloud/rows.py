"""Rows of the seeds' tables: each is written once, whatever is sent how often."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.contracts.box.v1 import SessionEnd, SessionStart
from tests.cloud.coding import Counts
from tests.cloud.database import Connection, moment

ECG_COLUMNS = (
    "heart_rate",
    "pr_interval",
    "qrs_duration",
    "qrs_axis",
    "st_segment",
    "qt_interval",
    "qtc_interval",
    "hrv",
    "rr_interval",
    "sampling_rate",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose data it is, of what device, in which session ("" = none), when it was measured, and under which key."""

    key: str
    user_id: str
    serial: str
    session: str
    at: str


Row = tuple[str, tuple[Any, ...]]
"""An INSERT and its values."""


async def store(db: Connection, rows: Iterable[Row]) -> None:
    """Write rows that are not there yet: those of one table go in one journey."""
    by_table: dict[str, list[tuple[Any, ...]]] = {}
    for insert, values in rows:
        by_table.setdefault(insert, []).append(values)
    for insert, many in by_table.items():
        await db.executemany(insert, many)


def _insert(table: str, *columns: str) -> str:
    places = ", ".join(f"${number + 1}" for number in range(len(columns)))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT DO NOTHING"


_PLACE = ("key", "user_id", "device_serial", "session_id", "timestamp")
_METRICS = _insert("metrics", *_PLACE, "kind", "metrics", *ECG_COLUMNS)
_COUNTS = _insert("waveforms", *_PLACE, "sampling_rate", "segment", "first", "n", "channels", "counts")
_MILLIVOLTS = _insert("waveforms", *_PLACE, "sampling_rate", "n", "channels", "millivolts")
_EVENT = _insert("events", *_PLACE, "type", "body")
_REPORT = _insert(
    "reports", *_PLACE[:4], "created_at", "report_id", "filename", "sha256", "size_bytes", "metadata"
)


def metrics(place: Place, kind: str, told: Mapping[str, Any]) -> Row:
    """`told` in the seeds' names; the ECG's go into columns too."""
    columns = [told.get(name) if kind == "ecg" else None for name in ECG_COLUMNS]
    return _METRICS, (*_values(place), kind, dict(told), *columns)


def counts(
    place: Place, rate_hz: float, segment: str, first: int, channels: Sequence[Any], samples: Counts
) -> Row:
    """Samples bit for bit: int32 of shape (channels, n), with the channels that make them mV."""
    said = (rate_hz, segment, first, samples.shape[1], list(channels), samples.tolist())
    return _COUNTS, (*_values(place), *said)


def millivolts(place: Place, rate_hz: float, leads: Mapping[str, Sequence[float]]) -> Row:
    """Samples as arrays of mV, all of one length: what is given back are the same doubles."""
    arrays = [[float(value) for value in values] for values in leads.values()]
    channels = [{"name": name, "unit": "mV"} for name in leads]
    return _MILLIVOLTS, (*_values(place), rate_hz, len(arrays[0]), channels, arrays)


def event(place: Place, kind: str, body: Mapping[str, Any]) -> Row:
    """An arrhythmia, alarm, event, fact, loss or error, in the plan's style."""
    return _EVENT, (*_values(place), kind, dict(body))


def report(place: Place, report_id: str, told: Mapping[str, Any], sha256: str | None) -> Row:
    """A report, as far as its message tells."""
    said = (report_id, told.get("filename", ""), sha256, told.get("file_size_bytes"), dict(told))
    return _REPORT, (*_values(place), *said)


def _values(place: Place) -> tuple[Any, ...]:
    return place.key, place.user_id, place.serial, place.session, moment(place.at)


async def report_file(db: Connection, report_id: str, sha256: str, file: bytes) -> None:
    """The file of a report, whichever of the two came first."""
    await db.execute(
        "UPDATE reports SET file = coalesce(file, $2), sha256 = coalesce(sha256, $3), size_bytes = coalesce(size_bytes, $4)"
        " WHERE report_id = $1",
        report_id,
        file,
        sha256,
        len(file),
    )


async def session_of(db: Connection, user_id: str, name: str) -> str:
    """Our id of the session that the client calls `name`."""
    found = await db.fetchval(
        "SELECT session_id FROM sessions WHERE user_id = $1 AND (session_id = $2 OR named = $2)",
        user_id,
        name,
    )
    return name if found is None else str(found)


async def session_seen(db: Connection, user_id: str, session: str, serial: str) -> None:
    """Data of a session came: it may be before its start."""
    if session:
        await db.execute(
            "INSERT INTO sessions (user_id, session_id, device_serial) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            user_id,
            session,
            serial,
        )


async def session_named(db: Connection, user_id: str, name: str, session_uuid: str, *, own: bool) -> str:
    """The id to use for a session that its client calls `name` ("" = it gave none): that name where it is free.

    `own`: never the client's.
    """
    if name:
        known = await db.fetchrow(
            "SELECT session_id, session_uuid FROM sessions WHERE user_id = $1 AND (session_id = $2 OR named = $2)"
            " ORDER BY (session_uuid = $3) DESC NULLS LAST LIMIT 1",
            user_id,
            name,
            session_uuid,
        )
        same = known is not None and (not session_uuid or known["session_uuid"] in {None, session_uuid})
        if same:
            return str(known["session_id"])
        if known is None and not own:
            return name
    return f"srv_{uuid.uuid4().hex[:16]}"


async def session_started(
    db: Connection, user_id: str, session: str, serial: str, at: str, said: SessionStart | None
) -> None:
    """A session's start, as far as it is told; what is known already stays."""
    await session_seen(db, user_id, session, serial)
    patient = None if said is None or said.patient is None else said.patient.model_dump(exclude_none=True)
    await db.execute(
        "UPDATE sessions SET start_time = coalesce(start_time, $3), session_uuid = coalesce(session_uuid, $4),"
        " named = coalesce(named, $5), patient = coalesce(patient, $6), device_serial = coalesce(nullif(device_serial, ''), $7)"
        " WHERE user_id = $1 AND session_id = $2",
        user_id,
        session,
        moment(at),
        None if said is None else said.session_uuid,
        None if said is None or said.session_id == session else said.session_id,
        patient,
        serial,
    )


async def session_ended(
    db: Connection, user_id: str, session: str, at: str, summary: Mapping[str, Any], said: SessionEnd | None
) -> None:
    """A session's end. `summary` in the plan's names."""
    await session_seen(db, user_id, session, "")
    await db.execute(
        "UPDATE sessions SET end_time = coalesce(end_time, $3), duration_seconds = $4, average_heart_rate = $5, summary = $6,"
        " session_uuid = coalesce(session_uuid, $7) WHERE user_id = $1 AND session_id = $2",
        user_id,
        session,
        moment(at),
        summary.get("duration_seconds"),
        summary.get("average_heart_rate"),
        dict(summary),
        None if said is None else said.session_uuid,
    )
