"""forward.db: what each destination has had, the sealed requests under way, and what it refuses. One connection, one writer.

Every function is one step within a transaction of the caller (bookkeeping.py). Nothing here is needed to be safe but this:
a request stands here with its bytes before its first try, and its stretch is done in the transaction that forgets it.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.forward.destinations import Sealed
from daemon.forward.intervals import Span
from daemon.forward.steps import Batch, Standing
from daemon.model.outgoing import Lane
from daemon.store.schema import ForeignStore, Schema

log = logging.getLogger(__name__)

APPLICATION_ID = 0x76696677
"""Marks the file as ours ("vifw")."""

STEPS = tuple(sorted((Path(__file__).parent / "schema").glob("[0-9][0-9][0-9][0-9].sql")))

_PRAGMAS = (
    ("page_size", 4096),
    ("journal_mode", "wal"),
    ("synchronous", 2),  # full: a request that was tried is never sealed again after a power cut
    ("wal_autocheckpoint", 500),
    ("journal_size_limit", 8 << 20),
    ("busy_timeout", 5000),
    ("foreign_keys", 1),
)


class ForeignLedger(Exception):
    """The file is whole and not for this version of vitald."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record in quarantine."""

    destination: str
    lane: Lane
    seq: int
    message: str
    device: str
    session: str
    utc_ms: int
    reply: str
    refused_ms: int
    times: int


@dataclass(frozen=True, slots=True)
class Sums:
    """What a lane of a destination came to."""

    requests: int = 0
    records: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """When a destination last took something, and what it said when it did not; 0 and "" = never. UTC milliseconds."""

    error: str = ""
    error_ms: int = 0
    success_ms: int = 0
    failing_since_ms: int = 0


def open_ledger(path: Path) -> sqlite3.Connection:
    """The one writing connection. A damaged file is moved aside: then everything is sent again, under the same record keys.

    Raises `ForeignLedger`, OSError and sqlite3.Error.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = path.with_name(f"{path.name}.damaged-{os.getpid()}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
        log.error("forward: %s is damaged (%s), moved aside to %s: all is sent anew", path, error, aside)  # noqa: TRY400 - a state of the disk
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    if str(path) != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        schema = Schema(APPLICATION_ID, STEPS)
        schema.recognise(db)
        for name, value in _PRAGMAS:
            db.execute(f"PRAGMA {name} = {value}").fetchall()
            held = db.execute(f"PRAGMA {name}").fetchone()
            if held is not None and held[0] not in {value, "memory"}:
                raise sqlite3.OperationalError(f"PRAGMA {name} is {held[0]}, not {value}")  # noqa: TRY301 - as SQLite does
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check")  # noqa: TRY301 - as SQLite does
        schema.apply(db)
    except ForeignStore as error:
        db.close()
        raise ForeignLedger(f"{path} is another program's, or a newer vitald's: {error}") from None
    except BaseException:
        db.close()
        raise
    return db


# --- what is there when the forwarder starts ---------------------------------------------------------------


def belongs_to(db: sqlite3.Connection, store: str) -> bool:
    """Bind the ledger to the store whose seqs it counts; False where it was another's, and nothing of it is done any more.

    A store that was damaged begins anew with seq 1: what the ledger says of the old one must not make the new one "done".
    """
    row = db.execute("SELECT uuid FROM store").fetchone()
    if row is not None and row[0] == store:
        return True
    db.execute("DELETE FROM store")
    db.execute("INSERT INTO store VALUES (?)", (store,))
    if row is None:
        return True
    db.execute("DELETE FROM done")
    db.execute("DELETE FROM quarantine")
    db.execute("UPDATE batches SET first = 1, last = 0, members = '[]'")
    return False


def destination(db: sqlite3.Connection, name: str) -> tuple[int, bool]:
    """The id of a destination, and whether it is new."""
    row = db.execute("SELECT id FROM destinations WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0]), False
    return int(db.execute("INSERT INTO destinations (name) VALUES (?)", (name,)).lastrowid or 0), True


def forget_others(db: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Sealed requests of destinations that are no longer configured go; what they have had stays known."""
    gone = "SELECT id FROM destinations WHERE name NOT IN (SELECT value FROM json_each(?))"
    given = json.dumps(list(names))
    rows = db.execute(f"SELECT name FROM destinations WHERE id IN ({gone})", (given,)).fetchall()  # noqa: S608 - no input
    db.execute(f"DELETE FROM batches WHERE destination IN ({gone})", (given,))  # noqa: S608 - no input
    return [name for (name,) in rows]


