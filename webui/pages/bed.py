"""The live page of one bed."""

from __future__ import annotations

from aiohttp import web

from daemon.words import say
from webui.pages import CONFIG, alarms, bed_names, numbers, panels, render


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}."""
    return show(request, request.match_info["bed"])


def show(request: web.Request, key: str) -> web.Response:
    """The page of the bed `key`; 404 for a bed that this box does not have."""
    names = bed_names(request.app[CONFIG])
    if key not in names:
        raise web.HTTPNotFound(text=say("page.unknown_bed") + "\n")
    return render(
        request,
        "bed.html",
        bed=key,
        name=names[key],
        beds=len(names),
        numbers=numbers,
        panels=panels,
        facts={"page": "bed", "bed": key, **numbers.facts(), **panels.facts(), **alarms.facts()},
    )
