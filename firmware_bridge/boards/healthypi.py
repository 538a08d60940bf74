"""What HealthyPi v4 and 5 share: the envelope of their packets, and numbers of their own that come with every sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firmware_bridge.frames import Channel, Damage, Frame, Nanos, Number, Quantity, Samples
from firmware_bridge.framing import EXACT, Cutter, Layout, Run, Skipped

REPEAT_FRAMES = 125  # a number that does not change is said again after so many packets, about one second


def packet(name: str, kind: int, length: int, body: int | None = None) -> Layout:
    """0A FA, length u16le, type, payload, 00 0B. `body` is the true payload length where the header's is wrong."""
    end = 5 + (length if body is None else body)
    head = (0x0A, 0xFA, length & 0xFF, length >> 8, kind)
    bits = {offset: (EXACT, value) for offset, value in enumerate(head)}
    return Layout(name, end + 2, bits | {end: (EXACT, 0x00), end + 1: (EXACT, 0x0B)})


def channel(name: str, quantity: Quantity) -> Channel:
    """A channel whose scale nobody has published."""
    return Channel(name, quantity, "1", 1.0)


class Readings:
    """Finds the packets at which what the device measured must be said: when it changes, and once a second.

    `span` is where, in a packet, the bytes stand that the numbers depend on; `say` turns one packet into frames.
    """

    def __init__(self, span: slice, say: Callable[[bytes], list[Frame]]) -> None:
        self._span = span
        self._say = say
        self._last: bytes | None = None
        self._until_repeat = 0

    def places(self, run: Run) -> list[tuple[int, list[Frame]]]:
        """(packet number within the run, what is to be said before its sample)."""
        size = run.layout.size
        spans = np.frombuffer(run.raw, np.uint8).reshape(-1, size)[:, self._span]
        steady = self._last is not None and run.frames <= self._until_repeat
        if steady and not (spans != np.frombuffer(self._last or b"", np.uint8)).any():
            self._until_repeat -= run.frames
            return []
        found = []
        for place in range(run.frames):
            span = spans[place].tobytes()
            if span != self._last or not self._until_repeat:
                found.append((place, self._say(run.raw[place * size : (place + 1) * size])))
                self._last, self._until_repeat = span, REPEAT_FRAMES
            self._until_repeat -= 1
        return found


def interleaved(
    stream: str,
    counts: np.ndarray[tuple[int, int], np.dtype[np.int32]],
    run: Run,
    readings: Readings,
    now_ns: Nanos,
) -> list[Frame]:
    """The samples of a run with what the device measured in its place between them."""
    frames: list[Frame] = []
    begin = 0
    for place, said in readings.places(run):
        if place > begin:
            frames.append(Samples(stream, counts[:, begin:place].copy(), now_ns))
            begin = place
        frames += said
    frames.append(Samples(stream, counts[:, begin:].copy() if begin else counts, now_ns))
    return frames


def packets_in(data: bytes, layouts: tuple[Layout, ...]) -> int:
    """The longest row of packets back to back in `data`: what recognising these boards rests on."""
    longest = row = 0
    for piece in Cutter(layouts).cut(data):
        if isinstance(piece, Run):
            row = row + piece.frames if piece.follows else piece.frames
            longest = max(longest, row)
    return longest


def damage(piece: Skipped) -> Damage:
    """Noise, or the boot text that comes on the same line."""
    return Damage(len(piece.raw))


def number(name: str, value: float, unit: str, *, valid: bool = True) -> Number:
    """A number of the device; not valid = it says that it has none."""
    return Number(name, float(value) if valid else None, unit)
