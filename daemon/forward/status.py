"""The forwarder's own socket: how each destination is doing, and what a person may ask of it (daemon/control/forwarding.py)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon import config as settings
from daemon.control.forwarding import (
    Asked,
    DestinationTold,
    Done,
    LaneTold,
    QuarantineTold,
    RefusedTold,
    StateWord,
    Told,
)
from daemon.control.unix import listening
from daemon.forward import ledger
from daemon.forward.bookkeeping import Bookkeeping
from daemon.forward.registry import Pulled, as_told
from daemon.forward.sender import Sender
from daemon.forward.source import StoreSource
from daemon.model.outgoing import Lane

COUNT_EVERY_S = 15.0
"""Counting what waits reads the outbox: it is done when asked for, and not more often than this."""

STRETCHES = 200
"""That are looked at, of what waits; there are more only on a link that has not carried the live records for long."""


class Forwarding(Protocol):
    """Whose status it is."""

    source: StoreSource
    books: Bookkeeping
    registry: Pulled

    @property
    def senders(self) -> Mapping[str, Sender]: ...

    @property
    def faults(self) -> Mapping[str, str]: ...


class Routes(Protocol):
    """Further routes of the socket, in a file of their own."""

    def add_to(self, app: web.Application) -> None: ...


class Status:
    """Serves the socket, until cancelled."""

    def __init__(
        self, of: Forwarding, wanted: Mapping[str, settings.Destination], more: Sequence[Routes] = ()
    ) -> None:
        self._more = more
        self._of = of
        self._wanted = wanted
        self._counted: dict[str, tuple[float, dict[Lane, int], float]] = {}
        self._counting = asyncio.Lock()

    async def serve(self, socket: Path, ready: Callable[[], None]) -> None:
        """Listen until cancelled."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/destinations", self._destinations)
        app.router.add_post("/destinations/{name}/{verb:pause|resume|retry}", self._act)
        app.router.add_get("/destinations/{name}/quarantine", self._quarantine)
        app.router.add_post("/destinations/{name}/quarantine", self._release)
        app.router.add_get("/metrics", self._metrics)
        for routes in self._more:
            routes.add_to(app)
        async with listening(socket, app):
            ready()
            await asyncio.Event().wait()

    async def told(self) -> Told:
        """How everything is now."""
        destinations = [await self._told(name, one) for name, one in self._wanted.items()]
        registry = as_told(self._of.registry)
        unreadable = self._of.source.unreadable
        return Told(destinations=tuple(destinations), registry=registry, unreadable=unreadable)

    async def _told(self, name: str, one: settings.Destination) -> DestinationTold:
        sender = self._of.senders.get(name)
        if sender is None:
            known = self._of.registry.known.is_set() or not one.routed
            reason = "" if known else "waits for the registry of serial numbers"
            state: StateWord = "fault" if name in self._of.faults else "starting"
            return DestinationTold(
                name=name, kind=one.kind, state=state, reason=self._of.faults.get(name, reason)
            )
        counts, oldest_s = await self._count(name, sender)
        state, reason = _state(sender, self._of.faults.get(name, ""), any(counts.values()))
        health, now_s = sender.health, sender.now_s
        return DestinationTold(
            name=name,
            kind=one.kind,
            state=state,
            reason=reason,
            oldest_unsent_s=oldest_s,
            next_try_s=max(0.0, sender.delivery.wake_s(now_s) - now_s)
            if state in {"waiting", "parked"}
            else 0.0,
            bytes_per_s=sender.bytes_per_s,
            last_success_ms=health.success_ms,
            last_error=health.error,
            last_error_ms=health.error_ms,
            failing_since_ms=health.failing_since_ms,
            quarantined=sender.quarantined,
            in_flight=len(sender.delivery.in_flight),
            lanes={lane.name.lower(): _lane(sender, lane, counts.get(lane, 0)) for lane in Lane},
            requests={str(verdict): count for verdict, count in sender.verdicts.items()},
        )

    async def _count(self, name: str, sender: Sender) -> tuple[dict[Lane, int], float]:
        """Records that wait, by lane, and the age of the oldest."""
        async with self._counting:
            at_s, counts, oldest_s = self._counted.get(name, (-1e9, {}, 0.0))
            if sender.now_s - at_s < COUNT_EVERY_S and any(counts.values()) == _behind(sender):
                return counts, oldest_s
            try:
                counts, oldest_s = await self._count_now(sender)
            except (sqlite3.Error, OSError):
                return counts, oldest_s
            self._counted[name] = (sender.now_s, counts, oldest_s)
            return counts, oldest_s

    async def _count_now(self, sender: Sender) -> tuple[dict[Lane, int], float]:
        counts, oldest_s = dict.fromkeys(Lane, 0), 0.0
        for lane in Lane:
            lanes = sender.delivery.lanes
            head, confirmed = lanes.head(lane), lanes.confirmed(lane)
            if confirmed == head:
                continue
            gaps = lanes.done[lane].gaps(confirmed + 1, head)
            counts[lane] = await self._of.source.waiting(lane, gaps[:STRETCHES])
            found = await self._of.source.find(lane, confirmed + 1, head, 1, newest=False)
            for record in found.records:
                oldest_s = max(oldest_s, (time.time_ns() - record.utc_ns) / 1e9)
        return counts, oldest_s

    # --- the routes --------------------------------------------------------------------------------------

    async def _destinations(self, _request: web.Request) -> web.Response:
        return _answer(await self.told())

    async def _metrics(self, _request: web.Request) -> web.Response:
        from daemon.forward.metrics import exposition

        body, media = exposition(await self.told())
        return web.Response(body=body, headers={"Content-Type": media})

    async def _act(self, request: web.Request) -> web.Response:
        sender, asked = self._sender(request), await _asked(request)
        match request.match_info["verb"]:
            case "pause":
                await sender.pause(asked.actor or "somebody")
            case "resume":
                await sender.resume()
            case _:
                sender.retry()
        return _answer(Done())

    async def _quarantine(self, request: web.Request) -> web.Response:
        sender = self._sender(request)
        entries: Sequence[ledger.Refused] = await self._of.books.do(
            lambda db: ledger.quarantine(db, sender.id)
        )
        return _answer(QuarantineTold(records=tuple(_refused(entry) for entry in entries)))

    async def _release(self, request: web.Request) -> web.Response:
        sender, asked = self._sender(request), await _asked(request)
        return _answer(Done(records=await sender.release(asked.seqs)))

    def _sender(self, request: web.Request) -> Sender:
        sender = self._of.senders.get(request.match_info["name"])
        if sender is None:
            raise web.HTTPNotFound(text=f"there is no destination {request.match_info['name']} that runs")
        return sender


