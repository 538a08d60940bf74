"""Eight devices at once for half an hour: two ECGs at 500 Hz, two CPAPs, two oxygen concentrators, two oximeters, on two beds.

No sample lost or doubled from the wire to the store (the simulators count what they sent), processor and memory of the daemon and
the page's server, and alarms on time: every five minutes an event is made at one of the beds, and the time to its alarm taken.
VITALD_MINUTES: how long (30).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks._box import Box, boottime_ns
from daemon.control.client import ControlClient, Said
from daemon.control.messages import AlarmsSeen, State
from daemon.store.places import span
from daemon.store.reader import ask
from firmware_bridge.simulators.control import ask as steer
from tests.soak._ward import BEDS, DEVICES, configuration, running
from tests.soak._ward import steer as tell

MINUTES = float(os.environ.get("VITALD_MINUTES", "30"))
SETTLED_S = 100.0
"""Until a concentrator is warm, and every device has been valid once."""

# What is done, the rows that say it, within how many seconds (delay of the row, and 10 s), and how it is undone.
EVENTS = (
    ("ecg rhythm asystole", {"asystole", "flat_ecg"}, 14, "ecg rhythm sinus"),
    ("cpap leak 60", {"cpap_leak_high"}, 70, "cpap leak 0"),
    ("oximeter desat 75 30", {"desat", "spo2_low"}, 70, ""),
    ("cpap apnoea 45 central", {"no_breath"}, 45, ""),
    ("oxygen outlet blocked", {"o2_no_flow", "o2_flow_low"}, 40, "oxygen outlet ok"),
)


class Watched:
    """The alarms of every bed, as the control socket tells them."""

    def __init__(self) -> None:
        self.rows: dict[str, set[str]] = {bed: set() for bed in BEDS}
        self.devices: dict[str, dict[str, str]] = {}

    async def watch(self, socket: Path) -> None:
        async with ControlClient(socket) as client:
            async for event in client.live():
                if not isinstance(event, Said):
                    continue
                if isinstance(event.message, AlarmsSeen):
                    alarms = event.message.picture.alarms
                    self.rows[event.message.bed] = {a.row for a in alarms if a.phase == "active"}
                elif isinstance(event.message, State):
                    for bed in event.message.beds:
                        self.devices[bed.bed] = {d.label: d.state for d in bed.devices}


def run() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)):
        box = Box(Path(folder))
        box.config.write_text(configuration(Path(folder)), encoding="utf-8")
        box.start_daemon()
        box.start_web()
        try:
            wrong = asyncio.run(_watched(box))
        finally:
            sent = _sent(Path(folder))
            for name in list(box.processes):
                box.stop(name)
        return [*wrong, *_lost(box, sent)]


async def _watched(box: Box) -> list[str]:
    wrong: list[str] = []
    seen = Watched()
    processes = {name: psutil.Process(box.pid(name)) for name in ("daemon", "web")}
    socket = box.folder / "run" / "control.sock"
    while not socket.exists():
        await asyncio.sleep(0.1)
    watching = asyncio.create_task(seen.watch(socket))
    end = time.monotonic() + 60 * MINUTES
    await asyncio.sleep(min(SETTLED_S, 30 * MINUTES))
    all_there = {bed: dict.fromkeys(DEVICES, "streaming") for bed in BEDS}
    if seen.devices != all_there:
        wrong.append(f"not all devices stream: {seen.devices}")
    began_s, cpu = time.monotonic(), {n: sum(p.cpu_times()[:2]) for n, p in processes.items()}
    memory = {name: p.memory_info().rss for name, p in processes.items()}
    times: list[float] = []
    for event, bed in zip(itertools.cycle(EVENTS), itertools.cycle(BEDS)):
        if time.monotonic() + event[2] + 30 > end:
            break
        took = await _event(box, seen, bed, *event)
        (times if took is not None else wrong).append(
            took if took is not None else f"bed {bed}: {event[0]}: no alarm"
        )
        await asyncio.sleep(min(300.0, 60 * MINUTES / 12) * 0.5)
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    span_s = time.monotonic() - began_s
    for name, process in processes.items():
        share = 100 * (sum(process.cpu_times()[:2]) - cpu[name]) / span_s
        rss, grown = process.memory_info().rss / 2**20, (process.memory_info().rss - memory[name]) / 2**20
        print(f"{name}: {share:.1f} % of a core, {rss:.0f} MiB ({grown:+.1f} MiB in {span_s / 60:.0f} min)")
    print(f"{len(times)} events: alarms after " + ", ".join(f"{t:.1f}" for t in times) + " s")
    watching.cancel()
    return wrong


async def _event(
    box: Box, seen: Watched, bed: str, what: str, rows: set[str], within_s: float, undo: str
) -> float | None:
    """Seconds from the doing to the first of the rows at this bed and no other; None: it did not come in time."""
    began = time.monotonic()
    tell(box.folder, bed, what)
    while time.monotonic() - began < within_s:
        if rows & seen.rows[bed]:
            took = time.monotonic() - began
            break
        await asyncio.sleep(0.05)
    else:
        took = None
    if undo:
        tell(box.folder, bed, undo)
    return took


def _sent(folder: Path) -> dict[str, int]:
    """Bytes that each line has lost, by the simulators' own count."""
    lost = {}
    for bed, label in itertools.product(BEDS, DEVICES):
        words = dict(
            word.split("=")
            for word in steer(folder / "simulators.sock", f"{bed}_{label} state").split()
            if "=" in word
        )
        lost[f"{bed}_{label}"] = int(words["lost"])
    return lost


def _lost(box: Box, lost_bytes: dict[str, int]) -> list[str]:
    """What the store shows of every stream: one segment, numbers without a hole from 0 on, at the crystal's own rate."""

    def question(reader):
        found = {}
        for boot in reader.boots():
            for bed in BEDS:
                for segment in reader.segments(boot.boot, 0, 2**62, bed=bed):
                    places = span(segment.key)
                    chunks = [(fit.first, n) for fit, n, _ in reader.chunks(segment, *places, 2**62)]
                    holes = sum(a[0] + a[1] != b[0] for a, b in itertools.pairwise(chunks))
                    total = sum(n for _, n in chunks)
                    found.setdefault((bed, segment.device, segment.name), []).append((total, holes))
        return found

    stored = ask(box.database, question)
    wrong = [f"{name}: the line lost {n} bytes" for name, n in lost_bytes.items() if n]
    samples = 0
    for (bed, device, name), segments in stored.items():
        samples += sum(total for total, _ in segments)
        if len(segments) != 1 or any(holes for _, holes in segments):
            wrong.append(f"bed {bed}, {device}/{name}: segments and holes {segments}")
    print(
        f"{samples} samples of {len(stored)} streams stored, {sum(h for s in stored.values() for _, h in s)} holes"
    )
    return wrong


if __name__ == "__main__":
    began_ns = boottime_ns()
    print(run(), (boottime_ns() - began_ns) / 1e9)
