"""GET /api/v1/live: a WebSocket with waves, numbers and alarms as they come (docs/api.md says what travels).

What is said to machines is made once, from what the daemon says to the pages, however many listen. A listener that is late loses
the oldest waves and older texts; one that takes nothing for five seconds is cut off. Nothing here waits for anybody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from pydantic import Field

from daemon import words
from daemon.contracts.times import instant
from daemon.control.client import NotAnswering, Said, Silence, WaveFrame
from daemon.control.messages import AlarmsSeen, AlarmState, BedState, MetricState, State
from daemon.model.scopes import Scope
from daemon.model.signals import Nanos
from webui.api.guard import DOOR
from webui.api.problems import NotAnswered
from webui.api.routes import DIGEST, Call, Query, Route
from webui.viewer import keep_buffers_small

MOST_SOCKETS, MOST_OF_ONE = 16, 4
QUEUED_WAVES: Final = 80
STUCK_S: Final = 5.0
CHECKED_EVERY_S: Final = 4.0
PING_S: Final = 10.0
_INDEX = struct.Struct("<xxH")

TOPICS: Final[Mapping[str, Scope]] = {
    "waves": Scope.LIVE_WAVES,
    "numbers": Scope.LIVE_NUMBERS,
    "alarms": Scope.LIVE_ALARMS,
}

log = logging.getLogger(__name__)


class Listener:
    """One socket: which bed ("" = all), which topics, and what waits for it."""

    def __init__(self, token: str, bed: str, topics: frozenset[str], clock: Callable[[], float]) -> None:
        self.token, self.bed, self.topics = token, bed, topics
        self.dropped = 0
        self.clock = clock
        self._texts: dict[str, str] = {}
        self._waves: deque[bytes] = deque(maxlen=QUEUED_WAVES)
        self._wake = asyncio.Event()
        self._stuck_since: float | None = None

    def offer(self, topic: str, bed: str, kind: str, text: str) -> None:
        """The newest text of a kind, in place of one that waits."""
        if self._wants(topic, bed):
            self._texts[f"{kind} {bed}"] = text
            self._wake.set()

    def offer_waves(self, bed: str, frame: bytes) -> None:
        if self._wants("waves", bed):
            self.dropped += len(self._waves) == QUEUED_WAVES
            self._waves.append(frame)
            self._wake.set()

    def _wants(self, topic: str, bed: str) -> bool:
        return (topic in self.topics or not topic) and (not bed or self.bed in {"", bed})

    @property
    def is_stuck(self) -> bool:
        """Whether it has taken nothing for too long, though something waits."""
        return self._stuck_since is not None and self.clock() - self._stuck_since > STUCK_S

    async def write(self, ws: web.WebSocketResponse) -> None:
        """Send what waits until cancelled, or the connection ends (ConnectionError)."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._texts or self._waves:
                self._stuck_since = self.clock()
                if self._texts:
                    await ws.send_str(self._texts.pop(next(iter(self._texts))))
                else:
                    await ws.send_bytes(self._waves.popleft())
                self._stuck_since = None


