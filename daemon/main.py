"""Composition root of the daemon: builds the rooms, connects them, owns their lifetimes.

Threads: the main event loop (analysis, alarms, live hub, control socket), one acquisition thread, the store's writer thread.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import signal
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from daemon import __version__, journal
from daemon.acquisition.ports import Acquisition, boottime_ns
from daemon.appliance import crash
from daemon.appliance.alone import hold_alone, usable, wait_while_ending
from daemon.appliance.care import Care
from daemon.appliance.crash_queue import CrashQueue
from daemon.appliance.crash_spool import Spool
from daemon.appliance.proof import Proof
from daemon.appliance.room import has_room, quota_of
from daemon.as_set import AsSet
from daemon.beds import Beds
from daemon.config import BadConfig, Config
from daemon.control.clouds import CloudRoutes, relied_on
from daemon.control.confirmed import ConfirmedRoute
from daemon.control.crashes import CrashRoutes
from daemon.control.exports import ExportRoutes
from daemon.control.imports import ImportRoutes
from daemon.control.live import LiveHub
from daemon.control.messages import Act, DisplayState, ScreensSeen
from daemon.control.occupant import PatientState
from daemon.control.people_routes import PeopleRoutes
from daemon.control.proof import ProofRoutes
from daemon.control.reports import ReportRoutes
from daemon.control.screens import Screens
from daemon.control.server import Server
from daemon.control.sessions import SessionRoutes
from daemon.control.settings import SettingsRoutes
from daemon.control.wishes import WishRoutes
from daemon.devices.acts import VERBS as DEVICE_VERBS
from daemon.devices.rooms import Devices
from daemon.dispatch.messages import Dispatch
from daemon.exporting import Exporting
from daemon.first_start import FirstStart
from daemon.importing import Importing
from daemon.machines import machine_routes
from daemon.model.actor import BEDSIDE, acting
from daemon.model.signals import Command, Fact, FactState, Tick
from daemon.patients import Patient, Patients
from daemon.reporting import Reporting
from daemon.sessions import Sessions
from daemon.settings import Settings as AsKept
from daemon.signals.link import Loudspeaker
from daemon.signals.messages import Heard
from daemon.signals.wanting import Wanting
from daemon.signing import Signing, spans_of
from daemon.store.acknowledged import Acknowledged
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.store.schema import ForeignStore
from daemon.store.sessions import SESSION_VERBS
from daemon.store.writer import STORE_DAMAGED, StoreBusy, Writer
from daemon.wallclock import Seen, WallClock, utc_offset_ns
from daemon.wishes import Wishes

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001

ITEMS_A_SLICE = 64
"""Items pushed before the loop serves others: a backlog of seconds must not make the pages wait for all of it."""


def run_daemon(config: Config, path: Path | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. `path` is the configuration's. Raises `BadConfig` where a folder cannot be used."""
    journal.begin()
    # The acquisition thread must get its turn soon while this one computes: arrival stamps are late by it at most.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as held:
        for folder in (config.box.data, config.box.run):
            usable(folder)
        hold_alone(config.box.run / "daemon.lock", held)
        wait_while_ending(config)
        try:
            asyncio.run(Daemon(config, path).run())
        except (StoreBusy, ForeignStore) as error:
            raise BadConfig(f"box.data: {error}") from None
    return 0


