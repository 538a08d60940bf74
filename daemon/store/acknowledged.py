"""Waiting until a command is on the disk."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from daemon.store.writer import Saved

REMEMBERED = 1000


class Acknowledged:
    """Hears what the writer has saved (`on_saved`); remembers the last commands of it."""

    def __init__(self) -> None:
        self._saved: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, asyncio.Event] = {}

    def hear(self, saved: Saved) -> None:
        for command in saved.commands:
            self._saved[command] = None
            if command in self._waiting:
                self._waiting[command].set()
        while len(self._saved) > REMEMBERED:
            self._saved.popitem(last=False)

    async def wait(self, command: str) -> None:
        """Until the command with this id is on the disk; for ever if it never is. One waiter a command."""
        if command in self._saved:
            return
        news = self._waiting[command] = asyncio.Event()
        try:
            await news.wait()
        finally:
            self._waiting.pop(command, None)
