"""EDF as machines write it on their cards, read tolerantly: torn, unfinished and half damaged files give what they hold.

Strict readers refuse what is normal there: a record count of -1, a file that ends within a record, annotations beside a
check sum, EDF+D with records of no duration. Here the size of the file decides how many records there are.

A channel "Crc16" is one check a record: CRC-16/CCITT-FALSE of the record's bytes before it. Two such checks stand in the
patient field of a ResMed header as well. Records that fail are told (`damaged`), never silently used or dropped.
"""

from __future__ import annotations

import math
import re
from binascii import crc_hqx
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from firmware_bridge.recordings import BadRecording

ANNOTATIONS = "EDF Annotations"
CHECK = "Crc16"
MOST_SIGNALS = 512
MOST_RECORD_BYTES = 1 << 24
MOST_RECORDS = 100_000  # minutes of two months, days of three centuries

_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # bytes a signal in the second part of the header
_HEADER_CHECKS = re.compile(rb"(?:\S+ ){4}([0-9A-F]{4}) ([0-9A-F]{4})(?= |$)")


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal as its header has it; `offset` is its place in a record, in samples of two bytes."""

    label: str
    unit: str
    physical_min: float
    physical_max: float
    digital_min: int
    digital_max: int
    samples: int
    offset: int

    @property
    def gain(self) -> float:
        """Physical units a count; ValueError where the header has no usable scale."""
        counts, span = self.digital_max - self.digital_min, self.physical_max - self.physical_min
        if counts <= 0 or span == 0 or not math.isfinite(span):
            raise ValueError(f"{self.label}: no usable scale")
        return span / counts

    @property
    def zero(self) -> float:
        """The count of physical 0, so that physical = (count - zero) * gain."""
        return self.digital_min - self.physical_min / self.gain


@dataclass(frozen=True, slots=True)
class Annotation:
    """A text `onset_s` after the start of the file, for `duration_s` (0 = none was given)."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class EdfFile:
    """What a file holds. `start` is the device's own local time; `records` int16 of shape (records, samples a record).

    `damaged` says for every record whether its check failed (never, where there is none). `header_start_ok` and
    `header_signals_ok` are the checks of the two parts of a ResMed header: None where it has none.
    `promised` is the header's own count of records (-1 = it was never finished); `cut_bytes` are those of a torn record.
    """

    name: str
    start: datetime
    recording: str
    record_s: float
    signals: tuple[EdfSignal, ...]
    records: npt.NDArray[np.int16]
    damaged: npt.NDArray[np.bool_]
    promised: int
    cut_bytes: int
    header_start_ok: bool | None
    header_signals_ok: bool | None

    def rate_hz(self, signal: EdfSignal) -> float:
        """Samples a second; 0 where records have no duration."""
        return signal.samples / self.record_s if self.record_s > 0 else 0.0

    def counts(self, signal: EdfSignal) -> npt.NDArray[np.int32]:
        """The file's own digital values of a signal, from its first record to its last whole one."""
        part = self.records[:, signal.offset : signal.offset + signal.samples]
        return part.astype(np.int32).reshape(-1)

    def recording_field(self, key: str) -> str:
        """A value of the recording field ("SRN=20000000001" -> "20000000001"), "" where it has none."""
        found = re.search(rf"(?:^|\s){re.escape(key)}=(\S+)", self.recording)
        return found.group(1) if found else ""

    def annotations(self) -> list[Annotation]:
        """The texts of undamaged records, in the order of the file."""
        said: list[Annotation] = []
        for signal in self.signals:
            if signal.label == ANNOTATIONS:
                end = signal.offset + signal.samples
                for record, bad in zip(self.records[:, signal.offset : end], self.damaged, strict=True):
                    said += [] if bad else _texts(record.tobytes())
        return said


def read_edf(name: str, data: bytes) -> EdfFile:
    """A whole file. Raises BadRecording where its header is none: then nothing in it can be believed."""
    if len(data) < 256 or data[:8].strip() != b"0":
        raise BadRecording(f"{name}: not an EDF file")
    try:
        return _read(name, data)
    except ValueError as error:
        raise BadRecording(f"{name}: the EDF header is damaged ({' '.join(str(error).split())})") from None


