"""Any span of anything that is stored, from any process, without write rights.

    with `ask`:      trace = ask(path, lambda reader: reader.read(boot, t0_ns, t1_ns, bed="1", channels=["II"]))
    in the web:      history = History(path);  await history.ask(lambda reader: ...)

A question is one short read transaction on a connection of its own: nothing is held that would keep the WAL from
shrinking, and a file that was moved aside meanwhile is noticed by the next question. `Reader` is the only place where
stored samples are decoded; a damaged chunk is a `Missing` with cause "damaged", and the rest is still answered.
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from daemon.model.signals import Channel, Counts, Nanos, Quantity
from daemon.store import codec
from daemon.store.answers import (
    DAMAGED,
    Boot,
    Fit,
    Missing,
    StoredBeat,
    StoredEvent,
    StoredNumber,
    StoredSegment,
    Trace,
)
from daemon.store.connection import Threaded, open_reading
from daemon.store.cutting import PLACES

T = TypeVar("T")

MOST_VALUES = 50_000_000
"""A single `read` gives no more (200 MB): longer spans are for `columns.columns` or several reads."""

QUESTIONS_AT_ONCE = 4


def ask(path: Path, question: Callable[[Reader], T]) -> T:
    """The answer to a question. Raises sqlite3.Error where there is no store or it cannot be read."""
    immutable = False
    while True:
        try:
            db = open_reading(path, immutable=immutable)
        except sqlite3.OperationalError:
            # After a clean stop -wal and -shm are gone, and who may not make them cannot open. Then nobody writes, and
            # the file is complete by itself; with a -wal left behind it would not be.
            if immutable or not path.exists() or _wal(path).exists():
                raise
            immutable = True
            continue
        try:
            answer = _answer(db, question)
        finally:
            db.close()
        if not (immutable and _wal(path).exists()):
            return answer
        immutable = False


class History:
    """Questions from an event loop: each on a thread of its own (aiosqlite), a few at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """As `ask`; what the question does to the answer runs on the thread too."""
        async with self._places:
            return await self._ask(question)

    async def _ask(self, question: Callable[[Reader], T]) -> T:
        immutable = False
        while True:
            thread = Threaded(lambda: open_reading(self._path, immutable=immutable))  # noqa: B023 - opened in this round
            try:
                await thread.open()
            except sqlite3.OperationalError:
                if immutable or not self._path.exists() or _wal(self._path).exists():
                    raise
                immutable = True
                continue
            try:
                answer = await thread.run(lambda db: _answer(db, question))
            finally:
                await thread.close()
            if not (immutable and _wal(self._path).exists()):
                return answer
            immutable = False


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _answer(db: sqlite3.Connection, question: Callable[[Reader], T]) -> T:
    db.execute("BEGIN")
    try:
        return question(Reader(db))
    finally:
        db.execute("ROLLBACK")


