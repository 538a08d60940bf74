"""People and the audit, for an administrator: the daemon's own answers, passed on to the pages."""

from __future__ import annotations

import json
from collections.abc import Awaitable

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.asking import first_fault
from daemon.control.people import PersonAct
from daemon.model.permissions import PEOPLE
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render
from webui.signed import people_of

A_PAGE = 20


def install(app: web.Application) -> None:
    """Add the pages and what they ask."""
    app.router.add_get("/people", people_page)
    app.router.add_get("/audit", audit_page)
    app.router.add_get("/api/people", _people)
    app.router.add_post("/api/people", _act)
    app.router.add_get("/api/audit", _audit)
    app.router.add_get("/api/audit/chain", _chain)


async def people_page(request: web.Request) -> web.Response:
    """GET /people."""
    facts = {"page": "people", "most": A_PAGE, "roles": list(PEOPLE), **numbers.facts(), **alarms.facts()}
    return render(request, "people.html", beds=bed_names(request.app[CONFIG]), roles=PEOPLE, facts=facts)


async def audit_page(request: web.Request) -> web.Response:
    """GET /audit."""
    names = bed_names(request.app[CONFIG])
    facts = {"page": "audit", "most": 2 * A_PAGE, "beds": names, **numbers.facts(), **alarms.facts()}
    return render(request, "audit.html", beds=names, names=names, facts=facts)


async def _people(request: web.Request) -> web.Response:
    """GET /api/people?find=&role=&offset=: a `PeopleTold`."""
    asked = request.query
    offset = asked.get("offset", "0")
    if not offset.isdecimal() or len(offset) > 6:
        raise web.HTTPBadRequest
    answer = people_of(request).people(
        asked.get("find", "")[:200], asked.get("role", "")[:20], offset=int(offset), most=A_PAGE
    )
    return await _told(answer)


async def _act(request: web.Request) -> web.Response:
    """POST /api/people: a `PersonAct`; a `PersonActed`."""
    try:
        act = PersonAct.model_validate_json(await request.read())
    except ValidationError as error:
        return web.json_response({"error": first_fault(error)}, status=400)
    return await _told(people_of(request).person(act))


async def _audit(request: web.Request) -> web.Response:
    """GET /api/audit?actor=&act=&bed=&subject=&from=&to=&before=: an `AuditTold`."""
    names = ("actor", "act", "bed", "subject", "from", "to", "before")
    query = {name: request.query[name][:200] for name in names if request.query.get(name)}
    if not all(
        query[name].isdecimal() and len(query[name]) < 16
        for name in ("from", "to", "before")
        if name in query
    ):
        raise web.HTTPBadRequest(
            text=json.dumps({"error": "from, to, before"}), content_type="application/json"
        )
    return await _told(people_of(request).audit({**query, "most": str(2 * A_PAGE)}))


async def _chain(request: web.Request) -> web.Response:
    """GET /api/audit/chain: a `ChainTold`."""
    return await _told(people_of(request).chain())


async def _told(answer: Awaitable[BaseModel]) -> web.Response:
    return await passed_on(answer, "people: the box")
