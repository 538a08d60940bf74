"""A device's card for the history of a bed: the zip file of it goes to the disk as it comes, and then to the worker.

One at a time. What was uploaded is deleted as soon as the worker has read it, and whatever a web process left behind when the
next one starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import uuid
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.work import ImportAsked, ImportState, WorkClient
from daemon.words import say
from webui.pages import CONFIG, alarms, bed_asked, numbers, render
from webui.signed import who

LARGEST_BYTES = 2_000_000_000
"""A card of two years is about 2 GB, and half of that as a zip file."""

_ZIP = b"PK"
"""How a zip file begins."""

MARGIN_BYTES = 500_000_000
"""What an upload leaves free of the disk."""

STALLED_S = 60.0
LOOKED_EVERY_S = 1.0

log = logging.getLogger(__name__)


class Refused(Exception):
    """The upload cannot be taken; the text says why."""


class Uploads:
    """The folder where uploads wait, and the one that is being imported."""

    def __init__(self, config: Config, client: WorkClient) -> None:
        self.client = client
        self._folder = config.web_data
        self._turn = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def clean(self) -> None:
        """Delete what was left behind."""
        for left in self._folder.glob("card-*.zip"):
            left.unlink(missing_ok=True)

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    async def take(self, request: web.Request, bed: str, patient_id: str, timezone: str) -> ImportState:
        """Raises `Refused`, and `NotAnswering` where there is no worker."""
        if self._turn.locked() or (self._watching is not None and not self._watching.done()):
            raise Refused(say("import.busy"))
        async with self._turn:
            path = self._folder / f"card-{uuid.uuid4()}.zip"
            try:
                await self._receive(request, path)
                asked = ImportAsked(
                    path=str(path),
                    bed=bed,
                    patient_id=patient_id,
                    timezone=timezone,
                    actor=who(request).actor,
                )
                state = await self.client.import_card(asked)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            if state.state != "running":
                path.unlink(missing_ok=True)
                raise Refused(state.refused)
            self._watching = asyncio.create_task(self._until_read(path), name="web: upload")
            return state

    async def _receive(self, request: web.Request, path: Path) -> None:
        """The body to the disk, piece by piece."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            room = min(LARGEST_BYTES, shutil.disk_usage(self._folder).free - MARGIN_BYTES)
            if room <= 0 or (request.content_length or 0) > room:
                raise Refused(_too_large(room))
            got = 0
            with path.open("xb") as file:
                while True:
                    async with asyncio.timeout(STALLED_S):
                        piece = await request.content.readany()
                    if not piece:
                        break
                    if got == 0 and not piece.startswith(_ZIP[: len(piece)]):
                        raise Refused(say("import.no_zip"))  # before a gigabyte of it has come
                    got += len(piece)
                    if got > room:
                        raise Refused(_too_large(room))
                    await asyncio.to_thread(file.write, piece)
        except TimeoutError:
            raise Refused(say("import.stalled")) from None
        except OSError as error:
            raise Refused(say("import.disk", reason=error.strerror or str(error))) from None
        if not await asyncio.to_thread(zipfile.is_zipfile, path):
            raise Refused(say("import.no_zip"))

    async def _until_read(self, path: Path) -> None:
        try:
            while True:
                await asyncio.sleep(LOOKED_EVERY_S)
                with contextlib.suppress(NotAnswering):
                    state = await self.client.card()
                    if state.state != "running" or state.asked is None or state.asked.path != str(path):
                        return
        finally:
            path.unlink(missing_ok=True)


_UPLOADS = web.AppKey("uploads", Uploads)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_uploads)
    app.router.add_get("/bed/{bed}/import", page)
    app.router.add_get("/api/import", _told)
    app.router.add_post("/api/import", _take)
    app.router.add_delete("/api/import", _cancel)


async def page(request: web.Request) -> web.Response:
    """GET /bed/{bed}/import; 404 for a bed that this box does not have."""
    key, names = bed_asked(request)
    facts = {
        "page": "import",
        "bed": key,
        "largest": LARGEST_BYTES,
        **numbers.facts(),
        **alarms.facts(),
    }
    return render(request, "import.html", bed=key, name=names[key], facts=facts)


async def _uploads(app: web.Application) -> AsyncIterator[None]:
    async with WorkClient(app[CONFIG].work_socket) as client:
        app[_UPLOADS] = uploads = Uploads(app[CONFIG], client)
        uploads.clean()
        yield
        await uploads.close()


async def _told(request: web.Request) -> web.Response:
    """GET /api/import: an `ImportState`."""
    try:
        state = await request.app[_UPLOADS].client.card()
    except NotAnswering:
        return web.json_response({"error": "not_answering"}, status=503)
    return web.json_response(text=state.model_dump_json())


async def _take(request: web.Request) -> web.Response:
    """POST /api/import?bed=&patient=&timezone=, the zip file as the body: an `ImportState`, failed where it is refused."""
    query = request.query
    bed, patient, zone = (query.get(name, "") for name in ("bed", "patient", "timezone"))
    if bed not in request.app[CONFIG].beds:
        raise web.HTTPNotFound
    try:
        state = await request.app[_UPLOADS].take(request, bed, patient[:200], zone[:64])
    except Refused as refused:
        state = ImportState(state="failed", refused=str(refused))
    except NotAnswering as error:
        log.warning("import: the worker does not answer: %s", error)
        return web.json_response({"error": "not_answering"}, status=503)
    return web.json_response(text=state.model_dump_json())


async def _cancel(request: web.Request) -> web.Response:
    """DELETE /api/import: what has been taken in stays."""
    try:
        state = await request.app[_UPLOADS].client.cancel_import()
    except NotAnswering:
        return web.json_response({"error": "not_answering"}, status=503)
    return web.json_response(text=state.model_dump_json())


def _too_large(room: int) -> str:
    return say("import.too_large", most=f"{max(room, 0) / 1e6:.0f}")