def done_of(db: sqlite3.Connection, destination: int) -> dict[Lane, list[Span]]:
    out: dict[Lane, list[Span]] = {lane: [] for lane in Lane}
    sql = "SELECT lane, first, last FROM done WHERE destination = ? ORDER BY lane, first"
    for lane, first, last in db.execute(sql, (destination,)):
        out[Lane(lane)].append((first, last))
    return out


def batches_of(db: sqlite3.Connection, destination: int) -> list[Batch]:
    """Sealed requests, oldest first, without their bytes."""
    sql = (
        "SELECT key, lane, live, first, last, members, length(data), tries FROM batches"
        " WHERE destination = ? ORDER BY key"
    )
    return [
        Batch(key, Lane(lane), bool(live), first, last, tuple(json.loads(members)), size, tries)
        for key, lane, live, first, last, members, size, tries in db.execute(sql, (destination,))
    ]


def standing_of(db: sqlite3.Connection, destination: int) -> Standing:
    row = db.execute("SELECT standing FROM destinations WHERE id = ?", (destination,)).fetchone()
    kept: dict[str, Any] = json.loads(row[0])
    refusing = {Lane(int(lane)): why for lane, why in kept.pop("refusing", {}).items()}
    return Standing(**kept, refusing=refusing)


def health_of(db: sqlite3.Connection, destination: int) -> Health:
    sql = "SELECT error, error_ms, success_ms, failing_since_ms FROM destinations WHERE id = ?"
    return Health(*db.execute(sql, (destination,)).fetchone())


def sums_of(db: sqlite3.Connection, destination: int) -> dict[Lane, Sums]:
    sql = "SELECT lane, requests, records, bytes FROM sums WHERE destination = ?"
    return {Lane(lane): Sums(*sums) for lane, *sums in db.execute(sql, (destination,))}


def sealed_of(db: sqlite3.Connection, key: str) -> Sealed:
    """The request as it was sealed."""
    sql = "SELECT lane, path, media, coding, data, file FROM batches WHERE key = ?"
    lane, path, media, coding, data, file = db.execute(sql, (key,)).fetchone()
    return Sealed(key, Lane(lane), path, media, coding, data, file)


# --- what happens ------------------------------------------------------------------------------------------


