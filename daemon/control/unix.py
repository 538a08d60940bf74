"""The processes of the box speak HTTP to one another over UNIX sockets: how one listens, and how one connects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Self

import aiohttp
from aiohttp import web

BASE = "http://vitald"
"""What stands before a path in a request; the name means nothing."""

_GROUP_MAY_CONNECT = 0o660


@asynccontextmanager
async def listening(socket: Path, app: web.Application) -> AsyncIterator[None]:
    """Answer at `socket` for as long as the context lasts. One left behind by a process that died is replaced."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        socket.unlink(missing_ok=True)
        await web.UnixSite(runner, str(socket)).start()
        socket.chmod(_GROUP_MAY_CONNECT)
        yield
    finally:
        await runner.cleanup()
        socket.unlink(missing_ok=True)


def session(socket: Path, within_s: float | None = None) -> aiohttp.ClientSession:
    """Requests to whoever listens there, each of at most `within_s` seconds. To be closed by the caller."""
    return aiohttp.ClientSession(
        BASE,
        connector=aiohttp.UnixConnector(path=str(socket)),
        timeout=aiohttp.ClientTimeout(total=within_s),
    )


class Connected:
    """A client of a socket, as an asynchronous context manager."""

    WITHIN_S: ClassVar[float | None] = None
    """The longest that a request may take where it does not say otherwise, s."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        self._session = session(self._socket, self.WITHIN_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
