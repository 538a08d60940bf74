"""What clouds propose for the devices at a bed, and the word of whoever stands there: the daemon's own routes, passed on."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from daemon.control.wishes import ProposalAct, WishClient
from webui.pages import CONFIG, alarms, bed_asked, numbers, passed_on, render

_CLIENT = web.AppKey("wishes", WishClient)

log = logging.getLogger(__name__)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_client)
    app.router.add_get("/bed/{bed}/proposals", page)
    app.router.add_get("/api/proposals", _told)
    app.router.add_post("/api/proposals", _act)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/proposals; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    facts = {"page": "proposals", "bed": key, **numbers.facts(), **alarms.facts()}
    return render(request, "proposed.html", bed=key, name=names[key], names=names, facts=facts)


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with WishClient(app[CONFIG].box.socket) as client:
        app[_CLIENT] = client
        yield


async def _told(request: web.Request) -> web.Response:
    """GET /api/proposals?bed=: a `ProposalsTold`."""
    bed = request.query.get("bed", "")
    if bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    return await passed_on(request.app[_CLIENT].proposals(bed), "proposals: the box")


async def _act(request: web.Request) -> web.Response:
    """POST /api/proposals: a `ProposalAct` in, a `ProposalActed` out; 400 for what is none."""
    try:
        act = ProposalAct.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return web.json_response({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, status=400)
    return await passed_on(request.app[_CLIENT].act(act), "proposals: the box")
