"""Where browsers come in: sockets that systemd hands over (vitald-web.socket, sd_listen_fds(3)), or the configured addresses.

So a port below 1024 needs no privilege, the process needs no network of its own, and browsers wait while it begins anew.
Connections are taken one by one, and counted before anything is done for them, TLS included.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine, Mapping
from typing import Any

from aiohttp import web

from daemon.config import Config
from daemon.config_web import SERVED
from webui.certificate import Certificate
from webui.crowd import Crowd

FIRST = 3

SHAKEN_WITHIN_S = 10.0
"""A connection that has not agreed on TLS by then is closed."""

PAUSE_S = 1.0
"""Without a file for one more connection, so long none is taken."""

_BACKLOG = 128

log = logging.getLogger(__name__)


def handed_over(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that are ours; none where nobody handed any over, or where they were meant for another process."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    for descriptor in range(FIRST, FIRST + int(count)):
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in range(FIRST, FIRST + int(count))]


class Listening:
    """The open doors of the pages, from `begin` to `end`."""

    def __init__(self, config: Config, crowd: Crowd) -> None:
        self._config = config
        self._crowd = crowd
        self._certificate = Certificate(config.cert_data / SERVED)
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises where a door has failed: that is a bug."""
        self.plain: tuple[str, int] = ("", 0)
        """Where the box itself, and whoever wants to trust it, comes in."""
        self.encrypted: tuple[str, int] | None = None

    @property
    def has_certificate(self) -> bool:
        """Whether anybody could be served by TLS now."""
        return self._certificate.context is not None

    async def begin(self, runner: web.AppRunner) -> None:
        """Take connections. Raises OSError when an address is taken."""
        assert runner.server is not None
        self._sockets, encrypted = self._opened()
        if encrypted:
            self._certificate.look()
            self._spawn(self._certificate.run(), "web: certificate", is_vital=True)
        for one in self._sockets:
            one.setblocking(False)
            host, port = one.getsockname()[:2]
            if one in encrypted:
                self.encrypted = (host, port)
            elif not self.plain[0]:
                self.plain = (host, port)
            certificate = self._certificate if one in encrypted else None
            self._spawn(self._take(one, runner.server, certificate), f"web: port {port}", is_vital=True)

    async def end(self) -> None:
        """Take no more. Connections that are there are the runner's to end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._sockets:
            one.close()

    def _opened(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """All listening sockets, and those of them for TLS."""
        web_ = self._config.web
        if sockets := handed_over():
            encrypted = [
                one for one in sockets if web_.is_encrypted and one.getsockname()[1] == web_.tls_port
            ]
            if web_.is_encrypted and not encrypted:
                log.error(
                    "no socket for port %d was handed over: systemctl daemon-reload, restart", web_.tls_port
                )
            return sockets, encrypted
        opened: list[socket.socket] = []
        try:
            for host in web_.plain_hosts:
                opened.append(_listening(host, opened[0].getsockname()[1] if opened else web_.port))
            encrypted = [_listening(web_.host, web_.tls_port)] if web_.is_encrypted else []
        except OSError:
            for one in opened:
                one.close()
            raise
        return [*opened, *encrypted], encrypted

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str, *, is_vital: bool = False) -> None:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if is_vital:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _take(
        self, listening: socket.socket, server: web.Server, certificate: Certificate | None
    ) -> None:
        loop = asyncio.get_running_loop()
        if certificate is not None:
            await certificate.ready.wait()  # until then browsers wait in the backlog
        while True:
            try:
                taken, address = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("no connection can be taken: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            if not self._crowd.lets_in(address[0], taken):
                taken.close()
                continue
            self._spawn(_attend(taken, server, certificate), f"web: {address[0]}")


async def _attend(taken: socket.socket, server: web.Server, certificate: Certificate | None) -> None:
    """Hand a connection to the pages, once it speaks TLS where it has to."""
    context = certificate.context if certificate is not None else None
    within_s = None if context is None else SHAKEN_WITHIN_S
    try:
        await asyncio.get_running_loop().connect_accepted_socket(
            server, taken, ssl=context, ssl_handshake_timeout=within_s
        )
    except (OSError, TimeoutError) as error:
        log.debug("a connection did not begin: %s", error)
        taken.close()


def _listening(host: str, port: int) -> socket.socket:
    is_six = ":" in host
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_six else socket.AF_INET,
        backlog=_BACKLOG,
        dualstack_ipv6=is_six and host == "::",
    )
