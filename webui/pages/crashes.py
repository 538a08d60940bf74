"""What the box's own programs did not expect, for technicians: a list, and exactly what is sent of each."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from daemon.control.client import NotAnswering
from daemon.control.crashes import CrashClient
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render

_CLIENT = web.AppKey("crashes", CrashClient)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_client)
    app.router.add_get("/crashes", page)
    app.router.add_get("/api/crashes", _told)
    app.router.add_get("/api/crashes/{fingerprint}", _shown)


async def page(request: web.Request) -> web.Response:
    """GET /crashes."""
    names = bed_names(request.app[CONFIG])
    facts = {"page": "crashes", **numbers.facts(), **alarms.facts()}
    return render(request, "crashes.html", names=names, facts=facts)


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with CrashClient(app[CONFIG].box.socket) as client:
        app[_CLIENT] = client
        yield


async def _told(request: web.Request) -> web.Response:
    """GET /api/crashes: a `CrashesTold`."""
    return await passed_on(request.app[_CLIENT].told(), "crash reports: the box")


async def _shown(request: web.Request) -> web.Response:
    """GET /api/crashes/{fingerprint}: a `CrashShown`; 404 for one that is not kept."""
    fingerprint = request.match_info["fingerprint"]
    if not fingerprint.isalnum():
        raise web.HTTPNotFound
    try:
        shown = await request.app[_CLIENT].shown(fingerprint)
    except NotAnswering:
        raise web.HTTPNotFound from None
    return web.json_response(text=shown.model_dump_json())
