"""box.db: who is here and who did what. A file and a thread of its own, so that a damaged vitald.db never takes it.

One process writes it (the daemon, which holds daemon.lock); a question of another process is `ask_box`. A file that is
damaged is moved aside and a new one begins; a disk that fails is tried again with the next call.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from daemon.store import recovery, schema
from daemon.store.connection import Connection, Threaded, open_reading, open_writing

T = TypeVar("T")

log = logging.getLogger(__name__)


class BoxFile:
    """`run` what is to be written; `close` at the end. `damaged` hears of the path that a damaged file was moved to."""

    def __init__(self, path: Path, damaged: Callable[[Path], None] = lambda _: None) -> None:
        self._path = path
        self._damaged = damaged
        self._db: Threaded | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns; its whole as one transaction. Raises what it raises, and sqlite3.Error; then nothing is written."""
        async with self._turn:
            try:
                if self._db is None:
                    self._db = await self._open()
                whose = copy_context()  # whose act it is, for the audit
                return await self._db.run(lambda db: whose.run(_transaction, db, work))
            except (sqlite3.Error, OSError) as error:
                if not isinstance(error, sqlite3.IntegrityError):
                    await self._close()
                if recovery.is_damage(error):
                    self._move_aside(error)
                raise

    async def close(self) -> None:
        """Let go of the file."""
        async with self._turn:
            await self._close()

    async def _open(self) -> Threaded:
        for last in (False, True):
            db = Threaded(lambda: _connector(self._path))
            try:
                await db.open()
            except sqlite3.Error as error:
                if last or not recovery.is_damage(error):
                    raise
                self._move_aside(error)
            else:
                return db
        raise AssertionError

    async def _close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            await db.close()

    def _move_aside(self, error: BaseException) -> None:
        aside = recovery.move_aside(self._path)
        log.error("box.db: damaged (%s); moved aside to %s, a new one begins", error, aside)
        self._damaged(aside)


def ask_box(path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    """The answer to a question, read-only, from any process. Raises sqlite3.Error."""
    db = open_reading(path)
    try:
        return question(db)
    finally:
        db.close()


def _connector(path: Path) -> Connection:
    db = open_writing(path, schema.BOX)
    try:
        schema.BOX.apply(db)
        recovery.check(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result
