"""How the file is opened, for writing and for reading, and how whole functions run on a connection's own thread.

One connection writes, ever: SQLite before 3.51.3 has a fault when several write and reset the WAL. Every pragma is
executed by itself and read back, since a setting that silently did not hold is a loss at the next power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite

from daemon.store import schema

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
    """A connection on which `commit` first does the oldest work that was handed in (see `Threaded`)."""

    work: deque[Callable[[], None]]
    unlocked: tuple[Path, tuple[int, ...] | None] | None = None
    """The file that is read without locks, and its state at the opening."""

    @property
    def overtaken(self) -> bool:
        """Whether somebody writes, or has written, the file that is read without locks: what was read may be torn."""
        return self.unlocked is not None and _state(self.unlocked[0]) != self.unlocked[1]

    def commit(self) -> None:
        self.work.popleft()()
        super().commit()


def open_writing(path: Path, kind: schema.Schema | None = None) -> Connection:
    """The one writing connection. A new file, its -wal and -shm can be read by the group and by nobody else.

    `kind` of file: vitald.db where it is not said. Raises `schema.ForeignStore` before anything of a file that is not ours is changed.
    """
    # Never open a file that is there: closing it again would drop the locks of a reader in this process.
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.fchmod(made, 0o640)  # whatever the umask
        finally:
            os.close(made)
    db = sqlite3.connect(path, isolation_level=None, factory=Connection)
    try:
        (kind or schema.recording()).recognise(db)
        _set(db, WRITING)
    except BaseException:
        db.close()
        raise
    return db


def open_reading(path: Path) -> Connection:
    """A connection that cannot write, for one question; after it, look whether it was `overtaken`."""
    state = _state(path)
    try:
        return _open_reading(path)
    except sqlite3.OperationalError:
        # After a clean stop -wal and -shm are gone, and who may not make them cannot open. Then nobody writes, and the
        # file is complete by itself. With a -wal left behind it would not be: its newest commits are there only.
        if state is None:
            raise
        db = _open_reading(path, immutable=True)
        db.unlocked = (path, state)
        return db


def _open_reading(path: Path, *, immutable: bool = False) -> Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, factory=Connection)
    try:
        _set(db, READING)
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _state(path: Path) -> tuple[int, ...] | None:
    """What changes when a database file is written; None where it has a -wal or is not there."""
    if path.with_name(path.name + "-wal").exists():
        return None
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


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
    and ours (`Connection`) does the waiting work there.

    Whoever is cancelled here waits for the thread first: nothing of it is left that would speak to a loop that is gone.
    """

    def __init__(self, connector: Callable[[], Connection]) -> None:
        self._connector = connector
        self._made: Connection | None = None
        self._failure: BaseException | None = None
        self._db = aiosqlite.Connection(self._connect, iter_chunk_size=64)

    async def open(self) -> None:
        """Start the thread and open there. Raises what the connector raises; nothing is left behind then."""
        try:
            await _to_its_end(self._open())
        except BaseException:
            await self.close()
            raise

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """What `function` returns or raises, run on the thread. It must leave no transaction open."""
        assert self._made is not None
        db, results = self._made, list[T]()
        db.work.append(lambda: results.append(function(db)))
        await _to_its_end(self._db.commit())
        return results[0]

    async def close(self) -> None:
        """Close the connection and end the thread; a second time does nothing."""
        self._made = None
        await _to_its_end(self._db.close())

    async def _open(self) -> None:
        await self._db
        if self._failure is not None:
            raise self._failure

    def _connect(self) -> Connection:
        try:
            self._made = self._connector()
            self._made.work = deque()
        except BaseException as error:  # noqa: BLE001 - raised by `_open`
            # After a connector that raises, aiosqlite ends its thread without anyone waiting for that: it would answer
            # to a loop that may be closed by then. So it is given something that it can close in the common way.
            self._failure = error
            return sqlite3.connect(":memory:", factory=Connection)
        return self._made


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. It is not cancelled with its caller: the cancellation is raised when it has ended."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    task.exception()  # looked at: the cancellation stands for both
    raise cancelled