class Feed:
    """Hears what the daemon says (`Relay.taps`) and tells the listeners. `state` and `alarms`: the newest of both."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.listeners: set[Listener] = set()
        self.state: State | None = None
        self.alarms: dict[str, AlarmsSeen] = {}
        self.answers = False
        self._beds: dict[int, str] = {}
        self._streams = ""

    def hear(self, event: Said | WaveFrame | Silence) -> None:
        """The tap: never waits, never raises. A fault in what machines are told must not cost the pages theirs."""
        try:
            self._hear(event)
        except Exception:
            log.exception("api: live: a message could not be told")

    def _hear(self, event: Said | WaveFrame | Silence) -> None:
        if isinstance(event, Silence):
            if self.answers:
                self.answers = False
                self._say("", "", "box", {"type": "box", "answers": False})
            return
        if isinstance(event, WaveFrame):
            if self.listeners:
                bed = self._beds.get(_INDEX.unpack_from(event.frame)[0])
                for listener in self.listeners if bed is not None else ():
                    listener.offer_waves(bed or "", event.frame)
            return
        if isinstance(event.message, State):
            self._hear_state(event.message)
        elif isinstance(event.message, AlarmsSeen):
            self.alarms[event.message.bed] = event.message
            if self.listeners:
                bed = event.message.bed
                self._say("alarms", bed, "alarms", self.alarms_told(bed))

    def greet(self, listener: Listener) -> None:
        """What a new listener must know at once."""
        self._tell([listener], "", "", "box", {"type": "box", "version": 1, "answers": self.answers})
        listener.offer("waves", "", "streams", self._streams)
        for bed in self.state.beds if self.state else ():
            self._tell([listener], "numbers", bed.bed, "numbers", self.numbers_told(bed))
        for name in self.alarms:
            self._tell([listener], "alarms", name, "alarms", self.alarms_told(name))

    def utc(self, t_ns: Nanos) -> str:
        """A time of this boot as RFC 3339."""
        assert self.state is not None
        return instant(max(0, t_ns - self.state.now_ns + self.state.utc_ms * 1_000_000))

    def numbers_told(self, bed: BedState) -> dict[str, Any]:
        """The numbers of a bed as they stand."""
        assert self.state is not None
        told = [self.number_told(name, metric) for name, metric in bed.metrics.items()]
        return {"type": "numbers", "bed": bed.bed, "at": self.utc(self.state.now_ns), "numbers": told}

    def number_told(self, name: str, metric: MetricState) -> dict[str, Any]:
        """`name` is the store's; a device's own number has its serial number beside it."""
        return {
            "name": name,
            "device": metric.lead,
            "value": metric.value,
            "unit": metric.unit,
            "why": metric.why or "",
            "quality": metric.quality,
            "at": self.utc(metric.t_ns),
        }

    def alarms_told(self, bed: str) -> dict[str, Any]:
        """The alarms of a bed as they stand; `judged_at` stands still where nobody judges any more."""
        seen = self.alarms[bed]
        told = [] if self.state is None else [self._alarm(alarm) for alarm in seen.picture.alarms]
        judged = None if self.state is None else self.utc(seen.now_ns)
        return {"type": "alarms", "bed": bed, "judged_at": judged, "alarms": told}

    def _alarm(self, alarm: AlarmState) -> dict[str, Any]:
        filled = {name: v if isinstance(v, str) else f"{v:g}" for name, v in alarm.values}
        return {
            "occurrence": alarm.occurrence,
            "alarm": alarm.row,
            "priority": alarm.priority,
            "phase": alarm.phase,
            "text": words.say(alarm.text, **filled),
            "value": alarm.value,
            "limit": alarm.limit,
            "unit": alarm.unit,
            "onset_at": self.utc(alarm.t_ns),
            "acknowledged_by": alarm.acknowledged_by,
        }

    def _hear_state(self, state: State) -> None:
        self.state = state
        if not self.answers:
            self.answers = True
            self._say("", "", "box", {"type": "box", "version": 1, "answers": True})
        self._beds = {
            index: bed.bed for bed in state.beds for index in (bed.index, *(t.index for t in bed.traces))
        }
        streams = json.dumps({"type": "streams", "streams": list(_streams(state))})
        if streams != self._streams:
            self._streams = streams
            for listener in self.listeners:
                listener.offer("waves", "", "streams", streams)
        if self.listeners:
            for bed in state.beds:
                self._say("numbers", bed.bed, "numbers", self.numbers_told(bed))

    def _say(self, topic: str, bed: str, kind: str, message: Mapping[str, Any]) -> None:
        self._tell(self.listeners, topic, bed, kind, message)

    def _tell(
        self, to: Iterable[Listener], topic: str, bed: str, kind: str, message: Mapping[str, Any]
    ) -> None:
        text = json.dumps(message, allow_nan=False)
        for listener in to:
            listener.offer(topic, bed, kind, text)


FEED = web.AppKey("api_feed", Feed)


def _streams(state: State) -> Iterable[dict[str, Any]]:
    """What the wave frames with each index hold."""
    for bed in state.beds:
        for index, wave in ((bed.index, bed.waves), *((t.index, t) for t in bed.traces)):
            if wave is not None:
                units = list(wave.units) or ["mV"] * len(wave.leads)
                yield {
                    "index": index,
                    "bed": bed.bed,
                    "device": wave.device,
                    "rate_hz": wave.rate_hz,
                    "leads": list(wave.leads),
                    "units": units,
                    "filters": list(wave.chain),
                }


class LiveQuery(Query):
    """Which bed, and what of it: topics with commas between; empty = all that the token is good for."""

    bed: str = Field("", max_length=64)
    topics: Literal[
        "",
        "waves",
        "numbers",
        "alarms",
        "waves,numbers",
        "waves,alarms",
        "numbers,alarms",
        "waves,numbers,alarms",
    ] = ""


async def live(call: Call) -> web.StreamResponse:
    """Listen until one of both ends it."""
    feed, request = call.request.app[FEED], call.request
    wanted = frozenset(filter(None, call.query.topics.split(",")))
    granted = frozenset(topic for topic, scope in TOPICS.items() if call.may(scope))
    if lacking := sorted(wanted - granted):
        raise NotAnswered("forbidden", f"the token lacks {', '.join(TOPICS[one] for one in lacking)}")
    if not granted:
        raise NotAnswered("forbidden", f"the token lacks {', '.join(TOPICS.values())}")
    if call.query.bed and feed.state is not None and call.query.bed not in {b.bed for b in feed.state.beds}:
        raise NotAnswered("not_found", field="bed")
    if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        raise NotAnswered("upgrade")
    if sum(one.token == call.caller.id for one in feed.listeners) >= MOST_OF_ONE:
        raise NotAnswered("too_many", f"{MOST_OF_ONE} sockets a token", wait_s=10.0)
    if len(feed.listeners) >= MOST_SOCKETS:
        raise NotAnswered("too_many_sockets", f"{MOST_SOCKETS} in all", wait_s=10.0)
    listener = Listener(call.caller.id, call.query.bed, wanted or granted, feed.clock)
    feed.listeners.add(listener)
    try:
        return await _serve(request, feed, listener)
    finally:
        feed.listeners.discard(listener)


async def _serve(request: web.Request, feed: Feed, listener: Listener) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(heartbeat=PING_S, compress=False, max_msg_size=1024, writer_limit=0)
    try:
        await ws.prepare(request)
    except (ValueError, web.HTTPBadRequest):
        raise NotAnswered("upgrade") from None
    keep_buffers_small(request)
    feed.greet(listener)
    tasks = [
        asyncio.create_task(_write(request, listener, ws), name="api: live writer"),
        asyncio.create_task(_watch(request, listener, ws), name="api: live watch"),
    ]
    try:
        async for message in ws:  # nothing is asked here; reading answers pings and notices the end
            if message.type is WSMsgType.ERROR:
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return ws


async def _write(request: web.Request, listener: Listener, ws: web.WebSocketResponse) -> None:
    try:
        await listener.write(ws)
    except ConnectionError:
        _abort(request)


async def _watch(request: web.Request, listener: Listener, ws: web.WebSocketResponse) -> None:
    """End a socket that takes nothing, or whose token is good no more."""
    asked_at = listener.clock()
    while True:
        await asyncio.sleep(0.5)
        if listener.is_stuck:
            log.warning("api: live: %s takes nothing, cut off", request.remote)
            _abort(request)
            return
        if listener.clock() - asked_at < CHECKED_EVERY_S:
            continue
        asked_at = listener.clock()
        try:
            known = await request.app[DOOR].whose(request[DIGEST])
        except NotAnswering:
            continue
        if not known.known:
            await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the token is good no more")
            return


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


ROUTES = (
    Route(
        "GET",
        "/live",
        (),
        live,
        "Waves, numbers and alarms as they come (WebSocket)",
        None,
        LiveQuery,
        media="websocket",
        problems=("not_found", "upgrade", "too_many", "too_many_sockets"),
    ),
)
