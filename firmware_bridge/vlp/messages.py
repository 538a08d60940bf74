"""What the payloads of VLP frames say, both ways. A payload that cannot be read raises ValueError."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.vlp.wire import LEAST_MTU, MOST_MTU, Status

CAP_RESEND, CAP_CLOCK, CAP_SETTINGS, CAP_FIRMWARE = 1, 2, 4, 8  # bits of HELLO's caps
CODE, BITS = (
    2,
    4,
)  # flags of a channel: its value is the place of a word in its unit, or a set of them (1 says nothing)

SAY_HELLO, SAY_SETTINGS, PROPOSE, CONFIRM = 0x0001, 0x0002, 0x0010, 0x0011

THOUSANDTHS = 1000  # settings travel as whole thousandths of their unit
UNKNOWN_VALUE = -(2**31)

Raw = npt.NDArray[np.generic]
TYPES = (np.dtype("<u1"), np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))

_HELLO = struct.Struct("<HH16sI")
_ENTRY = struct.Struct("<BBBBffff")
_SAMPLES = struct.Struct("<HBBQ")
_ROWS = struct.Struct("<HBBBBQ")
_SETTING = struct.Struct("<BBBBiiii")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks. `unit` is 16 bytes: text filled up with zeros, or a number."""

    mtu: int
    caps: int
    unit: bytes
    boot: int
    name: str
    firmware: str

    @property
    def serial(self) -> str:
        """The unit id as text where it is printable ASCII, else in hexadecimal."""
        text = self.unit.rstrip(b"\0")
        if text and all(0x21 <= byte < 0x7F for byte in text):
            return text.decode("ascii")
        return self.unit.hex()


@dataclass(frozen=True, slots=True)
class Entry:
    """One channel of a dictionary: physical = raw * scale + offset, `delay_s` late. `rate_hz` 0 = an event."""

    ch: int
    type: int
    flags: int
    rate_hz: float
    scale: float
    offset: float
    delay_s: float
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Run:
    """Samples as they came: `values` of shape (channels, n), the channels `ch`, `ch` + 1 ...; `us` of the first sample."""

    dictionary: int
    ch: int
    us: int
    raw: bytes
    channels: int
    n: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One setting of a device, all in thousandths of its unit; `value` None where it is not known."""

    id: int
    low: int
    high: int
    step: int
    value: int | None
    name: str
    unit: str


class _Reader:
    """Takes a payload apart from its beginning."""

    def __init__(self, payload: bytes) -> None:
        self._left = payload

    def take(self, n: int) -> bytes:
        taken, self._left = self._left[:n], self._left[n:]
        if len(taken) < n:
            raise ValueError("cut short")
        return taken

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode("utf-8", "replace")

    def rest(self) -> bytes:
        return self._left


def _text(text: str) -> bytes:
    """A str of the protocol: length and UTF-8. Raises ValueError beyond 255 bytes."""
    data = text.encode()
    return bytes([len(data)]) + data


def hello(said: Hello) -> bytes:
    return _HELLO.pack(said.mtu, said.caps, said.unit, said.boot) + _text(said.name) + _text(said.firmware)


def read_hello(payload: bytes) -> Hello:
    read = _Reader(payload)
    mtu, caps, unit, boot = _HELLO.unpack(read.take(_HELLO.size))
    return Hello(min(max(mtu, LEAST_MTU), MOST_MTU), caps, unit, boot, read.text(), read.text())


def _entries(entries: tuple[Entry, ...]) -> bytes:
    out = []
    for e in entries:
        out += [
            _ENTRY.pack(e.ch, e.type, e.flags, 0, e.rate_hz, e.scale, e.offset, e.delay_s),
            _text(e.name),
            _text(e.unit),
        ]
    return b"".join(out)


def dictionary(number: int, entries: tuple[Entry, ...]) -> bytes:
    return struct.pack("<HB", number, len(entries)) + _entries(entries)


def part(number: int, first: int, total: int, entries: tuple[Entry, ...]) -> bytes:
    """Channels `first` .. of a dictionary of `total`."""
    return struct.pack("<HBBB", number, first, total, len(entries)) + _entries(entries)


def read_dictionary(payload: bytes) -> tuple[int, tuple[Entry, ...]]:
    """(id, channels). Rates from 0 to 100 kHz; a scale is not zero; every channel stands there once."""
    read = _Reader(payload)
    number, count = struct.unpack("<HB", read.take(3))
    return number, _checked(_read_entries(read, count))


def read_part(payload: bytes) -> tuple[int, int, int, tuple[Entry, ...]]:
    """(id, place of the first channel given, how many the whole has, channels)."""
    read = _Reader(payload)
    number, first, total, count = struct.unpack("<HBBB", read.take(5))
    if not count or first + count > total:
        raise ValueError("a part of no whole")
    return number, first, total, _checked(_read_entries(read, count))


def whole(parts: Mapping[int, Entry], total: int) -> tuple[Entry, ...] | None:
    """The dictionary that these channels, by place, make; None while one is missing. Raises ValueError as `read_dictionary`."""
    if any(place not in parts for place in range(total)):
        return None
    return _checked(tuple(parts[place] for place in range(total)))


def _read_entries(read: _Reader, count: int) -> tuple[Entry, ...]:
    entries = []
    for _ in range(count):
        ch, kind, flags, _zero, rate_hz, scale, offset, delay_s = _ENTRY.unpack(read.take(_ENTRY.size))
        entry = Entry(ch, kind, flags, rate_hz, scale, offset, delay_s, read.text(), read.text())
        finite = all(math.isfinite(x) for x in (rate_hz, scale, offset, delay_s))
        if not (finite and kind < len(TYPES) and scale and math.isfinite(offset / scale)):
            raise ValueError("a channel makes no sense")
        if not (rate_hz == 0 or 0.01 <= rate_hz <= 100_000) or abs(delay_s) > 60:
            raise ValueError("a rate or a delay makes no sense")
        entries.append(entry)
    return tuple(entries)


def _checked(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if len({e.ch for e in entries}) < len(entries):
        raise ValueError("a channel stands there twice")
    return entries


def samples(number: int, ch: int, us: int, values: Raw) -> bytes:
    """`values` of one channel, already of its type."""
    return _SAMPLES.pack(number, ch, values.size, us) + values.tobytes()


def rows(number: int, ch: int, us: int, values: Raw) -> bytes:
    """`values` of shape (n, channels), already of the channels' common type."""
    n, channels = values.shape
    return _ROWS.pack(number, ch, channels, n, 0, us) + np.ascontiguousarray(values).tobytes()


