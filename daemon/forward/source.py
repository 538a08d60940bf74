"""Records from the daemon's outbox, read-only: what is new, what is live, and a record with its time and samples.

Times are resolved when a request is sealed, by the latest knowledge of the box's clock. Where that was never set in this boot
a record waits for it, ten minutes at most; then it goes, and says that its time is a guess.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from daemon.forward.intervals import Span
from daemon.forward.record import Record, Samples
from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store import codec
from daemon.store.outbox import (
    OutboxRow,
    StoredChunk,
    above,
    heads,
    identity,
    key_of,
    last_before,
    outgoing,
    samples,
    waiting,
)
from daemon.store.reader import History, Reader

log = logging.getLogger(__name__)

LIVE_S = 60.0
"""So long after it was said a record is live; then it is backlog."""

LOOK_EVERY_S = 0.1
"""How often the store's files are looked at; they are read when they have changed, and every second."""

CLOCK_WAIT_NS: Nanos = 600_000_000_000
"""A record of a boot whose clock is not set yet waits so long for it."""

ROWS_AT_ONCE = 1000

COUNTED_WHOLLY, SAMPLES, SAMPLED = 2000, 20, 100
"""Seqs: up to so many are counted; of more, so many places are looked at, so many seqs each."""


@dataclass(frozen=True, slots=True)
class Found:
    """Records of a stretch, without their samples, ascending; what lies in first .. last and is not here does not exist.

    `held_ns`: the next record waits for the clock, until then at the latest; None: nothing waits.
    """

    records: tuple[Record, ...]
    first: int
    last: int
    held_ns: Nanos | None = None


class Source(Protocol):
    """Where records come from."""

    async def find(self, lane: Lane, first: int, last: int, most: int, *, newest: bool) -> Found:
        """At most `most` records of the stretch: the lowest, or the newest of them."""
        ...

    async def fill(self, records: Sequence[Record]) -> list[Record]:
        """The same with their samples; without those whose samples are gone or damaged."""
        ...


class StoreSource:
    """The outbox of vitald.db."""

    def __init__(self, path: Path, boot: str, now_ns: Callable[[], Nanos]) -> None:
        self._path = path
        self._boot = boot
        self._now_ns = now_ns
        self._history = History(path)
        self._identity: uuid.UUID | None = None
        self.unreadable = 0
        """Waveform records whose samples could not be read."""

    async def begin(self) -> tuple[str, dict[Lane, int]]:
        """The store's identity and the head of every lane. Raises sqlite3.Error or OSError where there is no store yet."""
        self._identity, found = await self._history.ask(lambda reader: (identity(reader), heads(reader)))
        return str(self._identity), found

    async def news(self, after: int) -> tuple[str, dict[Lane, int]]:
        """The store's identity, and the highest seq above `after` of every lane that has one."""
        of, found = await self._history.ask(lambda reader: (identity(reader), above(reader, after)))
        return str(of), found

    def changed(self) -> tuple[int, ...]:
        """Something that is another whenever the store was written."""
        marks: list[int] = []
        for path in (self._path, self._path.with_name(self._path.name + "-wal")):
            try:
                stat = path.stat()
            except OSError:
                continue
            marks += [stat.st_ino, stat.st_mtime_ns, stat.st_size]
        return tuple(marks)

    async def waiting(self, lane: Lane, gaps: Sequence[Span]) -> int:
        """About how many records of a lane are in these stretches: those of days are not counted one by one."""
        return await self._history.ask(lambda reader: sum(_count(reader, lane, *gap) for gap in gaps))

    async def last_before(self, utc_ns: int, head: int) -> int:
        """The highest seq of what was measured before a moment, by the latest knowledge of the clock; seqs go with time."""
        return await self._history.ask(lambda reader: last_before(reader, utc_ns, head))

    async def find(self, lane: Lane, first: int, last: int, most: int, *, newest: bool) -> Found:
        # All of it on the question's thread: hundreds of records must not keep an alarm from the loop.
        return await self._history.ask(lambda reader: self._find(reader, lane, first, last, most, newest))

    def _find(self, reader: Reader, lane: Lane, first: int, last: int, most: int, newest: bool) -> Found:
        rows = _rows(reader, lane, first, last, most, newest=newest)
        if newest and len(rows) == most:
            first = rows[0].seq
        if not newest and len(rows) == most:
            last = rows[-1].seq
        held = next((row for row in rows if self._waits(row)), None)
        if held is None:
            return Found(tuple(self._record(row) for row in rows), first, last)
        before = tuple(self._record(row) for row in rows if row.seq < held.seq)
        return Found(before, first, held.seq - 1, held.t_ns + CLOCK_WAIT_NS)

    async def fill(self, records: Sequence[Record]) -> list[Record]:
        wanted = [record for record in records if record.lane is Lane.WAVEFORM]
        if not wanted:
            return list(records)
        places = {record.seq: int(record.body["place"]) for record in wanted}
        chunks = await self._history.ask(lambda reader: _decoded(reader, places))
        out = []
        for record in records:
            if record.lane is not Lane.WAVEFORM:
                out.append(record)
            elif record.seq in chunks:
                out.append(replace(record, body={}, samples=chunks[record.seq]))
            else:
                self.unreadable += 1
                log.warning("forward: the samples of record %d are gone or damaged", record.seq)
        return out

    def _waits(self, row: OutboxRow) -> bool:
        young = self._now_ns() - row.t_ns < CLOCK_WAIT_NS
        return not row.clock_is_set and row.boot == self._boot and young

    def _record(self, row: OutboxRow) -> Record:
        assert self._identity is not None
        return Record(
            row.seq,
            key_of(self._identity, row.seq),
            row.lane,
            row.message,
            row.device,
            row.session,
            row.boot,
            row.t_ns,
            row.t_ns + row.utc_offset_ns,
            row.clock_is_set,
            {"place": row.place} if row.body is None else row.body,
        )


