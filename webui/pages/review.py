"""What was recorded: trends, every minute of every lead, the gap certificate, "why this number?"; and what they ask of the worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.client import NotAnswering
from daemon.control.review import MOST_SERIES, DisclosureAsked, GapsAsked, TrendAsked, WhyAsked
from daemon.control.work import WorkClient
from webui.pages import CONFIG, alarms, bed_asked, numbers, passed_on, render

_WORKER = web.AppKey("review worker", WorkClient)

SPANS_H = (1, 4, 12, 24, 72, 168, 720)
"""Lengths of trends."""

NOW_WITHIN_MS = 120_000
"""How old the newest number may be that anybody who watches may ask about."""

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.Response]]


def install(app: web.Application, worker: WorkClient) -> None:
    """Add the pages and what they ask."""
    app[_WORKER] = worker
    for name in ("trends", "disclosure", "gaps", "why"):
        app.router.add_get(f"/bed/{{bed}}/{name}", _page(name))
    app.router.add_get("/api/trends", _trends)
    app.router.add_get("/api/disclosure", _disclosure)
    app.router.add_get("/api/gaps", _gaps)
    app.router.add_get("/api/why", _why)
    app.router.add_get("/api/why/now", _why_now)


def _page(name: str) -> Handler:
    async def page(request: web.Request) -> web.Response:
        """GET /bed/{bed}/NAME; 404 for a bed that this box does not have."""
        key, names = bed_asked(request)
        facts = {"page": name, "bed": key, "most_series": MOST_SERIES, **numbers.facts(), **alarms.facts()}
        about = {"bed": key, "name": names[key], "names": names, "spans": SPANS_H, "most": MOST_SERIES}
        return render(request, f"{name}.html", history_page=name, facts=facts, **about)

    return page


async def _trends(request: web.Request) -> web.Response:
    """GET /api/trends with the fields of a `TrendAsked`, `series` as ids with commas between: a `TrendTold`."""
    query: dict[str, Any] = dict(request.query)
    query["series"] = [one for one in query.get("series", "").split(",") if one]
    asked = _asked(TrendAsked, query, request)
    return await passed_on(request.app[_WORKER].trends(asked), "trends: the worker")


async def _disclosure(request: web.Request) -> web.Response:
    """GET /api/disclosure with the fields of a `DisclosureAsked`, `leads` with commas between: review/disclosure.py: encoded."""
    query: dict[str, Any] = dict(request.query)
    query["leads"] = [one for one in query.get("leads", "").split(",") if one]
    asked = _asked(DisclosureAsked, query, request)
    try:
        body = await request.app[_WORKER].disclosure(asked)
    except NotAnswering as error:
        log.warning("disclosure: the worker: no answer: %s", error)
        return web.json_response({"error": "not_answering"}, status=503)
    return web.Response(body=body, content_type="application/octet-stream")


async def _gaps(request: web.Request) -> web.Response:
    """GET /api/gaps with the fields of a `GapsAsked`: a `CertificateTold`."""
    asked = _asked(GapsAsked, dict(request.query), request)
    return await passed_on(request.app[_WORKER].gaps(asked), "gaps: the worker")


async def _why(request: web.Request) -> web.Response:
    """GET /api/why with the fields of a `WhyAsked`: a `WhyTold`, 404 where nothing like it is stored."""
    return await _answered(request, _asked(WhyAsked, dict(request.query), request))


async def _why_now(request: web.Request) -> web.Response:
    """GET /api/why/now: of the newest of a number, or of an alarm; what else is asked of its time is left out."""
    asked = _asked(WhyAsked, dict(request.query), request)
    if asked.kind == "beat":
        raise web.HTTPBadRequest
    newest = {"t_ms": time.time() * 1000, "within_ms": NOW_WITHIN_MS, "value": None}
    return await _answered(request, asked.model_copy(update=newest))


async def _answered(request: web.Request, asked: WhyAsked) -> web.Response:
    try:
        told = await request.app[_WORKER].why(asked)
    except NotAnswering as error:
        log.warning("why: the worker: no answer: %s", error)
        return web.json_response({"error": "not_answering"}, status=503)
    if told is None:
        return web.json_response({"error": "nothing_stored"}, status=404)
    return web.json_response(text=told.model_dump_json())


def _asked(kind: type[M], query: dict[str, Any], request: web.Request) -> M:
    """What is asked; 400 for what is none, 404 for a bed that this box does not have."""
    try:
        asked = kind.model_validate(query)
    except ValidationError:
        raise web.HTTPBadRequest from None
    if query.get("bed") not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    return asked
