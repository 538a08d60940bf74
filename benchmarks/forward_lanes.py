"""Bar (c), the control: live messages beside a backlog on a thin link, with lanes and without.

Time is simulated (a link of 100 kB/s, 80 ms a request, 120 s of backlog); the sender, its ledger and its lanes are the shipped
ones. Without lanes: all in one queue, oldest first, as most forwarders do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np

from benchmarks import Row
from daemon.forward.destinations import Bounds
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import MemorySource, Receiver, World, run

BACKLOG = 12_000
SECONDS = 40


class OneQueue(MemorySource):
    """All in one lane, and none of it live."""

    def say(self, lane: Lane, text: str = "", device: str = "ECG-1", *, now_s: float = -1e9) -> int:
        del lane
        return super().say(Lane.WAVEFORM, text, device, now_s=now_s)

    def splits(self, now_s: float) -> dict[Lane, int]:
        del now_s
        return self.heads()


def backlogged(records: int, source: MemorySource | None = None) -> World:
    """A world with so many records of 1 kB that wait."""
    source = source or MemorySource()
    for _ in range(records):
        source.say(Lane.WAVEFORM, "w" * 1000)
    receiver = Receiver(bytes_per_s=100_000, latency_s=0.08, bounds=Bounds(1 << 20, 500, 4))
    return World(receiver, source)


def late(*, lanes: bool, seconds: int = SECONDS) -> tuple[list[float], list[float]]:
    """How late alarms (one every seven seconds) and numbers (every second) arrive while the backlog drains."""

    async def main() -> tuple[list[float], list[float]]:
        world = backlogged(BACKLOG, MemorySource() if lanes else OneQueue())
        await world.start()
        said: dict[Lane, list[tuple[int, float]]] = {Lane.ALARMS: [], Lane.METRICS: []}
        for n in range(seconds):
            for lane in (Lane.METRICS, *([Lane.ALARMS] if n % 7 == 0 else [])):
                said[lane].append((world.say(lane), world.now_s))
            await asyncio.sleep(1)
        await world.quiet()
        await world.kill()
        arrived = world.receiver.arrived_s
        alarms, numbers = ([arrived[seq] - at for seq, at in those] for those in said.values())
        return alarms, numbers

    latencies: tuple[list[float], list[float]] = run(main())
    return latencies


def rows() -> Iterable[Row]:
    alarms, numbers = (float(np.percentile(values, 99)) for values in late(lanes=True))
    yield Row("(c) alarms beside 120 s of backlog, simulated, p99", alarms, "s", "< 1", alarms < 1)
    yield Row("(c) numbers beside it, p99", numbers, "s", "< 2", numbers < 2)
    alarms, _ = (float(np.percentile(values, 99)) for values in late(lanes=False))
    yield Row("(c) control: lanes off, alarms p99", alarms, "s", "> 60", alarms > 60)
