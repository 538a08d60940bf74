"""Composition root of the daemon: builds the rooms, connects them, owns their lifetimes.

Threads: the main event loop (analysis, live hub, control socket), one acquisition thread, the store's writer thread.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from daemon import __version__
from daemon.acquisition.ports import Acquisition, boottime_ns
from daemon.bedside import Bedside
from daemon.config import BadConfig, Bed, Config
from daemon.control.live import LiveHub
from daemon.control.messages import Act, DisplayState
from daemon.control.server import Server
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Finding
from daemon.model.signals import Command, Fact, Item, Tick
from daemon.store.schema import ForeignStore
from daemon.store.writer import StoreBusy, Writer

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001

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
            beds=[(key, bed.name, shown_as(bed)) for key, bed in config.beds.items()],
            utc_ms=lambda: time.time_ns() // 1_000_000,
        )
        self._writer = Writer(
            config.box.database,
            boot=self._boot,
            now=boottime_ns,
            utc_offset_ns=time.time_ns() - boottime_ns(),
            on_fact=self._everywhere,
        )
        self._bedsides = {
            key: Bedside(
                key,
                analysis=lambda bed=bed: Pipeline(table, settings_of(bed), classes, further),  # type: ignore[misc]
                live=self._hub.publish,
                store=self._store,
                failed=lambda error: log.error("analysis failed and starts anew", exc_info=error),
            )
            for key, bed in config.beds.items()
        }
        self._acquisition = Acquisition(config.beds, self._boot, now=boottime_ns)
        self._server = Server(self._hub, self._act)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT: then ports are closed, everything taken is stored, and the socket goes."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await self._writer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(
                        self._server.run(self._config.box.socket, self._listening), name="control"
                    ),
                    tasks.create_task(self._carry(), name="way of a sample"),
                ]
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
            else:
                self._bedsides[bed].push(item)

    def _everywhere(self, fact: Fact) -> None:
        for bedside in self._bedsides.values():
            bedside.push(fact)

    def _store(self, bed: str, item: Item, findings: Sequence[Finding]) -> None:
        self._writer.offer(bed, item, findings)

    def _act(self, act: Act) -> None:
        command = Command(
            act.id, boottime_ns(), act.bed, "screen", act.verb, tuple(sorted(act.values.items()))
        )
        self._bedsides[act.bed].push(command)

    def _listening(self) -> None:
        log.info("listening on %s", self._config.box.socket)


def shown_as(bed: Bed) -> DisplayState:
    return DisplayState(mode=bed.display.mode, mains_hz=bed.display.mains_hz, cleaning=bed.display.cleaning)


def settings_of(bed: Bed) -> DisplaySettings:
    return DisplaySettings(
        mode=bed.display.mode, mains_hz=bed.display.mains_hz, cleaning=bed.display.cleaning
    )