def seal(db: sqlite3.Connection, destination: int, batch: Batch, sealed: Sealed) -> None:
    """Before its first try."""
    ours = (batch.key, destination, int(batch.lane), batch.live, batch.first, batch.last)
    theirs = (sealed.path, sealed.media, sealed.coding, sealed.file, sealed.data)
    sql = (
        "INSERT INTO batches (key, destination, lane, live, first, last, members, path, media, coding, file, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    db.execute(sql, (*ours, json.dumps(batch.members), *theirs))


def delivered(db: sqlite3.Connection, destination: int, batch: Batch) -> None:
    """The stretch is done, in the transaction that forgets the request."""
    unseal(db, batch)
    done(db, destination, batch.lane, batch.first, batch.last)


def unseal(db: sqlite3.Connection, batch: Batch) -> None:
    """The request is no more."""
    db.execute("DELETE FROM batches WHERE key = ?", (batch.key,))


def tried(db: sqlite3.Connection, batch: Batch) -> None:
    db.execute("UPDATE batches SET tries = ? WHERE key = ?", (batch.tries, batch.key))


def done(db: sqlite3.Connection, destination: int, lane: Lane, first: int, last: int) -> None:
    """Seqs first .. last are done with; spans that they touch become one."""
    if last < first:
        return
    where = "destination = ? AND lane = ? AND first <= ? AND last >= ?"
    key = (destination, int(lane), last + 1, first - 1)
    low, high = db.execute(f"SELECT min(first), max(last) FROM done WHERE {where}", key).fetchone()  # noqa: S608 - no input
    if low is not None:
        db.execute(f"DELETE FROM done WHERE {where}", key)  # noqa: S608 - no input
        first, last = min(first, low), max(last, high)
    db.execute("INSERT INTO done VALUES (?, ?, ?, ?)", (destination, int(lane), first, last))


def undone(db: sqlite3.Connection, destination: int, lane: Lane, first: int, last: int) -> None:
    """Seqs first .. last are to be sent, again."""
    if last < first:
        return
    where = "destination = ? AND lane = ? AND first <= ? AND last >= ?"
    key = (destination, int(lane), last, first)
    spans = db.execute(f"SELECT first, last FROM done WHERE {where}", key).fetchall()  # noqa: S608 - no input
    db.execute(f"DELETE FROM done WHERE {where}", key)  # noqa: S608 - no input
    for begin, end in spans:
        for a, b in ((begin, first - 1), (last + 1, end)):
            if a <= b:
                db.execute("INSERT INTO done VALUES (?, ?, ?, ?)", (destination, int(lane), a, b))


def undone_above(db: sqlite3.Connection, destination: int, lane: Lane, head: int) -> None:
    """A store put back from a backup says things anew above its `head`: they are not done."""
    undone(db, destination, lane, head + 1, 2**62)


def counted(db: sqlite3.Connection, destination: int, sums: Mapping[Lane, Sums]) -> None:
    """What the lanes came to so far."""
    for lane, one in sums.items():
        row = (destination, int(lane), one.requests, one.records, one.bytes)
        db.execute("INSERT OR REPLACE INTO sums VALUES (?, ?, ?, ?, ?)", row)


def quarantined(
    db: sqlite3.Connection,
    destination: int,
    batch: Batch,
    about: tuple[str, str, str, int],
    reply: str,
    now_ms: int,
) -> None:
    """A single record is set aside; `about` is its message, device, session and UTC in milliseconds."""
    unseal(db, batch)
    done(db, destination, batch.lane, batch.first, batch.last)
    sql = (
        "INSERT INTO quarantine (destination, lane, seq, message, device, session, utc_ms, reply, refused_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET times = times + 1, reply = excluded.reply,"
        " refused_ms = excluded.refused_ms, retried = 0"
    )
    for seq in batch.members:
        db.execute(sql, (destination, int(batch.lane), seq, *about, reply, now_ms))


def given_back(db: sqlite3.Connection, destination: int, batch: Batch, seqs: Sequence[int]) -> None:
    """A request is undone, and so is the quarantine of these seqs of its lane."""
    unseal(db, batch)
    undone(db, destination, batch.lane, batch.first, batch.last)
    for seq in seqs:
        db.execute("DELETE FROM quarantine WHERE destination = ? AND seq = ?", (destination, seq))
        undone(db, destination, batch.lane, seq, seq)


def quarantine(db: sqlite3.Connection, destination: int, most: int = 1000) -> list[Refused]:
    """What a destination refuses, oldest first; without what is being tried again."""
    sql = (
        "SELECT d.name, q.lane, seq, message, device, session, utc_ms, reply, refused_ms, times FROM quarantine q"
        " JOIN destinations d ON d.id = q.destination WHERE q.destination = ? AND NOT retried ORDER BY seq LIMIT ?"
    )
    rows = db.execute(sql, (destination, most))
    return [Refused(name, Lane(lane), *more) for name, lane, *more in rows]


def quarantine_count(db: sqlite3.Connection, destination: int) -> int:
    sql = "SELECT count(*) FROM quarantine WHERE destination = ? AND NOT retried"
    return int(db.execute(sql, (destination,)).fetchone()[0])


def release(db: sqlite3.Connection, destination: int, seqs: Sequence[int] | None) -> list[tuple[Lane, int]]:
    """Records in quarantine (None: all) are to be sent again. They are known here until the destination has them."""
    out = []
    for entry in quarantine(db, destination, 1 << 30):
        if seqs is None or entry.seq in seqs:
            db.execute(
                "UPDATE quarantine SET retried = 1 WHERE destination = ? AND seq = ?",
                (destination, entry.seq),
            )
            undone(db, destination, entry.lane, entry.seq, entry.seq)
            out.append((entry.lane, entry.seq))
    return out


def stands(db: sqlite3.Connection, destination: int, standing: Standing, health: Health) -> None:
    """How a destination stands."""
    kept = {
        "paused_by": standing.paused_by,
        "parked": standing.parked,
        "limit_bytes": standing.limit_bytes,
        "refusing": {str(int(lane)): why for lane, why in standing.refusing.items()},
    }
    sql = (
        "UPDATE destinations SET standing = ?, error = ?, error_ms = ?, success_ms = ?, failing_since_ms = ?"
        " WHERE id = ?"
    )
    values = (health.error, health.error_ms, health.success_ms, health.failing_since_ms, destination)
    db.execute(sql, (json.dumps(kept), *values))


def registry(db: sqlite3.Connection, url: str) -> tuple[str, str] | None:
    """Entity tag and document as last pulled from this address."""
    row = db.execute("SELECT etag, document FROM registry WHERE url = ?", (url,)).fetchone()
    return None if row is None else (row[0], row[1])


def pulled(db: sqlite3.Connection, url: str, etag: str, document: str, now_ms: int) -> None:
    db.execute("DELETE FROM registry")
    db.execute("INSERT INTO registry VALUES (?, ?, ?, ?)", (url, etag, document, now_ms))
