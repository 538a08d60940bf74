"""A box that takes imports: the store, box.db and the control socket are real, and so is the worker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from aiohttp import web

from daemon.config import Config
from daemon.control.imports import ImportRoutes
from daemon.control.work import ImportAsked, WorkClient
from daemon.importing import Importing
from daemon.patients import Patients
from daemon.store.box import BoxFile
from daemon.store.reader import ask
from daemon.store.writer import Writer
from daemon.worker import working

S = 10**9
UTC_NS = 1_736_339_696 * S


class House:
    """The store, box.db and control socket of a box with beds 1 and 2, and a worker. `full`: the disk has no room."""

    def __init__(self, folder) -> None:
        self.config = Config(box={"run": folder / "run", "data": folder / "data"}, beds={"1": {}, "2": {}})
        self.full = False
        self.now_ns = 10 * S

    @asynccontextmanager
    async def daemon(self):
        box = self.config.box
        for path in (box.run, box.data):
            path.mkdir(exist_ok=True)
        self.writer = Writer(
            box.database,
            boot="boot-1",
            now=lambda: self.now_ns,
            utc_offset_ns=UTC_NS,
            commit_every_s=0.01,
            about={"os": "linux 6.12", "app_version": "1.0"},
        )
        self.people = BoxFile(box.people)
        self.patients = Patients(self.people)
        await self.writer.start()
        routes = ImportRoutes(
            Importing(self.writer, self.patients, ("1", "2"), lambda: not self.full, lambda: (UTC_NS, True))
        )
        try:
            async with self.listening(routes):
                yield self
        finally:
            await self.writer.stop()
            await self.people.close()

    @asynccontextmanager
    async def listening(self, routes):
        """The control socket, with these routes alone."""
        app = web.Application()
        routes.add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self.config.box.socket)).start()
        try:
            yield
        finally:
            await runner.cleanup()
            self.config.box.socket.unlink(missing_ok=True)

    async def import_card(self, path, **more):
        """The state at the end."""
        asked = ImportAsked(**{"path": str(path), "bed": "1", "timezone": "UTC", "actor": "nurse", **more})
        async with working(self.config), WorkClient(self.config.work_socket) as client:
            state = await client.import_card(asked)
            async with asyncio.timeout(30):
                while state.state == "running":
                    await asyncio.sleep(0.02)
                    state = await client.card()
        return state

    def ask(self, question):
        return ask(self.config.box.database, question)

    def rows(self):
        tables = ("boots", "segments", "chunks", "gaps", "sessions", "runs", "events", "metrics", "outbox")
        return {
            t: self.ask(lambda r, t=t: r.db.execute(f"SELECT count(*) FROM {t}").fetchone()[0])
            for t in tables
        }
