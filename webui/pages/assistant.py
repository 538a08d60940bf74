"""The assistant of a bed: what may go is ticked, exactly what goes is shown, and then it goes. Every use is in the audit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from daemon.control.assistant import QUESTIONS, AssistantAsked, AssistantClient, AssistantPrepared
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.people import Note
from daemon.words import spoken
from webui.pages import CONFIG, alarms, bed_asked, numbers, panels, passed_on, render
from webui.signed import people_of

_CLIENT = web.AppKey("assistant", AssistantClient)
_SHOWN = web.AppKey("assistant shown", OrderedDict[str, AssistantPrepared])

MOST_SHOWN = 50


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app[_SHOWN] = OrderedDict()
    app.cleanup_ctx.append(_client)
    app.router.add_get("/bed/{bed}/assistant", page)
    app.router.add_post("/api/assistant", _prepare)
    app.router.add_post("/api/assistant/{id}", _send)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/assistant; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    facts = {
        "page": "assistant",
        "bed": key,
        "language": spoken(),
        **numbers.facts(),
        **panels.facts(),
        **alarms.facts(),
    }
    is_set = request.app[CONFIG].assistant.is_set
    return render(
        request,
        "assistant.html",
        bed=key,
        name=names[key],
        questions=QUESTIONS,
        is_set=is_set,
        facts=facts,
    )


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with AssistantClient(app[CONFIG].forward_socket) as client:
        app[_CLIENT] = client
        yield


async def _prepare(request: web.Request) -> web.Response:
    """POST /api/assistant: an `AssistantAsked` in, an `AssistantPrepared` out."""
    try:
        asked = AssistantAsked.model_validate_json(await request.read())
    except ValidationError:
        return web.json_response({"error": "not_possible"}, status=400)

    async def prepared() -> AssistantPrepared:
        told = await request.app[_CLIENT].prepare(asked)
        shown = request.app[_SHOWN]
        if told.id:
            shown[told.id] = told
        while len(shown) > MOST_SHOWN:
            shown.popitem(last=False)
        return told

    return await passed_on(prepared(), "assistant: the forwarder")


async def _send(request: web.Request) -> web.StreamResponse:
    """POST /api/assistant/{id}?bed=: lines of JSON, an `AssistantPiece` each. Nothing goes that is not in the audit."""
    prepared = request.app[_SHOWN].pop(request.match_info["id"], None)
    bed = request.query.get("bed", "")
    if prepared is None or bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    body = {"sha256": prepared.sha256, "to": prepared.to, "bytes": len(prepared.body.encode())}
    try:
        await people_of(request).note(Note(id=prepared.id, act="assistant", bed=bed, body=body))
    except (NotAnswering, NotPermitted):
        return web.json_response({"error": "not_answering"}, status=503)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    try:
        async for piece in request.app[_CLIENT].ask(prepared.id):
            await response.write(piece.model_dump_json().encode() + b"\n")
    except NotAnswering:
        await response.write(b'{"text": "", "end": true, "problem": "unreachable"}\n')
    await response.write_eof()
    return response
