"""Composition root of the daemon: builds the rooms, connects them, owns their lifetimes.

Threads: the main event loop (analysis, alarms, live hub, control socket), one acquisition thread, the store's writer thread.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import platform
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from daemon import __version__
from daemon.acquisition.ports import Acquisition, boottime_ns
from daemon.alarms.acts import VERBS
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits, Settings
from daemon.bedside import Bedside
from daemon.config import BadConfig, Config, Store
from daemon.control.clouds import CloudRoutes
from daemon.control.confirmed import ConfirmedRoute
from daemon.control.imports import ImportRoutes
from daemon.control.live import LiveHub
from daemon.control.messages import Act, DisplayState
from daemon.control.occupant import PatientState
from daemon.control.screens import Screens
from daemon.control.server import Server
from daemon.control.sessions import SessionRoutes
from daemon.control.wishes import WishRoutes
from daemon.devices.acts import VERBS as DEVICE_VERBS
from daemon.devices.rooms import Devices
from daemon.dispatch.messages import Dispatch
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.importing import Importing
from daemon.model.alarms import Change, ChangeKind, Values
from daemon.model.findings import Finding
from daemon.model.signals import Command, Fact, FactState, Item, Nanos, Tick
from daemon.patients import Patient, Patients
from daemon.sessions import Sessions
from daemon.signals.link import Loudspeaker
from daemon.signals.wanting import Wanting
from daemon.store.acknowledged import Acknowledged
from daemon.store.ballast import free_bytes
from daemon.store.box import BoxFile
from daemon.store.entries import AlarmsKept
from daemon.store.handover import Handover
from daemon.store.reader import History
from daemon.store.retention import Quota
from daemon.store.schema import ForeignStore
from daemon.store.sessions import SESSION_VERBS
from daemon.store.writer import STORE_DAMAGED, StoreBusy, Writer
from daemon.wallclock import Seen, WallClock, utc_offset_ns
from daemon.wishes import Wishes
from daemon.words import say

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001

ACTOR = "bedside screen"
"""Who acts, as long as nobody logs in."""

RESTORED_WITHIN_S = 3.0
"""What the last process kept of the alarms is waited for so long; then all is judged anew."""

KEPT_EVERY_NS: Nanos = 5_000_000_000
"""How often the state of alarms goes to the database when nothing changes: well within the half minute after which it is too old."""

ITEMS_A_SLICE = 64
"""Items pushed before the loop serves others: a backlog of seconds must not make the pages wait for all of it."""


def run_daemon(config: Config) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises `BadConfig` where a folder cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # The acquisition thread must get its turn soon while this one computes: arrival stamps are late by it at most.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as held:
        for folder in (config.box.data, config.box.run):
            _usable(folder)
        _hold_alone(config.box.run / "daemon.lock", held)
        try:
            asyncio.run(Daemon(config).run())
        except (StoreBusy, ForeignStore) as error:
            raise BadConfig(f"box.data: {error}") from None
    return 0


def _usable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise BadConfig(f"box.data / box.run: {folder}: {error.strerror}") from error


def _hold_alone(lock: Path, held: ExitStack) -> None:
    """Two daemons on one box would write one database: the second one ends here."""
    file = held.enter_context(lock.open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadConfig(f"box.run: another vitald is running here ({lock} is held)") from None


def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Daemon:
    """The rooms of one box, and the loop that carries items from the ports through every bed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._boot = boot_id()
        table, classes = load_qrs_table(), load_class_table()
        further = Tables(load_waves_table(), load_rhythm_table())
        self._hub = LiveHub(
            boot=self._boot,
            version=__version__,
            box=config.box.name,
            demo=config.box.demo,
            beds=[
                (key, bed.name, DisplayState(**bed.display.model_dump())) for key, bed in config.beds.items()
            ],
            utc_ms=lambda: time.time_ns() // 1_000_000,
        )
        self._clock = WallClock(self._clock_changed, self._everywhere, boottime_ns)
        self._writer = Writer(
            config.box.database,
            boot=self._boot,
            now=boottime_ns,
            utc_offset_ns=self._clock.seen.offset_ns,
            clock_is_set=self._clock.is_set,
            on_fact=self._everywhere,
            on_saved=(acknowledged := Acknowledged()).hear,
            quota=quota_of(config.store),
            about={
                "os": f"{platform.system().lower()} {platform.release()}",
                "app_version": __version__,
            },
        )
        self._dispatch = Dispatch(
            lambda t_ns: t_ns + utc_offset_ns(),
            demo=config.box.demo,
            failed=lambda error: log.error("dispatch: a message could not be made", exc_info=error),
        )
        self._people = BoxFile(config.box.people, self._box_damaged)
        patients = Patients(self._people)
        self._sessions = Sessions(
            config.beds,
            patients,
            History(config.box.database),
            now=boottime_ns,
            utc=self._clock.utc,
            obey=self._obey,
            saved=acknowledged.wait,
            changed=self._occupy,
        )
        self._acquisition = Acquisition(config.beds, self._boot, now=boottime_ns)
        self._devices = Devices(
            self._people,
            self._acquisition,
            config.beds,
            lambda fact: self._bedsides[fact.bed].push(fact),
            now=boottime_ns,
            utc=self._clock.utc,
        )
        self._wishes = Wishes(
            self._people,
            self._devices.attached,
            now=boottime_ns,
            utc=self._clock.utc,
            obey=self._obey,
            limits=self._hub.limits,
        )
        self._bedsides = {
            key: Bedside(
                key,
                analysis=lambda bed=bed: Pipeline(
                    table, DisplaySettings(**bed.display.model_dump()), classes, further
                ),  # type: ignore[misc]
                alarms=self._engine,
                signals=self._signal,
                live=self._hub.publish,
                store=self._store,
                failed=lambda what, error: log.error("%s failed and starts anew", what, exc_info=error),
            )
            for key, bed in config.beds.items()
        }
        for key, bedside in self._bedsides.items():
            self._hub.watch(key, bedside.alarms)
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._kept_ns: dict[str, Nanos] = {}
        self._handover = Handover(config.box.run / "alarms.json", self._boot)
        self._wanting = Wanting(config.sound.volume, melodies=config.sound.melodies)
        self._loudspeaker = (
            Loudspeaker(config.sound_socket, boottime_ns, self._everywhere) if config.sound.enabled else None
        )
        self._screens = Screens(config.beds, speaker=config.sound.enabled)
        self._server = Server(
            self._hub,
            self._act,
            lambda seen: self._screens.hear(seen, boottime_ns()),
            [
                SessionRoutes(self._sessions),
                CloudRoutes(self._everywhere, boottime_ns),
                ConfirmedRoute(self._writer.confirmed),
                WishRoutes(self._wishes),
                ImportRoutes(Importing(self._writer, patients, config.beds, lambda: has_room(config))),
            ],
        )
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT: then ports are closed, everything taken is stored, and the socket goes."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await self._writer.start()
        for bed, occupant in (await self._sessions.restore()).items():
            self._writer.occupied(bed, occupant)
        await self._wishes.restore()
        await self._devices.restore()
        await self._restore_alarms()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(
                        self._server.run(self._config.box.socket, self._listening), name="control"
                    ),
                    tasks.create_task(self._carry(), name="way of a sample"),
                    tasks.create_task(self._clock.run(), name="clock"),
                    tasks.create_task(self._devices.run(), name="devices"),
                ]
                if self._loudspeaker is not None:
                    running.append(tasks.create_task(self._loudspeaker.run(), name="sound"))
                self._acquisition.start(loop, self._wake.set)
                await stop.wait()
                await asyncio.to_thread(self._acquisition.stop)
                while items := self._acquisition.drain(ITEMS_A_SLICE):
                    self._push(items)
                for task in running:
                    task.cancel()
        finally:
            await asyncio.to_thread(self._acquisition.stop)
            await self._writer.stop()
            await self._people.close()

    async def _carry(self) -> None:
        """Items from the acquisition thread through the beds, in slices."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while items := self._acquisition.drain(ITEMS_A_SLICE):
                self._push(items)
                if len(items) < ITEMS_A_SLICE:
                    break
                await asyncio.sleep(0)

    def _push(self, items: Sequence[tuple[str, Item]]) -> None:
        for bed, item in items:
            if isinstance(item, Tick) or (isinstance(item, Fact) and not item.bed):
                for bedside in self._bedsides.values():
                    bedside.push(item)
                if isinstance(item, Tick):
                    self._sound(item)
                    for fact in self._screens.judge(item.t_ns):
                        self._bedsides[fact.bed].push(fact)
            else:
                self._bedsides[bed].push(item)

    def _engine(self, own: Settings, first: int) -> AlarmEngine:
        limits = Limits(own=own)
        for refusal in limits.refused:
            log.error(
                "alarms: a limit that was kept cannot be: %s", say(refusal.text, **_filled(refusal.values))
            )
        return AlarmEngine(limits, boot=self._boot, first=first)

    async def _restore_alarms(self) -> None:
        """Go on where the last process stood. Limits are this patient's whatever the boot; the rest is for resume.py to judge."""
        history = History(self._config.box.database)
        kept: dict[str, AlarmsKept] = {}
        try:
            async with asyncio.timeout(RESTORED_WITHIN_S):
                kept = await history.ask(lambda reader: reader.alarm_states())
        except (sqlite3.Error, OSError, ValueError, TimeoutError) as error:
            log.error("alarms: what was kept cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
        kept |= self._handover.read()  # of this boot, and newer
        for bed, state in kept.items():
            if bed in self._bedsides:
                resumed = self._bedsides[bed].restore(state.limits, dict(state.state), boottime_ns())
                log.info("alarms: bed %s %s", bed, "goes on" if resumed else "is judged anew")

    def _sound(self, tick: Tick) -> None:
        """What shall be heard now. An engine that no longer judges gives no heartbeat: the sound process says so by itself."""
        beds = self._bedsides.values()
        if self._loudspeaker is not None and all(b.alarms.judged_ns >= tick.t_ns for b in beds):
            self._loudspeaker.want(self._wanting.wanted)

    def _signal(self, bed: str, item: Item, changes: Sequence[Change]) -> None:
        """The first to hear of a change: it is handed over before anybody can have seen it."""
        if isinstance(item, Tick):
            alarms = self._bedsides[bed].alarms
            if alarms.kept["t_ns"] == item.t_ns:
                self._handover.write(bed, AlarmsKept(item.t_ns, alarms.own, alarms.kept))
            self._wanting.take(bed, alarms.picture(), changes)
        for change in changes:
            asked = self._asked.get(change.command)
            if asked is not None and not asked.done():
                refused = change.kind is ChangeKind.REFUSED
                asked.set_result(say(change.text, **_filled(change.values)) if refused else "")

    def _clock_changed(self, seen: Seen) -> None:
        self._writer.clock_offset(seen.offset_ns, is_set=seen.is_set)

    def _everywhere(self, fact: Fact) -> None:
        for bedside in self._bedsides.values():
            bedside.push(fact)

    def _store(self, bed: str, item: Item, findings: Sequence[Finding], changes: Sequence[Change]) -> None:
        told = self._dispatch.push(bed, item, findings, changes)
        self._writer.offer(bed, item, findings, changes, told)
        self._devices.hear(item)
        if not isinstance(item, Tick):
            return
        if changes or item.t_ns - self._kept_ns.get(bed, 0) >= KEPT_EVERY_NS:
            self._kept_ns[bed] = item.t_ns
            alarms = self._bedsides[bed].alarms
            self._writer.keep(bed, AlarmsKept(alarms.kept["t_ns"], alarms.own, alarms.kept))

    def _act(self, act: Act) -> asyncio.Future[str] | None:
        """Hand in an act of a screen."""
        if act.verb in SESSION_VERBS:
            refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            refused.set_result("patients are admitted and discharged at /sessions")
            return refused
        values = act.values if act.verb == "display" else {"screen": ACTOR, **act.values}
        return self._obey(
            Command(act.id, boottime_ns(), act.bed, ACTOR, act.verb, tuple(sorted(values.items())))
        )

    def _obey(self, command: Command) -> asyncio.Future[str] | None:
        """A Command through its bed. One on alarms is decided at the next Tick, and only then is it done or refused."""
        decided: asyncio.Future[str] | None = None
        if command.verb in VERBS:
            decided = self._asked[command.id] = asyncio.get_running_loop().create_future()
            decided.add_done_callback(lambda _: self._asked.pop(command.id))
        self._bedsides[command.bed].push(command)
        return self._devices.obey(command) if command.verb in DEVICE_VERBS else decided

    def _occupy(self, bed: str, patient: Patient | None) -> None:
        if patient is None:
            self._hub.occupy(bed, None)
            return
        known = {name: getattr(patient, name) for name in ("patient_id", "full_name", "gender")}
        self._hub.occupy(bed, PatientState(**known, age=patient.age_at(datetime.now(UTC).date())))

    def _box_damaged(self, aside: Path) -> None:
        now_ns = boottime_ns()
        self._everywhere(
            Fact(STORE_DAMAGED, FactState.FAILED, since_ns=now_ns, t_ns=now_ns, detail=str(aside))
        )

    def _listening(self) -> None:
        log.info("listening on %s", self._config.box.socket)


def quota_of(store: Store) -> Quota:
    mb = 1_000_000
    return Quota(
        store.waveform_mb * mb, store.numbers_mb * mb, store.keep_free_mb * mb, store.ballast_mb * mb
    )


def has_room(config: Config) -> bool:
    """Whether an import leaves the live recording, which gives way by itself, more than the room it must have."""
    return free_bytes(config.box.data) > 2 * config.store.keep_free_mb * 1_000_000


def _filled(values: Values) -> dict[str, str]:
    """What fills the places of a sentence, as text."""
    return {name: value if isinstance(value, str) else f"{value:g}" for name, value in values}
