"""A stream's channels in whole hops of means, counted from sample 0 of the segment: what is slower than an ECG is read in these.

A mean is taken of so many samples that there are about as many means a second as asked for; it is taken of counts, whose
sums are whole numbers, so that no cut of the stream changes its last bit. Behind a gap the next whole hop is the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.fit import Fit
from daemon.model.findings import LIVE_STEP_NS
from daemon.model.signals import Counts, Nanos, SampleBlock, Segment

Floats = npt.NDArray[np.float64]

_MOST_HOPS = 64
"""Hops that are worked on at once, so that what is held stays bounded by a block and these."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Hop `number` of a segment: means (rows, n) of its samples `first` .. `last`, complete at `t_ns`."""

    number: int
    values: Floats
    first: int
    last: int
    t_ns: Nanos

    @property
    def due_ns(self) -> Nanos:
        return -(-self.t_ns // LIVE_STEP_NS) * LIVE_STEP_NS


class Hops:
    """Cuts the channels `rows` of a segment into hops of about `seconds`, of about `mean_hz` means a second (None: of samples)."""

    def __init__(self, segment: Segment, rows: list[int], mean_hz: float | None, seconds: float) -> None:
        stream = segment.stream
        self.of = 1 if mean_hz is None else max(round(stream.rate_hz / mean_hz), 1)
        self.hz = stream.rate_hz / self.of
        self.n = max(round(seconds * self.hz), 1)
        self.seconds = self.n / self.hz
        self._rows = rows
        self._gain = np.array([[stream.channels[k].gain] for k in rows])
        self._offset = np.array([[stream.channels[k].offset] for k in rows])
        self._fit = Fit(0, segment.began_ns, 1e9 / stream.rate_hz)
        self._next: int | None = None
        self._rest: Counts = np.zeros((len(rows), 0), dtype=np.int32)

    def time_of(self, mean: float) -> Nanos:
        """Time of the middle of a mean, by its number in the segment."""
        return self._fit.time_of(mean * self.of + (self.of - 1) / 2)

    @property
    def heard(self) -> int:
        """Number of the last sample that came, 0 before the first."""
        return max((self._next or 0) - 1, 0)

    @property
    def heard_ns(self) -> Nanos | None:
        """Time of the last sample that came, None before the first."""
        return None if self._next is None else self._fit.time_of(self._next - 1)

    def push(self, block: SampleBlock) -> Iterator[Hop]:
        """The hops that the block completes; samples seen before are ignored."""
        width = self.of * self.n
        counts, first = block.counts[self._rows], block.first
        if self._next is None or first > self._next:
            self._next = -(-first // width) * width
            self._rest = counts[:, :0]
        counts = counts[:, max(self._next - first, 0) :]
        if not counts.shape[1]:
            return
        self._fit = self._fit.followed_by(block)
        self._next += counts.shape[1]
        held = np.concatenate([self._rest, counts], axis=1)
        whole = held.shape[1] // width
        begun = (self._next - held.shape[1]) // width
        self._rest = held[:, whole * width :]
        for at in range(0, whole, _MOST_HOPS):
            some = held[:, at * width : min(at + _MOST_HOPS, whole) * width]
            means = (some.reshape(len(held), -1, self.of).mean(axis=2) - self._offset) * self._gain
            for k in range(some.shape[1] // width):
                number = begun + at + k
                last = (number + 1) * width - 1
                values = means[:, k * self.n : (k + 1) * self.n]
                yield Hop(number, values, number * width, last, self._fit.time_of(last))
