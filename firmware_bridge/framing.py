"""Cutting frames out of a damaged byte stream, and counting what is missing: one cutter for all binary boards.

None of the boards has a check sum that can be verified, so a frame is believed by its fixed bits (`Layout`), by its
place (directly behind a good frame, or confirmed by the next one) and by its counter. After a failed candidate one
byte is dropped, never a frame's length: the good frame may begin inside the bad one.

Speed: the fixed bits of up to 128 frames are compared as one big integer (a mask and an exclusive-or), so frames that
follow each other well are found and handed on together; only damage is walked through byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from firmware_bridge.frames import Nanos

RUN_FRAMES = 128  # frames looked at together; bounds the masks' memory
NEAR_FRAMES = 4  # after damage, a counter this close to the last one is believed without a second frame
EXACT = 0xFF

_WAIT = -1


class Layout:
    """A kind of frame of fixed `size`: `bits` maps an offset to (mask, value); byte & mask must equal value.

    The byte at offset 0 must be fixed. `counter` is (offset, modulus) of a counter that steps by one every frame.
    """

    __slots__ = ("_cycle", "_mask", "_one_mask", "_one_value", "_value", "counter", "name", "size", "start")

    def __init__(
        self,
        name: str,
        size: int,
        bits: Mapping[int, tuple[int, int]],
        counter: tuple[int, int] | None = None,
    ) -> None:
        if bits[0][0] != EXACT or bits[0][1] == 0:
            raise ValueError(f"{name}: the first byte must be fixed and not zero")
        mask, value = bytearray(size), bytearray(size)
        for offset, (bit_mask, bit_value) in bits.items():
            mask[offset], value[offset] = bit_mask, bit_value
        self.name = name
        self.size = size
        self.start = value[0]
        self.counter = counter
        self._one_mask = int.from_bytes(mask, "little")
        self._one_value = int.from_bytes(value, "little")
        self._mask = int.from_bytes(mask * RUN_FRAMES, "little")
        self._value = int.from_bytes(value * RUN_FRAMES, "little")
        modulus = counter[1] if counter else 1
        self._cycle = bytes(range(modulus)) * (RUN_FRAMES // modulus + 2)

    def begins(self, buffer: bytes, at: int) -> bool:
        """Whether the bytes at `at`, as far as they reach, fit this layout."""
        part = buffer[at : at + self.size]
        wrong = (int.from_bytes(part, "little") & self._one_mask) ^ self._one_value
        return not wrong & ((1 << 8 * len(part)) - 1)

    def frames(self, buffer: bytes, at: int) -> int:
        """How many complete frames of this layout stand back to back from `at`, at most `RUN_FRAMES`."""
        count = min((len(buffer) - at) // self.size, RUN_FRAMES)
        seen = int.from_bytes(buffer[at : at + count * self.size], "little")
        wrong = (seen & self._mask) ^ self._value
        if not wrong:
            return count
        # The lowest wrong bit is in the first bad frame; behind the last byte all of `value` is wrong.
        return ((wrong & -wrong).bit_length() - 1) // (8 * self.size)

    def steps(self, counters: bytes, first: int) -> int:
        """How many of `counters` go first, first + 1, ... (modulo)."""
        if counters == self._cycle[first : first + len(counters)]:
            return len(counters)
        pairs = zip(counters, self._cycle[first:], strict=False)
        return next(n for n, (counter, expected) in enumerate(pairs) if counter != expected)


class Run(NamedTuple):
    """`frames` good frames of one layout back to back; their counters, if any, step by one. A duplicate stands alone.

    `follows`: nothing was skipped since the last good frame. `behind` bytes of the feed come after this run.
    """

    layout: Layout
    raw: bytes
    frames: int
    follows: bool
    behind: int


class Skipped(NamedTuple):
    """Bytes that belong to no frame."""

    raw: bytes


class Cutter:
    """Cuts a stream into runs of frames and skipped bytes. Memory: less than two frames are kept between feeds.

    The first frame ever needs a second one directly behind it. Set `alone` while a request is pending: then any single
    well-formed frame is believed, because the reply may come alone.
    """

    def __init__(self, layouts: tuple[Layout, ...]) -> None:
        if len({layout.start for layout in layouts}) != 1:
            raise ValueError("all layouts of a board begin with the same byte")
        self.alone = False
        self._layouts = layouts
        self._start = bytes([layouts[0].start])
        self._rest = b""
        self._met = False  # a frame has been believed before
        self._locked = False  # the last thing read was a good frame
        self._last: int | None = None  # its counter

    def counter_restarts(self) -> None:
        """The device was told to start anew: its next counter says nothing about what is missing."""
        self._last = None

    def cut(self, data: bytes) -> Iterator[Run | Skipped]:
        """What `data` completes, in the order of the wire. Exhaust it: its end keeps the bytes that wait for more."""
        buffer = self._rest + data
        at = good = 0  # everything before `good` has been handed on
        while at < len(buffer):
            layout, count = self._frames_at(buffer, at)
            if count == _WAIT:
                break
            if count:
                if good < at:
                    yield Skipped(buffer[good:at])
                good = at + count * layout.size
                follows, self._locked, self._met = self._locked, True, True
                yield Run(layout, buffer[at:good], count, follows, len(buffer) - good)
                at = good
                continue
            self._locked = False
            at = buffer.find(self._start, at + 1)
            if at < 0:
                at = len(buffer)
        if good < at:
            yield Skipped(buffer[good:at])
        self._rest = buffer[at:]

    def _frames_at(self, buffer: bytes, at: int) -> tuple[Layout, int]:
        """The layout at `at` and how many of its frames are believed: 0 none, `_WAIT` more bytes must tell."""
        for layout in self._layouts:
            if layout.begins(buffer, at):
                count = layout.frames(buffer, at)
                return layout, self._believed(buffer, at, layout, count) if count else _WAIT
        return self._layouts[0], 0

    def _believed(self, buffer: bytes, at: int, layout: Layout, count: int) -> int:
        if layout.counter is None:
            if self._locked or self._met or self.alone or count > 1:
                return count
            return self._confirmed(buffer, at, layout)
        offset, modulus = layout.counter
        counters = buffer[at + offset : at + count * layout.size : layout.size]
        if self._locked and self._last is not None:
            in_step = layout.steps(counters, (self._last + 1) % modulus)
            if in_step:
                self._last = counters[in_step - 1]
                return in_step
        verdict = 1 if self._plausible(counters[0], modulus) else self._confirmed(buffer, at, layout)
        if verdict > 0:
            duplicate = counters[0] == self._last
            verdict = 1 if duplicate else layout.steps(counters, counters[0])
            self._last = counters[verdict - 1]
        return verdict

    def _plausible(self, counter: int, modulus: int) -> bool:
        """Whether a frame whose counter is not the next one is believed without a look at the frame behind it."""
        if self.alone:
            return True
        if self._last is None:
            return self._locked  # directly behind a reply
        step = (counter - self._last) % modulus
        return step == 0 if self._locked else 0 < step <= NEAR_FRAMES

    def _confirmed(self, buffer: bytes, at: int, layout: Layout) -> int:
        """Whether the frame behind the one at `at` speaks for it: 1, 0 or `_WAIT`."""
        behind = at + layout.size
        for other in self._layouts:
            if not other.begins(buffer, behind):
                continue
            if len(buffer) - behind < other.size:
                return _WAIT
            if layout.counter is None or other.counter is None:
                return 1
            offset, modulus = layout.counter
            following = buffer[behind + offset]
            if self._locked and self._last is not None:
                # In lock, the next frame going on as if this one had been right shows that its counter was hit.
                return int((following - self._last) % modulus != 2)
            return int((following - buffer[at + offset]) % modulus == 1)
        return 0


class LossCounter:
    """How many samples are missing before a run of frames, from a counter modulo `modulus` and the time that passed.

    A counter alone cannot tell g from g + k * modulus lost frames; time tells, unless the counter simply went on.
    """

    def __init__(self, modulus: int, rate_hz: float) -> None:
        self._modulus = modulus
        self._frame_ns = 1e9 / rate_hz
        self._last: int | None = None
        self._last_ns: Nanos | None = None

    def restarted(self) -> None:
        """The device starts counting anew: only time can tell what was missed in between."""
        self._last = None

    def before(self, first: int, run: Run, now_ns: Nanos) -> int | None:
        """Samples missing before `run`, whose first counter is `first`; None if that frame is a duplicate.

        Call it once for every run, in order.
        """
        end_ns = now_ns - round(run.behind / run.layout.size * self._frame_ns)
        last, last_ns = self._last, self._last_ns
        lost = 0
        if last_ns is not None:
            passed = (end_ns - last_ns) / self._frame_ns - (
                run.frames - 1
            )  # frames from the last to the first
            if last is None:
                lost = max(0, round(passed) - 1)
            else:
                step = (first - last) % self._modulus
                if step != 1 or not run.follows:
                    step += self._modulus * max(0, round((passed - step) / self._modulus))
                if step == 0:
                    return None
                lost = step - 1
        self._last = (first + run.frames - 1) % self._modulus
        self._last_ns = max(end_ns, last_ns) if last_ns is not None else end_ns
        return lost