class Reader:
    """Questions about one boot's span t0_ns <= t < t1_ns. `bed`, `stream` ("device/name") and names narrow them; None = all."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def boots(self) -> list[Boot]:
        """All boots, oldest first, each with its latest offset to UTC."""
        rows = self._db.execute(
            "SELECT boot, began_ns, (SELECT utc_offset_ns FROM clock_offsets o WHERE o.boot = b.id ORDER BY o.id DESC),"
            " (SELECT state FROM clock_offsets o WHERE o.boot = b.id ORDER BY o.id DESC) FROM boots b ORDER BY b.id"
        )
        return [Boot(boot, began_ns, offset, state == "set") for boot, began_ns, offset, state in rows]

    def segments(
        self, boot: str, t0_ns: Nanos, t1_ns: Nanos, *, bed: str | None = None, stream: str | None = None
    ) -> list[StoredSegment]:
        """Segments that touch the span, in order of their beginning."""
        rows = self._db.execute(
            "SELECT g.id, uuid, bedsides.bed, d.device, s.name, rate_hz, channels, boots.boot, connection, g.began_ns,"
            " coalesce(g.ended_by, ''), chunk_n FROM segments g JOIN streams s ON s.id = g.stream"
            " JOIN devices d ON d.id = s.device JOIN bedsides ON bedsides.id = g.bed JOIN boots ON boots.id = g.boot"
            " WHERE boots.boot = ? AND g.began_ns < ?"
            " AND coalesce(bedsides.bed = ?, 1) AND coalesce(d.device || '/' || s.name = ?, 1) ORDER BY g.began_ns, g.id",
            (boot, t1_ns, bed, stream),
        )
        found = [self._segment(row) for row in rows.fetchall()]
        return [s for s in found if s.stored_until_ns > t0_ns or not s.ended_by]

    def read(
        self,
        boot: str,
        t0_ns: Nanos,
        t1_ns: Nanos,
        *,
        bed: str | None = None,
        stream: str | None = None,
        channels: Sequence[str] | None = None,
    ) -> list[Trace]:
        """Samples at full rate, one trace a segment that has any of the channels; sample for sample what was written.

        Raises ValueError where the answer would hold more than `MOST_VALUES` values.
        """
        traces, values = [], 0
        for segment in self.segments(boot, t0_ns, t1_ns, bed=bed, stream=stream):
            index = chosen(segment, channels)
            if not index:
                continue
            trace = self._trace(segment, index, t0_ns, t1_ns, MOST_VALUES - values)
            values += trace.counts.size
            traces.append(trace)
        return traces

    def gaps(
        self, boot: str, t0_ns: Nanos, t1_ns: Nanos, *, bed: str | None = None, stream: str | None = None
    ) -> list[Missing]:
        """Gaps within segments, as recorded, that touch the span. Between segments: `ranges.missing`."""
        segments = self.segments(boot, t0_ns, t1_ns, bed=bed, stream=stream)
        return [gap for segment in segments for gap in self.gaps_of(segment, t0_ns, t1_ns)]

    def gaps_of(self, segment: StoredSegment, t0_ns: Nanos, t1_ns: Nanos) -> list[Missing]:
        """The recorded gaps of one segment that touch the span."""
        sql = "SELECT place, count, t0_ns, cause, received FROM gaps WHERE place >= ? AND place < ? ORDER BY place"
        out = []
        for place, count, begin_ns, cause, received in self._db.execute(sql, span(segment)):
            end_ns = begin_ns + round(count * 1e9 / segment.rate_hz)
            if begin_ns < t1_ns and end_ns > t0_ns:
                first = place % PLACES
                out.append(
                    Missing(segment.stream, begin_ns, end_ns, cause, segment.id, first, count, bool(received))
                )
        return out

    def metrics(
        self,
        boot: str,
        t0_ns: Nanos,
        t1_ns: Nanos,
        *,
        bed: str | None = None,
        names: Sequence[str] | None = None,
    ) -> list[StoredNumber]:
        """Numbers, ours and the devices', in order of time."""
        rows = self._db.execute(
            "SELECT m.t_ns, bedsides.bed, device, name, lead, unit, value, why, quality, uuid, first, last, rules.rule"
            " FROM metrics m JOIN boots ON boots.id = m.boot JOIN series ON series.id = m.series"
            " JOIN bedsides ON bedsides.id = series.bed LEFT JOIN segments ON segments.id = m.segment"
            " LEFT JOIN rules ON rules.id = m.rule WHERE boots.boot = ? AND m.t_ns >= ? AND m.t_ns < ?"
            " AND coalesce(bedsides.bed = ?, 1) AND (? IS NULL OR name IN (SELECT value FROM json_each(?)))"
            " ORDER BY m.t_ns, m.id",
            (boot, t0_ns, t1_ns, bed, *(2 * (_names(names),))),
        )
        return [StoredNumber(*row) for row in rows]

    def events(
        self,
        boot: str,
        t0_ns: Nanos,
        t1_ns: Nanos,
        *,
        bed: str | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[StoredEvent]:
        """Events in order of time; with `bed`, those of the whole box too."""
        rows = self._db.execute(
            "SELECT e.t_ns, coalesce(bedsides.bed, ''), kind, uuid, first, body FROM events e"
            " JOIN boots ON boots.id = e.boot LEFT JOIN bedsides ON bedsides.id = e.bed"
            " LEFT JOIN segments ON segments.id = e.segment WHERE boots.boot = ? AND e.t_ns >= ? AND e.t_ns < ?"
            " AND coalesce(bedsides.bed = ?, 1) AND (? IS NULL OR kind IN (SELECT value FROM json_each(?)))"
            " ORDER BY e.t_ns, e.id",
            (boot, t0_ns, t1_ns, bed, *(2 * (_names(kinds),))),
        )
        return [
            StoredEvent(t, b, kind, uuid, first, json.loads(body)) for t, b, kind, uuid, first, body in rows
        ]

    def beats(
        self, boot: str, t0_ns: Nanos, t1_ns: Nanos, *, bed: str | None = None, stream: str | None = None
    ) -> list[StoredBeat]:
        """Beats in order of their segments and samples."""
        sql = (
            "SELECT t_ns, due_ns, place, label, rr_ms, late, first, last, rules.rule FROM beats"
            " JOIN rules ON rules.id = beats.rule WHERE place >= ? AND place < ? AND t_ns >= ? AND t_ns < ? ORDER BY place"
        )
        out = []
        for segment in self.segments(boot, t0_ns, t1_ns, bed=bed, stream=stream):
            low, high = span(segment)
            begin = self.seek(segment, t0_ns) - segment.chunk_n  # a beat may lie in a gap beside its chunk
            rows = self._db.execute(sql, (max(low, begin), high, t0_ns, t1_ns))
            for t_ns, due_ns, place, label, rr_ms, late, first, last, rule in rows:
                out.append(
                    StoredBeat(
                        t_ns,
                        due_ns,
                        segment.id,
                        place % PLACES,
                        label,
                        rr_ms,
                        bool(late),
                        first,
                        last,
                        rule,
                    )
                )
        return out

    # --- chunks ------------------------------------------------------------------------------------------

    def seek(self, segment: StoredSegment, t_ns: Nanos) -> int:
        """The place of the last chunk that begins at or before `t_ns` (of the first chunk where none does)."""
        low, high = span(segment)
        probe = "SELECT place, t0_ns FROM chunks WHERE place >= ? AND place < ? ORDER BY place"
        newest = "SELECT place FROM chunks WHERE place >= ? AND place < ? ORDER BY place DESC"
        row = self._db.execute(newest + " LIMIT 1", (low, high)).fetchone()
        last = row[0] if row else low
        found = low
        while low <= last:  # times grow with places: halve
            middle = (low + last) // 2
            row = self._db.execute(probe + " LIMIT 1", (middle, high)).fetchone()
            if row is not None and row[1] <= t_ns:
                found, low = row[0], row[0] + 1
            else:
                last = middle - 1
        return found

    def chunks(
        self, segment: StoredSegment, begin: int, end: int, t1_ns: Nanos
    ) -> Iterator[tuple[Fit, int, Counts | None]]:
        """Fit, n and samples (None: damaged) of chunks at places begin .. end that begin before `t1_ns`."""
        sql = (
            "SELECT place, n, t0_ns, period_ns, error_ns, crc32, codec, data FROM chunks"
            " WHERE place >= ? AND place < ? ORDER BY place"
        )
        for place, n, t0_ns, period_ns, error_ns, crc32, coding, data in self._db.execute(sql, (begin, end)):
            if t0_ns >= t1_ns:
                return
            counts: Counts | None = None
            try:
                counts = codec.decode(data, len(segment.channels), n, crc32, coding)
            except codec.Damaged:
                counts = None
            yield Fit(place % PLACES, t0_ns, period_ns, error_ns), n, counts

    def envelope_rows(
        self, segment: StoredSegment, begin: int
    ) -> Iterator[tuple[int, int, Nanos, float, int, int, bytes]]:
        """Place, bins, time of the first sample, sample period, checksum, coding and data of envelopes from `begin` on."""
        sql = (
            "SELECT place, bins, t0_ns, period_ns, crc32, codec, data FROM envelopes"
            " WHERE place >= ? AND place < ? ORDER BY place"
        )
        yield from self._db.execute(sql, (begin, span(segment)[1]))

    def _trace(
        self, segment: StoredSegment, index: list[int], t0_ns: Nanos, t1_ns: Nanos, most: int
    ) -> Trace:
        fits: list[Fit] = []
        pieces: list[tuple[int, Counts]] = []
        missing = self.gaps_of(segment, t0_ns, t1_ns)
        for fit, n, decoded in self.chunks(segment, self.seek(segment, t0_ns), span(segment)[1], t1_ns):
            begin, end = (min(max(math.ceil((t - fit.t0_ns) / fit.period_ns), 0), n) for t in (t0_ns, t1_ns))
            if begin == end:
                continue
            first = fit.first + begin
            if (first + end - begin - (pieces[0][0] if pieces else first)) * len(index) > most:
                raise ValueError(f"more than {MOST_VALUES} values: read less at once, or ask for columns")
            fits.append(fit)
            if decoded is None:
                edges = (fit.t0_ns, fit.t0_ns + round(n * fit.period_ns))
                missing.append(Missing(segment.stream, *edges, DAMAGED, segment.id, fit.first, n, True))
            else:
                pieces.append((first, decoded[index, begin:end]))
        first = pieces[0][0] if pieces else 0
        n = pieces[-1][0] + pieces[-1][1].shape[1] - first if pieces else 0
        counts, present = np.zeros((len(index), n), np.int32), np.zeros(n, np.bool_)
        for at, piece in pieces:
            counts[:, at - first : at - first + piece.shape[1]] = piece
            present[at - first : at - first + piece.shape[1]] = True
        channels = tuple(segment.channels[i] for i in index)
        missing.sort(key=lambda m: m.t0_ns)
        return Trace(segment, channels, first, counts, present, tuple(fits), tuple(missing))

    def _segment(
        self, row: tuple[int, str, str, str, str, float, str, str, int, int, str, int]
    ) -> StoredSegment:
        key, uuid, bed, device, name, rate_hz, channels, boot, connection, began_ns, ended_by, chunk_n = row
        return StoredSegment(
            key,
            uuid,
            bed,
            device,
            name,
            rate_hz,
            _channels(channels),
            boot,
            connection,
            began_ns,
            self._stored_until(key, rate_hz, began_ns),
            ended_by,
            chunk_n,
        )

    def extent(self, segment: StoredSegment) -> tuple[int, int] | None:
        """The first and the last sample number in a chunk or gap of the segment; None where there is neither."""
        low, high = span(segment)
        edges = [
            row
            for table, length in (("chunks", "n"), ("gaps", "count"))
            for order in ("ASC", "DESC")
            for row in self._db.execute(
                f"SELECT place, place + {length} - 1 FROM {table} WHERE place >= ? AND place < ?"  # noqa: S608 - no input
                f" ORDER BY place {order} LIMIT 1",
                (low, high),
            )
        ]
        return (min(e[0] for e in edges) - low, max(e[1] for e in edges) - low) if edges else None

    def _stored_until(self, key: int, rate_hz: float, began_ns: Nanos) -> Nanos:
        edges = (key * PLACES, (key + 1) * PLACES)
        tail = "WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"
        chunk = self._db.execute(f"SELECT t0_ns, n * period_ns FROM chunks {tail}", edges).fetchone()  # noqa: S608 - no input
        gap = self._db.execute(f"SELECT t0_ns, count * 1e9 / {rate_hz} FROM gaps {tail}", edges).fetchone()  # noqa: S608 - a float
        ends: list[int] = [int(row[0]) + round(row[1]) for row in (chunk, gap) if row is not None]
        return max([began_ns, *ends])


def span(segment: StoredSegment) -> tuple[int, int]:
    """The first place of a segment, and the first beyond it."""
    return segment.key * PLACES, (segment.key + 1) * PLACES


def chosen(segment: StoredSegment, names: Sequence[str] | None) -> list[int]:
    """Indices of the named channels in the segment's stream; all where `names` is None."""
    return [i for i, channel in enumerate(segment.channels) if names is None or channel.name in names]


def _names(names: Sequence[str] | None) -> str | None:
    return None if names is None else json.dumps(list(names))


def _channels(text: str) -> tuple[Channel, ...]:
    return tuple(Channel(**{**c, "quantity": Quantity(c["quantity"])}) for c in json.loads(text))
