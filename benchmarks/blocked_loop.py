"""Main's event loop blocked for 5 s, again and again, with a 12-lead board at 500 frames/s: is a sample lost?

    python -m benchmarks.blocked_loop 600      # the long form: 10 minutes

The board is simulated in a process of its own, which notes when it wrote each sample; so the stamps are checked too.
Leads I and II carry the sample's number, 12 bits each.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from benchmarks import Row
from daemon.acquisition.ports import Acquisition, boottime_ns
from daemon.config import Bed, Device
from daemon.model.signals import DeviceSeen, Gap, Item, SampleBlock
from firmware_bridge.simulators.dm_ecg import DmEcg
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.source import COLUMNS, Numbers, Rows

BLOCKED_S = 5.0
FREE_S = 2.0
COUNTS_PER_MV = 1423.0


class _Numbered:
    """Rows whose first two columns are the row's number."""

    rate_hz = 500.0
    electrodes_off: frozenset[str] = frozenset()
    numbers = Numbers()

    def __init__(self) -> None:
        self.taken = 0

    def take(self, n: int) -> Rows:
        numbers = np.arange(self.taken, self.taken + n)
        self.taken += n
        rows = np.zeros((n, len(COLUMNS)))
        rows[:, 0] = ((numbers & 0xFFF) - 2048) / COUNTS_PER_MV
        rows[:, 1] = ((numbers >> 12) - 2048) / COUNTS_PER_MV
        return rows


def _device(folder: str, quit_: Event) -> None:
    """A board on a pseudo-terminal; on quitting writes (sample number, CLOCK_BOOTTIME after it was written)."""
    source = _Numbered()
    outlet = Outlet("ttyECG0", DmEcg(source), Path(folder))
    outlet.plug()
    written: list[tuple[int, int]] = []
    due = time.monotonic()
    while not quit_.is_set():
        outlet.serve()
        written.append((source.taken - 1, boottime_ns()))
        due += 0.01
        time.sleep(max(0.0, due - time.monotonic()))
    np.save(Path(folder) / "written.npy", np.array(written))
    outlet.close()


async def _listen(folder: Path, seconds: float) -> tuple[list[Item], list[tuple[int, int, str]], float, int]:
    """Items, what main did when (from, to, "asleep" | "burning" | "free"), the thread's share of a core, samples dropped."""
    acquisition = Acquisition(
        {"1": Bed(devices=(Device(label="ecg", kind="dm_ecg", port=str(folder / "ttyECG*")),))}, "benchmark"
    )
    items: list[Item] = []
    streaming = asyncio.Event()

    def take() -> None:
        items.extend(item for _, item in acquisition.drain(10_000))
        if any(isinstance(i, SampleBlock) for i in items[-50:]):
            streaming.set()

    acquisition.start(asyncio.get_running_loop(), take)
    await asyncio.wait_for(streaming.wait(), 10)
    thread = next(t for t in threading.enumerate() if t.name == "acquisition")
    assert thread.ident is not None
    cpu = time.pthread_getcpuclockid(thread.ident)
    began, began_cpu = time.monotonic(), time.clock_gettime(cpu)
    did: list[tuple[int, int, str]] = []
    blocked_s = min(BLOCKED_S, seconds / 4)
    while time.monotonic() - began < seconds:
        what = ("asleep", "burning")[len(did) // 2 % 2]
        from_ns = boottime_ns()
        until = time.monotonic() + blocked_s
        if what == "asleep":
            time.sleep(blocked_s)
        while time.monotonic() < until:
            pass
        did.append((from_ns, boottime_ns(), what))
        await asyncio.sleep(FREE_S)
        did.append((did[-1][1], boottime_ns(), "free"))
    share = (time.clock_gettime(cpu) - began_cpu) / (time.monotonic() - began)
    acquisition.stop()
    take()
    return items, did, share, acquisition.overflowed()


def rows(seconds: float = 30.0) -> Iterator[Row]:
    """Figures of a run of so many seconds; the owner's bar is 600."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        quit_ = context.Event()
        device = context.Process(target=_device, args=(name, quit_))
        device.start()
        try:
            items, did, share, overflowed = asyncio.run(_listen(Path(name), seconds))
        finally:
            quit_.set()
            device.join(10)
        written = np.load(Path(name) / "written.npy")
    blocks = [i for i in items if isinstance(i, SampleBlock)]
    numbers = np.concatenate([(b.counts[0] & 0xFFF) + ((b.counts[1] & 0xFFF) << 12) for b in blocks])
    lost = int(numbers[-1] - numbers[0]) + 1 - len(numbers)
    once = bool(np.all(np.diff(numbers) == 1))
    gaps = sum(i.count for i in items if isinstance(i, Gap))
    yield Row(
        f"samples of {seconds:.0f} s with main blocked for {min(BLOCKED_S, seconds / 4):.0f} s at a time",
        len(numbers),
        "samples",
    )
    yield Row(
        "  lost, doubled or out of order", lost if lost or once else -1, "samples", "0", lost == 0 and once
    )
    yield Row("  said to be lost (gaps, overflow)", gaps + overflowed, "samples", "0", gaps + overflowed == 0)
    last = np.array([int(b.counts[0, -1] & 0xFFF) + (int(b.counts[1, -1] & 0xFFF) << 12) for b in blocks])
    arrived = np.array([b.arrived_ns for b in blocks])
    late_ms = (arrived - written[np.searchsorted(written[:, 0], last), 1]) * 1e-6
    for what in ("asleep", "burning", "free"):
        within = np.zeros(len(arrived), dtype=bool)
        for from_ns, to_ns, did_what in did:
            within |= (arrived >= from_ns) & (arrived < to_ns) & (did_what == what)
        if within.any():
            p50, p99 = np.percentile(late_ms[within], [50, 99])
            yield Row(f"  stamp after writing, main {what}: p50", float(p50), "ms")
            yield Row(f"  stamp after writing, main {what}: p99", float(p99), "ms")
    yield Row("  CPU of the acquisition thread", 100 * share, "% of a core")
    drift = [i.drift_ppm for i in items if isinstance(i, DeviceSeen) and i.drift_ppm is not None][-1]
    yield Row("  drift found (the simulator's is 0)", drift, "ppm")


if __name__ == "__main__":
    for row in rows(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0):
        print(
            f"{row.claim:<70} {row.value:>12.4g} {row.unit:<12} {row.target} {'' if row.met is None else row.met}"
        )
