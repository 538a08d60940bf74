"""Composition root of the worker (`vitald work`): what computes over history, from the store read-only.

It may be slow, be killed and be started again: nothing that must not stop waits for it. Strips and statistics are answered
at once, each on a thread; one rehearsal at a time runs beside them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from daemon import journal
from daemon.appliance.notify import Notify
from daemon.config import Config
from daemon.control.nights import NightAsked
from daemon.control.unix import listening
from daemon.control.work import LoadState, RehearsalAsked, RehearsalState, StripAsked
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.exchange.cards import Cards
from daemon.exchange.desk import ExportDesk
from daemon.reports.desk import Desk
from daemon.review.load import load
from daemon.review.night import told_night, told_nights
from daemon.review.rehearse import Cancelled, refusal, rehearse
from daemon.review.routes import Review
from daemon.review.strip import strip
from daemon.store.reader import Reader, ask

MOST_HOURS = 7 * 24
AT_ONCE = 2
"""Strips and statistics that are worked on together."""

T = TypeVar("T")
log = logging.getLogger(__name__)


def run_worker(config: Config) -> None:
    """Serve until SIGTERM or SIGINT."""
    journal.begin()
    asyncio.run(_until_stopped(config))


async def _until_stopped(config: Config) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with working(config):
        log.info("listening on %s", config.work_socket)
        alive = asyncio.create_task(Notify().alive(), name="worker: alive")
        await stop.wait()
        alive.cancel()


@asynccontextmanager
async def working(config: Config) -> AsyncIterator[None]:
    """Serve for as long as the context lasts."""
    worker = Worker(config)
    app = web.Application(client_max_size=256 * 1024)
    app.router.add_post("/strip", worker.strip)
    app.router.add_get("/load", worker.load)
    app.router.add_get("/nights", worker.nights)
    app.router.add_get("/night", worker.night)
    app.router.add_get("/rehearsal", worker.rehearsal)
    app.router.add_post("/rehearsal", worker.rehearse)
    app.router.add_delete("/rehearsal", worker.cancel)
    Review(config, worker.ask).add_to(app)
    cards = Cards(config)
    cards.add_to(app)
    exports = ExportDesk(config)
    exports.add_to(app)
    desk = Desk(config)
    desk.add_to(app)
    config.work_socket.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    async with listening(config.work_socket, app):
        desk.start()
        try:
            yield
        finally:
            worker.stop.set()
            await cards.close()
            await exports.close()
            await desk.close()


class Worker:
    """The handlers. `stop` ends the rehearsal that runs."""

    def __init__(self, config: Config) -> None:
        self.stop = threading.Event()
        self._store = config.box.database
        self._table = load_qrs_table()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._rehearsal = RehearsalState()
        self._task: asyncio.Task[None] | None = None

    async def strip(self, request: web.Request) -> web.Response:
        asked = await _read(StripAsked.model_validate_json, request)
        display = asked.display
        settings = DisplaySettings(display.mode, display.mains_hz, display.cleaning)
        drawn = await self.ask(lambda r: strip(r, asked.boot, asked.bed, asked.t_ns, settings, self._table))
        return web.Response(body=drawn.encoded(), content_type="application/octet-stream")

    async def load(self, request: web.Request) -> web.Response:
        try:
            hours = int(request.query["hours"])
        except (KeyError, ValueError):
            raise web.HTTPBadRequest from None
        if not 0 < hours <= MOST_HOURS:
            raise web.HTTPBadRequest
        bed, now_ns = request.query.get("bed", ""), time.time_ns()
        told: LoadState = await self.ask(lambda reader: load(reader, bed, hours, now_ns))
        return web.json_response(text=told.model_dump_json())

    async def nights(self, request: web.Request) -> web.Response:
        bed = request.query.get("bed", "")
        told = await self.ask(lambda reader: told_nights(reader, bed))
        return web.json_response(text=told.model_dump_json())

    async def night(self, request: web.Request) -> web.Response:
        try:
            asked = NightAsked.model_validate(dict(request.query))
        except ValidationError:
            raise web.HTTPBadRequest from None
        told = await self.ask(lambda reader: told_night(reader, asked))
        if told is None:
            raise web.HTTPNotFound
        return web.json_response(text=told.model_dump_json())

    async def rehearsal(self, _request: web.Request) -> web.Response:
        return web.json_response(text=self._rehearsal.model_dump_json())

    async def rehearse(self, request: web.Request) -> web.Response:
        asked = await _read(RehearsalAsked.model_validate_json, request)
        refused = "busy" if self._task is not None and not self._task.done() else refusal(asked)
        if refused:
            answer = RehearsalState(state="failed", asked=asked, refused=refused)
            return web.json_response(text=answer.model_dump_json())
        self.stop.clear()
        self._rehearsal = RehearsalState(state="running", asked=asked)
        self._task = asyncio.create_task(self._run(asked), name="worker: rehearsal")
        return web.json_response(text=self._rehearsal.model_dump_json())

    async def cancel(self, _request: web.Request) -> web.Response:
        self.stop.set()
        if self._task is not None:
            await asyncio.wait({self._task})
        return web.json_response(text=self._rehearsal.model_dump_json())

    async def _run(self, asked: RehearsalAsked) -> None:
        def told(progress: float) -> None:
            self._rehearsal = self._rehearsal.model_copy(update={"progress": progress})

        try:
            now_ns = time.time_ns()
            self._rehearsal = await asyncio.to_thread(
                rehearse, self._store, asked, now_ns, told, self.stop.is_set
            )
        except Cancelled:
            self._rehearsal = self._rehearsal.model_copy(update={"state": "cancelled"})
        except (sqlite3.Error, OSError, ValueError) as error:
            log.exception("rehearsal")
            self._rehearsal = RehearsalState(state="failed", asked=asked, refused=str(error))

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """The store's answer; 503 where it cannot be read."""
        async with self._places:
            try:
                return await asyncio.to_thread(ask, self._store, question)
            except (sqlite3.Error, OSError) as error:
                log.warning("the store: %s", error)
                raise web.HTTPServiceUnavailable from None


async def _read(parse: Callable[[bytes], T], request: web.Request) -> T:
    try:
        return parse(await request.read())
    except ValidationError:
        raise web.HTTPBadRequest from None
