"""Bars (c) and (h): three days without a network, then a link of 8 Mbit/s with 80 ms: how fast does it drain, and who waits?

    python -m benchmarks.forward_drain 300       # the long form: drain for so many seconds (default 60)

The backlog is whole (72 h of 8 channels at 500 Hz and numbers every second, benchmarks/_backlog.py); the drain is measured
over a stretch of it, since all of it takes long at any speed that a link has. Meanwhile the bed goes on: numbers and samples
every second, an alarm every second. Forwarder and receiver are processes of their own, the link is a proxy in this one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import Row
from benchmarks._backlog import Bedside, fill
from benchmarks._forwarding import ForwardProcess, ReceiverProcess, configure
from daemon.config import Config
from daemon.control.forwarding import ForwardClient
from daemon.forward.process import boot_id, boottime_ns
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy

LINK = Faults(latency_s=0.04, bandwidth=1e6)
HOURS = 72
SECONDS = 60


@dataclass
class Drained:
    """`recorded_s` seconds of recording arrived in `took_s`. Latencies from being on the disk to being at the receiver."""

    hours: float
    recorded_s: float = 0.0
    took_s: float = 1.0
    alarms_s: list[float] = field(default_factory=list)
    metrics_s: list[float] = field(default_factory=list)
    late_alarms: int = 0
    started_s: float = 0.0
    start_cpu_s: float = 0.0
    idle_mb: float = 0.0
    most_mb: float = 0.0
    cpu_s: float = 0.0

    @property
    def speed(self) -> float:
        """Times real time."""
        return self.recorded_s / self.took_s


async def drain(folder: Path, hours: float, seconds: float, link: Faults = LINK) -> Drained:
    """Fill a store in `folder`, forward it over the link for some time (0: all of it, without live records), and look."""
    folder.mkdir()
    (folder / "data").mkdir()
    await asyncio.to_thread(fill, folder / "data" / "vitald.db", hours)
    receiver = ReceiverProcess(folder / "cloud.db")
    async with FaultsProxy("127.0.0.1", receiver.port) as proxy:
        proxy.faults = Faults(blackhole=True)
        config = configure(folder, {"cloud": f"http://127.0.0.1:{proxy.port}/api/v1"})
        bed = Bedside(
            config.box.database,
            boot=boot_id(),
            began_ns=boottime_ns(),
            offset_ns=time.time_ns() - boottime_ns(),
        )
        await bed.writer.start()
        forwarder = await asyncio.to_thread(ForwardProcess, config)
        seen = Drained(hours, started_s=forwarder.started_s, start_cpu_s=forwarder.cpu_s())
        try:
            await asyncio.sleep(2)
            seen.idle_mb = forwarder.memory_mb("VmRSS")
            proxy.faults = link
            proxy.sever()
            if seconds:
                await _first(config)
                await asyncio.sleep(3)  # past the first probes
            at_start = (await _sent(config), forwarder.cpu_s(), time.monotonic())
            said = await (_talk(bed, seconds) if seconds else _all(config))
            seen.cpu_s = forwarder.cpu_s() - at_start[1]
            seen.took_s = time.monotonic() - at_start[2]
            seen.recorded_s = (
                recorded_seconds(await _sent(config) - at_start[0]) if seconds else 3600.0 * hours
            )
            seen.most_mb = forwarder.memory_mb("VmHWM")
            await asyncio.sleep(1.5)
            _latencies(folder / "cloud.db", said, seen)
        finally:
            await asyncio.to_thread(forwarder.stop)
            await bed.writer.stop()
            receiver.stop()
    return seen


async def _first(config: Config) -> None:
    async with asyncio.timeout(400):
        while not (await _sent(config))["waveform"]:
            await asyncio.sleep(0.2)


async def _all(config: Config) -> dict[str, float]:
    async with asyncio.timeout(400), ForwardClient(config.forward_socket) as client:
        while (await client.told()).destinations[0].state != "idle":
            await asyncio.sleep(0.5)
    return {}


async def _talk(bed: Bedside, seconds: float) -> dict[str, float]:
    """The bed says what it says each second; when each message was on the disk, by schema and time of measurement."""
    said: dict[str, float] = {}
    until_s = time.monotonic() + seconds
    bed.now_ns = boottime_ns()
    while time.monotonic() < until_s:
        bed.now_ns = boottime_ns() - 10**9
        await bed.second(waves=False, alarms=1)
        said[_stamp(bed.now_ns + bed.offset_ns)] = time.time()
        await asyncio.sleep(1.0)
    return said


def _stamp(utc_ns: int) -> str:
    from daemon.contracts.times import instant

    return instant(utc_ns)


async def _sent(config: Config) -> Counter[str]:
    """Records and bytes that the forwarder has delivered, by lane."""
    async with ForwardClient(config.forward_socket) as client:
        (one,) = (await client.told()).destinations
    counts = Counter({name: lane.sent_records for name, lane in one.lanes.items()})
    return counts + Counter({f"{name} bytes": lane.sent_bytes for name, lane in one.lanes.items()})


def recorded_seconds(sent: Mapping[str, int]) -> float:
    """How much recording these bytes are: a second of it is a set of numbers, 63 / 60 chunks, and an event and an alarm a minute.

    Lanes share a link by bytes, so numbers, which are small, are through long before samples are: neither alone tells.
    """
    a_second = {"metrics": 1.0, "waveform": 63 / 60, "events": 1 / 60, "alarms": 1 / 60}
    sizes = {lane: sent[f"{lane} bytes"] / sent[lane] for lane in a_second if sent[lane]}
    total = sum(sent[f"{lane} bytes"] for lane in a_second)
    return total / sum(n * sizes.get(lane, 0.0) for lane, n in a_second.items())


def _latencies(cloud: Path, said: dict[str, float], seen: Drained) -> None:
    db = sqlite3.connect(f"file:{cloud}?mode=ro", uri=True)
    rows = db.execute(
        "SELECT schema, measured_at, arrived_ns FROM once WHERE measured_at >= ?", (min(said, default="9"),)
    )
    arrived: dict[str, dict[str, float]] = {"vitald.box.alarm/1": {}, "vitald.ecg.metrics/1": {}}
    for schema, measured_at, arrived_ns in rows:
        if schema in arrived:
            arrived[schema][measured_at] = arrived_ns / 1e9
    db.close()
    for schema, into in (("vitald.box.alarm/1", seen.alarms_s), ("vitald.ecg.metrics/1", seen.metrics_s)):
        into += [arrived[schema][at] - when for at, when in said.items() if at in arrived[schema]]
    seen.late_alarms = sum(at not in arrived["vitald.box.alarm/1"] for at in said)


def p99(values: list[float]) -> float:
    return float(np.percentile(values, 99)) if values else float("nan")


def rows() -> Iterable[Row]:
    yield from measured(SECONDS)


def measured(seconds: float) -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        long = asyncio.run(drain(folder / "long", HOURS, seconds))
        shutil.rmtree(folder / "long")
        short = asyncio.run(drain(folder / "short", 1, 0))
    scale = f"72 h stored, {long.took_s:.0f} s of the drain over 8 Mbit/s, 80 ms; load {os.getloadavg()[0]:.0f} of {os.cpu_count()}"
    yield Row(
        "(c) drain of three days, 8 channels and numbers",
        long.speed,
        "x real time",
        ">= 30",
        long.speed >= 30,
        scale,
    )
    yield Row(
        "(c) live alarms meanwhile, p99",
        p99(long.alarms_s),
        "s",
        "< 1",
        p99(long.alarms_s) < 1 and not long.late_alarms,
        f"{len(long.alarms_s)} alarms",
    )
    yield Row("(c) live numbers meanwhile, p99", p99(long.metrics_s), "s", "< 2", p99(long.metrics_s) < 2)
    yield Row(
        "(c) one hour, all of it",
        short.speed,
        "x real time",
        ">= 30",
        short.speed >= 30,
        f"{short.took_s:.0f} s",
    )
    share = 100 * short.cpu_s / short.recorded_s * 30
    yield Row(
        "(h) processor at 30 x real time",
        share,
        "% of a core",
        "<= 8",
        share <= 8,
        "over that hour; 40 % of a Pi 4's, by the factor 5",
    )
    growth = long.most_mb - long.idle_mb
    yield Row(
        "(h) memory while draining, above idle",
        growth,
        "MB",
        "<= 48",
        growth <= 48,
        f"idle {long.idle_mb:.0f} MB",
    )
    apart = 100 * abs(long.most_mb - short.most_mb) / short.most_mb
    yield Row("(h) memory with 72 h stored against 1 h", apart, "% apart", "< 10", apart < 10)
    yield Row(
        "(h) start of the process, 72 h stored",
        long.started_s,
        "s",
        "<= 3",
        long.started_s <= 3,
        f"{long.start_cpu_s:.1f} s of processor",
    )


if __name__ == "__main__":
    for row in measured(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS):
        print(f"{row.claim:<58} {row.value:>12.4g} {row.unit:<14} {row.target:<12} {row.met} {row.note}")
