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
from typing import Any, TypeVar

import numpy as np

from daemon.model.signals import Counts, Nanos
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
from daemon.store.connection import Connection, Threaded, open_reading
from daemon.store.entries import AlarmsKept
from daemon.store.occurrences import AlarmLog
from daemon.store.places import PLACES, seek, span, stored_until
from daemon.store.streams import channels_of

T = TypeVar("T")

MOST_VALUES = 50_000_000
"""A single `read` gives no more (200 MB): longer spans are for `columns.columns` or several reads."""

QUESTIONS_AT_ONCE = 4

OVERLAP_NS: Nanos = 1_000_000_000
"""More than a fit of a device's clock lets times of neighbours cross (a sample period or so)."""

_SEGMENTS_OF_STREAM = """
    SELECT g.id, uuid, bedsides.bed, d.device, s.name, rate_hz, channels, ?1, connection, g.began_ns, g.ended_ns,
           g.ended_by, chunk_n, runs.ended_ns
    FROM segments g JOIN streams s ON s.id = g.stream JOIN devices d ON d.id = s.device
    JOIN bedsides ON bedsides.id = g.bed JOIN runs ON runs.id = g.run
    WHERE g.boot = (SELECT id FROM boots WHERE boot = ?1) AND g.stream = ?2 AND g.began_ns < ?3
    AND coalesce(bedsides.bed = ?4, 1) ORDER BY g.began_ns DESC, g.id DESC"""


def ask(path: Path, question: Callable[[Reader], T]) -> T:
    """The answer to a question. Raises sqlite3.Error where there is no store or it cannot be read."""
    while True:
        db = open_reading(path)
        try:
            return _answer(db, question)
        except Overtaken:
            continue
        finally:
            db.close()


