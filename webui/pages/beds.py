"""The first page: the bed where there is one, a list of beds where there are several."""

from __future__ import annotations

from aiohttp import web

from webui.pages import CONFIG, alarms, bed, bed_names, numbers, panels, render


async def page(request: web.Request) -> web.Response:
    """GET /."""
    names = bed_names(request.app[CONFIG])
    if len(names) == 1:
        return bed.show(request, next(iter(names)))
    facts = {"page": "beds", **numbers.facts(), **panels.facts(), **alarms.facts()}
    return render(request, "beds.html", names=names, facts=facts)
