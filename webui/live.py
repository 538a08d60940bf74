"""From the daemon's socket to every browser: bytes are passed on as they came, encoded once.

The relay adds one message of its own every second, `{"type": "web", ...}`: whether the box answers, and which version
of the page is served. A page that hears nothing knows that its own connection is gone; one that hears only the relay
knows that the box is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from daemon.control.client import ControlClient, NotAnswering, Said, Silence, WaveFrame
from daemon.control.messages import BeatSeen, ScreensSeen, State
from webui.viewer import GONE_AFTER_S, Report, Viewer, keep_buffers_small

HEARTBEAT_S = 1.0
_PING_S = 5.0
_INDEX = struct.Struct("<xxH")

log = logging.getLogger(__name__)


class Relay:
    """Passes on what one daemon says to all viewers."""

    def __init__(
        self, client: ControlClient, assets: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._assets = assets
        self._clock = clock
        self._viewers: dict[Viewer, web.Request] = {}
        self._state: Said | None = None
        self._long: dict[tuple[str, str], bytes] = {}
        self._beds: dict[int, str] = {}
        self._silent_since: float | None = clock()
        self.taps: list[Callable[[Said | WaveFrame | Silence], None]] = []
        """Hear all that the daemon says; they never wait and never raise (webui/api/live.py)."""

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        return tuple(self._viewers)

    async def run(self) -> None:
        """Relay until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="web: control socket")
            tasks.create_task(self._beat(), name="web: heartbeat")
            tasks.create_task(self._tell_screens(), name="web: screens")

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handler of GET /live?bed=ID."""
        ws = web.WebSocketResponse(
            writer_limit=0, heartbeat=_PING_S, compress=False, max_msg_size=4096, decode_text=False
        )
        await ws.prepare(request)
        keep_buffers_small(request)
        viewer = Viewer(ws, request.query.get("bed"), self._clock)
        viewer.offer_latest("web", self._heartbeat())
        if self._state is not None:
            viewer.offer_latest("state", self._state.text)
        for (bed, kind), text in self._long.items():
            _offer_long(viewer, bed, kind, text)
        self._viewers[viewer] = request
        log.info("screen %s: connected, bed %s, %d screens", request.remote, viewer.bed, len(self._viewers))
        writer = asyncio.create_task(_write(viewer, request), name=f"web: screen {request.remote}")
        try:
            await self._hear(viewer, ws)
        finally:
            writer.cancel()
            del self._viewers[viewer]
            log.info("screen %s: gone, %d wave frames held back", request.remote, viewer.waves_dropped)
        return ws

    def close(self) -> None:
        """End every viewer's connection at once: waiting for a dead reader can take for ever."""
        for request in self._viewers.values():
            _abort(request)

    async def _hear(self, viewer: Viewer, ws: web.WebSocketResponse) -> None:
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                return
            try:
                report = Report.model_validate_json(message.data)
            except ValidationError:
                log.warning("a screen sent something that is no report; it is disconnected")
                return
            stood = viewer.stands
            viewer.hear(report)
            if viewer.stands and not stood:
                log.warning("a screen of bed %s draws nothing: its picture stands", viewer.bed)

    async def _listen(self) -> None:
        async for event in self._client.live():
            for tap in self.taps:
                tap(event)
            if isinstance(event, Silence):
                if self._silent_since is None:
                    self._set_silent(self._clock())
                continue
            if self._silent_since is not None:
                self._set_silent(None)
            if isinstance(event, WaveFrame):
                bed = self._beds.get(_INDEX.unpack_from(event.frame)[0])
                for viewer in self._watching(bed) if bed is not None else ():
                    viewer.offer_waves(event.frame)
            elif isinstance(event.message, State):
                self._state = event
                self._beds = {
                    index: bed.bed
                    for bed in event.message.beds
                    for index in (bed.index, *(trace.index for trace in bed.traces))
                }
                self._offer("state", event.text)
            elif isinstance(event.message, BeatSeen):
                for viewer in self._watching(event.message.bed):
                    viewer.offer_beat(event.text)
            else:
                self._long[event.message.bed, event.message.type] = event.text
                for viewer in self._viewers:
                    _offer_long(viewer, event.message.bed, event.message.type, event.text)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._offer("web", self._heartbeat())
            for viewer, request in self._viewers.items():
                if self._clock() - viewer.heard_at > GONE_AFTER_S:
                    log.warning("screen %s: no report for %.0f s, closed", request.remote, GONE_AFTER_S)
                    _abort(request)

    async def _tell_screens(self) -> None:
        """The box hears every second which pages are open: without any it says by itself that alarms are not seen."""
        while True:
            with suppress(NotAnswering):
                await self._client.screens(ScreensSeen(screens=tuple(v.screen() for v in self._viewers)))
            await asyncio.sleep(HEARTBEAT_S)

    def _watching(self, bed: str) -> list[Viewer]:
        return [viewer for viewer in self._viewers if viewer.bed == bed]

    def _set_silent(self, since: float | None) -> None:
        self._silent_since = since
        log.warning("the box does not answer") if since else log.info("the box answers")
        self._offer("web", self._heartbeat())

    def _heartbeat(self) -> bytes:
        silent_s = None if self._silent_since is None else round(self._clock() - self._silent_since, 1)
        return json.dumps({"type": "web", "silent_s": silent_s, "assets": self._assets}).encode()

    def _offer(self, kind: str, text: bytes) -> None:
        for viewer in self._viewers:
            viewer.offer_latest(kind, text)


def _offer_long(viewer: Viewer, bed: str, kind: str, text: bytes) -> None:
    """A message of one bed: to those that watch it, and its alarms to those that watch all."""
    if viewer.bed == bed or (viewer.bed is None and kind == "alarms"):
        viewer.offer_latest(f"{kind} {bed}", text)


async def _write(viewer: Viewer, request: web.Request) -> None:
    try:
        await viewer.write()
    except ConnectionError:
        _abort(request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
