"""What waits to be written: two bounded queues, so that samples never crowd out events.

Nothing leaves before it is committed: a batch is looked at, written, and only then taken away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice, takewhile

from daemon.store.cutting import Chunk
from daemon.store.entries import Entry

BATCH_ROWS = 5000
BATCH_CHUNKS = 250
"""One transaction takes no more: after an outage a long queue is written in pieces."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry, its bed, and the number of the offer that its oldest part came with."""

    seq: int
    bed: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest rows and chunks: one transaction."""

    rows: tuple[Waiting, ...]
    samples: tuple[Waiting, ...]

    @property
    def all(self) -> tuple[Waiting, ...]:
        return self.rows + self.samples


class Backlog:
    """At most `max_rows` rows and `max_bytes` of samples. What does not fit is refused to the caller, who must count it."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self.max_rows = max_rows
        self.max_bytes = max_bytes
        self.bytes = 0
        self._rows: deque[Waiting] = deque()
        self._samples: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._rows) + len(self._samples)

    def row(self, waiting: Waiting, *, share: float = 1.0) -> bool:
        """Take in an event or metric, unless `share` of the places is taken."""
        if len(self._rows) >= share * self.max_rows:
            return False
        self._rows.append(waiting)
        return True

    def samples(self, *together: Waiting, must: bool = False) -> bool:
        """Take in chunks, gaps, ends of segments: all or none; `must` for what stands for refused samples."""
        size = sum(_size(waiting) for waiting in together)
        full = self.bytes + size > self.max_bytes or len(self._samples) + len(together) > self.max_rows
        if full and not must:
            return False
        self._samples.extend(together)
        self.bytes += size
        return True

    def batch(self, *, with_samples: bool = True) -> Batch:
        """The oldest entries, they stay until `written`. Rows of one offer are never parted: all in one transaction."""
        rows = tuple(islice(self._rows, BATCH_ROWS))
        if rows:
            rows += tuple(takewhile(lambda w: w.seq == rows[-1].seq, islice(self._rows, BATCH_ROWS, None)))
        chunks = BATCH_CHUNKS if with_samples else 0
        return Batch(rows, tuple(islice(self._samples, chunks)))

    def written(self, batch: Batch) -> None:
        """The batch is committed: take it away."""
        for _ in batch.rows:
            self._rows.popleft()
        for _ in batch.samples:
            self.bytes -= _size(self._samples.popleft())

    def oldest(self) -> int | None:
        """The lowest number of an offer of which something still waits."""
        return min((w.seq for queue in (self._rows, self._samples) for w in queue), default=None)


def _size(waiting: Waiting) -> int:
    return waiting.entry.nbytes if isinstance(waiting.entry, Chunk) else 0
