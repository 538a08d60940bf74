"""New firmware for devices, on the page of all devices: the daemon's own answers, and a technician's word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from daemon.control.asking import first_fault
from daemon.control.firmware import FirmwareAct, FirmwareClient
from webui.pages import CONFIG, passed_on

_DAEMON = web.AppKey("firmware", FirmwareClient)


def install(app: web.Application) -> None:
    """Add what the page asks."""
    app.cleanup_ctx.append(_client)
    app.router.add_get("/api/firmware", _jobs)
    app.router.add_post("/api/firmware", _act)


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with FirmwareClient(app[CONFIG].box.socket) as client:
        app[_DAEMON] = client
        yield


async def _jobs(request: web.Request) -> web.Response:
    """GET /api/firmware: a `FirmwaresTold`."""
    return await passed_on(request.app[_DAEMON].jobs(), "firmware: the box")


async def _act(request: web.Request) -> web.Response:
    """POST /api/firmware: a `FirmwareAct` that is no "bring" (files come by a cloud or the command line); a `FirmwareActed`."""
    try:
        act = FirmwareAct.model_validate_json(await request.read())
    except ValidationError as error:
        fault = json.dumps({"error": first_fault(error)})
        raise web.HTTPBadRequest(text=fault, content_type="application/json") from None
    if act.verb == "bring":
        raise web.HTTPBadRequest(text=json.dumps({"error": "verb"}), content_type="application/json")
    return await passed_on(request.app[_DAEMON].act(act), "firmware: the box")
