"""Opening a file that may have been through a power cut: check, move aside what is damaged, close what was left open.

Never refuses to start for damage: a box that does not record the next hour because the last one is broken has lost both.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from daemon.store.places import stored_until
from daemon.store.sessions import end, open_sessions

CHECK_ALL_BELOW_BYTES = 64 << 20
"""Files up to this size are checked wholly at start (0.1 s); of larger ones only the ends of every table."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DamagedStore(sqlite3.DatabaseError):
    """The file's structure is broken."""


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is broken, and not the disk full, busy or away."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DamagedStore) or (code is not None and code & 0xFF in _DAMAGE)


def check(db: sqlite3.Connection, path: Path) -> None:
    """Look at the file as far as its size allows. Raises `DamagedStore` or SQLite's own error."""
    if path.stat().st_size <= CHECK_ALL_BELOW_BYTES:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedStore(verdict)
        return
    tables = db.execute("SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    for table, without_rowid in tables.fetchall():
        for order in ("ASC", "DESC"):
            ordered = "" if without_rowid else f" ORDER BY rowid {order}"
            db.execute(f"SELECT * FROM {table}{ordered} LIMIT 1").fetchall()  # noqa: S608 - names from the schema


def aside_of(path: Path, number: int) -> Path:
    """Where the damaged file of a number (from 1 on) is moved to."""
    return path.with_name(f"{path.name}.damaged-{number}")


def move_aside(path: Path) -> Path:
    """Rename the file, its -wal and -shm to the first free `.damaged-N`; returns the new path of the file."""
    number = 1
    while (aside := aside_of(path, number)).exists():
        number += 1
    for suffix in (
        "-wal",
        "-shm",
        "",
    ):  # the file last: until then the next start finds it and does this again
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def close_dangling(db: sqlite3.Connection) -> None:
    """End what a crash left open: segments where their samples end, sessions at the last row that was written in them."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for (segment,) in db.execute("SELECT id FROM segments WHERE ended_ns IS NULL").fetchall():
            sql = "UPDATE segments SET ended_ns = ?, ended_by = 'crash' WHERE id = ?"
            db.execute(sql, (stored_until(db, segment), segment))
        # Numbers and events go on while a cable is out: they tell until when the daemon lived.
        db.execute(
            "UPDATE runs SET ended_by = 'crash', ended_ns = max(began_ns,"
            " coalesce((SELECT max(ended_ns) FROM segments WHERE segments.run = runs.id), began_ns),"
            " coalesce((SELECT max(t_ns) FROM metrics WHERE metrics.boot = runs.boot), began_ns),"
            " coalesce((SELECT max(t_ns) FROM events WHERE events.boot = runs.boot), began_ns))"
            " WHERE ended_ns IS NULL"
        )
        last = (
            "SELECT max(s.began_ns, coalesce((SELECT max(ended_ns) FROM runs r WHERE r.boot = s.boot), s.began_ns))"
            " FROM sessions s WHERE id = ?"
        )
        for session in open_sessions(db):
            end(db, session, db.execute(last, (session,)).fetchone()[0], "crash")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
