"""The web process (`vitald web`): pages, scripts, the live socket and operators' acts.

It holds nothing that must not be lost. Without a daemon it serves its pages all the same, and they say so.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from daemon.config import Config
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import Act
from daemon.control.work import WorkClient
from daemon.model.permissions import VERBS
from daemon.store.reader import History
from webui import door, enrolment, pages, preferences, security, signed
from webui.api import table as api
from webui.assets import Assets, foreign
from webui.crowd import Crowd
from webui.listening import Listening
from webui.live import Relay
from webui.pages import (
    assistant,
    bed,
    beds,
    calibrate,
    clouds,
    crashes,
    devices,
    exports,
    firmware,
    imports,
    load,
    machines,
    metrics,
    nights,
    people,
    proposals,
    reports,
    review,
    sessions,
    settings,
    signing,
    trust,
)
from webui.past import Past

log = logging.getLogger(__name__)

Alive = Callable[[], Coroutine[Any, Any, None]]
"""Tells whoever started the process that it is ready and lives (daemon/appliance/notify.py)."""

_CLIENT = web.AppKey("client", ControlClient)


@dataclass(frozen=True, slots=True)
class Site:
    """A web process that serves: the address of its first page, the task that relays to its screens, and what it answers.

    `encrypted`: the address by TLS, "" where there is none. `listening.failed` is the other thing that must not end.
    """

    address: str
    relay: asyncio.Task[None]
    app: web.Application
    listening: Listening

    @property
    def encrypted(self) -> str:
        return _address("https", *self.listening.encrypted) if self.listening.encrypted else ""


def run(config: Config, alive: Alive | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `alive` is told as long as pages are served."""
    asyncio.run(main(config, alive))


async def main(config: Config, alive: Alive | None = None) -> None:
    """Serve until SIGTERM or SIGINT; the address stands on standard output as soon as pages are served.

    A relay that fails is a bug: it ends the process, and its supervisor starts a new one.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(config) as site:
        sys.stdout.write(f"pages: {site.address}\n")
        if site.encrypted:
            sys.stdout.write(f"pages for other machines: {site.encrypted}\n")
        sys.stdout.flush()
        stopped = asyncio.create_task(stop.wait(), name="web: signal")
        lives = asyncio.create_task(alive(), name="web: alive") if alive is not None else None
        ends: set[asyncio.Future[Any]] = {stopped, site.relay, site.listening.failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if lives is not None:
            lives.cancel()
        for one in (site.relay, site.listening.failed):
            if one.done():
                one.result()


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Site]:
    """Serve for as long as the context lasts. Raises OSError when the port is taken."""
    assets = Assets(Path(__file__).parent / "static", foreign())
    crowd = Crowd()
    listening = Listening(config, crowd)
    async with ControlClient(config.box.socket) as client, WorkClient(config.work_socket) as worker:
        relay = Relay(client, assets.digest)
        past = Past(History(config.box.database), worker, client)
        app = _application(config, client, relay, assets, past, crowd)
        enrolment.install(app, config, listening)
        api.install(app, config, relay)
        nights.install(app, worker)
        review.install(app, worker)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=security.HEAD_WITHIN_S,
            lingering_time=security.LINGERS_S,
        )
        await runner.setup()
        task = asyncio.create_task(relay.run(), name="web: relay")
        try:
            await listening.begin(runner)
            log.info("pages on %s port %d, box at %s", *listening.plain, config.box.socket)
            yield Site(_address("http", *listening.plain), task, app, listening)
        finally:
            await listening.end()
            relay.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def _application(
    config: Config, client: ControlClient, relay: Relay, assets: Assets, past: Past, crowd: Crowd
) -> web.Application:
    names = security.own_names(config.web.host, *config.web.names)
    app = web.Application(
        middlewares=[security.guard(names, crowd), enrolment.guard(config), door.guard()],
        client_max_size=security.LARGEST_BODY,
    )
    app.on_response_prepare.append(security.add_headers)
    app[_CLIENT] = client
    signed.install(app, config)
    pages.install(app, config, assets)
    preferences.install(app, config.box.socket)
    app.router.add_get("/", beds.page)
    app.router.add_get("/bed/{bed}", bed.page)
    app.router.add_get("/bed/{bed}/alarms", load.page)
    app.router.add_get("/devices", devices.page)
    app.router.add_get("/calibrate", calibrate.page)
    app.router.add_get("/live", relay.serve)
    app.router.add_post("/api/command", _command)
    past.install(app)
    sessions.install(app)
    settings.install(app)
    crashes.install(app)
    assistant.install(app)
    imports.install(app)
    exports.install(app)
    firmware.install(app)
    reports.install(app)
    clouds.install(app)
    proposals.install(app)
    signing.install(app)
    people.install(app)
    machines.install(app)
    trust.install(app)
    metrics.install(app, client)
    app.router.add_get("/static/{digest}/{name:.+}", assets.serve)
    return app


async def _command(request: web.Request) -> web.Response:
    """POST /api/command: an `Act` in, an `Acted` out; 400 for what is none, 503 when the box does not answer."""
    try:
        act = Act.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return web.json_response({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, status=400)
    if not signed.who(request).may(VERBS[act.verb]):
        return signed.refused(request)
    try:
        acted = await request.app[_CLIENT].act(act)
    except NotAnswering as error:
        log.warning("act %s on bed %s did not reach the box: %s", act.id, act.bed, error)
        return web.json_response({"error": "not_answering"}, status=503)
    return web.json_response(text=acted.model_dump_json())
