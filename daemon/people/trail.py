"""The way into the audit for acts that must not wait for a disk: handed over at once, written as soon as it can be.

The queue is bounded: where a disk fails for long, the oldest entries that wait are lost, and the log says how many. Acts on
alarms and patients are in vitald.db too.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque

from daemon import audit
from daemon.audit import Entry
from daemon.store.box import BoxFile

MOST_WAITING = 2000
AGAIN_S = 5.0

log = logging.getLogger(__name__)


class Trail:
    """`offer` never waits; `run` writes until it is cancelled, `flush` what is there at the end."""

    def __init__(self, file: BoxFile) -> None:
        self._file = file
        self._waiting: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._lost = 0

    def offer(self, entry: Entry) -> None:
        """Into the audit, as soon as the disk takes it."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(entry)
        self._wake.set()

    async def run(self) -> None:
        """Write what is offered, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self.flush():
                await asyncio.sleep(AGAIN_S)
                self._wake.set()

    async def flush(self) -> bool:
        """Write all that waits. False where the disk does not take it."""
        batch = list(self._waiting)
        if not batch:
            return True
        try:
            await self._file.run(lambda db: [audit.append(db, entry) for entry in batch])
        except (sqlite3.Error, OSError) as error:
            log.error("audit: %d entries wait for box.db: %s", len(batch), error)  # noqa: TRY400 - a state of the disk
            return False
        for entry in batch:
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()
        if self._lost:
            log.error("audit: %d entries were lost while box.db could not be written", self._lost)
            self._lost = 0
        return not self._waiting
