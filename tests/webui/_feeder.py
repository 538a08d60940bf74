"""A daemon's control socket to look at: speaks daemon/control/messages.py, with synthetic waves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from aiohttp import web

from daemon.config import Config
from daemon.control.attached import DeviceState, WaveState
from daemon.control.messages import (
    Act,
    Acted,
    AlarmsSeen,
    BeatSeen,
    BedState,
    DisplayState,
    EventsSeen,
    FactSeen,
    MeasuredSeen,
    MetricState,
    QualityState,
    RhythmState,
    ScreensSeen,
    State,
)
from daemon.control.waves import encode_waves
from daemon.model.findings import DisplayBlock
from daemon.model.permissions import PEOPLE
from daemon.model.signals import Segment, Stream
from tests.webui._attached import Attached
from tests.webui._ward import Ward

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_DEVICE = {"label": "ecg", "kind": "dm_ecg", "title": "DM-ECG 12", "device": "ECG-0042", "firmware": "2.1.0"}
_DEVICE |= {"port": "/dev/ttyUSB0"}
FRAME_S = 0.05
RATE = 500
PERIOD_S = 0.8  # a beat every 0.8 s: 75 bpm

# Height in mV of P, Q, R, S and T in each lead; widths and places are the same for all.
_HEIGHTS = {
    "I": (0.09, -0.05, 0.7, -0.12, 0.22),
    "II": (0.15, -0.08, 1.2, -0.15, 0.32),
    "V1": (0.06, 0.0, 0.25, -1.0, 0.05),
    "V2": (0.07, 0.0, 0.5, -1.5, 0.5),
    "V3": (0.08, 0.0, 0.9, -0.9, 0.55),
    "V4": (0.09, -0.08, 1.5, -0.45, 0.5),
    "V5": (0.09, -0.1, 1.4, -0.2, 0.4),
    "V6": (0.08, -0.1, 1.1, -0.1, 0.3),
}
_PLACES = np.array([0.18, 0.33, 0.36, 0.39, 0.62])
_WIDTHS = np.array([0.022, 0.008, 0.011, 0.010, 0.045])


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def heartbeats(samples: np.ndarray) -> np.ndarray:
    """Float32 (12, n) in mV of an ECG at the given sample numbers."""
    phase = (samples / RATE) % PERIOD_S
    shapes = np.exp(-0.5 * ((phase[None, :] - _PLACES[:, None]) / _WIDTHS[:, None]) ** 2)
    leads = {name: np.array(heights) @ shapes for name, heights in _HEIGHTS.items()}
    leads["III"] = leads["II"] - leads["I"]
    leads["aVR"] = -(leads["I"] + leads["II"]) / 2
    leads["aVL"] = leads["I"] - leads["II"] / 2
    leads["aVF"] = leads["II"] - leads["I"] / 2
    return np.stack([leads[name] for name in LEADS]).astype(np.float32)


class Feeder:
    """A daemon's control socket. Change `metrics`, `quality`, `devices`, `display`, `off` and `flowing` at will."""

    def __init__(self, socket: Path, beds: tuple[str, ...] = ("1",)) -> None:
        self.socket = socket
        self.beds = beds
        self.connection = 0
        self.seq = 0
        self._sockets: list[web.WebSocketResponse] = []
        self.more: list[Callable[[web.Application], None]] = []  # further routes, before `start`
        self.people = True  # whoever holds a role's name has it; False: `more` knows people
        self.reset()

    def reset(self) -> None:
        """A quiet patient, a box without troubles, a new connection of the device."""
        self.version = "0.1.0"
        self.demo = True
        self.boot = "boot-1"
        self.display = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
        self.heart_rate: float | None = 75.0
        self.why: str | None = None
        self.frozen_metrics_ns: int | None = None
        self.quality: dict[str, QualityState] = {lead: QualityState(grade="good") for lead in LEADS}
        self.link = "streaming"
        self.off: frozenset[str] = frozenset()
        self.flowing = True
        self.talking = True
        self.refuse = ""
        self.answered = asyncio.Event()  # a device answers at once, unless a test clears it
        self.answered.set()
        self.leads = LEADS
        self.acts: list[Act] = []
        self.notes: list[dict[str, object]] = []
        self.facts: tuple[FactSeen, ...] = ()
        self.numbers: dict[str, MetricState] = {}
        self.others: tuple[Attached, ...] = ()  # at the first bed
        self.ecg = True
        self.rhythms: tuple[RhythmState, ...] = ()
        self.long: tuple[MeasuredSeen | EventsSeen, ...] = ()
        self.ward: Ward | None = None  # whoever has alarms; set it with `attend`
        self._told: dict[str, str] = {}
        self.quiet = True  # without a ward: the alarms of every bed are said to be none, as of now
        self.screens: list[ScreensSeen] = []
        self.beat_label = "N"
        self.copies = 1  # how often each wave frame is sent
        self.replug()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/live", self._live)
        app.router.add_get("/status", self._status)
        if self.people:
            app.router.add_get("/who", self._who)
            app.router.add_get("/setup", self._setup)
            app.router.add_post("/audit", self._note)
        app.router.add_get("/limits", self._limits)
        app.router.add_get("/proposals", self._proposals)
        app.router.add_post("/command", self._command)
        app.router.add_post("/screens", self._screens)
        for add in self.more:
            add(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.socket.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(self.socket)).start()
        self._task = asyncio.create_task(self._feed(), name="feeder")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for ws in list(self._sockets):
            await ws.close()
        await self._runner.cleanup()

    def replug(self) -> None:
        """A new connection of the device: sample numbers begin again."""
        self.connection += 1
        self.sample = 0
        self._began = boot_ns()

    def state(self) -> State:
        now = boot_ns()
        stamp, self.seq = self.frozen_metrics_ns or now, self.seq + 1
        rr_ms = None if self.heart_rate is None else 60000 / self.heart_rate
        metrics = {
            "heart_rate": MetricState(value=self.heart_rate, unit="bpm", t_ns=stamp, why=self.why, lead="II"),
            "rr_interval": MetricState(value=rr_ms, unit="ms", t_ns=stamp, why=self.why, lead="II"),
            **self.numbers,
        }
        device = DeviceState(
            **_DEVICE,
            state=self.link,
            since_ns=self._began,
            rate_hz=RATE,
            drift_ppm=12.4,
            bytes_in=13000 * self.seq,
            **dict.fromkeys(("bytes_damaged", "samples_lost"), 0),
        )
        segment, chain = f"segment-{self.connection}", ("0.5–40 Hz", "notch 50 Hz")
        waves = WaveState(leads=self.leads, rate_hz=RATE, chain=chain, segment=segment) if self.ecg else None
        own = (metrics, (device,)) if self.ecg else ({}, ())
        beds = tuple(
            BedState(
                bed=key,
                index=i,
                name=key,
                display=self.display,
                waves=waves,
                metrics=own[0] | {k: v for one in others for k, v in one.metrics(now).items()},
                traces=tuple(trace for one in others if (trace := one.waves()) is not None),
                statuses=tuple(status for one in others for status in one.statuses(now)),
                quality=self.quality if self.ecg else {},
                rhythms=self.rhythms,
                devices=(*own[1], *(one.device(self._began) for one in others)),
            )
            for i, key in enumerate(self.beds)
            for others in [self.others if i == 0 else ()]
        )
        return State(
            seq=self.seq,
            boot=self.boot,
            version=self.version,
            box="test box",
            demo=self.demo,
            now_ns=boot_ns(),
            utc_ms=time.time_ns() // 1_000_000,
            beds=beds,
            facts=self.facts,
        )

    async def say(self) -> None:
        for message in (self.state(), *self.long, *self._quiet()):
            await self._send(message.model_dump_json())

    def _quiet(self) -> list[AlarmsSeen]:
        """Engines that judge, and beds without alarms."""
        told = self.beds[1:] if self.ward is not None else self.beds
        return [AlarmsSeen(bed=bed, now_ns=boot_ns()) for bed in told] if self.quiet else []

    async def attend(self, ward: Ward) -> None:
        """From now on the alarms of this ward are those of the bed."""
        self.ward = ward
        ward.run()
        await self._alarms()

    async def _alarms(self) -> None:
        """What the hub says of alarms, when it is new."""
        for kind, text in (await self.ward.texts()).items() if self.ward is not None else ():
            if text != self._told.get(kind):
                self._told[kind] = text
                await self._send(text)

    def frame(self, n: int, bed: int = 0) -> bytes:
        stream = Stream("ECG-0042", "ecg", RATE, ())
        segment = Segment("segment", "1", stream, self.boot, self.connection, self._began)
        values = heartbeats(np.arange(self.sample, self.sample + n))
        for lead in self.off:
            values[LEADS.index(lead)] = np.nan
        values = values[[LEADS.index(lead) for lead in self.leads]]
        t0 = self._began + round(self.sample * 1e9 / RATE)
        block = DisplayBlock(segment, self.sample, t0, 1e9 / RATE, t0, self.leads, values, ())
        return encode_waves(bed, block)

    async def _feed(self) -> None:
        spoke = 0.0
        while True:
            await asyncio.sleep(FRAME_S)
            due = int((boot_ns() - self._began) * RATE / 1e9)
            n = min(due - self.sample, 10 * RATE)
            if not self.talking or n <= 0:
                self.sample = due
                continue
            if self.ward is not None and self.ward.run():
                await self._alarms()
            for other in self.others:
                if (frame := other.frame(self._began, boot_ns())) is not None:
                    await self._send(frame)
            if self.flowing and self.ecg:
                for bed in range(len(self.beds)):
                    frame = self.frame(n, bed)
                    for _ in range(self.copies):
                        await self._send(frame)
                for beat in range(int(self.sample / RATE / PERIOD_S), int(due / RATE / PERIOD_S)):
                    t_ns = self._began + round((beat * PERIOD_S + _PLACES[2]) * 1e9)
                    await self._send(
                        BeatSeen(bed=self.beds[0], t_ns=t_ns, label=self.beat_label).model_dump_json()
                    )
            self.sample = due
            if time.monotonic() - spoke >= 0.5:
                spoke = time.monotonic()
                await self.say()

    async def _send(self, message: bytes | str) -> None:
        for ws in list(self._sockets):
            with contextlib.suppress(ConnectionError):
                await (ws.send_bytes(message) if isinstance(message, bytes) else ws.send_str(message))

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        self._sockets.append(ws)
        if self.talking:
            await ws.send_str(self.state().model_dump_json())
            for text in (await self.ward.texts()).values() if self.ward is not None else ():
                await ws.send_str(text)
        try:
            async for _ in ws:
                pass
        finally:
            self._sockets.remove(ws)
        return ws

    async def _who(self, request: web.Request) -> web.Response:
        """The value of a browser's cookie is the role that it has signed in with."""
        role = request.headers.get("X-Vitald-Held", "")
        if role not in PEOPLE:
            return web.json_response({"name": "", "role": "nobody"})
        return web.json_response({"name": f"Nora {role.capitalize()}", "role": role, "person": f"id-{role}"})

    async def _setup(self, _request: web.Request) -> web.Response:
        return web.json_response({"needed": False})

    async def _note(self, request: web.Request) -> web.Response:
        self.notes.append(await request.json())
        return web.json_response({"acted": True})

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(text=self.state().model_dump_json())

    async def _limits(self, request: web.Request) -> web.Response:
        told = None if self.ward is None else self.ward.hub.limits(request.query["bed"])
        if told is None:
            raise web.HTTPNotFound
        return web.json_response(text=told.model_dump_json())

    async def _proposals(self, _request: web.Request) -> web.Response:
        return web.json_response({"proposals": []})

    async def _screens(self, request: web.Request) -> web.Response:
        self.screens.append(ScreensSeen.model_validate_json(await request.read()))
        return web.Response(status=204)

    async def _command(self, request: web.Request) -> web.Response:
        act = Act.model_validate_json(await request.read())
        self.acts.append(act)
        if act.verb != "display" and self.ward is not None:
            refusal = self.ward.act(act)
            await self._alarms()
            return web.json_response(
                text=Acted(id=act.id, acted=not refusal, error=refusal).model_dump_json()
            )
        if self.refuse:
            return web.json_response(text=Acted(id=act.id, acted=False, error=self.refuse).model_dump_json())
        if act.verb in {"set_device", "assign_device"}:
            if act.verb == "set_device":
                await self.answered.wait()
            return web.json_response(text=Acted(id=act.id, acted=True).model_dump_json())
        values = {key: int(value) if key == "mains_hz" else value for key, value in act.values.items()}
        self.display = DisplayState.model_validate({**self.display.model_dump(), **values})
        await self.say()
        return web.json_response(text=Acted(id=act.id, acted=True).model_dump_json())


def config_for(run: Path, beds: tuple[str, ...] = ("1",)) -> Config:
    return Config(
        box={"run": run, "data": run, "name": "test box"}, web={"port": 0}, beds={key: {} for key in beds}
    )
