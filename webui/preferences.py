"""What is set for whoever looks at a page: asked of the daemon now and then, so that pages are there without it.

A middleware makes every page speak the language that is set for its person and bed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.control.client import NotAnswering
from daemon.control.settings import SettingsClient, SettingsTold
from daemon.model.settings import Levels, in_force
from daemon.words import speaking
from webui.signed import SIGNED_IN

log = logging.getLogger(__name__)

EVERY_S = 2.0


class Preferences:
    """`levels` as the daemon said last."""

    def __init__(self, client: SettingsClient) -> None:
        self._client = client
        self.levels: Levels = {}

    async def ask(self) -> None:
        """Once. Without an answer what was known stands."""
        try:
            told: SettingsTold = await self._client.told()
        except NotAnswering as error:
            log.debug("settings: no answer: %s", error)
        else:
            self.levels = told.levels

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(EVERY_S)


PREFERENCES = web.AppKey("preferences", Preferences)
CLIENT = web.AppKey("settings client", SettingsClient)


def install(app: web.Application, socket: Path) -> None:
    """Ask the daemon for as long as the application runs."""

    async def running(app: web.Application) -> AsyncIterator[None]:
        async with SettingsClient(socket) as client:
            app[CLIENT] = client
            app[PREFERENCES] = kept = Preferences(client)
            task = asyncio.create_task(kept.run(), name="web: settings")
            yield
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app.cleanup_ctx.append(running)
    app.middlewares.append(_speaking)


def of(request: web.Request) -> dict[str, str]:
    """Every setting (daemon/model/settings.py) for whoever asks, at the bed that the page is about."""
    kept = request.app.get(PREFERENCES)
    bed = request.match_info.get("bed") or request.query.get("bed", "")
    return in_force(kept.levels if kept else {}, bed, person(request))


def person(request: web.Request) -> str:
    """The id of who has signed in, "" where nobody has."""
    signed = request.get(SIGNED_IN)
    return signed.person if signed else ""


@web.middleware
async def _speaking(request: web.Request, handler: Handler) -> web.StreamResponse:
    with speaking(of(request)["language"]):
        return await handler(request)