def _count(reader: Reader, lane: Lane, first: int, last: int) -> int:
    if last - first < COUNTED_WHOLLY:
        return len(outgoing(reader, lane, first - 1, last, COUNTED_WHOLLY))
    if lane not in {Lane.METRICS, Lane.WAVEFORM}:  # these have an index
        return waiting(reader, lane, [(0, first - 1), (last + 1, 1 << 62)])
    step, found = (last - first) // SAMPLES, 0
    for n in range(SAMPLES):
        after = first - 1 + n * step
        found += len(outgoing(reader, lane, after, after + SAMPLED, SAMPLED))
    return round((last - first + 1) * found / (SAMPLES * SAMPLED))


def _rows(reader: Reader, lane: Lane, first: int, last: int, most: int, *, newest: bool) -> list[OutboxRow]:
    if not newest:
        return outgoing(reader, lane, first - 1, last, most)
    kept: deque[OutboxRow] = deque(maxlen=most)
    after = first - 1
    while rows := outgoing(reader, lane, after, last, ROWS_AT_ONCE):
        kept.extend(rows)
        after = rows[-1].seq
        if len(rows) < ROWS_AT_ONCE:
            break
    return list(kept)


def _decoded(reader: Reader, places: Mapping[int, int]) -> dict[int, Samples]:
    """Samples by seq."""
    chunks = samples(reader, places.values())
    out: dict[int, Samples] = {}
    for seq, place in places.items():
        chunk = chunks.get(place)
        if chunk is not None and (made := _samples(chunk)) is not None:
            out[seq] = made
    return out


def _samples(chunk: StoredChunk) -> Samples | None:
    try:
        counts = codec.decode(chunk.coded, len(chunk.channels), chunk.n, chunk.crc32, chunk.codec)
    except codec.Damaged:
        return None
    return Samples(
        chunk.segment,
        chunk.stream,
        chunk.first,
        chunk.rate_hz,
        chunk.period_ns,
        chunk.channels,
        counts,
        chunk.codec,
        chunk.crc32,
        chunk.coded,
    )


class Heads:
    """What has been said, lane by lane, and up to where it is no longer live. Tells `on_news` when there is more."""

    def __init__(self, source: StoreSource, now_s: Callable[[], float], on_news: Callable[[], None]) -> None:
        self._source = source
        self._now_s = now_s
        self._on_news = on_news
        self._past: deque[tuple[float, dict[Lane, int]]] = deque()
        self.heads: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self.store = ""

    async def begin(self) -> None:
        """Wait for the store, and take what is there as backlog."""
        while True:
            try:
                self.store, self.heads = await self._source.begin()
                break
            except (sqlite3.Error, OSError) as error:
                log.info("forward: waiting for the store: %s", error)
                await asyncio.sleep(1.0)
        self._past.append((self._now_s(), dict(self.heads)))

    @property
    def splits(self) -> dict[Lane, int]:
        """The highest seq of each lane that is not live any more."""
        self._forget()
        return self._past[0][1]

    def _forget(self) -> None:
        now_s = self._now_s()
        while len(self._past) > 1 and self._past[1][0] <= now_s - LIVE_S:
            self._past.popleft()

    async def run(self) -> None:
        """Look for news until cancelled. Raises `StoreChanged` where the file is not the one of before."""
        mark: tuple[int, ...] = ()
        read_s = -1.0
        while True:
            now_s, seen = self._now_s(), self._source.changed()
            if seen != mark or now_s - read_s >= 1.0:
                mark, read_s = seen, now_s
                await self._read(now_s)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _read(self, now_s: float) -> None:
        try:
            store, found = await self._source.news(max(self.heads.values()))
        except (sqlite3.Error, OSError) as error:
            log.warning("forward: the store cannot be read: %s", error)
            return
        if store != self.store:
            raise StoreChanged(store)
        if found:
            self.heads.update(found)
            self._on_news()
        if now_s - self._past[-1][0] >= 1.0 and self.heads != self._past[-1][1]:
            self._past.append((now_s, dict(self.heads)))
            self._forget()


class StoreChanged(Exception):
    """The store is another file now: what is known of its seqs means nothing."""
