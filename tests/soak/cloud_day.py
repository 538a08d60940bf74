"""A day in the life, in simulated time: the reference cloud ends with exactly what the box recorded, alarms first.

24 hours of 12-lead ECG, said as fast as the disk takes them, while they are forwarded: the box wakes in 1970; six hours without a
network; three times both processes are killed at once, one of them while the network is away; for a while another program
takes the disk to its last byte. VITALD_DAY_HOURS makes it shorter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._forwarding import configure
from benchmarks.forward_full_disk import small_disk, take_all
from daemon.control.forwarding import ForwardClient, NotAnswering, Told
from daemon.store.outbox import heads
from daemon.store.reader import ask
from tests.cloud.app import serving
from tests.cloud.compare import compare
from tests.cloud.postgres import private
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy
from tests.soak._day import DAY_UTC_NS, begun, reached

HOURS = float(os.environ.get("VITALD_DAY_HOURS", "24"))

CUTS = (0.12, 0.40, 0.62)
AWAY = (0.25, 0.50)
FULL = (0.64, 0.98)
UNSET = 0.02
"""Parts of the day. The disk stays full for `FULL_S` seconds of it after the box has felt it, no longer."""

FULL_S = 60

MB_AN_HOUR, MB_BEFORE = 30, 48
ALARMS_BEFORE, REQUESTS_BEFORE = 0.2, 8
"""Share of the outage's samples that may arrive before the last of its alarms, or requests: some were under way."""


Fetch = Callable[..., Awaitable[Any]]
"""One value from the cloud's database."""


@dataclass
class Day:
    """What became of it. `wrong` is empty where all is as it should be."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    away: list[int] = field(default_factory=list)
    cuts: int = 0
    disk: bool = False


def run() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, private() as dsn:
        day = asyncio.run(lived(Path(folder), dsn, round(3600 * HOURS)))
    print("\n".join(day.lines))
    return day.wrong


async def lived(folder: Path, dsn: str, seconds: int, pace_s: float = 0.0) -> Day:
    """A day of so many seconds, each of which takes `pace_s` at least, and what the cloud has of it."""
    day, began = Day(), time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(serving(dsn, api_keys={"key": "box"}))
        cloud.state.max_bytes = 8 << 20
        proxy = await stack.enter_async_context(FaultsProxy("127.0.0.1", int(cloud.url.rpartition(":")[2])))
        config = configure(
            folder, {"cloud": f"http://127.0.0.1:{proxy.port}/api/v1"}, collect_s=1.0, timeout_s=5.0
        )
        stack.enter_context(_disk(folder, seconds, day))
        await _Living(folder, seconds, pace_s, proxy, day).through()
        forwarder = begun(folder / "forward.log", "forward", folder / "vitald.toml", "boot-last")
        try:
            told = await _all_sent(config.forward_socket)
        finally:
            forwarder.terminate()
            await asyncio.to_thread(forwarder.wait)
        took_s = time.monotonic() - began
        await _judge(day, config.box.database, dsn, cloud.state.pool.fetchval, told)
    full = was_full(folder)
    if day.disk and not full:
        day.wrong.append("the disk was never full")
    said = f"{seconds / 3600:.3g} h in {took_s:.0f} s; {day.cuts} cuts"
    day.lines.append(f"{said}; the disk was {'full once' if full else 'never full'}")
    return day


class _Living:
    """The day itself."""

    def __init__(self, folder: Path, seconds: int, pace_s: float, proxy: FaultsProxy, day: Day) -> None:
        self._folder = folder
        self._seconds = seconds
        self._pace_s = pace_s
        self._proxy = proxy
        self._day = day
        self._greedy: Path | None = None
        self._felt: int | None = None

    async def through(self) -> None:
        at = 0
        ends = [round(part * self._seconds) for part in CUTS] + [self._seconds]
        for n, end in enumerate(ends):
            boot = f"boot-{n}"
            last = n == len(ends) - 1
            unset = round(UNSET * self._seconds) if n == 0 else 0
            bed = begun(
                self._folder / "bed.log",
                "bed",
                self._folder,
                boot,
                at,
                self._seconds - at,
                unset,
                self._pace_s,
            )
            forwarder = begun(self._folder / "forward.log", "forward", self._folder / "vitald.toml", boot)
            try:
                while (at := reached(self._folder)) < end and bed.poll() is None:
                    self._weather(at)
                    await asyncio.sleep(0.02)
                if last:
                    await asyncio.to_thread(bed.wait)
                if bed.poll() not in {None, 0}:
                    raise RuntimeError((self._folder / "bed.log").read_text())
            finally:
                for process in (bed, forwarder):  # at once: the power is gone
                    process.kill()
                for process in (bed, forwarder):
                    process.wait()
            self._day.cuts += not last
        self._weather(self._seconds)

    def _weather(self, at: int) -> None:
        """What the world does to the box at this second of the day."""
        day, part = self._day, at / self._seconds
        away = AWAY[0] <= part < AWAY[1]
        if away != (len(day.away) == 1):
            self._proxy.faults = Faults(blackhole=away)
            self._proxy.sever()
            day.away.append(max(ask(self._folder / "data" / "vitald.db", heads).values()))
        if self._greedy is not None and self._felt is None and was_full(self._folder):
            self._felt = at
        full = FULL[0] <= part < FULL[1] and (self._felt is None or at < self._felt + FULL_S)
        if full and self._greedy is None and day.disk:
            self._greedy = take_all(self._folder / "data")
        elif not full and self._greedy is not None:
            self._greedy.unlink()
            self._greedy = None


def was_full(folder: Path) -> bool:
    """Whether the bed has found its disk full."""
    return "the disk is full" in (folder / "bed.log").read_text()


@contextlib.contextmanager
def _disk(folder: Path, seconds: int, day: Day) -> Iterator[None]:
    """The data's folder on a small disk of its own, where that can be mounted."""
    megabytes = MB_BEFORE + round(MB_AN_HOUR * seconds / 3600)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(small_disk(folder, megabytes, "data"))
            day.disk = True
        except PermissionError as error:
            day.lines.append(f"no disk of its own, so none that is full: {error}")
        yield