def boot_id() -> str:
    """The kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Daemon:
    """The rooms of one box, and the loop that carries items from the ports through every bed."""

    def __init__(self, config: Config, path: Path | None = None) -> None:
        self._config = config
        self._boot = boot_id()
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
        self._patients = patients = Patients(self._people)
        self._signing = Signing(
            self._people,
            config.box.people,
            self._boot,
            now=boottime_ns,
            utc=self._clock.utc,
            spans=spans_of(config.sign_in),
        )
        self._signing.box = FirstStart(config, path, self._signing, self._clock.utc)
        self._sessions = Sessions(
            config.beds,
            patients,
            History(config.box.database),
            now=boottime_ns,
            utc=self._clock.utc,
            obey=self._obey,
            saved=acknowledged.wait,
            own_limits=lambda bed: self._beds.bedsides[bed].alarms.own,
            changed=self._occupy,
        )
        self._acquisition = Acquisition(config.beds, self._boot, now=boottime_ns)
        self._devices = Devices(
            self._people,
            self._acquisition,
            config.beds,
            lambda fact: self._beds.bedsides[fact.bed].push(fact),
            firmware=(config.forward_data / "firmware", lambda: patients.here),
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
        self._wanting = Wanting(config.sound.volume, melodies=config.sound.melodies)
        self._as_set = AsSet(
            config,
            lambda: {key: bedside.alarms for key, bedside in self._beds.bedsides.items()},
            self._wanting,
            obey=self._obey,
            here=lambda: patients.here,
            now=boottime_ns,
            utc_ns=lambda: self._clock.utc()[0],
        )
        self._settings = AsKept(self._people, config.beds, utc=self._clock.utc, changed=self._as_set.apply)
        self._loudspeaker = (
            Loudspeaker(config.sound_socket, boottime_ns, self._everywhere) if config.sound.enabled else None
        )
        self._beds = Beds(
            config,
            self._boot,
            hub=self._hub,
            writer=self._writer,
            dispatch=self._dispatch,
            wanting=self._wanting,
            loudspeaker=self._loudspeaker,
            ward=lambda: self._as_set.limits,
            heard=self._devices.hear,
            ticked=self._ticked,
            now=boottime_ns,
        )
        self._crashes = CrashQueue(
            Spool(config.crash_data),
            self._people,
            lambda told: self._writer.offer("", Tick(told.t_ns), outgoing=[told]),
            now=boottime_ns,
            utc=self._clock.utc,
        )
        self._screens = Screens(
            config.beds, self._beds.watched(lambda: patients.here), speaker=config.sound.enabled
        )
        self._care = Care(
            config,
            self._acquisition,
            tell=self._everywhere,
            state=self._hub.state,
            pictures=lambda: list(self._beds.pictures().values()),
            heard=self._heard,
            proof=lambda: self._proof.last,
            now=boottime_ns,
        )
        self._proof = Proof(
            config.proof,
            self._beds,
            speaker=config.sound.enabled,
            heard=self._heard,
            obey=self._obey,
            tell=self._everywhere,
            trail=self._signing.trail,
            now=boottime_ns,
            utc=self._clock.utc,
        )
        self._clouds = CloudRoutes(self._everywhere, boottime_ns, relied_on(config.forward))
        self._server = Server(
            self._hub,
            self._act,
            self._hear_screens,
            [
                SessionRoutes(self._sessions),
                SettingsRoutes(self._settings),
                CrashRoutes(self._crashes),
                self._clouds,
                ConfirmedRoute(self._writer.confirmed),
                WishRoutes(self._wishes),
                *self._devices.routes,
                self._care,
                ProofRoutes(self._proof.prove, lambda: self._proof.last),
                PeopleRoutes(self._signing),
                *machine_routes(
                    self._people,
                    self._devices.attached,
                    self._writer,
                    tuple(config.beds),
                    now=boottime_ns,
                    utc=self._clock.utc,
                ),
                ReportRoutes(
                    Reporting(
                        self._writer,
                        self._people,
                        History(config.box.database),
                        boot=self._boot,
                        now=boottime_ns,
                        utc=self._clock.utc,
                        upload=config.reports.upload,
                    )
                ),
                ExportRoutes(
                    Exporting(self._people, History(config.box.database), config.box.data, self._clock.utc)
                ),
                ImportRoutes(
                    Importing(self._writer, patients, config.beds, lambda: has_room(config), self._clock.utc)
                ),
            ],
            known=self._signing.entrance,
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
        await self._settings.restore()
        await self._wishes.restore()
        await self._devices.restore()
        await self._signing.restore()
        await self._beds.restore()
        await self._proof.restore(self._people)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(
                        self._server.run(self._config.box.socket, self._listening), name="control"
                    ),
                    tasks.create_task(self._carry(), name="way of a sample"),
                    tasks.create_task(self._clock.run(), name="clock"),
                    tasks.create_task(self._devices.run(), name="devices"),
                    tasks.create_task(self._crashes.run(), name="crash reports"),
                    tasks.create_task(self._signing.run(), name="people"),
                    tasks.create_task(self._care.run(stop.set, self._writes), name="care"),
                    tasks.create_task(self._proof.run(), name="proof of the alarm chain"),
                ]
                if self._loudspeaker is not None:
                    running.append(tasks.create_task(self._loudspeaker.run(), name="sound"))
                self._acquisition.start(loop, self._wake.set)
                await stop.wait()
                await asyncio.to_thread(self._acquisition.stop)
                while items := self._acquisition.drain(ITEMS_A_SLICE):
                    self._beds.push(items)
                for task in running:
                    task.cancel()
        finally:
            await asyncio.to_thread(self._acquisition.stop)
            await self._writer.stop()
            await self._signing.close()
            await self._people.close()

    async def _writes(self) -> None:
        """Ends when the store answers."""
        await History(self._config.box.database).ask(lambda reader: reader.boots())

    async def _carry(self) -> None:
        """Items from the acquisition thread through the beds, in slices."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while items := self._acquisition.drain(ITEMS_A_SLICE):
                self._beds.push(items)
                if len(items) < ITEMS_A_SLICE:
                    break
                await asyncio.sleep(0)

    def _ticked(self, tick: Tick) -> list[Fact]:
        """All beds have judged a Tick."""
        self._care.ticked(tick.t_ns)
        self._proof.ticked()
        self._clouds.judge(tick.t_ns)
        return self._screens.judge(tick.t_ns)

    def _hear_screens(self, seen: ScreensSeen) -> None:
        self._screens.hear(seen, boottime_ns())
        self._proof.hear(seen)

    def _heard(self) -> Heard | None:
        """The loudspeaker's last word."""
        return self._loudspeaker.heard if self._loudspeaker else None

    def _clock_changed(self, seen: Seen) -> None:
        self._writer.clock_offset(seen.offset_ns, is_set=seen.is_set)

    def _everywhere(self, fact: Fact) -> None:
        crash.heard(fact)
        self._beds.everywhere(fact)

    def _act(self, act: Act) -> asyncio.Future[str] | None:
        """Hand in an act of a screen."""
        if act.verb in SESSION_VERBS:
            refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            refused.set_result("patients are admitted and discharged at /sessions")
            return refused
        by = acting()
        actor = by.name if by else BEDSIDE
        values = act.values if act.verb == "display" else {"screen": actor, **act.values}
        command = Command(act.id, boottime_ns(), act.bed, actor, act.verb, tuple(sorted(values.items())))
        decided = self._obey(command)
        if act.verb not in DEVICE_VERBS:  # those have rows of their own
            stay = self._patients.here.get(act.bed)
            self._signing.acted(command, stay.patient.patient_id if stay else "", decided)
        return decided

    def _obey(self, command: Command) -> asyncio.Future[str] | None:
        """A Command through its bed; one on a device is decided by the device."""
        decided = self._beds.obey(command)
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
