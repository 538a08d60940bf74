"""All routes of the API, and how they come into the web process."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from daemon.config import Config
from webui import pages
from webui.api import alarms, beds, devices, guard, live, metrics, openapi, reports, routes, sessions, sources
from webui.api.routes import Call, Route
from webui.live import Relay


async def _document(_call: Call) -> web.StreamResponse:
    return web.json_response(document())


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/openapi.json", (), _document, "This document", None),
    *devices.ROUTES,
    *beds.ROUTES,
    *sessions.ROUTES,
    *metrics.ROUTES,
    *alarms.ROUTES,
    *reports.ROUTES,
    *live.ROUTES,
)


def document() -> dict[str, Any]:
    """The OpenAPI document of the API (docs/contracts/box-api.json)."""
    return openapi.document(ROUTES)


def install(app: web.Application, config: Config, relay: Relay) -> None:
    """Add the routes, their guard, and what they ask."""
    feed = live.Feed()
    relay.taps.append(feed.hear)
    app.middlewares.insert(0, guard.said_as_problems())
    app.middlewares.append(guard.guard(ROUTES))
    sources.install(app, config, pages.bed_names(config), feed)
    routes.install(app, ROUTES)