def read_run(payload: bytes, *, several: bool) -> Run:
    """A SAMPLES payload, or (`several`) one of ROWS."""
    read = _Reader(payload)
    if several:
        number, ch, channels, n, _zero, us = _ROWS.unpack(read.take(_ROWS.size))
    else:
        number, ch, n, us = _SAMPLES.unpack(read.take(_SAMPLES.size))
        channels = 1
    if not (n and channels):
        raise ValueError("no samples")
    return Run(number, ch, us, read.rest(), channels, n)


def settings(offers: tuple[Offer, ...], total: int | None = None) -> bytes:
    """Some (or all) of the `total` settings of a device."""
    out = [bytes([len(offers) if total is None else total, len(offers)])]
    for o in offers:
        value = UNKNOWN_VALUE if o.value is None else o.value
        out += [_SETTING.pack(o.id, 0, 0, 0, o.low, o.high, o.step, value), _text(o.name), _text(o.unit)]
    return b"".join(out)


def read_settings(payload: bytes) -> tuple[int, tuple[Offer, ...]]:
    """(how many settings the device has, those that are told here)."""
    read = _Reader(payload)
    total = read.take(1)[0]
    offers = []
    for _ in range(read.take(1)[0]):
        number, _a, _b, _c, low, high, step, value = _SETTING.unpack(read.take(_SETTING.size))
        if step <= 0 or high < low:
            raise ValueError("a setting makes no sense")
        known = None if value == UNKNOWN_VALUE else value
        offers.append(Offer(number, low, high, step, known, read.text(), read.text()))
    return total, tuple(offers)


def resend(first: int, last: int) -> bytes:
    return struct.pack("<II", first, last)


def read_resend(payload: bytes) -> tuple[int, int]:
    first, last = struct.unpack("<II", _Reader(payload).take(8))
    return first, last


def ping(t1_us: int) -> bytes:
    return struct.pack("<Q", t1_us)


def read_ping(payload: bytes) -> int:
    return int.from_bytes(_Reader(payload).take(8), "little")


def pong(t1_us: int, t2_us: int, t3_us: int) -> bytes:
    return struct.pack("<QQQ", t1_us, t2_us, t3_us)


def read_pong(payload: bytes) -> tuple[int, int, int]:
    t1, t2, t3 = struct.unpack("<QQQ", _Reader(payload).take(24))
    return t1, t2, t3


def command(number: int, request: int, argument: str = "") -> bytes:
    return struct.pack("<HH", number, request) + _text(argument)


def read_command(payload: bytes) -> tuple[int, int, str]:
    read = _Reader(payload)
    number, request = struct.unpack("<HH", read.take(4))
    return number, request, read.text()


def ack(sequence: int, status: int, text: str = "") -> bytes:
    return struct.pack("<IB", sequence, status) + _text(text)


def read_ack(payload: bytes) -> tuple[int, int, str]:
    """(sequence, status, text); the status may be one that is not known."""
    read = _Reader(payload)
    sequence, status = struct.unpack("<IB", read.take(5))
    return sequence, status, read.text() if read.rest() else ""


def log(level: int, us: int, text: str) -> bytes:
    return struct.pack("<BQ", level, us) + text.encode()


def read_log(payload: bytes) -> tuple[int, int, str]:
    read = _Reader(payload)
    level, us = struct.unpack("<BQ", read.take(9))
    return level, us, read.rest().decode("utf-8", "replace")


def thousandths(text: str) -> int | None:
    """A decimal number with at most three places, in thousandths; None where it is none."""
    whole, _, places = text.removeprefix("-").partition(".")
    digits = whole + places.ljust(3, "0")
    if not (whole and len(places) <= 3 and digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return None
    return -int(digits) if text.startswith("-") else int(digits)


def decimal(value: int) -> str:
    """Thousandths as a decimal number, without zeros at its end: 10200 is "10.2"."""
    sign, whole, places = "-" * (value < 0), *divmod(abs(value), THOUSANDTHS)
    return f"{sign}{whole}.{places:03d}".rstrip("0").rstrip(".")


def wish(name: str, value: int) -> str:
    """The argument of PROPOSE and CONFIRM, and the device's echo of it: "target_pressure=10.2"."""
    return f"{name}={decimal(value)}"


def read_wish(text: str) -> tuple[str, int] | None:
    """(name, thousandths); None where it cannot be read."""
    name, equals, number = text.partition("=")
    value = thousandths(number)
    return (name, value) if equals and name and value is not None else None


ANSWERS = {
    Status.OK: "",
    Status.UNKNOWN: "unknown_setting",
    Status.VERSION: "other_version",
    Status.BAD_ARGUMENT: "bad_argument",
    Status.BUSY: "busy",
    Status.REFUSED: "refused",
}
"""What a status means where the device gives no text."""
