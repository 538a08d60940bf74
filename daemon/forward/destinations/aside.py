"""Blocking calls beside the event loop, on threads that a hung server or disk cannot keep the process alive with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """At most `most` blocking calls at once. A call whose caller gave up holds its place until it ends.

    Not asyncio.to_thread: its threads are joined when the interpreter ends, and one of ours may wait for a dead disk.
    """

    def __init__(self, most: int, name: str) -> None:
        self._places = asyncio.Semaphore(most)
        self._name = name

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._places.release()
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # T may itself be None

        def call() -> None:
            result, error = None, None
            try:
                result = work()
            except Exception as raised:  # noqa: BLE001 - it is raised again where it is waited for
                error = raised
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        threading.Thread(target=call, name=self._name, daemon=True).start()
        return await done
