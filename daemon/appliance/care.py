"""What the daemon does for whoever looks after the box: says when it is ready, feeds the watchdog, watches the machine, answers technicians."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from aiohttp import web

from daemon import __version__
from daemon.appliance import capture
from daemon.appliance.hardware import LOOK_EVERY_S, Hardware, inputs_of
from daemon.appliance.heartbeat import Heartbeat
from daemon.appliance.notify import Notify
from daemon.config import Config
from daemon.control.messages import State
from daemon.control.proof import ProofTold
from daemon.control.technician import HealthTold, SoundTold
from daemon.model.alarms import AlarmPicture
from daemon.model.signals import Fact, Nanos
from daemon.signals.messages import SILENT_AFTER_NS, Heard
from firmware_bridge.boards import BOARDS

log = logging.getLogger(__name__)

READY_WITHIN_S = 10.0
"""A store or a port that does not answer by then is told of by the alarms: the rest is ready, and must not be stopped for it."""

LOOK_S = 0.1
STATUS_EVERY_S = 5.0
LONGEST_CAPTURE_S = 3600.0
PIECES_WAITING = 4096
"""Of a capture that is taken too slowly: then it ends."""


class Acquiring(Protocol):
    """What is asked of the acquisition (acquisition/ports.py)."""

    def liveness(self) -> Mapping[str, Gone]: ...
    def waiting(self) -> int: ...
    def overflowed(self) -> int: ...
    def tap(self, name: str, hear: Callable[[bytes, Nanos], None] | None) -> bool: ...


class Gone(Protocol):
    """A read loop that has gone round."""

    @property
    def count(self) -> int: ...
    @property
    def t_ns(self) -> Nanos: ...


class Care:
    """`ticked` after every Tick, `run` for as long as the daemon runs, `add_to` for its routes. `stop` is called when the supply ends."""

    def __init__(
        self,
        config: Config,
        acquisition: Acquiring,
        *,
        tell: Callable[[Fact], None],
        state: Callable[[], State],
        pictures: Callable[[], Sequence[AlarmPicture]],
        heard: Callable[[], Heard | None],
        proof: Callable[[], ProofTold | None] = lambda: None,
        now: Callable[[], Nanos],
        notify: Notify | None = None,
    ) -> None:
        self._config = config
        self._acquisition = acquisition
        self._state = state
        self._pictures = pictures
        self._heard = heard
        self._proof = proof
        self._now = now
        self._began_ns = now()
        self._notify = notify or Notify()
        self._heartbeat = Heartbeat()
        self._inputs = inputs = inputs_of(config.hardware)
        self._hardware = Hardware(inputs, tell, now)
        self.ticked = self._heartbeat.ticked

    async def run(self, stop: Callable[[], None], answers: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled. `stop` brings the daemon to rest; `answers` gives an awaitable that ends when the store answers."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._live(answers), name="care: ready, and the watchdog")
            tasks.create_task(self._watch(stop), name="care: hardware")

    async def _live(self, answers: Callable[[], Awaitable[None]]) -> None:
        await self._ready(answers)
        said_ns: Nanos = 0
        self._notify.say("READY=1", self._status())
        log.info("ready")
        every_s = self._notify.every_s
        try:
            while True:
                if self._heartbeat.proved(self._acquisition.liveness()):
                    self._notify.say("WATCHDOG=1")
                    await asyncio.sleep(every_s or STATUS_EVERY_S)
                else:
                    await asyncio.sleep(LOOK_S)
                if self._now() - said_ns > STATUS_EVERY_S * 1e9:
                    said_ns = self._now()
                    self._notify.say(self._status())
        finally:
            self._notify.say("STOPPING=1")

    async def _ready(self, answers: Callable[[], Awaitable[None]]) -> None:
        """Every configured port has been tried, a Tick has gone through all beds, the store answers."""
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await answers()
                while not (self._heartbeat.tick_ns and self._tried()):  # noqa: ASYNC110 - two threads' states
                    await asyncio.sleep(LOOK_S)
        except Exception as error:  # noqa: BLE001 - a store that does not answer is told by its alarm; beds must be watched over
            log.warning("not all answers: %s %s", type(error).__name__, error)
        while not self._heartbeat.tick_ns:  # noqa: ASYNC110 - without it nothing is watched over: systemd may begin anew
            await asyncio.sleep(LOOK_S)

    def _tried(self) -> bool:
        seen = {(bed.bed, device.label): device.state for bed in self._state().beds for device in bed.devices}
        wanted = {(bed, d.label) for bed, table in self._config.beds.items() for d in table.devices}
        # A device that a person has put to another bed is told of there, under another label.
        return len(seen) >= len(wanted) and "opening" not in seen.values()

    def _status(self) -> str:
        state = self._state()
        devices = [device.state for bed in state.beds for device in bed.devices]
        alarms = sum(self._alarms().values())
        words = f"{len(devices)} devices, {devices.count('streaming')} streaming, {alarms} alarms"
        faults = ", ".join(sorted({fact.source for fact in state.facts}))
        return f"STATUS={words}{f'; {faults}' if faults else ''}"

    def _alarms(self) -> dict[str, int]:
        found = Counter(alarm.priority.value for picture in self._pictures() for alarm in picture.alarms)
        return dict(found)

    async def _watch(self, stop: Callable[[], None]) -> None:
        looked_ns: Nanos = 0
        while True:
            if self._inputs.ends():
                log.error("the supply ends: the daemon comes to rest")
                self._inputs.close()
                stop()
                return
            if self._now() - looked_ns >= LOOK_EVERY_S * 1e9:
                looked_ns = self._now()
                self._hardware.look()
            await asyncio.sleep(LOOK_S)

    # --- what a technician asks ------------------------------------------------------------------------------

    def add_to(self, app: web.Application) -> None:
        """The routes of control/technician.py."""
        app.router.add_get("/health", self._health)
        app.router.add_get("/tap", self._tap)

    async def _health(self, _request: web.Request) -> web.Response:
        now_ns, tick_ns = self._now(), self._heartbeat.tick_ns
        rounds = self._acquisition.liveness()
        told = HealthTold(
            version=__version__,
            pid=os.getpid(),
            up_s=(now_ns - self._began_ns) / 1e9,
            tick_age_s=(now_ns - tick_ns) / 1e9 if tick_ns else None,
            waiting=self._acquisition.waiting(),
            overflowed=self._acquisition.overflowed(),
            rounds_age_s={name: (now_ns - gone.t_ns) / 1e9 for name, gone in rounds.items()},
            alarms=self._alarms(),
            sound=self._sound(now_ns) if self._config.sound.enabled else None,
            proof=self._proof(),
        )
        return web.json_response(text=told.model_dump_json())

    def _sound(self, now_ns: Nanos) -> SoundTold:
        heard = self._heard()
        if heard is None:
            return SoundTold(answers=False)
        age_ns = now_ns - heard.t_ns
        return SoundTold(
            answers=age_ns <= SILENT_AFTER_NS,
            age_s=age_ns / 1e9,
            playing=heard.playing.value,
            speaker=heard.speaker.state.value,
            detail=heard.speaker.detail,
            self_test=None if heard.self_test is None else heard.self_test.why,
            output_fault=heard.output_fault,
        )

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        try:
            seconds = min(float(request.query["seconds"]), LONGEST_CAPTURE_S)
        except (KeyError, ValueError):
            raise web.HTTPBadRequest(text="seconds: how long?") from None
        port, force = request.query.get("port", ""), request.query.get("force") == "1"
        place, kind = self._place(port, force=force)
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[tuple[Nanos, bytes]](PIECES_WAITING)

        def hear(
            data: bytes, t_ns: Nanos
        ) -> None:  # on the acquisition thread: it must neither wait nor raise
            try:
                loop.call_soon_threadsafe(_offer, pieces, (t_ns, data))
            except RuntimeError:
                return

        self._acquisition.tap(place, hear)
        began_ns, response = self._now(), web.StreamResponse()
        try:
            await response.prepare(request)
            facts = BOARDS[kind].FACTS if kind in BOARDS else None
            about: dict[str, str | int] = {
                "port": port,
                "began_utc": datetime.now(UTC).isoformat(),
                "kind": kind,
            }
            if facts is not None:
                about["baud"] = facts.port.baud
            await response.write(capture.head(about))
            until_ns = began_ns + round(seconds * 1e9)
            while (left_s := (until_ns - self._now()) / 1e9) > 0:
                try:
                    t_ns, data = await asyncio.wait_for(pieces.get(), left_s)
                except TimeoutError:
                    break
                await response.write(capture.arrival(max(t_ns - began_ns, 0), data))
            await response.write_eof()
        finally:
            self._acquisition.tap(place, None)
        return response

    def _place(self, port: str, *, force: bool) -> tuple[str, str]:
        """The place that holds a port, as the acquisition names it, and the kind of its device."""
        for bed in self._state().beds:
            for device in bed.devices:
                label, _, home = device.label.partition("@")
                if device.port != port:
                    continue
                if bed.patient is not None and not force:
                    raise web.HTTPConflict(text=f"a patient is admitted at bed {bed.bed}")
                return f"{home or bed.bed}/{label}", device.kind
        raise web.HTTPNotFound(text=f"the daemon does not hold {port}")


def _offer(pieces: asyncio.Queue[tuple[Nanos, bytes]], piece: tuple[Nanos, bytes]) -> None:
    """A reader that is too slow loses the rest, not the daemon its memory."""
    if not pieces.full():
        pieces.put_nowait(piece)