def _behind(sender: Sender) -> bool:
    lanes = sender.delivery.lanes
    return any(lanes.confirmed(lane) < lanes.head(lane) for lane in Lane)


def _state(sender: Sender, fault: str, waiting: bool) -> tuple[StateWord, str]:
    delivery = sender.delivery
    if fault:
        return "fault", fault
    if delivery.standing.paused_by:
        return "paused", f"paused by {delivery.standing.paused_by}"
    if delivery.standing.parked:
        return "parked", delivery.standing.parked
    refusing = "; ".join(f"{lane.name.lower()}: {why}" for lane, why in delivery.standing.refusing.items())
    if refusing:
        return "parked", f"it refuses all of {refusing}"
    if sender.health.failing_since_ms:
        return "waiting", sender.health.error
    return ("sending", "") if waiting or delivery.in_flight else ("idle", "")


def _lane(sender: Sender, lane: Lane, waiting: int) -> LaneTold:
    sums = sender.sums.get(lane, ledger.Sums())
    return LaneTold(
        waiting=waiting,
        waiting_bytes=round(waiting * sender.delivery.mean_bytes(lane)),
        sent_records=sums.records,
        sent_bytes=sums.bytes,
        refused=sender.delivery.standing.refusing.get(lane, ""),
        confirmed=sender.delivery.lanes.confirmed(lane),
    )


def _refused(entry: ledger.Refused) -> RefusedTold:
    return RefusedTold(
        seq=entry.seq,
        lane=entry.lane.name.lower(),
        message=entry.message,
        device=entry.device,
        session=entry.session,
        measured_ms=entry.utc_ms,
        reply=entry.reply,
        refused_ms=entry.refused_ms,
        times=entry.times,
    )


async def _asked(request: web.Request) -> Asked:
    try:
        return Asked.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error.errors(include_url=False)[0]["msg"])) from None


def _answer(message: BaseModel) -> web.Response:
    return web.json_response(text=message.model_dump_json())
