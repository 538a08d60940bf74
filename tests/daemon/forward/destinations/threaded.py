"""An aiohttp server on a thread and a loop of its own, as far from the one under test as another machine."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

from aiohttp import web


async def hang_up(port: int) -> None:
    """End the connections that came to this port; those in the middle of a handshake are in nobody's list but the loop's."""
    for transport in list(asyncio.get_running_loop()._transports.values()):
        if transport.get_extra_info("sockname", (None, None))[1] == port:
            transport.abort()
    await asyncio.sleep(0.01)


@contextlib.contextmanager
def threaded(app: web.Application, trust: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yields the port it listens on."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust)
        await site.start()
        return runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        asyncio.run_coroutine_threadsafe(hang_up(port), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