class History:
    """Questions from an event loop: each on a thread of its own (aiosqlite), a few at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """As `ask`; what the question does to the answer runs on the thread too."""
        async with self._places:
            while True:
                thread = Threaded(lambda: open_reading(self._path))
                await thread.open()
                try:
                    return await thread.run(lambda db: _answer(db, question))
                except Overtaken:
                    continue
                finally:
                    await thread.close()


class Overtaken(Exception):
    """The file was read without locks, and a writer has come meanwhile: ask again."""


def _answer(db: sqlite3.Connection, question: Callable[[Reader], T]) -> T:
    db.execute("BEGIN")
    try:
        return question(Reader(db))
    finally:
        db.execute("ROLLBACK")
        if isinstance(db, Connection) and db.overtaken:
            raise Overtaken


class Reader:
    """Questions about one boot's span t0_ns <= t < t1_ns. `bed`, `stream` ("device/name") and names narrow them; None = all."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @property
    def db(self) -> sqlite3.Connection:
        """For questions that other files of the store know (outbox.py, recorded.py)."""
        return self._db

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
        found = self.segments_back(boot, t0_ns, t1_ns, bed=bed, stream=stream)
        touching = [s for s in found if s.stored_until_ns > t0_ns or not s.ended_by]
        return sorted(touching, key=lambda s: (s.began_ns, s.key))

    def segments_back(
        self, boot: str, t0_ns: Nanos, t1_ns: Nanos, *, bed: str | None = None, stream: str | None = None
    ) -> Iterator[StoredSegment]:
        """Stream by stream, the segments that touch the span and the one before them, the newest first."""
        streams = (
            "SELECT s.id FROM streams s JOIN devices d ON d.id = s.device"
            " WHERE coalesce(d.device || '/' || name = ?, 1)"
        )
        for key in self._db.execute(streams, (stream,)).fetchall():
            # One after the other on one line: the first that ended well before the span has none behind it that matters.
            for row in self._db.execute(_SEGMENTS_OF_STREAM, (boot, *key, t1_ns, bed)):
                segment = self._segment(row)
                yield segment
                if segment.ended_by and segment.stored_until_ns <= t0_ns - OVERLAP_NS:
                    break

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
        low = self.seek(segment, t0_ns, "gaps")
        out = []
        for place, count, begin_ns, cause, received in self._db.execute(sql, (low, span(segment.key)[1])):
            if begin_ns >= t1_ns:
                break
            end_ns = begin_ns + round(count * 1e9 / segment.rate_hz)
            if end_ns > t0_ns:
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
        priorities: Sequence[str] | None = None,
        newest: int = -1,
    ) -> list[StoredEvent]:
        """Events in order of time, the `newest` of them; with `bed`, those of the whole box too.

        The history of alarms: kind "alarm", by the time of the Tick that decided; with `priorities`, of these alone.
        """
        rows = self._db.execute(
            "SELECT e.t_ns, coalesce(bedsides.bed, ''), kind, uuid, first, body FROM events e"
            " JOIN boots ON boots.id = e.boot LEFT JOIN bedsides ON bedsides.id = e.bed"
            " LEFT JOIN segments ON segments.id = e.segment WHERE boots.boot = ? AND e.t_ns >= ? AND e.t_ns < ?"
            " AND coalesce(bedsides.bed = ?, 1) AND (? IS NULL OR kind IN (SELECT value FROM json_each(?)))"
            " AND (? IS NULL OR body ->> '$.priority' IN (SELECT value FROM json_each(?)))"
            " ORDER BY e.t_ns DESC, e.id DESC LIMIT ?",
            (boot, t0_ns, t1_ns, bed, *(2 * (_names(kinds),)), *(2 * (_names(priorities),)), newest),
        )
        events = [
            StoredEvent(t, b, kind, uuid, first, json.loads(body)) for t, b, kind, uuid, first, body in rows
        ]
        return events[::-1]

    def newest_ns(self, boot: str) -> Nanos:
        """The time of the newest number or event of a boot: until then it is known that the box ran."""
        sql = (
            "SELECT max(coalesce((SELECT max(t_ns) FROM metrics WHERE boot = b.id), 0),"
            " coalesce((SELECT max(t_ns) FROM events WHERE boot = b.id), 0)) FROM boots b WHERE b.boot = ?"
        )
        row = self._db.execute(sql, (boot,)).fetchone()
        return int(row[0]) if row else 0

    @property
    def log(self) -> AlarmLog:
        """The log of alarms as people read it."""
        return AlarmLog(self._db)

    def alarm_states(self) -> dict[str, AlarmsKept]:
        """How the alarms of every bed stood when it was last kept; the boot is in the state."""
        rows = self._db.execute(
            "SELECT bedsides.bed, t_ns, limits, state FROM alarm_states a JOIN bedsides ON bedsides.id = a.bed"
        )
        return {
            bed: AlarmsKept(t_ns, json.loads(limits), json.loads(state)) for bed, t_ns, limits, state in rows
        }

    def beats(
        self, boot: str, t0_ns: Nanos, t1_ns: Nanos, *, bed: str | None = None, stream: str | None = None
    ) -> list[StoredBeat]:
        """Beats in order of their segments and samples."""
        sql = (
            "SELECT t_ns, due_ns, place, label, rr_ms, late, first, last, rules.rule FROM beats"
            " JOIN rules ON rules.id = beats.rule WHERE place >= ? AND place < ? ORDER BY place"
        )
        out = []
        for segment in self.segments(boot, t0_ns, t1_ns, bed=bed, stream=stream):
            low, high = span(segment.key)
            begin = self.seek(segment, t0_ns) - segment.chunk_n  # a beat may lie in a gap beside its chunk
            for t_ns, due_ns, place, *said, late, first, last, rule in self._db.execute(
                sql, (max(low, begin), high)
            ):
                if t_ns >= t1_ns + OVERLAP_NS:
                    break
                if t0_ns <= t_ns < t1_ns:
                    at = (t_ns, due_ns, segment.id, place % PLACES)
                    fields: tuple[Any, ...] = (*at, *said, bool(late), first, last, rule)
                    out.append(StoredBeat(*fields))
        return out

    # --- chunks ------------------------------------------------------------------------------------------

    def seek(self, segment: StoredSegment, t_ns: Nanos, table: str = "chunks") -> int:
        """The place of the last chunk (or gap) that begins at or before `t_ns`; of the first where none does."""
        return seek(self._db, segment.key, t_ns, table)

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
        yield from self._db.execute(sql, (begin, span(segment.key)[1]))

    def _trace(
        self, segment: StoredSegment, index: list[int], t0_ns: Nanos, t1_ns: Nanos, most: int
    ) -> Trace:
        fits: list[Fit] = []
        pieces: list[tuple[int, Counts]] = []
        missing = self.gaps_of(segment, t0_ns, t1_ns)
        for fit, n, decoded in self.chunks(segment, self.seek(segment, t0_ns), span(segment.key)[1], t1_ns):
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

    def _segment(self, row: tuple[Any, ...]) -> StoredSegment:
        key, *names, channels, boot, connection, began_ns, ended_ns, ended_by, chunk_n, daemon_until_ns = row
        until_ns = stored_until(self._db, key) if ended_ns is None else ended_ns
        line = (key, *names, channels_of(channels), boot, connection, began_ns)
        fields: tuple[Any, ...] = (*line, until_ns, ended_by or "", chunk_n, daemon_until_ns)
        return StoredSegment(*fields)

    def extent(self, segment: StoredSegment) -> tuple[int, int] | None:
        """The first and the last sample number in a chunk or gap of the segment; None where there is neither."""
        low, high = span(segment.key)
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


def chosen(segment: StoredSegment, names: Sequence[str] | None) -> list[int]:
    """Indices of the named channels in the segment's stream; all where `names` is None."""
    return [i for i, channel in enumerate(segment.channels) if names is None or channel.name in names]


def _names(names: Sequence[str] | None) -> str | None:
    return None if names is None else json.dumps(list(names))
