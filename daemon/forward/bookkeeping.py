"""The ledger's one thread: steps of all destinations that come together are one transaction and one flush of the disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from daemon.forward.ledger import open_ledger

T = TypeVar("T")

log = logging.getLogger(__name__)

Step = Callable[[sqlite3.Connection], T]

WAITING = 1000
"""Steps that may wait; whoever comes then waits with them. A destination waits for each of its own, so there are few."""

TOGETHER = 100

LATER_S = 2.0
"""So long a step waits for another to be written with."""


class Bookkeeping:
    """`await books.do(step)` returns when the step is on the disk; steps of several tasks share the flush, in their order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._db: sqlite3.Connection | None = None
        self._queue: asyncio.Queue[tuple[Step[Any], asyncio.Future[Any] | None]] = asyncio.Queue(WAITING)
        self._kept: list[tuple[Step[Any], asyncio.Future[Any] | None]] = []

    async def open(self) -> None:
        """Raises what `open_ledger` raises."""
        self._db = await asyncio.get_running_loop().run_in_executor(self._thread, open_ledger, self._path)

    async def close(self) -> None:
        """When `run` has ended: what nobody waits for is written too."""
        if self._db is not None:
            left = [*self._kept, *(self._queue.get_nowait() for _ in range(self._queue.qsize()))]
            steps = [step for step, future in left if future is None]
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._transaction, steps)
            await loop.run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()

    async def do(self, step: Step[T]) -> T:
        """What `step` returns, once it is committed. Raises what it raises; nothing of it is kept then."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._queue.put((step, future))
        return await asyncio.shield(future)

    async def later(self, step: Step[None]) -> None:
        """Write this with the next step that somebody waits for, or soon. A process that dies before has not done it."""
        await self._queue.put((step, None))

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._collect()
            together, self._kept = self._kept, []
            steps = [step for step, _ in together]
            results = await loop.run_in_executor(self._thread, self._transaction, steps)
            for (_, future), (result, error) in zip(together, results, strict=True):
                if future is None and error is not None:
                    log.error("forward: a step of the ledger failed", exc_info=error)
                if future is None or future.cancelled():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)
                    future.exception()  # looked at: whoever asked may be gone

    async def _collect(self) -> None:
        """Steps for the next transaction: it is due when somebody waits, or those that nobody waits for have waited enough."""
        self._kept.append(await self._queue.get())
        try:
            async with asyncio.timeout(LATER_S):
                while self._kept[-1][1] is None and len(self._kept) < TOGETHER:
                    self._kept.append(await self._queue.get())
        except TimeoutError:
            return
        while len(self._kept) < TOGETHER and not self._queue.empty():
            self._kept.append(self._queue.get_nowait())

    def _transaction(self, steps: list[Step[Any]]) -> list[tuple[Any, Exception | None]]:
        """On the thread: all steps in one transaction; where that fails, each in its own."""
        try:
            return [(result, None) for result in self._commit(steps)]
        except Exception as error:  # noqa: BLE001 - whoever gave the step hears of it
            if len(steps) == 1:
                return [(None, error)]
        return [self._transaction([step])[0] for step in steps]

    def _commit(self, steps: list[Step[Any]]) -> list[Any]:
        if not steps:
            return []
        assert self._db is not None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            results = [step(self._db) for step in steps]
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return results
