"""From blocks of any size to chunks of about a second, cut at multiples of the absolute sample number.

The first second of a segment is cut in quarters, so that a recording is on the disk soon after it begins.
How the stream was cut into blocks leaves no trace in what is stored. What is missing between two blocks becomes a gap
here, whether acquisition said so or not: every sample number ends up in exactly one chunk or in exactly one gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daemon.model.signals import Counts, Gap, GapCause, Nanos, SampleBlock, Segment


def chunk_length(rate_hz: float) -> int:
    """Samples of a whole chunk: about one second of them."""
    return max(1, round(rate_hz))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of one segment, to be stored as one row; `pieces` are int32 of shape (channels, any)."""

    segment: Segment
    first: int
    n: int
    t0_ns: Nanos
    period_ns: float
    error_ns: float
    arrived_ns: Nanos
    pieces: tuple[Counts, ...]
    since: int = 0
    """What `Cutter.push` was told when the first of them came."""

    @property
    def nbytes(self) -> int:
        return sum(piece.nbytes for piece in self.pieces)

    def counts(self) -> Counts:
        return self.pieces[0] if len(self.pieces) == 1 else np.concatenate(self.pieces, axis=1)


class Cutter:
    """One segment's way to chunks. `next` is the sample number that comes next."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.next = 0
        self.chunk_n = chunk_length(segment.stream.rate_hz)
        self.first_n = -(-self.chunk_n // 4)
        self.pending_since = 0
        """What `push` was told when the oldest pending sample came."""
        self._blocks: list[SampleBlock] = []
        self._pieces: list[Counts] = []

    @property
    def pending(self) -> bool:
        return bool(self._pieces)

    @property
    def arrived_ns(self) -> Nanos:
        """When the newest pending sample was in hand."""
        return self._blocks[-1].arrived_ns

    def push(self, block: SampleBlock, since: int) -> list[Chunk | Gap]:
        """The chunks and gaps that this block completes. Samples that came before are left out."""
        out: list[Chunk | Gap] = []
        if block.first > self.next:
            out += self._hole(block.first, block.t0_ns, block.period_ns, block.arrived_ns)
        at = max(self.next - block.first, 0)
        while at < block.n:
            first = block.first + at
            whole = self.chunk_n if first >= self.chunk_n else self.first_n
            take = min(whole - first % whole, self.chunk_n - first % self.chunk_n, block.n - at)
            if not self._pieces:
                self.pending_since = since
            self._blocks.append(block)
            self._pieces.append(block.counts[:, at : at + take])
            at += take
            self.next = first + take
            if self.next % self.chunk_n == 0 or (self.next < self.chunk_n and self.next % self.first_n == 0):
                out += self.flush()
        return out

    def skip(self, gap: Gap) -> list[Chunk | Gap]:
        """The pending chunk and the gap, less what was already known."""
        out: list[Chunk | Gap] = []
        if gap.first > self.next:
            out += self._hole(gap.first, gap.t0_ns, 1e9 / gap.segment.stream.rate_hz, gap.t_ns)
        known = self.next - gap.first
        if gap.count > known:
            out += self.flush()
            t0_ns = gap.t0_ns + round(known * 1e9 / gap.segment.stream.rate_hz)
            out.append(Gap(gap.segment, self.next, gap.count - known, t0_ns, gap.t_ns, gap.cause))
            self.next = gap.first + gap.count
        return out

    def flush(self) -> list[Chunk]:
        """The pending samples as a chunk, whole or not."""
        if not self._pieces:
            return []
        n = sum(piece.shape[1] for piece in self._pieces)
        first, oldest = self.next - n, self._blocks[0]
        chunk = Chunk(
            self.segment,
            first,
            n,
            oldest.time_of(first),
            oldest.period_ns,
            oldest.error_ns,
            self.arrived_ns,
            tuple(self._pieces),
            self.pending_since,
        )
        self._blocks, self._pieces = [], []
        return [chunk]

    def _hole(self, to: int, to_ns: Nanos, period_ns: float, now_ns: Nanos) -> list[Chunk | Gap]:
        """Up to sample `to`, at `to_ns`, nothing came and nothing said why."""
        count = to - self.next
        t0_ns = to_ns - round(count * period_ns)
        gap = Gap(self.segment, self.next, count, t0_ns, now_ns, GapCause.UNKNOWN)
        out: list[Chunk | Gap] = [*self.flush(), gap]
        self.next = to
        return out
