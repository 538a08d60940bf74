"""Where a screen learns the length of its millimetre."""

from __future__ import annotations

from aiohttp import web

from webui.pages import render


async def page(request: web.Request) -> web.Response:
    """GET /calibrate."""
    return render(request, "calibrate.html", facts={"page": "calibrate"})
