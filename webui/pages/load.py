"""How alarms load a bed, and what other limits would have done."""

from __future__ import annotations

from aiohttp import web

from daemon.words import say
from webui.pages import alarms, bed_asked, numbers, render

SPANS_H = (8, 24, 168)
"""Hours that can be chosen."""


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/alarms; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    spans = [(hours, say(f"load.hours.{hours}"), "") for hours in SPANS_H]
    facts = {"page": "load", "bed": key, **numbers.facts(), **alarms.facts()}
    return render(request, "load.html", bed=key, name=names[key], names=names, spans=spans, facts=facts)
