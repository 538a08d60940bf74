"""The worker's desk for exports: one is made at a time, on a thread; its file waits to be fetched, and goes when the next one comes."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from daemon import __version__
from daemon.config import Config
from daemon.control.exports import ExportAsked, ExportState
from daemon.exchange.deidentify import NoKey
from daemon.exchange.formats import FORMATS, Asked, Made, Source, export
from daemon.exchange.stretch import NotExportable, Stopped
from daemon.words import say

KEPT_S = 900.0
"""A file that nobody fetches is deleted after this."""

FOLDER = Path("/var/tmp")  # noqa: S108 - the unit has one of its own there (PrivateTmp), on the disk and not in memory
MARGIN_BYTES = 500_000_000
"""What an export leaves free of the disk: recording goes before all."""

log = logging.getLogger(__name__)


class ExportDesk:
    """The routes, the export that runs, and the file of the last one. `close` ends the one and deletes the other."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._state = ExportState()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._end: asyncio.TimerHandle | None = None

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/export", self._told)
        app.router.add_post("/export", self._begin)
        app.router.add_delete("/export", self._cancel)
        app.router.add_get("/export/{id}", self._fetch)

    async def close(self) -> None:
        """End what is being made, and keep no file."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait({self._task})
        self._forget()

    def _forget(self) -> None:
        if self._end is not None:
            self._end.cancel()
        if self._folder is not None:
            self._folder.cleanup()
        self._end = self._folder = None

    async def _told(self, _request: web.Request) -> web.Response:
        return self._answer()

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            asked = ExportAsked.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        if self._task is not None and not self._task.done():
            busy = ExportState(state="failed", asked=asked, refused=say("export.busy"))
            return web.json_response(text=busy.model_dump_json())
        self._forget()
        self._stop.clear()
        self._state = ExportState(state="running", asked=asked)
        self._task = asyncio.create_task(self._run(asked), name="worker: export")
        return self._answer()

    async def _cancel(self, _request: web.Request) -> web.Response:
        await self.close()
        if self._state.state == "done":
            self._state = ExportState()
        return self._answer()

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        state = self._state
        mine = (
            state.state == "done" and state.asked is not None and state.asked.id == request.match_info["id"]
        )
        if not mine or self._folder is None:
            raise web.HTTPNotFound
        return web.FileResponse(Path(self._folder.name) / "export")

    def _answer(self) -> web.Response:
        return web.json_response(text=self._state.model_dump_json())

    async def _run(self, asked: ExportAsked) -> None:
        if not _has_room():
            self._ended("failed", say("export.disk_full"))
            return
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="vitald-export-", dir=FOLDER)
            to = Path(self._folder.name) / ("export.zip" if FORMATS[asked.form].folder else "export")
            made = await asyncio.to_thread(self._make, asked, to)
            size = to.rename(to.with_name("export")).stat().st_size
        except Stopped:
            if self._stop.is_set():
                self._ended("cancelled", "")
            else:
                self._ended("failed", say("export.disk_full"))
        except (NotExportable, NoKey) as error:
            self._ended("failed", str(error))
        except (sqlite3.Error, OSError, ValueError) as error:
            log.exception("export")
            self._ended("failed", type(error).__name__)
        else:
            self._state = ExportState(state="done", asked=asked, name=made.name, media=made.media, size=size)
            self._end = asyncio.get_running_loop().call_later(KEPT_S, self._forget)

    def _ended(self, state: str, refused: str) -> None:
        self._forget()
        self._state = self._state.model_copy(update={"state": state, "refused": refused})

    def _make(self, asked: ExportAsked, to: Path) -> Made:
        box = self._config.box
        source = Source(box.database, box.data, box.serial, __version__, demo=box.demo)
        wanted = Asked(
            asked.session,
            asked.form,
            start_s=asked.start_s,
            end_s=math.inf if asked.end_s is None else asked.end_s,
            anonymous=asked.who == "anonymous",
            deidentify=asked.who == "deidentify",
            demo=asked.demo,
            stopped=lambda: self._stop.is_set() or not _has_room(),
        )
        return export(source, wanted, to)


def _has_room() -> bool:
    return shutil.disk_usage(FOLDER).free > MARGIN_BYTES
