"""Contec CMS50D+ (old) and CMS50E/F before 4.6: five bytes sixty times a second, on a line with odd parity.

Only a frame's first byte has bit 7. There is no check sum, so a number is believed when two frames running say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.checked import CheckedFrames, longest_row
from firmware_bridge.dialogue import MS
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    Number,
    PortSettings,
    Quantity,
    Samples,
    Status,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 60.0
PLETH = Channel("pleth", Quantity.PLETH, "1", 1 / 127, 0.0, -1, 128)

FACTS = Facts(
    kind="contec",
    title="Contec CMS50 oximeter, 19200 baud",
    port=PortSettings(baud=19200, parity="O"),
    line_bytes_per_second=300,
    streams=(StreamSpec("pleth", RATE_HZ, (PLETH,)),),
    silent_after_s=2.0,
)

# --- frames ----------------------------------------------------------------------------------------------

SIZE = 5
LIVE = b"\xf6\xf6\xf6"
LIVE_EVERY_NS: Nanos = 5_000 * MS
SILENT_NS: Nanos = 1_500 * MS


def size_at(buffer: bytes, at: int) -> int | None:
    """As `checked.SizeAt`."""
    frame = buffer[at : at + SIZE]
    if frame[0] < 0x80 or any(byte >= 0x80 for byte in frame[1:]):
        return 0
    return SIZE if len(frame) == SIZE else None


# --- decoder ---------------------------------------------------------------------------------------------


class Readings:
    """What an oximeter shows beside its pleth, in frames without a check: said when two running agree, and each second."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._before: tuple[str, tuple[Number, ...]] | None = None
        self._said: tuple[Number, ...] | None = None
        self._word: str | None = None
        self._until_repeat = 0

    def say(self, word: str, numbers: tuple[Number, ...]) -> list[Frame]:
        """What is to be said now that a frame has shown these."""
        shown, before = (word, numbers), self._before
        self._before = shown
        self._until_repeat -= 1
        if shown != before:
            return []
        out: list[Frame] = []
        if word != self._word:
            self._word = word
            out.append(Status("signal", word))
        if numbers != self._said or self._until_repeat <= 0:
            self._said, self._until_repeat = numbers, self._every
            out += numbers
        return out


class Contec:
    """The oximeter. It streams by itself; told to while it is silent, which is all that is ever sent."""

    def __init__(self, options: Mapping[str, str]) -> None:
        Options("contec", options).done()
        self._frames = CheckedFrames(size_at)
        self._readings = Readings(round(RATE_HZ))
        self._first: list[Frame] = [Identity("contec", model="CMS50"), Leads(())]
        self._live_ns: Nanos | None = None

    @property
    def facts(self) -> Facts:
        return FACTS

    def opened(self, now_ns: Nanos) -> None:
        self._live_ns = now_ns + SILENT_NS

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames, self._first = self._first, []
        pleth: list[int] = []
        for piece in self._frames.cut(data):
            if isinstance(piece, int):
                said: list[Frame] = [Damage(piece)]
            else:
                said = self._readings.say(*shown(piece))
                if self._live_ns is not None:
                    self._live_ns = now_ns + SILENT_NS
            if said:
                frames += samples(pleth, now_ns) + said
                pleth = []
            if isinstance(piece, bytes):
                pleth.append(piece[1])
        return frames + samples(pleth, now_ns)

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if self._live_ns is None or now_ns < self._live_ns:
            return None
        self._live_ns = now_ns + LIVE_EVERY_NS
        return LIVE

    def closing(self) -> bytes:
        """Streaming is what it does by itself."""
        return b""


def shown(frame: bytes) -> tuple[str, tuple[Number, ...]]:
    """The word for the signal, and the numbers, of one frame."""
    rate, spo2 = (frame[2] & 0x40) << 1 | frame[3], frame[4]
    word = "finger out" if frame[2] & 0x10 else "search" if frame[2] & 0x20 or frame[0] & 0x10 else ""
    return word, (
        Number("spo2", float(spo2) if 0 < spo2 <= 100 else None, "%"),
        Number("pulse_rate", float(rate) if 0 < rate < 255 else None, "bpm"),
    )


def samples(pleth: list[int], now_ns: Nanos) -> list[Frame]:
    """The pleth of frames in a row, if any."""
    return [Samples("pleth", np.array([pleth], np.int32), now_ns)] if pleth else []


def board(options: Mapping[str, str]) -> Contec:
    """It has no options."""
    return Contec(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for 16 frames back to back (0.3 s of its line) whose numbers can be ones of a body."""
    return min(1.0, longest_row(data[-1000:], size_at, _plausible) / 16)


def _plausible(frame: bytes) -> bool:
    return frame[0] & 0x0F in {*range(9), 15} and (frame[4] <= 100 or frame[4] == 127)


def questions() -> Sequence[tuple[bytes, int]]:
    """None: it streams."""
    return ()