def _read(name: str, data: bytes) -> EdfFile:
    size, promised, record_s = int(data[184:192]), int(data[236:244]), float(data[244:252])
    count = int(data[252:256])
    if not 0 < count <= MOST_SIGNALS or size != 256 * (count + 1) or len(data) < size:
        raise ValueError(f"{count} signals, {size} bytes of header")
    if not 0 <= record_s < math.inf:
        raise ValueError(f"records of {record_s} s")
    signals = _signals(data[256:size], count)
    width = sum(signal.samples for signal in signals)
    if not 0 < 2 * width <= MOST_RECORD_BYTES:
        raise ValueError(f"records of {2 * width} bytes")
    n, cut = divmod(len(data) - size, 2 * width)
    if n > MOST_RECORDS:
        raise ValueError(f"{n} records of {2 * width} bytes")
    records = np.frombuffer(data, "<i2", n * width, size).reshape(n, width)
    start_ok, signals_ok = _header_checks(data[:size])
    return EdfFile(
        name=name,
        start=_start(data),
        recording=_text(data[88:168]),
        record_s=record_s,
        signals=signals,
        records=records,
        damaged=_damaged(records, signals),
        promised=promised,
        cut_bytes=cut,
        header_start_ok=start_ok,
        header_signals_ok=signals_ok,
    )


def _start(data: bytes) -> datetime:
    """The two-digit year is of this century: no such machine is older."""
    day, month, year = (int(part) for part in data[168:176].split(b"."))
    hour, minute, second = (int(part) for part in data[176:184].split(b"."))
    return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - a card has no time zone


def _signals(header: bytes, count: int) -> tuple[EdfSignal, ...]:
    columns: list[list[bytes]] = []
    at = 0
    for width in _FIELDS:
        columns.append([header[at + k * width : at + (k + 1) * width] for k in range(count)])
        at += width * count
    signals, offset = [], 0
    for row in zip(*columns, strict=True):
        label, _, unit, low, high, digital_low, digital_high, _, samples, _ = row
        signal = EdfSignal(
            label=_text(label),
            unit=_text(unit),
            physical_min=float(low),
            physical_max=float(high),
            digital_min=int(digital_low),
            digital_max=int(digital_high),
            samples=int(samples),
            offset=offset,
        )
        if signal.samples < 0:
            raise ValueError(f"{signal.label}: {signal.samples} samples a record")
        signals.append(signal)
        offset += signal.samples
    return tuple(signals)


def _text(field: bytes) -> str:
    """ASCII by the standard; machines write a degree sign, and labels in their owner's language, in either code."""
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError:
        text = field.decode("latin-1")
    return text.strip(" \0")


def _header_checks(header: bytes) -> tuple[bool | None, bool | None]:
    """Patient field "X X X X h1 h2": h1 is of the bytes after h2 up to 255, h2 of the signals' headers."""
    found = _HEADER_CHECKS.match(header, 8, 88)
    if found is None:
        return None, None
    start, signals = (int(digits, 16) for digits in found.groups())
    return crc_hqx(header[found.end() : 256], 0xFFFF) == start, crc_hqx(header[256:], 0xFFFF) == signals


def _damaged(records: npt.NDArray[np.int16], signals: tuple[EdfSignal, ...]) -> npt.NDArray[np.bool_]:
    check = next((signal for signal in signals if signal.label == CHECK and signal.samples == 1), None)
    if check is None:
        return np.zeros(len(records), np.bool_)
    said = records[:, check.offset].astype(np.uint16)
    made = [crc_hqx(record[: check.offset].tobytes(), 0xFFFF) for record in records]
    return np.asarray(said != np.array(made, np.uint16))


def _texts(raw: bytes) -> list[Annotation]:
    """Time-stamped annotation lists: onset, perhaps 15h and a duration, then texts between bytes 14h; 00h ends a list."""
    said = []
    for piece in raw.split(b"\0"):
        head, *texts = piece.split(b"\x14")
        onset, _, duration = head.partition(b"\x15")
        try:
            at, lasted = float(onset), float(duration or 0)
        except ValueError:
            continue
        if math.isfinite(at) and math.isfinite(lasted):
            said += [Annotation(at, lasted, _text(text)) for text in texts if text.strip()]
    return said
