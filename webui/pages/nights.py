"""Nights of breathing therapy: the page of a bed, and what it asks of the worker."""

from __future__ import annotations

import logging

from aiohttp import web
from pydantic import ValidationError

from daemon.control.nights import NightAsked
from daemon.control.work import WorkClient
from webui.pages import CONFIG, alarms, bed_asked, numbers, passed_on, render

_WORKER = web.AppKey("night worker", WorkClient)

CURVES = ("flow", "pressure", "leak", "spo2", "pulse")
FLAGS = (
    "obstructive",
    "clear_airway",
    "unclassified",
    "hypopnoea",
    "arousal",
    "periodic",
    "desaturation",
    "large_leak",
    "stopped",
)
FIGURES = (
    ("used_h", "h", 1),
    ("recorded_h", "h", 1),
    ("ahi", "/h", 1),
    ("machine_hours", "h", 1),
    ("machine_ahi", "/h", 1),
    ("machine_leak_p95", "L/min", 0),
    *((f"count_{flag}", "", 0) for flag in FLAGS),
    ("longest_s", "s", 0),
    ("leak_median", "L/min", 0),
    ("leak_p95", "L/min", 0),
    ("leak_max", "L/min", 0),
    ("pressure_median", "cmH2O", 1),
    ("pressure_p95", "cmH2O", 1),
    ("pressure_max", "cmH2O", 1),
    ("spo2_mean", "%", 0),
    ("spo2_lowest", "%", 0),
    ("spo2_below_90_min", "min", 1),
)
"""Name, unit and decimals of what stands in the table, in its order."""

ZOOMS_S = (0, 3600, 600, 120, 30)
"""Lengths of a stretch that can be chosen; 0 = the whole night."""

log = logging.getLogger(__name__)


def install(app: web.Application, worker: WorkClient) -> None:
    """Add the page and what it asks."""
    app[_WORKER] = worker
    app.router.add_get("/bed/{bed}/night", page)
    app.router.add_get("/api/nights", _nights)
    app.router.add_get("/api/night", _night)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/night; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    facts = {
        "page": "night",
        "bed": key,
        "curves": CURVES,
        "flags": FLAGS,
        "night_figures": FIGURES,
        **numbers.facts(),
        **alarms.facts(),
    }
    return render(request, "night.html", bed=key, name=names[key], names=names, zooms=ZOOMS_S, facts=facts)


async def _nights(request: web.Request) -> web.Response:
    """GET /api/nights?bed=: a `NightsTold`."""
    bed = request.query.get("bed", "")
    if bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    return await passed_on(request.app[_WORKER].nights(bed), "nights: the worker")


async def _night(request: web.Request) -> web.Response:
    """GET /api/night with the fields of a `NightAsked`: a `NightTold`."""
    try:
        asked = NightAsked.model_validate(dict(request.query))
    except ValidationError:
        raise web.HTTPBadRequest from None
    if asked.bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    return await passed_on(request.app[_WORKER].night(asked), "nights: the worker")
