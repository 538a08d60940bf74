"""How the file is opened, for writing and for reading, and how whole functions run on a connection's own thread.

One connection writes, ever: SQLite before 3.51.3 has a fault when several write and reset the WAL. Every pragma is
executed by itself and read back, since a setting that silently did not hold is a loss at the next power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiosqlite

T = TypeVar("T")

PAGE_BYTES = 4096
WRITING = (
    ("page_size", PAGE_BYTES),
    ("auto_vacuum", 2),  # incremental; holds only when set before the first table
    ("journal_mode", "wal"),
    ("synchronous", 2),  # full: a commit is on the disk when it returns
    ("wal_autocheckpoint", 1000),
    ("journal_size_limit", 16 << 20),
    ("busy_timeout", 5000),
    ("foreign_keys", 1),
    ("mmap_size", 0),  # an I/O error must be an error, not a signal
)
READING = (("query_only", 1), ("busy_timeout", 2000), ("mmap_size", 0))


class Connection(sqlite3.Connection):
    """A connection on which `commit` first does the work that was handed in (see `Threaded`)."""

    work: Callable[[], None] | None = None

    def commit(self) -> None:
        work, self.work = self.work, None
        if work is not None:
            work()
        super().commit()


def open_writing(path: Path) -> Connection:
    """The one writing connection. A new file, its -wal and -shm can be read by the group and by nobody else."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    db = sqlite3.connect(path, isolation_level=None, factory=Connection)
    try:
        _set(db, WRITING)
    except BaseException:
        db.close()
        raise
    return db


def open_reading(path: Path, *, immutable: bool = False) -> Connection:
    """A connection that cannot write. `immutable` only after a clean stop, for one query (daemon/store/reader.py)."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, factory=Connection)
    try:
        _set(db, READING)
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _set(db: sqlite3.Connection, pragmas: tuple[tuple[str, int | str], ...]) -> None:
    for name, value in pragmas:
        db.execute(f"PRAGMA {name} = {value}").fetchall()
        row = db.execute(f"PRAGMA {name}").fetchone()
        if row is not None and row[0] != value:  # no row: this SQLite was built without it
            raise sqlite3.OperationalError(f"PRAGMA {name} is {row[0]}, not {value}")


class Threaded:
    """A connection on a thread of its own, aiosqlite's, to which a whole function is sent as one call.

    A transaction in one call cannot be torn by a cancelled or blocked event loop. aiosqlite has no public call for
    that; but its public `commit` runs the `commit` of the connection that its public `connector` made, on its thread,
    and ours (`Connection`) does the waiting work there. One call at a time.
    """

    def __init__(self, connector: Callable[[], Connection]) -> None:
        self._connector = connector
        self._made: list[Connection] = []
        self._db = aiosqlite.Connection(self._connect, iter_chunk_size=64)

    async def open(self) -> None:
        """Start the thread and open there. Raises what the connector raises; nothing is left behind then."""
        await self._db

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """What `function` returns or raises, run on the thread. It must leave no transaction open."""
        (db,) = self._made
        results: list[T] = []
        db.work = lambda: results.append(function(db))
        await self._db.commit()
        return results[0]

    async def close(self) -> None:
        """Close the connection and end the thread; a second time does nothing."""
        self._made.clear()
        await self._db.close()

    def _connect(self) -> Connection:
        db = self._connector()
        self._made.append(db)
        return db
