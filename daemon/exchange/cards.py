"""The worker's imports: one card at a time, read on a thread, handed to the daemon piece by piece as fast as it takes them.

A daemon that does not answer is waited for; what was taken in stays, so an import that was cut short goes on where it was when the card
is imported again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web
from pydantic import ValidationError

from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.imports import DayGiven, ImportClient, SamplesGiven, SessionGiven, Taken
from daemon.control.work import ImportAsked, ImportState
from daemon.exchange.resmed_import import Given, Reading
from daemon.store.imports import imported
from daemon.store.reader import ask
from firmware_bridge.recordings import BadRecording
from firmware_bridge.recordings.resmed_card import Card, CardSession, Night, open_card

T = TypeVar("T")

MOST_NOTES = 50
PATIENCE_S = 120.0
"""So long a daemon that does not answer is waited for."""
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 5.0

log = logging.getLogger(__name__)


class Refused(Exception):
    """The card, or what was asked, cannot be imported; the text says why."""


class Cards:
    """The routes, and the one import that runs."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._state = ImportState()
        self._task: asyncio.Task[None] | None = None

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/import", self._told)
        app.router.add_post("/import", self._begin)
        app.router.add_delete("/import", self._cancel)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _told(self, _request: web.Request) -> web.Response:
        return web.json_response(text=self._state.model_dump_json())

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            asked = ImportAsked.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        if self._task is not None and not self._task.done():
            busy = ImportState(state="failed", asked=asked, refused="another import is running")
            return web.json_response(text=busy.model_dump_json())
        self._state = ImportState(state="running", asked=asked)
        self._task = asyncio.create_task(self._run(asked), name="worker: import")
        return web.json_response(text=self._state.model_dump_json())

    async def _cancel(self, _request: web.Request) -> web.Response:
        await self.close()
        return web.json_response(text=self._state.model_dump_json())

    async def _run(self, asked: ImportAsked) -> None:
        try:
            await self._import(asked)
        except asyncio.CancelledError:
            self._now(state="cancelled")
        except (BadRecording, Refused) as error:
            self._now(state="failed", refused=str(error))
        except NotAnswering as error:
            self._now(state="failed", refused=f"the daemon does not answer: {error}")
        except Exception as error:
            log.exception("import")
            self._now(state="failed", refused=str(error) or type(error).__name__)
        else:
            self._now(state="done", progress=1.0)

    async def _import(self, asked: ImportAsked) -> None:
        if asked.bed not in self._config.beds:
            raise Refused(f"there is no bed {asked.bed}")
        try:
            zone = ZoneInfo(asked.timezone) if asked.timezone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Refused(f"there is no time zone {asked.timezone}") from None
        try:
            card = await asyncio.to_thread(open_card, Path(asked.path))
        except PermissionError:
            raise Refused(f"{asked.path}: the worker may not read it") from None
        with card:
            self._now(device=card.machine.serial, title=card.machine.model)
            self._note(*card.notes)
            reading = Reading(card, asked.bed, zone, asked.patient_id, asked.actor)
            async with ImportClient(self._config.box.socket) as client:
                for number, day in enumerate(card.days):
                    night = await asyncio.to_thread(card.night, day)
                    await self._night(client, card, reading, night)
                    self._now(nights=number + 1, progress=(number + 1) / len(card.days))

    async def _night(self, client: ImportClient, card: Card, reading: Reading, night: Night) -> None:
        self._note(*night.notes)
        self._now(empty=self._state.empty + night.empty)
        for session in night.sessions:
            if not session.serial:
                self._note(f"{session.start}: no serial number, left out")
                continue
            known = await asyncio.to_thread(self._known, session.serial)
            if known.get(reading.uuid(session), -1) >= reading.end_ns(session):
                self._now(known=self._state.known + 1)
                continue
            await self._session(client, reading, night, session)
        day = reading.day(night, card.summaries.get(night.day))
        if day is not None:
            await _handed_in(client, day)

    async def _session(
        self, client: ImportClient, reading: Reading, night: Night, session: CardSession
    ) -> None:
        pieces = reading.samples(session)
        while (piece := await asyncio.to_thread(_next, pieces)) is not None:
            await _handed_in(client, piece)
        whole = reading.session(night, session)
        taken = await _handed_in(client, whole)
        self._now(
            added=self._state.added + taken.added,
            known=self._state.known + (not taken.added),
            marks=self._state.marks + (len(whole.marks) if taken.added else 0),
        )

    def _known(self, serial: str) -> dict[str, int]:
        try:
            return ask(self._config.box.database, lambda reader: imported(reader.db, serial))
        except (sqlite3.Error, OSError):
            return {}  # nothing is taken twice all the same

    def _now(self, **more: object) -> None:
        self._state = self._state.model_copy(update=more)

    def _note(self, *notes: str) -> None:
        self._now(notes=(*self._state.notes, *notes)[:MOST_NOTES])


def _next(pieces: Iterator[SamplesGiven]) -> SamplesGiven | None:
    """On a thread: the next piece is read and coded when it is its turn, so that one is in memory at a time."""
    return next(pieces, None)


async def _handed_in(client: ImportClient, piece: Given) -> Taken:
    """Until the daemon has taken it. Raises `Refused` where it will not, `NotAnswering` when patience is at its end."""
    pause_s, waited_s = FIRST_RETRY_S, 0.0
    while True:
        try:
            match piece:
                case SamplesGiven():
                    taken = await client.samples(piece)
                case SessionGiven():
                    taken = await client.session(piece)
                case DayGiven():
                    taken = await client.day(piece)
        except NotAnswering:
            if waited_s >= PATIENCE_S:
                raise
            await asyncio.sleep(pause_s)
            waited_s += pause_s
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)
        else:
            if taken.refused:
                raise Refused(taken.refused)
            return taken
