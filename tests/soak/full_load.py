"""Full load for two hours: memory flat within 2 %, file descriptors flat, the database grows as computed.

Eight devices on two beds, an alarm every few minutes; daemon, pages' server, forwarder with a cloud, worker and sound as processes
of their own, and a screen at each bed in a real Chromium. Once everything has happened at each bed (what is kept of a signal is
longest while the heart stands still: those buffers find their size then) every process is measured each half minute,
and the first quarter of what was measured is held beside the last one. VITALD_MINUTES: how long (120).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from playwright.async_api import CDPSession, async_playwright

from benchmarks._box import Box
from benchmarks._forwarding import ReceiverProcess
from daemon.store.reader import ask
from tests.daemon.signals._device import NAME, Device
from tests.soak._growth import Ledger, ledger, lines
from tests.soak._ward import BEDS, configuration, running, steer

MINUTES = float(os.environ.get("VITALD_MINUTES", "120"))
EVERY_S = min(30.0, 60 * MINUTES / 40)
TOLD_EVERY = 10
EVENT_EVERY_S = 240.0
FLAT = 0.02
NOISE_FD = 1
"""A page that looks back opens the database for its question and closes it: the one descriptor that a moment may show more."""

CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HEAP = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
"""Of a page: its objects, those of the browser for it, and its arrays; after the collector ran."""

EVENTS = (
    ("ecg rhythm asystole", "ecg rhythm sinus"),
    ("cpap leak 60", "cpap leak 0"),
    ("oximeter desat 75 30", ""),
    ("oxygen outlet blocked", "oxygen outlet ok"),
    ("ecg rhythm vt", "ecg rhythm sinus"),
)
EVENT_S = 75.0
WARM_S = min(len(EVENTS) * len(BEDS) * EVENT_EVERY_S, 20 * MINUTES)
_CLOUD = """
[forward]
credentials = "{folder}/credentials"
[forward.destinations.cloud]
kind = "rest"
form = "records"
url = "{url}"
api_key_file = "key"
"""


@dataclass
class Measured:
    """What was seen of one process, or of one page, each time."""

    resident: list[int] = field(default_factory=list)
    anonymous: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)


def run() -> list[str]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(running(folder))
        receiver = ReceiverProcess(folder / "receiver.db")
        stack.callback(receiver.stop)
        device = Device(folder)
        stack.callback(device.close)
        box = stack.enter_context(_box(folder, receiver.url, device))
        measured, ledgers = asyncio.run(_measured(box, device))
        return [*_flat(measured), *_grown(ledgers)]


@contextlib.contextmanager
def _box(folder: Path, url: str, device: Device) -> Iterator[Box]:
    box = Box(folder, sound=(NAME, device.environment))
    for made in ("run-forward", "data-forward", "run-sound", "run-work", "credentials"):
        (folder / made).mkdir()
    (folder / "credentials" / "key").write_text("key")
    text = configuration(folder, f'device = "{NAME}"\nvolume = 100') + _CLOUD.format(folder=folder, url=url)
    box.config.write_text(text, encoding="utf-8")
    try:
        box.start_daemon()
        box.start_web()
        box.start_forwarder()
        box.start_worker()
        box.start_sound()
        yield box
    finally:
        for name in list(box.processes):
            box.stop(name)


async def _measured(box: Box, device: Device) -> tuple[dict[str, Measured], list[Ledger]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        try:
            pages: dict[str, CDPSession] = {}
            for bed in BEDS:
                page = await browser.new_page(viewport={"width": 1280, "height": 800})
                await page.goto(f"{box.url}bed/{bed}")
                await page.wait_for_selector("html[data-alarms]", state="attached")
                pages[f"screen {bed}"] = await page.context.new_cdp_session(page)
            eventful = asyncio.create_task(_eventful(box.folder))
            try:
                return await _watched(box, device, pages)
            finally:
                eventful.cancel()
        finally:
            await browser.close()


async def _watched(
    box: Box, device: Device, pages: dict[str, CDPSession]
) -> tuple[dict[str, Measured], list[Ledger]]:
    measured = {name: Measured() for name in (*box.processes, *pages)}
    end = time.monotonic() + 60 * MINUTES
    await asyncio.sleep(WARM_S)
    ledgers = [ask(box.database, ledger)]
    span_s = end - time.monotonic()
    for at in itertools.count():
        for name in box.processes:
            _look(box.pid(name), measured[name])
        for name, session in pages.items():
            await session.send("HeapProfiler.collectGarbage")
            told = await session.send("Runtime.getHeapUsage")
            measured[name].resident.append(sum(int(told.get(part, 0)) for part in HEAP))
        device.forget()
        if at % TOLD_EVERY == 0:
            now = ", ".join(f"{name} {seen.resident[-1] / 2**20:.1f}" for name, seen in measured.items())
            print(f"{(time.monotonic() - end) / 60 + MINUTES:.0f} min, MiB: {now}", flush=True)
        if at * EVERY_S > span_s * len(ledgers) / 4 and len(ledgers) < 4:
            ledgers.append(ask(box.database, ledger))
        if (left := end - time.monotonic()) <= 0:
            break
        await asyncio.sleep(min(EVERY_S, left))
    ledgers.append(ask(box.database, ledger))
    return measured, ledgers


def _look(pid: int, seen: Measured) -> None:
    fields = {
        line.split(":")[0]: int(line.split()[1]) * 1024
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    }
    seen.resident.append(fields["Rss"])
    seen.anonymous.append(fields["Anonymous"])
    seen.descriptors.append(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
    seen.threads.append(psutil.Process(pid).num_threads())


async def _eventful(folder: Path) -> None:
    """Something happens at one of the beds, and is over: alarms are said, kept, sent, sounded and drawn."""
    for (what, undo), bed in zip(itertools.cycle(EVENTS), itertools.cycle(BEDS)):
        await asyncio.to_thread(steer, folder, bed, what)
        await asyncio.sleep(EVENT_S)
        if undo:
            await asyncio.to_thread(steer, folder, bed, undo)
        await asyncio.sleep(EVENT_EVERY_S - EVENT_S)


def _flat(measured: dict[str, Measured]) -> list[str]:
    wrong = []
    print(f"{MINUTES:g} min, of which {WARM_S / 60:g} warm up; medians of the first and the last quarter:")
    for name, seen in measured.items():
        before, after = _quarters(seen.resident)
        share = after / before - 1
        said = f"{name}: {before / 2**20:.2f} -> {after / 2**20:.2f} MiB ({100 * share:+.2f} %)"
        if seen.anonymous:
            anonymous = [value / 2**20 for value in _quarters(seen.anonymous)]
            descriptors, threads = _quarters(seen.descriptors), _quarters(seen.threads)
            said += f", anonymous {anonymous[0]:.2f} -> {anonymous[1]:.2f}; descriptors {descriptors[0]:g} -> {descriptors[1]:g}"
            said += f" (most {max(seen.descriptors)}); threads {threads[0]:g} -> {threads[1]:g}"
            if descriptors[1] > descriptors[0] + NOISE_FD:
                wrong.append(f"{name}: {descriptors[0]:g} file descriptors, later {descriptors[1]:g}")
        print(said)
        if share > FLAT:
            wrong.append(f"{name}: memory grew by {100 * share:.2f} %")
    return wrong


def _quarters(values: list[int]) -> tuple[float, float]:
    n = max(1, len(values) // 4)
    return float(np.median(values[:n])), float(np.median(values[-n:]))


def _grown(ledgers: list[Ledger]) -> list[str]:
    said, wrong = lines(ledgers)
    print("\n".join(said))
    return wrong
