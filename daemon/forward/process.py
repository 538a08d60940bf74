"""Composition root of `vitald forward`: the ledger, the store's reader, the registry, and one task tree for each destination.

A destination's tree shares nothing with another's but the ledger's thread and the sealing threads, which never wait for a
network. One that fails is begun anew from the ledger, alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from daemon import config as settings
from daemon import journal
from daemon.config import BadConfig, Config
from daemon.forward import ledger
from daemon.forward.assistant import Assistant
from daemon.forward.bookkeeping import Bookkeeping
from daemon.forward.delivery import COLLECT_S
from daemon.forward.destinations import Destination
from daemon.forward.destinations.kinds import BadOptions, make
from daemon.forward.destinations.place import Place, secret_file
from daemon.forward.ledger import ForeignLedger
from daemon.forward.mail import mailing
from daemon.forward.packing import Terms
from daemon.forward.registry import Pulled
from daemon.forward.sender import Sender
from daemon.forward.source import Heads, StoreChanged, StoreSource
from daemon.forward.status import Status
from daemon.forward.telling import Telling
from daemon.forward.uploads import UploadLog
from daemon.forward.wishing import Wishing
from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store.reader import ask
from daemon.store.recorded import session

log = logging.getLogger(__name__)

SEALING_THREADS = 4

Alive = Callable[[], Coroutine[Any, Any, None]]
"""Tells whoever started the process that it is ready and lives (appliance/notify.py)."""

ANEW_FIRST_S, ANEW_LONGEST_S = 1.0, 60.0
"""A destination's tree that failed (a bug) begins anew after this, doubled each time."""

STEADY_S = 60.0


