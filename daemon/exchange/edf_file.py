"""The bytes of EDF+ and BDF+ (Kemp and Olivan 2003): header, data records, annotations; written record by record.

A file is made of data records of one length; each holds the samples of every signal and a piece of the annotations. Nothing but
the header needs to know how many there are, and the header is written again at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from daemon.exchange.letters import ascii_of
from daemon.model.signals import Counts

Form = Literal["edf", "bdf"]
BYTES = {"edf": 2, "bdf": 3}
TIMEKEEPING = 40
"""Bytes that a record's own time may take."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: its label, unit, samples a record, and its ends in counts and in its unit."""

    label: str
    unit: str
    samples: int
    digital: tuple[int, int]
    physical: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Head:
    """What the header says of the file. `fraction_s`: the recording begins so much after the whole second in `start`."""

    patient: str
    recording: str
    start: str  # dd.mm.yyhh.mm.ss
    record_s: float
    fraction_s: float = 0.0


Note = tuple[float, float | None, str]
"""Onset in seconds from the beginning, duration, text."""


class EdfFile:
    """Write `record` after `record`, then `finish`. `notes` are all annotations, `records` how many records there will be."""

    def __init__(
        self,
        file: BinaryIO,
        form: Form,
        head: Head,
        signals: Sequence[Signal],
        notes: Sequence[Note],
        records: int,
    ) -> None:
        self._file = file
        self._form = form
        self._head = head
        self._signals = signals
        self._waiting = [
            _tal(head.fraction_s + onset, length, text) for onset, length, text in sorted(notes, key=_onset)
        ]
        longest = max(map(len, self._waiting), default=0)
        mean = math.ceil(sum(map(len, self._waiting)) / max(records, 1))
        size = TIMEKEEPING + longest + mean
        self._noted = math.ceil(size / BYTES[form])
        self._records = 0
        self._file.write(self._header(records))

    def record(self, rows: Sequence[Counts]) -> None:
        """The next record: a row of samples for every signal."""
        for row in rows:
            self._file.write(_coded(row, self._form))
        room = self._noted * BYTES[self._form]
        out = _tal(self._head.fraction_s + self._records * self._head.record_s, None, "")
        while self._waiting and len(out) + len(self._waiting[0]) <= room:
            out += self._waiting.pop(0)
        self._file.write(out.ljust(room, b"\0"))
        self._records += 1

    def finish(self) -> None:
        """The header as it is true now."""
        self._file.seek(0)
        self._file.write(self._header(self._records))

    def _header(self, records: int) -> bytes:
        name = self._form.upper()
        noted = Signal(f"{name} Annotations", "", self._noted, _ENDS[self._form], (-1.0, 1.0))
        signals = [*self._signals, noted]
        version = b"0       " if self._form == "edf" else b"\xffBIOSEMI"
        head = self._head
        fixed = [
            (head.patient, 80), (head.recording, 80), (head.start, 16), (str(256 * (len(signals) + 1)), 8),
            (f"{name}+C", 44), (str(records), 8), (f"{head.record_s:g}", 8), (str(len(signals)), 4),
        ]  # fmt: skip
        columns = [
            ([s.label for s in signals], 16), ([""] * len(signals), 80), ([s.unit for s in signals], 8),
            ([number(s.physical[0]) for s in signals], 8), ([number(s.physical[1]) for s in signals], 8),
            ([str(s.digital[0]) for s in signals], 8), ([str(s.digital[1]) for s in signals], 8),
            ([""] * len(signals), 80), ([str(s.samples) for s in signals], 8), ([""] * len(signals), 32),
        ]  # fmt: skip
        fixed += [(text, width) for texts, width in columns for text in texts]
        return version + "".join(ascii_of(text)[:width].ljust(width) for text, width in fixed).encode("ascii")


_ENDS = {"edf": (-(2**15), 2**15 - 1), "bdf": (-(2**23), 2**23 - 1)}


def number(value: float) -> str:
    """A number in the eight letters that the header has for it, with as many digits as they hold."""
    for digits in range(8, 0, -1):
        text = f"{value:.{digits}g}"
        if "e" in text:
            text = f"{value:.{max(0, 7 - len(str(int(abs(value)))) - (value < 0))}f}"
        if len(text) <= 8:
            return text
    return f"{value:.0f}"[:8]


def _onset(note: Note) -> float:
    return note[0]


def _tal(onset_s: float, duration_s: float | None, text: str) -> bytes:
    """A time-stamped annotation list of one annotation."""
    onset = f"{onset_s:+.6f}".rstrip("0").rstrip(".")
    length = "" if duration_s is None else "\x15" + f"{duration_s:.6f}".rstrip("0").rstrip(".")
    return f"{onset}{length}\x14{text[:200]}\x14\0".encode()


def _coded(row: Counts, form: Form) -> bytes:
    if form == "edf":
        return row.astype("<i2").tobytes()
    return np.ascontiguousarray(row.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
