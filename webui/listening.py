"""The socket that systemd listens on for the pages (vitald-web.socket), handed over when they start (sd_listen_fds(3)).

So a port below 1024 needs no privilege, the process needs no network of its own, and browsers wait while it begins anew.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from aiohttp import web

from daemon.config import Config

FIRST = 3


def handed_over(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that are ours; none where nobody handed any over, or where they were meant for another process."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    for descriptor in range(FIRST, FIRST + int(count)):
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in range(FIRST, FIRST + int(count))]


async def listen(runner: web.AppRunner, config: Config) -> None:
    """Serve on what was handed over, else on the configured address. Raises OSError when that is taken."""
    sites: list[web.BaseSite] = [web.SockSite(runner, sock) for sock in handed_over()]
    for site in sites or [web.TCPSite(runner, config.web.host, config.web.port)]:
        await site.start()
