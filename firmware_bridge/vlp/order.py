"""Frames back in the order in which the device sent them, each once: what is missing is asked for again, then given up.

A frame behind a gap is held until the gap is filled or given up. Without a way to ask (`asks` False: recorded bytes, a port
that was not opened) nothing is waited for. At most `MOST_HELD` frames are held.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from firmware_bridge.frames import Nanos
from firmware_bridge.vlp.wire import AGAIN, Letter

MS: Nanos = 1_000_000
ASK_NS: Nanos = 50 * MS
ASK_AGAIN_NS: Nanos = 500 * MS
GIVE_UP_NS: Nanos = 700 * MS
"""An answer to the second question takes a frame each way; samples are held no longer than this."""
MOST_HELD = 256
FURTHEST = 1024
"""A jump ahead by more than this is no gap that anybody could fill: the line was away."""
REPEATED = 3
"""So many frames in a row with old numbers, which are not marked as sent again: the device counts from the beginning."""
MOST_ASKED = 8  # RESEND frames at once

_ALL = 2**32


class Taken(Enum):
    """What became of a frame."""

    KEPT = auto()
    OLD = auto()  # it had come before, or too late
    STRANGE = auto()  # the device has begun to count anew, and has not said so


@dataclass(slots=True)
class _Missing:
    since_ns: Nanos
    asked: int = 0


class Order:
    """`take` every frame, read `ready` in order, send what `due` asks for."""

    def __init__(self) -> None:
        self.asks = False
        self.ready: deque[tuple[Letter, Nanos]] = deque()
        self._next: int | None = None
        self._held: dict[int, tuple[Letter, Nanos]] = {}
        self._missing: dict[int, _Missing] = {}
        self._repeated: list[int] = []
        self._estranged = False

    def restart(self, sequence: int) -> None:
        """The device has said who it is in the frame `sequence`: its numbers go on behind it. What was held is ready."""
        self._flush()
        self._next = (sequence + 1) % _ALL
        self._estranged = False
        self._repeated.clear()

    @property
    def estranged(self) -> bool:
        """Whether frames cannot be placed before the device has said who it is."""
        return self._estranged

    def take(self, letter: Letter, now_ns: Nanos) -> Taken:
        """Place a frame that arrived at `now_ns`."""
        if self._estranged:
            return Taken.STRANGE
        sequence, again = letter.sequence, bool(letter.flags & AGAIN)
        if self._next is None:
            if again:
                return Taken.OLD
            self._next = sequence
        ahead = (sequence - self._next) % _ALL
        if ahead >= _ALL // 2 or sequence in self._held:
            return Taken.OLD if again or not self._counts_anew(sequence) else self._anew(letter, now_ns)
        self._repeated.clear()
        if ahead and (ahead > FURTHEST or not self.asks):
            self._flush()
            self._next = sequence
            ahead = 0
        if not ahead:
            self._missing.pop(sequence, None)
            self.ready.append((letter, now_ns))
            self._next = (sequence + 1) % _ALL
            self._drain()
            return Taken.KEPT
        self._hold(letter, ahead, now_ns)
        return Taken.KEPT

    def expire(self, now_ns: Nanos) -> None:
        """Give up what was asked for and has not come."""
        while self._missing and now_ns - next(iter(self._missing.values())).since_ns >= GIVE_UP_NS:
            self._give_up()

    def due(self, now_ns: Nanos) -> list[tuple[int, int]]:
        """Runs of missing frames (first, last) to ask for now."""
        runs: list[tuple[int, int]] = []
        for sequence, missing in self._missing.items():
            waited_ns = now_ns - missing.since_ns
            if waited_ns < (ASK_NS, ASK_AGAIN_NS, _ALL * MS)[missing.asked]:
                continue
            if runs and (runs[-1][1] + 1) % _ALL == sequence:
                runs[-1] = (runs[-1][0], sequence)
            elif len(runs) < MOST_ASKED:
                runs.append((sequence, sequence))
            else:
                break
            missing.asked += 1
        return runs

    def _hold(self, letter: Letter, ahead: int, now_ns: Nanos) -> None:
        assert self._next is not None
        for step in range(ahead):
            sequence = (self._next + step) % _ALL
            if sequence not in self._held and sequence not in self._missing:
                self._missing[sequence] = _Missing(now_ns)
        self._missing.pop(letter.sequence, None)
        self._held[letter.sequence] = (letter, now_ns)
        while len(self._held) > MOST_HELD:
            self._give_up()

    def _drain(self) -> None:
        assert self._next is not None
        while (held := self._held.pop(self._next, None)) is not None:
            self.ready.append(held)
            self._next = (self._next + 1) % _ALL

    def _give_up(self) -> None:
        """Go on behind the first gap."""
        assert self._next is not None
        while self._missing.pop(self._next, None) is not None:
            self._next = (self._next + 1) % _ALL
        self._drain()

    def _flush(self) -> None:
        while self._missing:
            self._give_up()
        self._held.clear()

    def _counts_anew(self, sequence: int) -> bool:
        if self._repeated and sequence != (self._repeated[-1] + 1) % _ALL:
            self._repeated.clear()
        self._repeated.append(sequence)
        return len(self._repeated) >= REPEATED

    def _anew(self, letter: Letter, now_ns: Nanos) -> Taken:
        self.restart((letter.sequence - 1) % _ALL)
        if self.asks:
            self._estranged = True
            return Taken.STRANGE
        return self.take(letter, now_ns)
