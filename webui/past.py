"""What pages ask of the past: the log of alarms from the store, strips and statistics from the worker."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import DisplayState
from daemon.control.work import RehearsalAsked, StripAsked, WorkClient
from daemon.model.signals import Nanos
from daemon.store.answers import Boot
from daemon.store.occurrences import Done, Entry, Occurrence, Place
from daemon.store.reader import History, Reader

A_PAGE = 50

T = TypeVar("T")
log = logging.getLogger(__name__)


class Past:
    """Handlers. Without a store or a worker they answer 503, and the pages say so."""

    def __init__(self, history: History, worker: WorkClient, client: ControlClient) -> None:
        self._history = history
        self._worker = worker
        self._client = client

    def install(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/alarms", self._alarms)
        app.router.add_get("/api/limits", self._limits)
        app.router.add_get("/api/strip", self._strip)
        app.router.add_get("/api/load", self._load)
        app.router.add_get("/api/rehearsal", self._rehearsal)
        app.router.add_post("/api/rehearsal", self._rehearse)
        app.router.add_delete("/api/rehearsal", self._cancel)

    async def _alarms(self, request: web.Request) -> web.Response:
        """GET /api/alarms?bed=&before=&priority=&row=: a page of the log, newest first."""
        asked = request.query
        try:
            before = Place.of(asked["before"]) if "before" in asked else None
        except ValueError:
            raise web.HTTPBadRequest from None
        bed, priority, row = (asked.get(name, "") for name in ("bed", "priority", "row"))

        def question(reader: Reader) -> dict[str, Any]:
            since = reader.log.patient_since(bed)  # the history of another patient is not this one's
            page = reader.log.page(bed, before=before, since=since, priority=priority, row=row, most=A_PAGE)
            boots = {boot.boot: boot for boot in reader.boots()}
            entries = [_told(entry, boots[entry.boot]) for entry in page.entries]
            place = None if page.next is None else str(page.next)
            return {"entries": entries, "next": place, "rows": reader.log.rows(bed)}

        try:
            told = await self._history.ask(question)
        except (sqlite3.Error, OSError) as error:
            log.warning("the log of alarms cannot be read: %s", error)
            raise web.HTTPServiceUnavailable from None
        return web.json_response(text=json.dumps(told))

    async def _limits(self, request: web.Request) -> web.Response:
        """GET /api/limits?bed=: the limits, and those proposed from the present values."""
        return await _passed_on(self._client.limits, request.query.get("bed", ""))

    async def _strip(self, request: web.Request) -> web.Response:
        """GET /api/strip?bed=&boot=&t_ns=&mode=&mains_hz=&cleaning=: review/strip.py: Strip.encoded."""
        asked = dict(request.query)
        try:
            display = DisplayState.model_validate(
                {
                    "mode": asked.pop("mode"),
                    "mains_hz": int(asked.pop("mains_hz")),
                    "cleaning": asked.pop("cleaning"),
                }
            )
            strip = StripAsked.model_validate({**asked, "display": display})
            body = await self._worker.strip(strip)
        except (KeyError, ValueError):
            raise web.HTTPBadRequest from None
        except NotAnswering as error:
            log.warning("no strip: %s", error)
            raise web.HTTPServiceUnavailable from None
        return web.Response(body=body, content_type="application/octet-stream")

    async def _load(self, request: web.Request) -> web.Response:
        """GET /api/load?bed=&hours=: how alarms loaded a bed."""
        try:
            hours = int(request.query.get("hours", ""))
        except ValueError:
            raise web.HTTPBadRequest from None
        return await _passed_on(self._worker.load, request.query.get("bed", ""), hours)

    async def _rehearsal(self, _request: web.Request) -> web.Response:
        """GET /api/rehearsal: how far it is."""
        return await _passed_on(self._worker.rehearsal)

    async def _rehearse(self, request: web.Request) -> web.Response:
        """POST /api/rehearsal: begin one."""
        try:
            asked = RehearsalAsked.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return await _passed_on(self._worker.rehearse, asked)

    async def _cancel(self, _request: web.Request) -> web.Response:
        """DELETE /api/rehearsal: end it."""
        return await _passed_on(self._worker.cancel)


async def _passed_on(ask: Callable[..., Awaitable[BaseModel]], *asked: object) -> web.Response:
    """What another process answers, as it is; 503 when it does not."""
    try:
        told = await ask(*asked)
    except NotAnswering as error:
        log.warning("%s: %s", getattr(ask, "__name__", "ask"), error)
        raise web.HTTPServiceUnavailable from None
    return web.json_response(text=told.model_dump_json())


def _told(entry: Entry, boot: Boot) -> dict[str, Any]:
    """An entry for a page, its times in ms of UTC."""

    def utc(t_ns: Nanos | None) -> float | None:
        return None if t_ns is None else (t_ns + (boot.utc_offset_ns or 0)) / 1e6

    place = {"id": str(entry.place), "boot": entry.boot, "time_sure": boot.clock_is_set}
    if isinstance(entry, Occurrence):
        return {
            "kind": "alarm",
            **place,
            **{name: getattr(entry, name) for name in _SHOWN},
            "values": list(entry.values),
            "t_ns": entry.onset_ns,
            "onset_utc": utc(entry.onset_ns),
            "utc": utc(entry.began_ns),
            "over_utc": utc(entry.over_ns),
            "acknowledged_utc": utc(entry.acknowledged_ns),
        }
    if isinstance(entry, Done):
        fields = {name: getattr(entry, name) for name in ("row", "actor", "screen", "seconds", "reason")}
        values = {"values": list(entry.values), "done": entry.kind}
        return {"kind": "done", **place, **fields, **values, "utc": utc(entry.t_ns)}
    return {"kind": "power", **place, "power": entry.kind, "utc": utc(entry.t_ns)}


_SHOWN = (
    "occurrence",
    "row",
    "instance",
    "priority",
    "text",
    "value",
    "limit",
    "unit",
    "acknowledged_by",
    "screen",
    "ended_by",
    "covered_by",
)
