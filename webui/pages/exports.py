"""Sessions out of the box as files: the worker makes them, this page asks for them and passes them on.

Nothing is begun before the daemon has written into the audit who asks for what.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from daemon.control.client import NotAnswering
from daemon.control.exports import (
    PAGE_FORMS,
    ExportAsked,
    ExportClient,
    ExportState,
    ExportWorkClient,
)
from webui.pages import CONFIG, alarms, bed_asked, numbers, render

PIECE = 1 << 16

_DAEMON = web.AppKey("exports: daemon", ExportClient)
_WORKER = web.AppKey("exports: worker", ExportWorkClient)

log = logging.getLogger(__name__)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_clients)
    app.router.add_get("/bed/{bed}/export", page)
    app.router.add_get("/api/export", _told)
    app.router.add_post("/api/export", _begin)
    app.router.add_delete("/api/export", _cancel)
    app.router.add_get("/api/export/{id}", _fetch)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/export?session=; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    facts = {
        "page": "export",
        "bed": key,
        "session": request.query.get("session", "")[:100],
        **numbers.facts(),
        **alarms.facts(),
    }
    return render(request, "export.html", bed=key, name=names[key], forms=PAGE_FORMS, facts=facts)


async def _clients(app: web.Application) -> AsyncIterator[None]:
    config = app[CONFIG]
    async with ExportClient(config.box.socket) as daemon, ExportWorkClient(config.work_socket) as worker:
        app[_DAEMON], app[_WORKER] = daemon, worker
        yield


async def _told(request: web.Request) -> web.Response:
    """GET /api/export: an `ExportState`."""
    try:
        return _said(await request.app[_WORKER].state())
    except NotAnswering:
        return _silent("the worker")


async def _begin(request: web.Request) -> web.Response:
    """POST /api/export: an `ExportAsked` without its id in, an `ExportState` out, failed where it is refused."""
    try:
        given = await request.json()
        asked = ExportAsked.model_validate({**given, "id": str(uuid.uuid4())})
    except (ValidationError, ValueError, TypeError):
        return web.json_response({"error": "that is no export"}, status=400)
    if asked.bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    try:
        state = await request.app[_WORKER].state()
        if state.state == "running":
            return _said(await request.app[_WORKER].begin(asked))  # it says that it is busy
        noted = await request.app[_DAEMON].note(asked)
        if not noted.noted:
            return _said(ExportState(state="failed", asked=asked, refused=noted.refused))
        return _said(await request.app[_WORKER].begin(asked))
    except NotAnswering as error:
        return _silent(str(error))


async def _cancel(request: web.Request) -> web.Response:
    """DELETE /api/export: what is being made is not wanted any more."""
    try:
        return _said(await request.app[_WORKER].cancel())
    except NotAnswering:
        return _silent("the worker")


async def _fetch(request: web.Request) -> web.StreamResponse:
    """GET /api/export/{id}: the file, piece by piece; 404 where it is not kept any more."""
    identity = request.match_info["id"]
    worker = request.app[_WORKER]
    try:
        state = await worker.state()
        if state.state != "done" or state.asked is None or state.asked.id != identity:
            raise web.HTTPNotFound
        async with worker.file(identity) as content:
            response = web.StreamResponse()
            response.content_type = "application/octet-stream"
            response.headers["Content-Disposition"] = f'attachment; filename="{state.name}"'
            response.content_length = state.size
            await response.prepare(request)
            async for piece in content.iter_chunked(PIECE):
                await response.write(piece)
    except NotAnswering:
        return _silent("the worker")
    await response.write_eof()
    return response


def _said(state: ExportState) -> web.Response:
    return web.json_response(text=state.model_dump_json())


def _silent(who: str) -> web.Response:
    log.warning("export: no answer: %s", who)
    return web.json_response({"error": "not_answering"}, status=503)
