"""The daemon's socket: `GET /live`, `/status` and `/limits`, `POST /command` and `/screens`. See messages.py for what travels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from daemon.control.acting import Known, NobodyKnown, middleware, permitted_verb
from daemon.control.asking import ActsOnce, first_fault, told
from daemon.control.live import LiveHub, Subscription, displayed
from daemon.control.messages import Act, Acted, ScreensSeen
from daemon.control.unix import listening
from daemon.words import say

log = logging.getLogger(__name__)

LARGEST_REQUEST = 64 * 1024
HEARTBEAT_S = 5.0

DECIDED_WITHIN_S = 2.0
"""An act on alarms is decided at the next Tick; after this long nobody decides any more."""

ANSWERED_WITHIN_S = 10.0
"""An act on a device waits for the device's own word."""


class Routes(Protocol):
    """Further routes of the socket, in a file of their own."""

    def add_to(self, app: web.Application) -> None: ...


class Server:
    """Serves the hub on a Unix socket, and `more` beside it.

    `act` carries out an operator's act on the caller's loop: at once (None), or it gives a future of the reason in words for
    which it was refused, "" when it was done. `screens` hears which pages are open. `known` says who is signed in.
    """

    def __init__(
        self,
        hub: LiveHub,
        act: Callable[[Act], asyncio.Future[str] | None],
        screens: Callable[[ScreensSeen], None] = lambda _: None,
        more: Sequence[Routes] = (),
        known: Known | None = None,
    ) -> None:
        self._hub = hub
        self._act = act
        self._screens = screens
        self._more = more
        self._known = known or NobodyKnown()
        self._once: ActsOnce[Acted] = ActsOnce()
        self._readers: set[web.WebSocketResponse] = set()

    async def run(self, socket: Path, ready: Callable[[], None]) -> None:
        """Listen until cancelled."""
        app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[middleware(self._known)])
        app.router.add_get("/live", self._live)
        app.router.add_get("/status", self._status)
        app.router.add_get("/limits", self._limits)
        app.router.add_post("/command", self._command)
        app.router.add_post("/screens", self._seen)
        for routes in self._more:
            routes.add_to(app)
        async with listening(socket, app):
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                for reader in list(self._readers):
                    with suppress(Exception):
                        await asyncio.wait_for(reader.close(), 0.5)

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(text=self._hub.state().model_dump_json())

    async def _limits(self, request: web.Request) -> web.Response:
        told = self._hub.limits(request.query.get("bed", ""))
        if told is None:
            raise web.HTTPNotFound
        return web.json_response(text=told.model_dump_json())

    async def _seen(self, request: web.Request) -> web.Response:
        try:
            self._screens(ScreensSeen.model_validate_json(await request.read()))
        except ValidationError:
            raise web.HTTPBadRequest from None
        return web.Response(status=204)

    async def _command(self, request: web.Request) -> web.Response:
        try:
            act = Act.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Acted(id="", acted=False, error=first_fault(error)), 400)
        permitted_verb(request, act.verb)
        return told(await self._once.answer(act.id, act.verb, lambda: self._carry_out(act)))

    async def _carry_out(self, act: Act) -> Acted:
        display = self._hub.display(act.bed)
        if display is None:
            return Acted(id=act.id, acted=False, error=f"there is no bed {act.bed}")
        if act.verb == "display":
            try:
                displayed(display, act.values)
            except ValueError:
                return Acted(id=act.id, acted=False, error="that display setting does not exist")
        try:
            decided = self._act(act)
            within_s = ANSWERED_WITHIN_S if act.verb == "set_device" else DECIDED_WITHIN_S
            error = "" if decided is None else await asyncio.wait_for(decided, within_s)
        except TimeoutError:
            error = say("alarm.refused.no_answer")
        return Acted(id=act.id, acted=not error, error=error)

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, compress=False, max_msg_size=1024, writer_limit=0
        )
        try:
            await response.prepare(request)
        except ConnectionError:  # whoever asked has given up while the daemon was busy
            raise web.HTTPServiceUnavailable from None
        subscription = self._hub.subscribe()
        self._readers.add(response)
        writer = asyncio.create_task(_write(response, subscription), name="control: live writer")
        try:
            async for message in response:  # nothing is asked here; reading answers pings and notices the end
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._hub.unsubscribe(subscription)
            self._readers.discard(response)
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer
        return response


async def _write(response: web.WebSocketResponse, subscription: Subscription) -> None:
    while True:
        message = await subscription.take()
        try:
            if isinstance(message, bytes):
                await response.send_bytes(message)
            else:
                await response.send_str(message)
        except ConnectionError:
            return
