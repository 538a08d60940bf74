"""All devices of the box: where each is, how its link is, which bed it belongs to."""

from __future__ import annotations

from aiohttp import web

from webui.pages import CONFIG, alarms, bed_names, numbers, panels, render


async def page(request: web.Request) -> web.Response:
    """GET /devices."""
    names = bed_names(request.app[CONFIG])
    facts = {"page": "devices", "beds": names, **numbers.facts(), **panels.facts(), **alarms.facts()}
    return render(request, "devices.html", names=names, facts=facts)
