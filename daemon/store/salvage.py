"""What can still be read of a damaged file goes into the new one, in the background: recording never waits for it.

Rows keep what they say and get the ids of the new file; how far it has come is written in the same transaction, so that a
restart goes on there. Samples that could not be read become gaps (cause "damaged"). Messages that not every receiver had
are sent again, under new keys. The damaged file itself is left as it is.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from daemon.model.outgoing import Lane
from daemon.store import schema
from daemon.store.answers import DAMAGED
from daemon.store.known import Known
from daemon.store.places import PLACES, stored_until
from daemon.store.recovery import aside_of
from daemon.store.torn import rows_after
from daemon.store.usage import CHUNK_BYTES, METRIC_BYTES, Class, change

log = logging.getLogger(__name__)

STEP_ROWS = 500
DONE = "done"
FINISHED = 2**62
"""How far a part has come that is wholly read."""

UNUSABLE = (KeyError, TypeError, ValueError, sqlite3.IntegrityError)
"""What a row raises that refers to nothing, or is no row of ours any more."""

Row = tuple[Any, ...]
_KEYS = {
    "gaps": "place",
    "chunks": "place",
    "beats": "place",
    "metrics": "id",
    "events": "id",
    "outbox": "seq",
}
"""The large tables in the order in which they are read, and their keys. Envelopes are made of chunks by who asks."""


class Salvage:
    """Of one damaged file. `step` runs on the writer's thread between commits, until it says that there is no more."""

    def __init__(self, aside: Path) -> None:
        self.aside = aside
        self._old: sqlite3.Connection | None = None
        self._ids: dict[str, dict[int, int]] = {}
        self._confirmed: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self.rows = 0

    def step(self, db: sqlite3.Connection) -> bool:
        """Take over at most STEP_ROWS rows; whether there are more. Raises sqlite3.Error of the new file."""
        if self._old is None and not self._open(db):
            return False
        assert self._old is not None
        for table, key in _KEYS.items():
            at = self._at(db, table)
            if at == FINISHED:
                continue
            rows, then = rows_after(self._old, table, key, at, STEP_ROWS)
            self._write(db, table, rows, FINISHED if then is None else then)
            return True
        self._finish(db)
        self._write(db, DONE, [], FINISHED)
        self.close()
        log.warning("store: %d rows of %s were saved", self.rows, self.aside)
        return False

    def close(self) -> None:
        if self._old is not None:
            self._old.close()
        self._old = None

    def _open(self, db: sqlite3.Connection) -> bool:
        """Whether there is anything to be had."""
        if self._at(db, DONE) == FINISHED:
            return False
        uri = f"file:{quote(str(self.aside.absolute()))}?mode=ro"
        old = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        why = _unfit(old)
        if why:
            log.error("store: nothing can be saved of %s: %s", self.aside, why)
            old.close()
            self._write(db, DONE, [], FINISHED)
            return False
        self._old = old
        self._confirmed = dict(rows_of(old, "confirmed", "lane"))
        db.execute("BEGIN IMMEDIATE")
        try:
            self._refer(db)
            db.execute("COMMIT")
        except BaseException:
            self.close()
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return True

    def _at(self, db: sqlite3.Connection, part: str) -> int:
        found = db.execute(
            "SELECT at FROM salvaged WHERE file = ? AND part = ?", (self.aside.name, part)
        ).fetchone()
        return found[0] if found else -1

    def _write(self, db: sqlite3.Connection, part: str, rows: list[Row], at: int) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                self.rows += self._take(db, part, row[1:])
            db.execute("INSERT OR REPLACE INTO salvaged VALUES (?, ?, ?)", (self.aside.name, part, at))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    # --- rows that others refer to -----------------------------------------------------------------------

    def _refer(self, db: sqlite3.Connection) -> None:
        """Small tables, wholly: which row of the old file is which of the new one."""
        assert self._old is not None
        known, old = Known(db), self._old

        def table(name: str, find: Callable[[Row], int]) -> None:
            ids = self._ids[name] = {}
            for row in rows_of(old, name, "id"):
                try:
                    ids[row[0]] = find(row)
                except UNUSABLE:
                    continue  # or what it refers to could not be read

        ids = self._ids
        sql = "INSERT INTO boots (boot, began_ns) VALUES (?, ?)"
        table("boots", lambda r: known.find("boots", ("boot",), (r[1],), sql, (r[2],)))
        names = ("boot", "t_ns", "utc_offset_ns", "state")
        table("clock_offsets", lambda r: known.find("clock_offsets", names, (ids["boots"][r[1]], *r[2:])))
        table("bedsides", lambda r: known.find("bedsides", ("bed",), (r[1],)))
        table("devices", lambda r: known.find("devices", ("device",), (r[1],)))
        of_stream = ("device", "name", "rate_hz", "channels")
        table("streams", lambda r: known.find("streams", of_stream, (ids["devices"][r[1]], *r[2:])))
        table("rules", lambda r: known.find("rules", ("rule",), (r[1],)))
        of_series = ("bed", "device", "name", "lead", "unit")
        table("series", lambda r: known.find("series", of_series, (ids["bedsides"][r[1]], *r[2:])))
        runs = "INSERT INTO runs (bed, boot, began_ns, ended_ns, ended_by) VALUES (?, ?, ?, ?, ?)"
        table("runs", lambda r: known.find("runs", ("bed", "boot", "began_ns"),
              (ids["bedsides"][r[1]], ids["boots"][r[2]], r[3]), runs, _ended(r[4], r[5], r[3])))  # fmt: skip
        segments = (
            "INSERT INTO segments (uuid, stream, bed, boot, run, connection, began_ns, chunk_n, ended_ns, ended_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        table("segments", lambda r: known.find("segments", ("uuid",), (r[1],), segments,
              (ids["streams"][r[2]], ids["bedsides"][r[3]], ids["boots"][r[4]], ids["runs"][r[5]], r[6], r[7], r[8],
               *_ended(r[9], r[10], r[7]))))  # fmt: skip
        sessions = (
            "INSERT INTO sessions (name, uuid, bed, boot, began_ns, began_by, actor, patient, stream, ended_ns, ended_by, summary)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        table("sessions", lambda r: known.find("sessions", ("name",), (r[1],), sessions,
              (r[2], ids["bedsides"][r[3]], ids["boots"][r[4]], *r[5:9], ids["streams"].get(r[9]),
               *_ended(r[10], r[11], r[5]), r[12])))  # fmt: skip

    # --- the others --------------------------------------------------------------------------------------

    def _take(self, db: sqlite3.Connection, table: str, row: Row) -> int:
        """Insert a row under the new ids; how many were. What refers to a row that could not be read is left out."""
        ids = self._ids
        try:
            match table:
                case "chunks":
                    return self._chunk(db, row)
                case "gaps":
                    new = (self._place(row[0]), *row[1:])
                    return db.execute("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?)", new).rowcount
                case "beats":
                    new = (self._place(row[0]), *row[1:8], ids["rules"][row[8]])
                    return db.execute(
                        "INSERT OR IGNORE INTO beats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", new
                    ).rowcount
                case "metrics":
                    change(db, Class.NUMBERS, METRIC_BYTES)
                    rule = None if row[10] is None else ids["rules"][row[10]]
                    segment = ids["segments"].get(row[7])
                    new = (
                        ids["boots"][row[1]],
                        row[2],
                        ids["series"][row[3]],
                        *row[4:7],
                        segment,
                        row[8],
                        row[9],
                        rule,
                    )
                    sql = "INSERT INTO metrics (boot, t_ns, series, value, why, quality, segment, first, last, rule)"
                    return db.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", new).rowcount
                case "events":
                    bed = None if row[3] is None else ids["bedsides"][row[3]]
                    new = (ids["boots"][row[1]], row[2], bed, row[4], ids["segments"].get(row[5]), *row[6:])
                    sql = "INSERT INTO events (boot, t_ns, bed, kind, segment, first, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
                    return db.execute(sql, new).rowcount
                case "outbox":
                    return self._message(db, row)
        except UNUSABLE:
            return 0
        return 0

    def _finish(self, db: sqlite3.Connection) -> None:
        """What is missing between the last samples of a segment and those that the new file had; and ends that were open."""
        db.execute("BEGIN IMMEDIATE")
        try:
            for segment, at in self._last.items():
                beyond = (
                    "SELECT place, t0_ns FROM chunks WHERE place >= ? AND place < ? ORDER BY place LIMIT 1"
                )
                following = db.execute(beyond, (at, (segment + 1) * PLACES)).fetchone()
                if following is not None:
                    self._bridge(db, at, *following)
            open_then = "ended_by = 'crash' AND ended_ns = began_ns"
            for (row,) in db.execute(f"SELECT id FROM segments WHERE {open_then}").fetchall():  # noqa: S608 - no input
                db.execute("UPDATE segments SET ended_ns = ? WHERE id = ?", (stored_until(db, row), row))
            for table in ("runs", "sessions"):
                last = f"SELECT max(ended_ns) FROM segments g WHERE g.bed = {table}.bed AND g.boot = {table}.boot"  # noqa: S608 - as above
                update = f"UPDATE {table} SET ended_ns = max(began_ns, coalesce(({last}), began_ns))"  # noqa: S608 - as above
                db.execute(f"{update} WHERE {open_then}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _message(self, db: sqlite3.Connection, row: Row) -> int:
        seq, lane, message, boot, t_ns, device, session, place, body = row
        if seq <= self._confirmed.get(lane, 0):
            return 0
        new = (lane, message, self._ids["boots"][boot], t_ns, device, session, self._place(place), body)
        if (
            lane == Lane.WAVEFORM
            and db.execute("SELECT 1 FROM chunks WHERE place = ?", (new[6],)).fetchone() is None
        ):
            return 0
        sql = "INSERT INTO outbox (lane, message, boot, t_ns, device, session, place, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        return db.execute(sql, new).rowcount

    def _chunk(self, db: sqlite3.Connection, row: Row) -> int:
        place, n = self._place(row[0]), row[1]
        assert place is not None
        segment = place // PLACES
        expected = self._last.get(segment)
        if expected is None:  # after a restart, or at the first: where the ones before it end
            sql = "SELECT place + n FROM chunks WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"
            found = db.execute(sql, (segment * PLACES, place)).fetchone()
            expected = found[0] if found else segment * PLACES
        self._bridge(db, expected, place, row[2])
        self._last[segment] = place + n
        change(db, Class.WAVEFORM, len(row[8]) + CHUNK_BYTES)
        sql = "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        return db.execute(sql, (place, *row[1:])).rowcount

    def _bridge(self, db: sqlite3.Connection, at: int, place: int, t_ns: int) -> None:
        """Sample numbers from `at` to `place` that are in no gap could not be read."""
        gaps = db.execute(
            "SELECT place, count FROM gaps WHERE place >= ? AND place < ? ORDER BY place", (at, place)
        ).fetchall()
        for begin, count in [*gaps, (place, 0)]:
            if begin > at:
                db.execute(
                    "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, 1)", (at, begin - at, t_ns, t_ns, DAMAGED)
                )
            at = max(at, begin + count)

    def _place(self, place: int | None) -> int | None:
        return None if place is None else self._ids["segments"][place // PLACES] * PLACES + place % PLACES


def damaged_files(path: Path) -> list[Path]:
    """Files that were moved aside for damage, oldest first."""
    found, number = [], 1
    while (aside := aside_of(path, number)).exists():
        found.append(aside)
        number += 1
    return found


def _unfit(old: sqlite3.Connection) -> str:
    """Why the file cannot be read at all; "" where it can."""
    try:
        version = schema.recording().recognise(old)
    except (sqlite3.DatabaseError, schema.ForeignStore) as error:
        return str(error)
    return "" if version >= schema.LATEST else f"it is at step {version} of the schema"


def rows_of(db: sqlite3.Connection, table: str, key: str) -> list[Row]:
    """All rows of a small table that can be read."""
    out: list[Row] = []
    at: int | None = -1
    while at is not None:
        rows, at = rows_after(db, table, key, at, STEP_ROWS)
        out += [row[1:] for row in rows]
    return out


def _ended(ended_ns: int | None, by: str | None, began_ns: int) -> tuple[int, str]:
    """What was open when the file was damaged ended there."""
    return (began_ns, "crash") if ended_ns is None or by is None else (ended_ns, by)
