"""Reports of errors over the control socket, for technicians and for whoever mails them.

`GET /crashes` answers a `CrashesTold`, `GET /crashes/FINGERPRINT` a `CrashShown`: exactly what clouds are sent of it.
"""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from daemon.control.asking import SocketClient, told, told_from_disk


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CrashTold(_Message):
    """A kind of error, and how often it came. Times are UTC, RFC 3339. `sent`: how many reports of it were queued for clouds."""

    fingerprint: str
    process: str
    kind: str
    error_type: str
    error_message: str
    where: str
    count: int
    first_at: str
    last_at: str
    sent: int = 0


class CrashesTold(_Message):
    """All that are kept, the newest first; `limited`: some wait, for there were too many today."""

    crashes: tuple[CrashTold, ...] = ()
    limited: bool = False


class CrashShown(_Message):
    """The body of the message box.error/1: all that leaves the box."""

    body: dict[str, Any] = Field(default_factory=dict)


class Crashes(Protocol):
    """What the routes ask (daemon/appliance/crash_queue.py)."""

    async def told(self) -> CrashesTold: ...

    async def shown(self, fingerprint: str) -> CrashShown | None: ...


class CrashRoutes:
    """The routes, for `Server`."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/crashes", self._list)
        app.router.add_get("/crashes/{fingerprint}", self._show)

    async def _list(self, _request: web.Request) -> web.Response:
        return await told_from_disk(self._crashes.told())

    async def _show(self, request: web.Request) -> web.Response:
        shown = await self._crashes.shown(request.match_info["fingerprint"])
        if shown is None:
            raise web.HTTPNotFound
        return told(shown)


class CrashClient(SocketClient):
    """The other end (control/asking.py)."""

    async def told(self) -> CrashesTold:
        """All that are kept."""
        return await self._ask("GET", "/crashes", CrashesTold)

    async def shown(self, fingerprint: str) -> CrashShown:
        """What is sent of one."""
        return await self._ask("GET", f"/crashes/{fingerprint}", CrashShown)
