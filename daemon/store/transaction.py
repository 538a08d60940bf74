"""One transaction: a batch wholly, or, where an entry can never be written, everything but that entry."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from daemon.model.signals import Gap, GapCause
from daemon.store.backlog import Batch
from daemon.store.cutting import Chunk
from daemon.store.entries import Entry, Opened
from daemon.store.recovery import is_damage
from daemon.store.rows import Rows

log = logging.getLogger(__name__)


def write_batch(db: sqlite3.Connection, rows: Rows, opened: Sequence[Opened], batch: Batch) -> None:
    """All of it or nothing. Raises what went wrong, with no transaction left open."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for segment in opened:
            rows.write("", segment)
        for waiting in batch.all:
            rows.write(waiting.bed, waiting.entry)
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


def write_singly(
    db: sqlite3.Connection, fresh: Callable[[], Rows], opened: Sequence[Opened], batch: Batch
) -> tuple[Rows, list[Entry]]:
    """As `write_batch`, but an entry that is no good costs only itself (samples: become a gap).

    Returns the rows to go on with, and what was left out. Raises when the disk or the file fails.
    """
    rows, left_out = fresh(), list[Entry]()
    db.execute("BEGIN IMMEDIATE")
    try:
        for bed, entry in [*(("", o) for o in opened), *((w.bed, w.entry) for w in batch.all)]:
            try:
                _write_one(db, rows, bed, entry)
            except Exception as error:
                if not is_entrys_fault(error):
                    raise
                log.exception("store: left out: %s", type(entry).__name__)
                left_out.append(entry)
                rows = fresh()
                if isinstance(entry, Chunk):
                    cause = GapCause.DISK
                    began_ns = entry.segment.began_ns  # the chunk's own times may be what is no good
                    _write_one(
                        db, rows, bed, Gap(entry.segment, entry.first, entry.n, began_ns, began_ns, cause)
                    )
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise
    return rows, left_out


def is_entrys_fault(error: Exception) -> bool:
    """Whether the entry can never be written, so that trying it again is of no use: neither disk, file nor memory failed."""
    return not isinstance(error, sqlite3.OperationalError | MemoryError) and not is_damage(error)


def _write_one(db: sqlite3.Connection, rows: Rows, bed: str, entry: Entry) -> None:
    db.execute("SAVEPOINT entry")
    try:
        rows.write(bed, entry)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK TO entry")
        raise
    db.execute("RELEASE entry")


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # a full disk may have rolled back by itself
        db.execute("ROLLBACK")
