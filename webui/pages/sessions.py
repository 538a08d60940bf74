"""Who is at a bed and what is recorded there: the daemon's own routes for patients and sessions, passed on to the page."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.sessions import PatientsTold, SessionAct, SessionClient, SessionsTold
from daemon.model.permissions import May
from webui.pages import CONFIG, admit, alarms, bed_asked, numbers, passed_on, render
from webui.signed import who

MOST = 50
"""Sessions on the page, the newest."""

_CLIENT = web.AppKey("sessions", SessionClient)

log = logging.getLogger(__name__)


class Here(BaseModel):
    """A bed for its page: who is there, and its newest sessions."""

    patients: PatientsTold
    sessions: SessionsTold


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_client)
    app.router.add_get("/bed/{bed}/sessions", page)
    app.router.add_get("/api/sessions", _told)
    app.router.add_post("/api/sessions", _act)
    admit.install(app)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/sessions; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    web_config = request.app[CONFIG].web
    may_report = who(request).may(May.MAKE_REPORTS)
    facts = {
        "page": "sessions",
        "bed": key,
        "most": MOST,
        "scanner": {"prefix": web_config.scanner_prefix, "suffix": web_config.scanner_suffix},
        "beds": names,
        "may_report": may_report,
        **numbers.facts(),
        **alarms.facts(),
    }
    return render(request, "sessions.html", bed=key, name=names[key], names=names, facts=facts)


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with SessionClient(app[CONFIG].box.socket) as client:
        app[_CLIENT] = app[admit.CLIENT] = client
        yield


async def _told(request: web.Request) -> web.Response:
    """GET /api/sessions?bed=: a `Here`."""
    bed = request.query.get("bed", "")
    if bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    return await passed_on(_here(request.app[_CLIENT], bed), "patients and sessions: the box")


async def _here(client: SessionClient, bed: str) -> Here:
    everybody = await client.patients()
    at_bed = tuple(one for one in everybody.patients if one.bed == bed)
    return Here(patients=PatientsTold(patients=at_bed), sessions=await client.sessions(bed=bed, most=MOST))


async def _act(request: web.Request) -> web.Response:
    """POST /api/sessions: a `SessionAct` in, a `SessionActed` out; 400 for what is none."""
    try:
        act = SessionAct.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return web.json_response({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, status=400)
    return await passed_on(request.app[_CLIENT].act(act), "patients and sessions: the box")
