"""Machines' tokens, for an administrator, and whose devices are: the daemon's own answers, passed on to the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from daemon.control.asking import first_fault
from daemon.control.ownership import OwnershipAct, OwnershipClient
from daemon.control.tokens import TokenAct, TokenClient
from daemon.model.scopes import Scope
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render

A_PAGE = 20

_TOKENS = web.AppKey("tokens", TokenClient)
_OWNERSHIP = web.AppKey("ownership", OwnershipClient)


def install(app: web.Application) -> None:
    """Add the page and what it asks, and what the page of devices asks of owners."""
    app.cleanup_ctx.append(_clients)
    app.router.add_get("/tokens", page)
    app.router.add_get("/api/tokens", _tokens)
    app.router.add_post("/api/tokens", _token_act)
    app.router.add_get("/api/ownership", _ownership)
    app.router.add_post("/api/ownership", _ownership_act)


async def _clients(app: web.Application) -> AsyncIterator[None]:
    socket = app[CONFIG].box.socket
    async with TokenClient(socket) as tokens, OwnershipClient(socket) as ownership:
        app[_TOKENS], app[_OWNERSHIP] = tokens, ownership
        yield


async def page(request: web.Request) -> web.Response:
    """GET /tokens."""
    names = bed_names(request.app[CONFIG])
    facts = {"page": "tokens", "most": A_PAGE, **numbers.facts(), **alarms.facts()}
    return render(request, "tokens.html", beds=names, scopes=tuple(Scope), facts=facts)


async def _tokens(request: web.Request) -> web.Response:
    """GET /api/tokens?find=&state=&offset=: a `TokensTold`."""
    asked = request.query
    offset = asked.get("offset", "0")
    if not offset.isdecimal() or len(offset) > 6:
        raise web.HTTPBadRequest
    find, state = asked.get("find", "")[:100], asked.get("state", "")[:20]
    answer = request.app[_TOKENS].tokens(find, state, offset=int(offset), most=A_PAGE)
    return await passed_on(answer, "tokens: the box")


async def _token_act(request: web.Request) -> web.Response:
    """POST /api/tokens: a `TokenAct`; a `TokenActed`."""
    try:
        act = TokenAct.model_validate_json(await request.read())
    except ValidationError as error:
        return web.json_response({"error": first_fault(error)}, status=400)
    return await passed_on(request.app[_TOKENS].act(act), "tokens: the box")


async def _ownership(request: web.Request) -> web.Response:
    """GET /api/ownership?device=: an `OwnershipTold`."""
    device = request.query.get("device", "")[:100]
    return await passed_on(request.app[_OWNERSHIP].told(device), "ownership: the box")


async def _ownership_act(request: web.Request) -> web.Response:
    """POST /api/ownership: an `OwnershipAct`, in the name of whoever is signed in; an `OwnershipActed`."""
    try:
        act = OwnershipAct.model_validate_json(await request.read())
    except ValidationError as error:
        return web.json_response({"error": first_fault(error)}, status=400)
    signed = act.model_copy(update={"token": "", "on_screen": act.verb == "confirm"})
    return await passed_on(request.app[_OWNERSHIP].act(signed), "ownership: the box")
