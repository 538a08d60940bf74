"""What the writer does between two commits: room on the disk is kept, and damaged files are read; a little at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from daemon.model.signals import Fact, FactState, Nanos
from daemon.store.ballast import Ballast, free_bytes, is_full
from daemon.store.connection import Threaded
from daemon.store.retention import Quota, Retention, Step
from daemon.store.salvage import Salvage, damaged_files
from daemon.store.transaction import is_entrys_fault

log = logging.getLogger(__name__)

DISK = "disk"
"""Source of the Fact that room is short: the ballast is gone, or nothing is left that may be given up."""

DISK_FULL = "disk_full"
"""Source of the Fact that there is next to none: a write had none, or a tenth of what must stay free is all there is."""

LOOKED_EVERY_NS: Nanos = 10_000_000_000

STEPS_A_COMMIT = 5
"""How much room is made, and how much saved of a damaged file, between two commits."""


class Upkeep:
    """Of one file. Without a quota nothing is ever given up."""

    def __init__(self, path: Path, quota: Quota | None) -> None:
        self._path = path
        self._keeping = None if quota is None else Keeping(path, quota)
        self._salvages: list[Salvage] = []

    def opened(self) -> None:
        """The file is open for the first time: damaged ones of before are gone on with."""
        self._salvages = [Salvage(aside) for aside in damaged_files(self._path)]

    def damaged(self, aside: Path) -> None:
        """The file was moved aside, and another is there."""
        self._salvages.append(Salvage(aside))

    def failed(self, error: BaseException, now_ns: Nanos) -> list[Fact]:
        """At once, and without writing anything: on a disk that is full what waits is tried again right after."""
        if self._keeping is None or not is_full(error):
            return []
        self._keeping.had_none = True
        self._keeping.ballast.burn()
        return self._keeping.said(DISK_FULL, str(error), now_ns)

    async def work(self, db: Threaded, boot: str, now: Callable[[], Nanos]) -> list[Fact]:
        """Some steps; what there is to say. Raises sqlite3.Error of the file."""
        await self._salvage(db)
        keeping = self._keeping
        if keeping is None or not keeping.due(now()):
            return []
        for _ in range(STEPS_A_COMMIT):
            step = await db.run(lambda db: keeping.retention.step(db, boot, now()))
            if not step.more:
                break
        there = await asyncio.to_thread(keeping.ballast.make)
        keeping.had_none = keeping.had_none and not there
        return keeping.news(step, now(), ballast=there)

    async def _salvage(self, db: Threaded) -> None:
        for _ in range(STEPS_A_COMMIT if self._salvages else 0):
            salvage = self._salvages[0]
            try:
                more = await db.run(salvage.step)
            except Exception as error:
                if not is_entrys_fault(error):
                    raise
                log.exception("store: %s cannot be read on", salvage.aside)
                more = False
            if not more:
                salvage.close()
                self._salvages.pop(0)
                break

    def close(self) -> None:
        for salvage in self._salvages:
            salvage.close()


class Keeping:
    """Of one file. `due` says when to take a `step` of retention; `news` is told what came of it."""

    def __init__(self, path: Path, quota: Quota) -> None:
        self.retention = Retention(path, quota)
        self.ballast = Ballast(path.with_name("ballast"), quota.ballast, quota.keep_free)
        self.had_none = False  # a write failed for want of room, and the ballast has not come back since
        self._least = quota.keep_free // 10
        self._folder = path.parent
        self._looked_ns: Nanos | None = None
        self._making_room = False
        self._said = {DISK: False, DISK_FULL: False}

    def due(self, now_ns: Nanos) -> bool:
        """Now and then; while room is being made, or the ballast is gone, always."""
        waited = self._looked_ns is None or now_ns - self._looked_ns >= LOOKED_EVERY_NS
        if not (waited or self._making_room or not self.ballast.there):
            return False
        self._looked_ns = now_ns
        return True

    def news(self, step: Step, now_ns: Nanos, *, ballast: bool) -> list[Fact]:
        """The Facts that room is short, or that there is none, or no longer so: each once."""
        if step.more and not self._making_room:
            log.warning("store: room is being made, what was dropped is in the outbox")
        self._making_room = step.more
        free = free_bytes(self._folder)
        found = {
            DISK: "nothing is left that may be given up" if step.stuck else "" if ballast else "no ballast",
            DISK_FULL: f"{free >> 20} MB are free" if self.had_none or free < self._least else "",
        }
        return [fact for source, detail in found.items() for fact in self.said(source, detail, now_ns)]

    def said(self, source: str, detail: str, now_ns: Nanos) -> list[Fact]:
        """The Fact, unless it has been said; without `detail` all is well."""
        if bool(detail) == self._said[source]:
            return []
        self._said[source] = bool(detail)
        return [Fact(source, FactState.FAILED if detail else FactState.OK, now_ns, now_ns, detail)]
