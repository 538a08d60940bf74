"""What is given up when room is short, step by step, and never silently: every step says so in the outbox (box.dropped/1).

The order is that of harm: waveforms that every receiver has, then waveforms that none may have yet, the oldest first; then
numbers, thinned to one a minute. Alarms, events, beats and sessions stay. Dropped samples become one gap (cause "dropped")
at the beginning of their segment. A step is small: whoever wants to commit waits for no more than one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store.ballast import free_bytes
from daemon.store.connection import PAGE_BYTES
from daemon.store.dropping import Dropped, drop_waveforms, thin_messages, thin_metrics
from daemon.store.usage import Class, used

STEP_ROWS = 500
VACUUM_PAGES = 512

ENOUGH = 0.98
"""Of a quota: once it is exceeded so much of it is kept, so that room is made now and then and not all the time."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes for every class, and what must stay free on the disk; `ballast` is the size of that file."""

    waveform: int
    numbers: int
    keep_free: int
    ballast: int

    def of(self, which: Class) -> int:
        return self.waveform if which is Class.WAVEFORM else self.numbers


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: what was dropped (None: nothing), and whether more must be. `stuck`: there is nothing left to drop."""

    dropped: Dropped | None
    more: bool
    stuck: bool = False


class Retention:
    """Of one file; `step` runs on the connection's thread, in a transaction of its own. `free` is the disk's free bytes."""

    def __init__(self, path: Path, quota: Quota, free: Callable[[Path], int] = free_bytes) -> None:
        self._folder = path.parent
        self._quota = quota
        self._free = free
        self._making_room: set[str] = set()
        self._at = {"waveform": 0, "messages": 0, "metrics": 0}
        self._kept: dict[tuple[object, ...], int] = {}

    def step(self, db: sqlite3.Connection, boot: str, now_ns: Nanos) -> Step:
        """Give up at most STEP_ROWS rows, if anything must be. Raises sqlite3.Error; nothing is changed then."""
        short = self._short(db)
        if not short:
            self._give_back(db)
            return Step(None, more=False)
        reason, classes = short
        before = dict(self._at)
        db.execute("BEGIN IMMEDIATE")
        try:
            dropped = self._drop(db, boot, now_ns, reason, classes)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._at = dict.fromkeys(self._at, 0)
            raise
        self._give_back(db)
        more = dropped is not None or self._at != before  # rows that stay are passed over, step by step
        return Step(dropped, more=more, stuck=not more)

    def _short(self, db: sqlite3.Connection) -> tuple[str, tuple[Class, ...]] | None:
        """Why room must be made, and of what; None where there is enough."""
        room = self._free(self._folder) + _unused(db)
        if self._exceeds("disk", self._quota.keep_free - room, -self._quota.keep_free // 10):
            return "disk", (Class.WAVEFORM, Class.NUMBERS)
        bytes_of = used(db)
        for which in Class:
            quota = self._quota.of(which)
            if self._exceeds(which, bytes_of.get(which, 0) - quota, -round((1 - ENOUGH) * quota)):
                return "quota", (which,)
        return None

    def _give_back(self, db: sqlite3.Connection) -> None:
        """Pages that the file has no use for, while the disk is short of room."""
        if self._free(self._folder) < self._quota.keep_free and _unused(db):
            # It gives a row without columns for each page: `execute` would stop at the first.
            db.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES});")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # only then the file is shorter

    def _exceeds(self, what: str, over: int, until: int) -> bool:
        """Whether `over` is above 0, or has been and is not below `until` yet."""
        if over > 0 or (what in self._making_room and over > until):
            self._making_room.add(what)
            return True
        self._making_room.discard(what)
        return False

    def _drop(
        self, db: sqlite3.Connection, boot: str, now_ns: Nanos, reason: str, classes: tuple[Class, ...]
    ) -> Dropped | None:
        row = db.execute("SELECT id FROM boots WHERE boot = ?", (boot,)).fetchone()
        if row is None:
            return None
        at = (row[0], now_ns, reason, STEP_ROWS)
        confirmed = {Lane(lane): seq for lane, seq in db.execute("SELECT lane, seq FROM confirmed")}
        dropped: Dropped | None = None
        if Class.WAVEFORM in classes:
            dropped, self._at["waveform"] = drop_waveforms(
                db, *at, self._at["waveform"], confirmed.get(Lane.WAVEFORM, 0)
            )
        if Class.NUMBERS in classes and dropped is None:
            dropped, self._at["messages"] = thin_messages(
                db, *at, self._at["messages"], confirmed.get(Lane.METRICS, 0), self._kept
            )
        if Class.NUMBERS in classes and dropped is None:
            dropped, self._at["metrics"] = thin_metrics(db, *at, self._at["metrics"], self._kept)
        return dropped


def _unused(db: sqlite3.Connection) -> int:
    """Bytes of the file that will be written anew before it grows."""
    pages: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return pages * PAGE_BYTES
