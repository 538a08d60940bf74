"""How each cloud gets its data, and what a person may ask of the forwarder: its own socket, passed on to the page."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.config import Config, Destination
from daemon.control.client import NotAnswering as NotHeard
from daemon.control.forwarding import Asked, ForwardClient, NotAnswering, Unknown
from daemon.control.people import Note
from daemon.model.outgoing import Lane
from webui.pages import CONFIG, alarms, bed_names, numbers, render
from webui.signed import people_of, who

_FORWARDER = web.AppKey("forwarder", ForwardClient)

log = logging.getLogger(__name__)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_client)
    app.router.add_get("/clouds", page)
    app.router.add_get("/api/clouds", _told)
    app.router.add_post("/api/clouds/{name}/{verb:pause|resume|retry}", _act)
    app.router.add_get("/api/clouds/{name}/quarantine", _quarantine)
    app.router.add_post("/api/clouds/{name}/quarantine", _release)


async def page(request: web.Request) -> web.Response:
    """GET /clouds?bed=ID: its key Back leads to that bed, or to the first page."""
    config = request.app[CONFIG]
    names = bed_names(config)
    bed = request.query.get("bed", "")
    return render(
        request,
        "clouds.html",
        back=f"/bed/{quote(bed, safe='')}" if bed in names else "/",
        names=names,
        destinations=destinations(config),
        off=not config.forward.enabled,
        lanes=[lane.name.lower() for lane in Lane],
        facts={"page": "clouds", **numbers.facts(), **alarms.facts()},
    )


def destinations(config: Config) -> dict[str, Destination]:
    """Those that anything is sent to, in the order of the configuration."""
    every = config.forward.destinations if config.forward.enabled else {}
    return {name: one for name, one in every.items() if one.enabled}


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with ForwardClient(app[CONFIG].forward_socket) as client:
        app[_FORWARDER] = client
        yield


async def _told(request: web.Request) -> web.Response:
    """GET /api/clouds: a `Told`."""
    return await _passed_on(request.app[_FORWARDER].told())


async def _act(request: web.Request) -> web.Response:
    """POST /api/clouds/NAME/{pause,resume,retry}, an `Asked`: a `Done`."""
    name = _name(request)
    await _asked(request)
    verb = request.match_info["verb"]
    response = await _passed_on(request.app[_FORWARDER].act(name, verb, who(request).actor))
    await _noted(request, response, f"cloud_{verb}", name)
    return response


async def _quarantine(request: web.Request) -> web.Response:
    """GET /api/clouds/NAME/quarantine: a `QuarantineTold`."""
    return await _passed_on(request.app[_FORWARDER].quarantine(_name(request)))


async def _release(request: web.Request) -> web.Response:
    """POST /api/clouds/NAME/quarantine, an `Asked`: records are sent again; a `Done`."""
    name, asked = _name(request), await _asked(request)
    response = await _passed_on(request.app[_FORWARDER].release(name, asked.seqs, who(request).actor))
    await _noted(request, response, "cloud_release", name, seqs=list(asked.seqs or ()) or "all")
    return response


async def _noted(request: web.Request, response: web.Response, act: str, name: str, **body: object) -> None:
    """What was done is in the audit; where the daemon does not answer, the forwarder's log has it."""
    if response.status != 200:
        return
    try:
        await people_of(request).note(Note(id=str(uuid.uuid4()), act=act, subject=name, body=body))
    except NotHeard as error:
        log.warning("%s of %s by %s is not in the audit: %s", act, name, who(request).actor, error)


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if name not in destinations(request.app[CONFIG]):
        raise web.HTTPNotFound
    return name


async def _asked(request: web.Request) -> Asked:
    try:
        return Asked.model_validate_json(await request.read())
    except ValidationError:
        raise web.HTTPBadRequest from None


async def _passed_on(answer: Awaitable[BaseModel]) -> web.Response:
    """The forwarder's answer as it is; 503 when there is none, 409 where the destination does not run."""
    try:
        told = await answer
    except NotAnswering as error:
        log.debug("the forwarder does not answer: %s", error)
        return web.json_response({"error": "not_answering"}, status=503)
    except Unknown:
        return web.json_response({"error": "not_running"}, status=409)
    return web.json_response(text=told.model_dump_json())
