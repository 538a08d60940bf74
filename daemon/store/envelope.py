"""Lowest and highest counts of every second, a minute in one row: a day is seen without reading a day of samples.

A bin is one chunk length of absolute sample numbers, a row `BINS` of them. Rows are derived from chunks: where one is
missing (the current minute, or a crash came first) the reader takes the chunks.
"""

from __future__ import annotations

import numpy as np

from daemon.model.signals import Counts, Nanos
from daemon.store import codec

BINS = 60

NONE_LOW = np.int32(2**31 - 1)
NONE_HIGH = np.int32(-(2**31))
"""A bin without samples: its lowest is above its highest."""


class Envelope:
    """The extremes of `BINS` bins from sample `first` (a multiple of chunk_n), at `t0_ns`, on; int32 (channels, bins)."""

    def __init__(self, first: int, chunk_n: int, channels: int, t0_ns: Nanos, period_ns: float) -> None:
        self.first = first
        self.t0_ns = t0_ns
        self.period_ns = period_ns
        self.chunk_n = chunk_n
        self.low: Counts = np.full((channels, BINS), NONE_LOW, np.int32)
        self.high: Counts = np.full((channels, BINS), NONE_HIGH, np.int32)

    @property
    def end(self) -> int:
        """The first sample number that is beyond."""
        return self.first + self.chunk_n * int(self.low.shape[1])

    def add(self, first: int, counts: Counts) -> None:
        """Take in samples from `first` on, int32 of shape (channels, n); all within first .. end."""
        at = first - self.first
        last = (at + counts.shape[1] - 1) // self.chunk_n
        bins = np.arange(at // self.chunk_n, last + 1)
        starts = np.maximum(bins * self.chunk_n - at, 0)
        self.low[:, bins] = np.minimum(self.low[:, bins], np.minimum.reduceat(counts, starts, axis=1))
        self.high[:, bins] = np.maximum(self.high[:, bins], np.maximum.reduceat(counts, starts, axis=1))

    def rows(self) -> Counts:
        """Lows of all channels, then highs: as it is coded, int32 of shape (2 x channels, bins)."""
        return np.concatenate([self.low, self.high])


def decode(data: bytes, channels: int, bins: int, crc32: int, coding: int) -> tuple[Counts, Counts]:
    """Low and high, int32 of shape (channels, bins). Raises `codec.Damaged`."""
    rows = codec.decode(data, 2 * channels, bins, crc32, coding)
    return rows[:channels], rows[channels:]


def row_span(first: int, chunk_n: int) -> int:
    """The first sample number of the row that holds sample `first`."""
    return first - first % (chunk_n * BINS)
