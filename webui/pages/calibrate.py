"""Where a screen learns the length of its millimetre."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from webui.pages import CONFIG, render


async def page(request: web.Request) -> web.Response:
    """GET /calibrate?bed=ID: its key Back leads to that bed, or to the first page."""
    bed = request.query.get("bed", "")
    known = bed in request.app[CONFIG].beds
    return render(
        request,
        "calibrate.html",
        back=f"/bed/{quote(bed, safe='')}" if known else "/",
        facts={"page": "calibrate"},
    )