async def _all_sent(socket: Path) -> Told:
    """Until nothing waits."""
    async with asyncio.timeout(3600), ForwardClient(socket) as client:
        quiet = 0
        while True:
            with contextlib.suppress(NotAnswering):
                told = await client.told()
                quiet = quiet + 1 if all(one.state == "idle" for one in told.destinations) else 0
                if quiet >= 2:
                    return told
            await asyncio.sleep(1.0)


async def _judge(day: Day, store: Path, dsn: str, fetch: Fetch, told: Told) -> None:
    report = await compare(store, dsn)
    day.lines += report.lines()[:20]
    if not report.well:
        day.wrong.append(report.lines()[0])
    if refused := sum(one.quarantined for one in told.destinations):
        day.wrong.append(f"{refused} records set aside")
    day_s = DAY_UTC_NS // 10**9
    if early := await fetch("SELECT count(*) FROM records WHERE measured_at < to_timestamp($1)", day_s):
        day.wrong.append(f"{early} records from before the day: the clock was not corrected")
    if unset := await fetch("SELECT count(*) FROM records WHERE clock <> 'set'"):
        day.wrong.append(f"{unset} records that did not wait for the clock")
    late = await fetch(
        "SELECT count(*) FROM (SELECT seq, max(seq) OVER (ORDER BY arrival) AS newest FROM records"
        " WHERE schema = 'vitald.box.alarm/1') a WHERE seq < newest"
    )
    day.lines.append(f"{late} alarms of a backlog arrived after one that was live: the receiver sorts by seq")
    await _alarms_first(day, fetch)


async def _alarms_first(day: Day, fetch: Fetch) -> None:
    """Of what was said while the network was away, alarms come before nearly all samples."""
    within, wave = "seq > $1 AND seq <= $2 AND schema = $3", "vitald.ecg.waveform/1"
    last = await fetch(f"SELECT max(arrival) FROM records WHERE {within}", *day.away, "vitald.box.alarm/1")
    samples = await fetch(f"SELECT count(*) FROM records WHERE {within}", *day.away, wave)
    before = f"FROM records WHERE {within} AND arrival < $4"
    early = await fetch(f"SELECT count(*) {before}", *day.away, wave, last or 0)
    requests = await fetch(f"SELECT count(DISTINCT sent_at) {before}", *day.away, wave, last or 0)
    share = early / max(1, samples)
    day.lines.append(
        f"of the {samples} chunks of the outage {100 * share:.1f} % ({requests} requests) arrived before its last alarm"
    )
    if last is None or (share > ALARMS_BEFORE and requests > REQUESTS_BEFORE):
        day.wrong.append("the alarms of the outage were not first")