def run_forward(config: Config, alive: Alive | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. `alive` is told as long as it runs. Raises `BadConfig`."""
    journal.begin()
    for folder in (config.forward_data, config.forward_socket.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise BadConfig(f"box.data / box.run: {folder}: {error.strerror}") from error
    with (config.forward_data / "forward.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadConfig(
                f"box.data: another vitald forward is running here ({lock.name} is held)"
            ) from None
        try:
            asyncio.run(Forwarder(config).until_stopped(alive))
        except ForeignLedger as error:
            raise BadConfig(f"box.data: {error}") from None
    return 0


def check(config: Config) -> dict[str, str]:
    """Of each destination that is switched on why it cannot be made of what is configured, "" where it can."""
    forwarder = Forwarder(config)
    return {name: forwarder.misconfigured.get(name, "") for name in forwarder.wanted}


def boottime_ns() -> Nanos:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def box_serial(config: Config) -> str:
    """The box's own serial number: as configured, else one made of the machine's id."""
    if config.box.serial:
        return config.box.serial
    machine = Path("/etc/machine-id")
    known = machine.read_text(encoding="ascii").strip() if machine.exists() else "none"
    return f"BOX-{hashlib.sha256(f'vitald {known}'.encode()).hexdigest()[:12].upper()}"


class Forwarder:
    """Everything of the forwarder's process. `makes` makes a destination of its settings (tests hand in their own)."""

    def __init__(
        self,
        config: Config,
        *,
        makes: Callable[[str, settings.Destination], Destination] | None = None,
        boot: str = "",
        now_ns: Callable[[], Nanos] = boottime_ns,
    ) -> None:
        self._config = config
        self._makes = makes or self._make
        self._now_ns = now_ns
        wanted = config.forward.destinations if config.forward.enabled else {}
        self.wanted = {name: one for name, one in wanted.items() if one.enabled}
        self._wishing = Wishing(config.box.socket, self, config.forward_data / "firmware")
        self.books = Bookkeeping(config.forward_data / "forward.db")
        self.source = StoreSource(config.box.database, boot or boot_id(), now_ns)
        self.heads = Heads(self.source, self._now_s, self._news)
        self.senders: dict[str, Sender] = {}
        self.misconfigured = dict(self._check())
        """Destinations that cannot be made of what is configured, and why. The others go on without them."""
        self.faults: dict[str, str] = dict(self.misconfigured)
        self.registry = Pulled(
            config.forward.routes, config.forward.registry_url, self.books, self._registry_key
        )
        self._sealing = ThreadPoolExecutor(SEALING_THREADS, thread_name_prefix="sealing")
        assistant = Assistant(config.assistant, self._credentials())
        self.status = Status(self, self.wanted, [assistant])
        self._telling = Telling(config.box.socket, self)
        self._uploads = UploadLog(config.forward_data / "uploads.json", config.box.socket, time.time_ns)

    def _check(self) -> Iterator[tuple[str, str]]:
        for name, one in self.wanted.items():
            try:
                self._makes(name, one)
            except BadConfig as error:
                yield name, str(error)

    async def until_stopped(self, alive: Alive | None = None) -> None:
        """Run until SIGTERM or SIGINT."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        running = asyncio.create_task(self.run(), name="forward")
        stopped = asyncio.create_task(stop.wait(), name="forward: signal")
        lives = asyncio.create_task(alive(), name="forward: alive") if alive is not None else None
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if lives is not None:
            lives.cancel()
        if running.done():
            running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def run(self) -> None:
        """Until cancelled. Raises `ForeignLedger`, sqlite3.Error or OSError where the ledger cannot be used."""
        await self.books.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.books.run(), name="forward: ledger")
                await self._begin()
                tasks.create_task(
                    self.status.serve(self._config.forward_socket, self._listening), name="forward: status"
                )
                tasks.create_task(
                    self.registry.run(self._config.forward.registry_every_s), name="forward: registry"
                )
                tasks.create_task(self._telling.run(), name="forward: telling the daemon")
                tasks.create_task(self._uploads.run(), name="forward: upload log")
                tasks.create_task(self._wishing.run(), name="forward: wishes")
                mail = mailing(
                    self._config.mail, self._config.box.socket, self._credentials(), self._config.box.name
                )
                tasks.create_task(mail.run(), name="forward: mail")
                while True:
                    await self._serve_store()
        finally:
            await self.books.close()
            self._sealing.shutdown(wait=False)

    async def _begin(self) -> None:
        await self.registry.restore()
        gone = await self.books.do(lambda db: ledger.forget_others(db, list(self.wanted)))
        for name in gone:
            log.info("forward: %s is no longer configured", name)
        for name, one in self.wanted.items():
            if name in self.misconfigured:
                log.error("forward: nothing goes to %s: %s", name, self.misconfigured[name])
            else:
                log.info("forward: to %s (%s)", name, one.kind)

    async def _serve_store(self) -> None:
        """Forward from one store, until it is another file."""
        await self.heads.begin()
        if not await self.books.do(lambda db: ledger.belongs_to(db, self.heads.store)):
            log.error(
                "forward: the store is another file than before: its records are sent from the first on"
            )
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, one in self.wanted.items():
                    if name not in self.misconfigured:
                        tasks.create_task(self._supervise(name, one), name=f"forward: {name}")
                tasks.create_task(self.heads.run(), name="forward: news")
        except* StoreChanged:
            self.senders.clear()

    async def _supervise(self, name: str, one: settings.Destination) -> None:
        """A destination's tree, begun anew from the ledger whenever it fails."""
        pause_s = ANEW_FIRST_S
        if one.routed:
            await self.registry.known.wait()
        while True:
            began_s = self._now_s()
            try:
                sender = self._sender(name, one)
                await sender.restore(self.heads.heads, await self._start(one))
                self.senders[name] = sender
                self.faults.pop(name, None)
                sender.see(self.heads.heads, self.heads.splits)
                await sender.run()
            except Exception as error:
                log.exception("forward: %s failed and begins anew", name)
                self.faults[name] = f"{type(error).__name__}: an error of vitald; it tries again"
            if self._now_s() - began_s > STEADY_S:
                pause_s = ANEW_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, ANEW_LONGEST_S)

    def _sender(self, name: str, one: settings.Destination) -> Sender:
        backend = one.backend or name
        goes = (lambda record: self.registry.routes.goes(record, backend)) if one.routed else None
        terms = Terms(
            one.max_bytes_per_s,
            {**COLLECT_S, Lane.WAVEFORM: one.collect_s},
            frozenset(Lane[lane.upper()] for lane in one.lanes),
            goes or (lambda _: True),
        )
        return Sender(
            name,
            self._makes(name, one),
            terms,
            self.books,
            self.source,
            now_s=self._now_s,
            sealing=self._sealing,
            uploads=self._uploads.heard,
        )

    async def _start(self, one: settings.Destination) -> int:
        """The last seq that a new destination does not get."""
        if one.start == "all":
            return 0
        if one.start == "now":
            return max(self.heads.heads.values())
        utc_ns = int(datetime.fromisoformat(one.start).timestamp()) * 10**9
        try:
            return await self.source.last_before(utc_ns, max(self.heads.heads.values()))
        except (sqlite3.Error, OSError) as error:
            raise RuntimeError(f"the store cannot be read: {error}") from error

    def _make(self, name: str, one: settings.Destination) -> Destination:
        given: Mapping[str, SecretStr] = {}
        if key := os.environ.get("BACKEND_API_KEY"):
            given = {"BACKEND_API_KEY": SecretStr(key)}
        place = Place(
            name=name,
            box=box_serial(self._config),
            credentials=self._credentials(),
            state=self._config.forward_data / name,
            reports=self._config.box.data / "reports",
            given=given,
            wishes=self._wishing.heard(name),
            demo=self._config.box.demo,
            patient=self._patient,
        )
        try:
            return make(one.kind, one.options, place)
        except BadOptions as error:
            raise BadConfig(f"forward.destinations.{name}.{error}") from None

    def _patient(self, name: str) -> Mapping[str, Any] | None:
        """Whose a session is; None where nobody's, or where the store does not say now."""
        if not name:
            return None
        try:
            found = ask(self._config.box.database, lambda reader: session(reader, name))
        except (sqlite3.Error, OSError):
            return None
        return found.patient if found is not None else None

    def _credentials(self) -> Path:
        return Path(os.environ.get("CREDENTIALS_DIRECTORY") or self._config.forward.credentials)

    def _registry_key(self) -> str:
        name = self._config.forward.registry_key_file
        return secret_file(self._credentials(), name).read_text(encoding="utf-8").strip() if name else ""

    def _news(self) -> None:
        for sender in self.senders.values():
            sender.see(self.heads.heads, self.heads.splits)

    def _now_s(self) -> float:
        return self._now_ns() / 1e9

    def _listening(self) -> None:
        log.info("forward: listening on %s", self._config.forward_socket)
