"""The samples of a stretch, stream by stream, piece by piece: one of them is in memory at a time, however long the stretch is.

A stream is laid on the grid of its nominal rate, sample 0 at the beginning of the stretch: a segment begins at the sample
nearest to its time and goes on without another one missing or twice. What is missing is there as samples that are not
`present`. A device's clock is up to some 50 ppm off its nominal rate: within a segment the grid's time differs by so much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from daemon.exchange.stretch import NotExportable, Stretch
from daemon.model.codes import LEADS
from daemon.model.signals import Channel, Counts, Quantity
from daemon.store.answers import Missing

FILLED = 1 << 16
"""Absent samples that are given at once."""

AWAY_NS = 100_000_000
"""Less than this before a segment is the unsharpness of its beginning."""

MOST_AT_ONCE = 20_000_000
"""Values that `whole` takes into memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """A stream of the stretch: one serial number, one rate, one set of channels."""

    stream: str
    device: str
    name: str
    rate_hz: float
    channels: tuple[Channel, ...]

    @property
    def is_ecg(self) -> bool:
        return any(channel.quantity is Quantity.ECG for channel in self.channels)


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `first` .. of the grid: counts int32 (channels, n), present bool (n,); counts are 0 where not present."""

    first: int
    counts: Counts
    present: npt.NDArray[np.bool_]


@dataclass(slots=True)
class Waves:
    """The samples of one line. `shifts`, `gaps` and `n` are whole when `pieces` has come to its end."""

    stretch: Stretch
    line: Line
    shifts: dict[str, int] = field(default_factory=dict)
    gaps: dict[tuple[int, int, str], None] = field(default_factory=dict)
    n: int = 0

    def pieces(self) -> Iterator[Piece]:
        """From sample 0 on, one after the other, none missing; up to the last sample that is stored."""
        self.shifts, self.gaps, self.n = {}, {}, 0
        stretch, line = self.stretch, self.line
        ended_by = ""
        for begin_ns, end_ns in stretch.slices():
            for trace in stretch.traces(begin_ns, end_ns, line.stream):
                if (trace.segment.rate_hz, trace.channels) != (line.rate_hz, line.channels):
                    continue
                for missing in trace.missing:
                    self._note(missing)
                if not trace.counts.shape[1]:
                    continue
                if trace.segment.id not in self.shifts:
                    after_ns = int(trace.times_ns()[0]) - stretch.t0_ns
                    at = max(round(after_ns * line.rate_hz / 1e9), self.n)
                    self.shifts[trace.segment.id] = at - trace.first
                    self._away(at, ended_by)
                ended_by = trace.segment.ended_by
                at = self.shifts[trace.segment.id] + trace.first
                yield from self._absent(at)
                yield Piece(at, trace.counts, trace.present)
                self.n = at + trace.counts.shape[1]

    def whole(self) -> Piece:
        """All of it. Raises `NotExportable` where that is too much, or nothing."""
        pieces: list[Piece] = []
        values = 0
        for piece in self.pieces():
            values += piece.counts.size
            if values > MOST_AT_ONCE:
                raise NotExportable("the span is too long for this format: export it in parts (--from, --to)")
            pieces.append(piece)
        if not pieces:
            raise NotExportable("the session has no samples in this span")
        return Piece(
            0, np.concatenate([p.counts for p in pieces], axis=1), np.concatenate([p.present for p in pieces])
        )

    def sample(self, segment: str, number: int) -> int | None:
        """The place on the grid of a sample of a segment; None where the segment is not of this line."""
        shift = self.shifts.get(segment)
        return None if shift is None else shift + number

    def _absent(self, until: int) -> Iterator[Piece]:
        while self.n < until:
            n = min(until - self.n, FILLED)
            yield Piece(self.n, np.zeros((len(self.line.channels), n), np.int32), np.zeros(n, np.bool_))
            self.n += n

    def _away(self, until: int, ended_by: str) -> None:
        """Nothing from here on until a segment begins: the one before it says why."""
        step_ns = 1e9 / self.line.rate_hz
        begin_ns, end_ns = (self.stretch.t0_ns + round(n * step_ns) for n in (self.n, until))
        if end_ns - begin_ns > AWAY_NS:
            self.gaps[begin_ns, end_ns, ended_by or "not connected"] = None

    def _note(self, missing: Missing) -> None:
        begin, end = max(missing.t0_ns, self.stretch.t0_ns), min(missing.t1_ns, self.stretch.t1_ns)
        if begin < end:
            self.gaps[begin, end, missing.cause] = None


def lines(stretch: Stretch) -> list[Line]:
    """The streams that have segments in the stretch, an ECG before others, the one with the most channels first."""
    found: dict[Line, None] = {}
    for s in stretch.segments():
        found[Line(s.stream, s.device, s.name, s.rate_hz, s.channels)] = None
    return sorted(found, key=lambda line: (not line.is_ecg, -len(line.channels)))


def ecg(stretch: Stretch) -> Waves:
    """The ECG of the stretch. Raises `NotExportable` where there is none."""
    for line in lines(stretch):
        if line.is_ecg:
            return Waves(stretch, line)
    raise NotExportable("the session has no ECG in this span")


def leads(line: Line) -> list[int]:
    """Channels that are an ECG's, the twelve leads in their order before others."""
    order = list(LEADS)
    index = [i for i, c in enumerate(line.channels) if c.quantity is Quantity.ECG]
    return sorted(
        index, key=lambda i: order.index(line.channels[i].name) if line.channels[i].name in LEADS else 99
    )


def runs(present: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The stretches [begin, end) in which samples are there."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
