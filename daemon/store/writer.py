"""The store's one writer: takes what every bed offers, and commits it once a second.

`offer` belongs to the event loop's thread, never waits and never raises. Encoding and SQL run on the connection's own
thread, a whole transaction as one call (`connection.Threaded`). A disk that fails is a state: the writer says so with a
Fact, keeps what fits, tries again for ever, and records as gaps what did not fit.

When full (`max_sample_bytes`, `max_rows`): new chunks are refused and become one Gap per stretch, cause disk; metrics
are refused at four fifths of the rows, everything else when all are taken. Both are counted. Samples do not crowd out
rows, and after a failure rows are written first.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from daemon.model.alarms import Change
from daemon.model.findings import Finding
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Command, Fact, FactState, Item, Nanos
from daemon.store import recovery, schema
from daemon.store.backlog import Batch
from daemon.store.connection import Connection, Threaded, open_writing
from daemon.store.cutting import Chunk
from daemon.store.entries import AlarmsKept, ClockOffset, Confirmed, Entry, Occupied, Opened
from daemon.store.intake import Intake
from daemon.store.retention import Quota
from daemon.store.rows import Rows
from daemon.store.sessions import Box, Occupant
from daemon.store.transaction import is_entrys_fault, write_batch, write_singly
from daemon.store.upkeep import Upkeep

T = TypeVar("T")

log = logging.getLogger(__name__)

STORE = "store"
"""Source of the Fact that says whether the store can write."""

STORE_DAMAGED = "store_damaged"
"""Source of the Fact that a damaged file was moved aside; its detail is the new path."""

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0


class StoreBusy(Exception):
    """Another process writes this store."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What is on the disk now, for good.

    Everything offered up to number `seq`, but for what is counted in `rows_lost`; of each segment in `samples` (by its
    id) the numbers below the value given, as samples or gaps; the commands with these ids.
    """

    seq: int
    samples: dict[str, int]
    commands: tuple[str, ...]


class Writer:
    """`start`, then `offer` as things happen, then `stop`. What is offered before `start` waits.

    `about` is what sessions say of the box: {"os", "app_version"}. Without a `quota` nothing is ever given up.
    """

    def __init__(
        self,
        path: Path,
        *,
        boot: str,
        now: Callable[[], Nanos],
        utc_offset_ns: int,
        clock_is_set: bool = True,
        on_fact: Callable[[Fact], None] = lambda fact: None,  # noqa: ARG005 - nobody listens
        on_saved: Callable[[Saved], None] = lambda saved: None,  # noqa: ARG005 - nobody listens
        about: Mapping[str, object] | None = None,
        quota: Quota | None = None,
        commit_every_s: float = 1.0,
        max_sample_bytes: int = 32 << 20,
        max_rows: int = 50_000,
    ) -> None:
        self._path = path
        self._boot = boot
        self._now = now
        self._on_fact = on_fact
        self._on_saved = on_saved
        self._commit_every_s = commit_every_s
        self._began_ns = now()
        self._occupants: dict[str, Occupant] = {}
        self._box = Box(about or {}, self._occupants)
        self._upkeep = Upkeep(path, quota)
        self._intake = Intake(now, self._wake_up, max_rows=max_rows, max_bytes=max_sample_bytes)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._db: Threaded | None = None
        self._rows: Rows | None = None
        self._lock: int | None = None
        self._opened_before = False
        self._failed_since_ns: Nanos | None = None
        self.clock_offset(utc_offset_ns, is_set=clock_is_set)

    @property
    def samples_lost(self) -> int:
        """Samples that came and could not be kept (times of sampling, not values); every one is in a Gap."""
        return self._intake.samples_lost

    @property
    def about(self) -> Mapping[str, object]:
        """What sessions say of the box."""
        return self._box.info

    @property
    def rows_lost(self) -> int:
        """Metrics and events that could not be kept."""
        return self._intake.rows_lost

    async def start(self) -> None:
        """Open the store and begin to commit. A damaged file is moved aside; a disk that fails is tried again later.

        Raises `StoreBusy`, and `schema.ForeignStore` where the file is not ours to write.
        """
        try:
            await self._open()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            self._made_room(error)
        except BaseException:  # StoreBusy, ForeignStore, a cancellation
            await self._close()
            self._unlock()
            raise
        self._task = asyncio.create_task(self._run(), name="store: writer")

    async def stop(self, within_s: float = 5.0) -> None:
        """Write everything that was offered and close. Gives up `within_s` after the call where the disk fails."""
        if self._task is None:
            return
        self._intake.finish()
        self._stopping.set()
        self._wake.set()
        done, _ = await asyncio.wait({self._task}, timeout=within_s)
        if not done:
            log.error("store: %d entries could not be written before the end", len(self._intake.backlog))
            self._task.cancel()
            await asyncio.wait({self._task})
        self._upkeep.close()
        await self._close()
        self._unlock()

    def offer(
        self,
        bed: str,
        item: Item,
        findings: Sequence[Finding] = (),
        changes: Sequence[Change] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> int:
        """Take an item of a bed, what analysis said of it, what alarms changed and what the clouds are told of it.

        All of it, but for samples, goes into one transaction. Returns the number of this offer (see `Saved`).
        """
        return self._intake.offer(bed, item, findings, changes, outgoing)

    def occupied(self, bed: str, occupant: Occupant) -> None:
        """Who is at a bed by box.db, before anything is recorded; the file is told, and every new one."""
        self._occupants[bed] = occupant
        self._intake.row(bed, Occupied(occupant))

    def keep(self, bed: str, kept: AlarmsKept) -> None:
        """Take how a bed's alarms stand, in place of what was kept before."""
        self._intake.keep(bed, kept)

    def confirmed(self, identity: str, lanes: Mapping[Lane, int]) -> None:
        """What every receiver has, by lane, of the file with this identity."""
        self._intake.row("", Confirmed(identity, dict(lanes)))

    def clock_offset(self, utc_offset_ns: int, *, is_set: bool) -> None:
        """The box's clock was set or has stepped: UTC = t_ns + utc_offset_ns explains this whole boot from now on."""
        self._intake.row("", ClockOffset(self._now(), utc_offset_ns, is_set))

    async def aside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What a short transaction of somebody else's gives, done between two commits; it must leave none open.

        Raises what `work` raises, and sqlite3.OperationalError where the file cannot be written now.
        """
        db = self._db
        if db is None or self._failed_since_ns is not None or self._stopping.is_set():
            raise sqlite3.OperationalError("the store does not write now")
        return await db.run(work)

    # --- the committing task -----------------------------------------------------------------------------

    def _wake_up(self) -> None:
        self._wake.set()

    async def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            if not self._stopping.is_set():
                pause_s = self._commit_every_s if self._failed_since_ns is None else retry_s
                await self._pause(pause_s)
            try:
                await self._write_everything()
                await self._look_after()
            except schema.ForeignStore as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next samples want to be stored
                self._failed(error)
                await self._close()
                self._made_room(error)
                if recovery.is_damage(error):
                    self._move_aside(error)
            else:
                retry_s = FIRST_RETRY_S
                if self._stopping.is_set() and not len(self._intake.backlog):
                    return
                continue
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            if self._stopping.is_set():
                await asyncio.sleep(FIRST_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        """Until something urgent came, but while the disk fails always the whole time."""
        event = self._wake if self._failed_since_ns is None else self._stopping
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _write_everything(self) -> None:
        if self._db is None:
            await self._open()
        backlog = self._intake.backlog
        if self._failed_since_ns is not None:
            # Rows first: on a disk that is nearly full they fit where samples do not.
            while (batch := backlog.batch(with_samples=False)).rows:
                await self._commit(batch)
        while (batch := backlog.batch()).all:
            await self._commit(batch)
            self._well()
        self._well()

    async def _look_after(self) -> None:
        if self._db is not None and not self._stopping.is_set():
            for fact in await self._upkeep.work(self._db, self._boot, self._now):
                _tell(self._on_fact, fact)

    async def _commit(self, batch: Batch) -> None:
        assert self._db is not None
        opened = [Opened(segment) for segment in self._intake.segments()]
        left_out = await self._db.run(lambda db: self._transaction(db, opened, batch))
        self._intake.written(batch, len(left_out))
        if batch.samples:
            self._intake.settle()
        samples: dict[str, int] = {}
        for waiting in batch.samples:
            if isinstance(waiting.entry, Chunk):
                samples[waiting.entry.segment.id] = waiting.entry.first + waiting.entry.n
        commands = [w.entry for w in batch.rows if isinstance(w.entry, Command)]
        kept = tuple(c.id for c in commands if all(c is not entry for entry in left_out))
        _tell(self._on_saved, Saved(self._intake.saved_seq(), samples, kept))

    def _transaction(self, db: sqlite3.Connection, opened: Sequence[Opened], batch: Batch) -> list[Entry]:
        """On the connection's thread: one transaction; returns the entries that cannot ever be written."""
        rows = self._rows or self._fresh(db)
        self._rows = None  # believed in again only after the commit
        try:
            write_batch(db, rows, opened, batch)
        except Exception as error:
            if not is_entrys_fault(error):
                raise
            log.exception("store: an entry cannot be written; the others of its batch are written singly")
            rows, left_out = write_singly(db, lambda: self._fresh(db), opened, batch)
        else:
            left_out = []
        self._rows = rows
        return left_out

    def _fresh(self, db: sqlite3.Connection) -> Rows:
        return Rows(db, self._boot, self._began_ns, self._box)

    # --- the file ----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._lock is None:
            self._lock = _lock(self._path)
        try:
            await self._connect()
        except sqlite3.Error as error:
            if not recovery.is_damage(error):
                raise
            self._move_aside(error)
            await self._connect()

    async def _connect(self) -> None:
        first = not self._opened_before
        db = Threaded(lambda: _connector(self._path, first=first))
        await db.open()
        self._db, self._rows = db, None
        if first:
            log.info("store: %s, SQLite %s", self._path, sqlite3.sqlite_version)
            self._upkeep.opened()
        self._opened_before = True

    async def _close(self) -> None:
        db, self._db, self._rows = self._db, None, None
        if db is None:
            return
        try:
            await db.close()
        except sqlite3.Error as error:
            log.warning("store: closing: %s", error)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _move_aside(self, error: BaseException) -> None:
        try:
            aside = recovery.move_aside(self._path)
        except OSError as refusal:
            log.error("store: damaged (%s) and cannot be moved aside: %s", error, refusal)  # noqa: TRY400 - a state of the disk, not a bug
            return
        log.error("store: damaged (%s); moved aside to %s, a new one begins", error, aside)
        self._upkeep.damaged(aside)
        now_ns = self._now()
        detail = f"{aside}: {error}"
        _tell(
            self._on_fact, Fact(STORE_DAMAGED, FactState.FAILED, since_ns=now_ns, t_ns=now_ns, detail=detail)
        )

    def _made_room(self, error: BaseException) -> None:
        for fact in self._upkeep.failed(error, self._now()):
            _tell(self._on_fact, fact)

    def _failed(self, error: BaseException) -> None:
        if self._failed_since_ns is not None:
            return
        self._failed_since_ns = now_ns = self._now()
        expected = isinstance(error, sqlite3.Error | OSError | schema.ForeignStore)
        log.error("store: cannot write %s: %s", self._path, error, exc_info=None if expected else error)
        detail = f"{self._path}: {error}"
        _tell(self._on_fact, Fact(STORE, FactState.FAILED, since_ns=now_ns, t_ns=now_ns, detail=detail))

    def _well(self) -> None:
        if self._failed_since_ns is None:
            return
        now_ns = self._now()
        log.warning("store: writes again after %.1f s", (now_ns - self._failed_since_ns) / 1e9)
        self._failed_since_ns = None
        _tell(self._on_fact, Fact(STORE, FactState.OK, since_ns=now_ns, t_ns=now_ns))


def _tell(listener: Callable[[T], None], news: T) -> None:
    """Whoever listens: its failure is its own and does not stop the writing."""
    try:
        listener(news)
    except Exception:
        log.exception("store: a listener failed at %s", type(news).__name__)


def _connector(path: Path, *, first: bool) -> Connection:
    """Open, check and bring up to date; on the first opening also end what a crash left open."""
    db = open_writing(path)
    try:
        schema.apply(db)
        if first:
            recovery.check(db, path)
            recovery.close_dangling(db)
    except BaseException:
        db.close()
        raise
    return db


def _lock(path: Path) -> int:
    """Hold `<path>.lock`: one process writes. Released by the kernel when the process ends."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StoreBusy(f"{path}: another process writes this store") from None
    return lock
