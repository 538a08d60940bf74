"""Nonin OEM III and Xpod oximeters, in whichever of their formats 1, 2 and 7 they were set to; only listened to.

Formats 2 and 7 say a pleth sample in each of 75 frames a second, and one byte of a table of 25 numbers beside it: which one
is told by the frame's place behind a SYNC. A frame is believed by its sum, a number when all 25 frames have come.
SYNC also tells how many frames are missing, though not where: they are counted directly before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

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
    Settings,
    Status,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 75.0


def _facts(full: int) -> Facts:
    """`full` is the highest value of the pleth; 0 = the format has none."""
    pleth = Channel("pleth", Quantity.PLETH, "1", 1 / max(full, 1), 0.0, -1, full + 1)
    return Facts(
        kind="nonin",
        title="Nonin OEM III / Xpod oximeter",
        port=PortSettings(baud=9600),
        line_bytes_per_second=375,
        streams=(StreamSpec("pleth", RATE_HZ, (pleth,)),) if full else (),
        silent_after_s=3.0,
    )


FACTS = _facts(255)

# --- frames ----------------------------------------------------------------------------------------------


class Format(NamedTuple):
    """How the pleth stands in a frame."""

    name: str
    size: int
    full: int


DF1, DF2, DF7 = Format("DF1", 3, 0), Format("DF2", 5, 255), Format("DF7", 5, 65_535)

ENOUGH = {DF1: 5, DF2: 3, DF7: 3}  # frames back to back from which a format is known
LONGEST_LOOK = max(known.size * frames for known, frames in ENOUGH.items())
LOST_AFTER = 60  # bytes without a good frame after which the format is looked for anew
FRAMES = 25

# Bits of the status in formats 2 and 7; format 1 has the first three elsewhere.
SYNC, GREEN, RED, PERFUSION, FINGER_OFF, OUT_OF_TRACK, ARTEFACT, NO_SENSOR = 1, 2, 4, 6, 8, 16, 32, 64
NO_RATE, NO_SPO2 = 511, 127


def good(known: Format, frame: bytes) -> bool:
    """Whether these bytes (of the format's size) are a frame: their sum, or for format 1 the bits 7 alone."""
    if known is DF1:
        return frame[0] >= 0x80 and frame[1] < 0x80 and frame[2] <= NO_SPO2 and _possible(frame[2])
    if frame[4] != sum(frame[:4]) & 0xFF:
        return False
    return frame[0] == 1 and frame[1] >= 0x80 if known is DF2 else frame[0] >= 0x80


def _possible(spo2: int) -> bool:
    return spo2 <= 100 or spo2 == NO_SPO2


def format_at_end(heard: bytes) -> Format | None:
    """The format of which `heard` ends with `ENOUGH` frames."""
    end = len(heard)
    for known, frames in ENOUGH.items():
        size = known.size
        # The last frame first: it is what most bytes fail at.
        if end >= size * frames and all(
            good(known, heard[at : at + size]) for at in range(end - size, end - size * frames - 1, -size)
        ):
            return known
    return None


# --- decoder ---------------------------------------------------------------------------------------------


class Packets:
    """The numbers that stand beside the pleth, one byte a frame, and the frames that are missing.

    A byte's meaning is its place, so a packet's numbers are believed when all its 25 frames have come, at the next SYNC.
    """

    def __init__(self) -> None:
        self._place = 0  # of the last frame behind SYNC, from 1; 0 = unknown
        self._since = 0  # frames since SYNC, those told missing among them
        self._bytes = [0] * (FRAMES + 1)
        self._flags = 0
        self._said: dict[str, object] = {}
        self._repeat = 0

    def damaged(self, missing: int) -> None:
        """Where in the packet the next frame stands is no longer known; so many frames were told missing."""
        self._place = 0
        self._since += missing if self._since else 0

    def frame(self, status: int, value: int) -> tuple[int, list[Frame]]:
        """(frames missing before this one, what is to be said before it)."""
        lost = 0
        said: list[Frame] = []
        if status & SYNC:
            if self._since:
                lost = (FRAMES - self._since) % FRAMES
                said = self._signal()
            if self._place == FRAMES:
                said += self._numbers()
            self._place, self._since, self._flags = 1, 1, status
        else:
            self._since += 1 if self._since else 0
            self._place = self._place + 1 if 0 < self._place < FRAMES else 0
            self._flags |= status
        self._bytes[self._place] = value
        return lost, said

    def _numbers(self) -> list[Frame]:
        """Those of a whole packet: on a change, and once a second."""
        rate = (self._bytes[1] & 3) << 7 | self._bytes[2] & 0x7F
        spo2, firmware = self._bytes[3] & 0x7F, self._bytes[4]
        said: list[Frame] = []
        if self._new("firmware", firmware) and firmware:
            said.append(Identity("nonin", firmware=str(firmware)))
        self._repeat += 1
        if self._new("numbers", (rate, spo2)) or self._repeat >= 3:
            self._repeat = 0
            said += numbers(rate, spo2)
        return said

    def _signal(self) -> list[Frame]:
        """What the packet that has ended tells of the sensor. Perfusion is said within beats only."""
        flags, word = self._flags, ""
        if flags & NO_SENSOR:
            word = "no sensor"
        elif flags & FINGER_OFF:
            word = "finger out"
        elif flags & OUT_OF_TRACK:
            word = "search"
        elif flags & ARTEFACT:
            word = "artefact"
        elif flags & PERFUSION == RED or (not flags & PERFUSION and self._said.get("signal") == "weak"):
            word = "weak"
        return [Status("signal", word)] if self._new("signal", word) else []

    def _new(self, name: str, value: object) -> bool:
        new = self._said.get(name) != value
        self._said[name] = value
        return new


def numbers(rate: int, spo2: int) -> list[Frame]:
    """Missing values are said as such: 511 and 127."""
    return [
        Number("spo2", float(spo2) if _possible(spo2) and spo2 != NO_SPO2 and spo2 else None, "%"),
        Number("pulse_rate", float(rate) if 0 < rate < NO_RATE else None, "bpm"),
    ]


class Nonin:
    """The oximeter. Which format it speaks shows from its first frames; the streams change with it."""

    def __init__(self, options: Mapping[str, str]) -> None:
        Options("nonin", options).done()
        self._facts = FACTS
        self._format: Format | None = None
        self._seen = b""  # while no format is known
        self._rest = b""  # less than two frames of a known one
        self._skipped = 0  # bytes that are no frame, since the last good one
        self._locked = False  # the last thing read was a good frame
        self._packets = Packets()
        self._first: list[Frame] = [Identity("nonin", model="OEM III / Xpod"), Leads(())]
        self._signal = ""

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        """Nothing is sent to this board."""

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        out, self._first = _Out(self._first, now_ns), []
        buffer, self._rest = self._rest + data, b""
        while buffer:
            buffer = (
                self._look(buffer, out) if self._format is None else self._read(self._format, buffer, out)
            )
        return out.done()

    def _look(self, buffer: bytes, out: _Out) -> bytes:
        """Byte by byte until a format shows. Returns what is to be read then; what came before it is damage."""
        for at in range(len(buffer)):
            self._seen += buffer[at : at + 1]
            known = format_at_end(self._seen)
            if known is not None:
                begin = len(self._seen) - known.size * ENOUGH[known]
                out.damage(begin)
                seen, self._seen = self._seen[begin:], b""
                self._meet(known, out)
                return seen + buffer[at + 1 :]
            if len(self._seen) > LONGEST_LOOK:
                out.damage(1)
                self._seen = self._seen[1:]
        return b""

    def _meet(self, known: Format, out: _Out) -> None:
        self._format, self._locked, self._skipped = known, True, 0
        self._packets = Packets()
        self._facts = _facts(known.full)
        out.say(Settings((("format", known.name),)))

    def _read(self, known: Format, buffer: bytes, out: _Out) -> bytes:
        """Frames of the known format. Returns what is to be looked at anew, where the format was lost."""
        at, size = 0, known.size
        while len(buffer) - at >= size:
            frame = buffer[at : at + size]
            if good(known, frame):
                # After damage one sum is not enough in format 7, where nothing else is fixed: the next must hold too.
                unsure = known is DF7 and not self._locked
                behind = buffer[at + size : at + 2 * size] if unsure else frame
                if len(behind) < size:
                    break
                if good(known, behind):
                    self._believe(known, frame, out)
                    at += size
                    continue
            self._locked = False
            self._skipped += 1
            at += 1
            if self._skipped > LOST_AFTER:
                out.damage(self._skipped)
                self._format, self._skipped = None, 0
                return buffer[at:]
        self._rest = buffer[at:]
        return b""

    def _believe(self, known: Format, frame: bytes, out: _Out) -> None:
        lost = 0
        if self._skipped:
            out.damage(self._skipped)
            if known is not DF1:
                lost = round(self._skipped / known.size)
                self._packets.damaged(lost)
            self._skipped = 0
        self._locked = True
        if known is DF1:
            out.say(*self._of_format_1(frame))
            return
        status, value = (frame[1], frame[3]) if known is DF2 else (frame[0], frame[3])
        more, said = self._packets.frame(status, value)
        pleth = frame[2] if known is DF2 else frame[1] << 8 | frame[2]
        out.sample(pleth, lost + more)
        out.say(*said)

    def _of_format_1(self, frame: bytes) -> list[Frame]:
        status, rate = frame[0], (frame[0] & 3) << 7 | frame[1]
        word = "no sensor" if status & 0x40 else "search" if status & 0x20 else ""
        word = word or ("artefact" if status & 0x04 else "weak" if status & 0x10 else "")
        said: list[Frame] = [Status("signal", word)] if word != self._signal else []
        self._signal = word
        return [*said, *numbers(rate, frame[2])]

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:  # noqa: ARG002 - the interface gives the time
        return None

    def closing(self) -> bytes:
        return b""


class _Out:
    """Frames of one feed: samples are put together until something else is said."""

    def __init__(self, first: list[Frame], now_ns: Nanos) -> None:
        self._frames = list(first)
        self._now_ns = now_ns
        self._pleth: list[int] = []
        self._lost = 0

    def sample(self, value: int, lost: int) -> None:
        if lost:
            self._flush()
            self._lost = lost
        self._pleth.append(value)

    def say(self, *frames: Frame) -> None:
        if frames:
            self._flush()
            self._frames += frames

    def damage(self, count: int) -> None:
        if not count:
            return
        self._flush()
        last = self._frames[-1] if self._frames else None
        if isinstance(last, Damage):
            self._frames[-1] = Damage(last.byte_count + count)
        else:
            self._frames.append(Damage(count))

    def _flush(self) -> None:
        if self._pleth:
            self._frames.append(Samples("pleth", np.array([self._pleth], np.int32), self._now_ns, self._lost))
        self._pleth, self._lost = [], 0

    def done(self) -> list[Frame]:
        self._flush()
        return self._frames


def board(options: Mapping[str, str]) -> Nonin:
    """It has no options: the format is heard."""
    return Nonin(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for frames whose sums hold (formats 2 and 7); 0.9 for five of format 1 and nothing else, which has no sum."""
    tail = data[-300:]
    for end in range(len(tail), LONGEST_LOOK - 1, -1):
        known = format_at_end(tail[:end])
        if known in {DF2, DF7}:
            return 1.0
    for begin in range(DF1.size):
        rows = [data[at : at + 3] for at in range(begin, len(data) - 2, 3)]
        if len(data) < 100 and len(rows) >= ENOUGH[DF1] and all(good(DF1, row) for row in rows):
            return 0.9
    return 0.0


def questions() -> Sequence[tuple[bytes, int]]:
    """None: plain modules hear nothing."""
    return ()
