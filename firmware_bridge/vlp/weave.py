"""Channels that arrive one by one, woven into the rows of a stream: a row is given on when all its channels have it.

The device's times number the rows: a sample whose time is k periods after another's stands k rows behind it. A row that one
channel will never have (its next sample is further on) is lost as a whole. At most `AHEAD_S` of samples wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_bridge.frames import Counts, Nanos, Samples

AHEAD_S = 2.0
PATIENCE_US = 5_000_000
"""How much further than our own clock device time may jump and be believed."""
_FOLLOW = 8  # the grid of rows follows the times of frames by an eighth of their difference


@dataclass(slots=True)
class _Lane:
    """One channel: samples (number of the first, values) not yet given on, and the number that comes next."""

    next: int = 0
    parts: deque[tuple[int, Counts]] = field(default_factory=deque)

    def add(self, first: int, values: Counts) -> None:
        if (known := self.next - first) > 0:  # came before
            first, values = first + known, values[known:]
        if values.size:
            self.parts.append((first, values))
            self.next = first + values.size

    def drop(self, before: int) -> None:
        """Forget samples below this number."""
        while self.parts and self.parts[0][0] < before:
            first, values = self.parts.popleft()
            if first + values.size > before:
                self.parts.appendleft((before, values[before - first :]))
        self.next = max(self.next, before)


class Weave:
    """One stream of `lanes` channels. `host_ns` tells our time of a device time (None while it is not known)."""

    def __init__(self, name: str, rate_hz: float, lanes: int, host_ns: Callable[[int], float | None]) -> None:
        self.name = name
        self._rate_hz = rate_hz
        self._period_us = 1e6 / rate_hz
        self._host_ns = host_ns
        self._lanes = [_Lane() for _ in range(lanes)]
        self._most = max(64, round(AHEAD_S * rate_hz))
        self._grid: tuple[int, float] | None = None  # a row's number and device time
        self._at = 0  # the next row to be given on
        self._lost = 0
        self._last_ns: Nanos | None = None  # our time of the last row given on
        self._arrived_ns: Nanos = 0
        self._restarted = False

    def restart(self) -> None:
        """The device's time has begun anew: our own clock tells how many rows are missing."""
        self._restarted = True

    def add(self, lane: int, us: int, values: Counts, now_ns: Nanos) -> None:
        """`values` int32 (n,) of a channel, the first one of device time `us`, in hand at `now_ns`."""
        row = self._row(us, values.size, now_ns)
        self._lanes[lane].add(row, values)

    def whole(self, us: int, counts: Counts, now_ns: Nanos) -> list[Samples] | None:
        """Rows that come with all their channels while nothing waits, as `add` and `take` would give them; None = add them."""
        if len(counts) != len(self._lanes) or any(
            lane.parts or lane.next != self._at for lane in self._lanes
        ):
            return None
        row = self._row(us, counts.shape[1], now_ns)
        counts = counts[:, max(self._at - row, 0) :]
        if not counts.size:
            return []
        self._lost += max(row - self._at, 0)
        self._at = max(row, self._at) + counts.shape[1]
        for lane in self._lanes:
            lane.next = self._at
        return [self._samples(counts, self._at, now_ns)]

    def take(self, now_ns: Nanos) -> list[Samples]:
        """The rows that have become whole."""
        nexts = [lane.next for lane in self._lanes]
        ready = max(min(nexts), max(nexts) - self._most)
        out = []
        while self._at < ready:
            upto, pieces = self._stretch(ready)
            if pieces is None:
                self._lost += upto - self._at
            else:
                out.append(self._samples(np.stack(pieces), upto, now_ns))
            self._at = upto
            for lane in self._lanes:
                lane.drop(upto)
        return out

    def _stretch(self, ready: int) -> tuple[int, list[Counts] | None]:
        """Up to which row the rows from `_at` on are all whole (with their values) or all lost (None)."""
        upto, gap = ready, self._at
        for lane in self._lanes:
            first = lane.parts[0][0] if lane.parts else ready
            if first > self._at:
                gap = max(gap, min(first, ready))
            else:
                upto = min(upto, first + lane.parts[0][1].size)
        if gap > self._at:
            return gap, None
        n = upto - self._at
        return upto, [lane.parts[0][1][self._at - lane.parts[0][0] :][:n] for lane in self._lanes]

    def _samples(self, counts: Counts, upto: int, now_ns: Nanos) -> Samples:
        """A frame, stamped with our time of its last row as the device's clock tells it, and never out of order."""
        assert self._grid is not None
        us = self._grid[1] + (upto - 1 - self._grid[0]) * self._period_us
        told = self._host_ns(round(us))
        stamp = now_ns if told is None else min(round(told), now_ns)
        if self._last_ns is not None:
            stamp = max(stamp, self._last_ns)
        self._last_ns, self._arrived_ns = stamp, now_ns
        lost, self._lost = self._lost, 0
        return Samples(self.name, np.ascontiguousarray(counts, dtype=np.int32), stamp, lost)

    def _row(self, us: int, n: int, now_ns: Nanos) -> int:
        """The number of the row that stands at device time `us`."""
        if self._grid is None:
            self._grid = (self._at, float(us))
            for lane in self._lanes:
                lane.next = self._at
            return self._at
        number, at_us = self._grid
        steps = round((us - at_us) / self._period_us)
        row = number + steps
        passed_us = max(now_ns - self._arrived_ns, 0) / 1000
        behind_us = (self._at - row) * self._period_us
        if self._restarted or behind_us > AHEAD_S * 1e6 or -behind_us > passed_us + PATIENCE_US:
            return self._anew(us, n, now_ns)
        late_us = us - (at_us + steps * self._period_us)
        self._grid = (row, us - late_us * (1 - 1 / _FOLLOW))
        return row

    def _anew(self, us: int, n: int, now_ns: Nanos) -> int:
        """Number on behind all that has come, as far as our clock says that samples are missing."""
        self._restarted = False
        row = max(lane.next for lane in self._lanes)
        if self._last_ns is not None:
            told = self._host_ns(us)
            first_ns = min(now_ns - (n - 1) * self._period_us * 1e3, now_ns if told is None else told)
            # What waited for its neighbours is part of what is missing.
            passed = round((first_ns - self._last_ns) * 1e-9 * self._rate_hz) - 1
            row = max(row, self._at + passed)
        self._grid = (row, float(us))
        return row
