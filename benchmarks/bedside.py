"""One 12-lead 500 Hz bed as it runs: cost, memory and latency of the real processes, with real browsers' connections.

The simulated board runs in a process of its own; its cost is not counted. Twenty screens are twenty WebSocket
connections that read and report as the page does; latency is measured inside a real Chromium, at the moment its page
has received a frame, against the time of each sample in it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import numpy as np
import psutil
from playwright.sync_api import sync_playwright

from benchmarks import Row
from benchmarks._box import Box, boottime_ns

SCREENS = 20
MEASURED_S = 20.0
SETTLED_S = 8.0

# Every binary message: when it was received (ms since the epoch) and its header.
_WATCH = """
window.received = [];
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', (event) => {
      if (typeof event.data === 'string') return;
      const now = performance.timeOrigin + performance.now();
      const view = new DataView(event.data);
      window.received.push([now, Number(view.getBigInt64(16, true)) / 1e6, view.getFloat32(24, true), view.getUint16(30, true)]);
    });
  }
};
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _start(Path(folder))
    with tempfile.TemporaryDirectory() as folder, Box(Path(folder)) as box:
        _wait_for_samples(box)
        time.sleep(SETTLED_S)
        daemon = psutil.Process(box.pid("daemon"))
        web = psutil.Process(box.pid("web"))
        [share] = _shares([daemon], lambda: time.sleep(MEASURED_S))
        yield Row(
            "daemon, one 12-lead 500 Hz bed, no screen", 100 * share, "% of a core", "< 6 %", share < 0.06
        )
        with_screens, served = _shares([daemon, web], lambda: asyncio.run(_screens(box.url)))
        yield Row(
            f"daemon, the same with {SCREENS} screens",
            100 * with_screens,
            "% of a core",
            "< 6 %",
            with_screens < 0.06,
        )
        yield Row(f"web, {SCREENS} screens", 100 * served, "% of a core", "< 10 %", served < 0.10)
        yield from _latency(box)
        for name, process, target in (("daemon", daemon, 140), ("web", web, 80)):
            mib = process.memory_info().rss / 2**20
            yield Row(f"memory of the {name} (RSS)", mib, "MiB", f"< {target}", mib < target)


def _start(folder: Path) -> Iterator[Row]:
    """From the start of the daemon's process to its first sample on the disk, by the store's own file."""
    box = Box(folder)
    box.start_simulators()
    began = time.monotonic()
    box.start_daemon()
    _wait_for_samples(box)
    seconds = time.monotonic() - began
    box.__exit__()
    yield Row("daemon start to first stored sample", seconds, "s", "< 2 s", seconds < 2.0)


def _wait_for_samples(box: Box, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            with closing(sqlite3.connect(f"file:{box.database}?mode=ro", uri=True)) as db:
                if db.execute("SELECT count(*) FROM chunks").fetchone()[0]:
                    return
        except sqlite3.OperationalError:
            pass  # not made yet
        time.sleep(0.01)
    raise TimeoutError(f"no sample stored: {box.said('daemon')}")


def _shares(processes: list[psutil.Process], meanwhile) -> list[float]:
    """CPU seconds a second of each process while something else goes on."""

    def used() -> list[float]:
        return [t.user + t.system for t in (p.cpu_times() for p in processes)]

    before, began = used(), time.monotonic()
    meanwhile()
    seconds = time.monotonic() - began
    return [(after - b) / seconds for after, b in zip(used(), before, strict=True)]


async def _screens(url: str) -> None:
    """Twenty screens that read everything and report once a second, for `MEASURED_S`."""
    async with (
        aiohttp.ClientSession() as session,
        asyncio.timeout(MEASURED_S + 10),
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(SCREENS):
            tasks.create_task(_screen(session, url))


async def _screen(session: aiohttp.ClientSession, url: str) -> None:
    waves, reported = 0, time.monotonic()
    end = reported + MEASURED_S
    async with session.ws_connect(f"{url}live?bed=1", headers={"Origin": url.rstrip("/")}) as ws:
        while (now := time.monotonic()) < end:
            message = await ws.receive(timeout=5)
            waves += message.type is aiohttp.WSMsgType.BINARY
            if now - reported >= 1.0:
                reported = now
                report = {"type": "report", "waves": waves, "drawn": waves, "last": "0", "visible": True}
                await ws.send_str(json.dumps(report))
    if waves < 15 * MEASURED_S:
        raise RuntimeError(f"a screen got {waves} frames in {MEASURED_S} s")


def _latency(box: Box) -> Iterator[Row]:
    with sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(_WATCH)
        page.goto(box.url)
        page.wait_for_selector("#waves[data-stalled=false]")
        time.sleep(2)
        page.evaluate("() => { window.received.length = 0; }")
        time.sleep(MEASURED_S)
        utc_minus_boot_ms = (time.time_ns() - boottime_ns()) / 1e6
        received = page.evaluate("() => window.received")
        browser.close()
    ages = [
        now - utc_minus_boot_ms - t0_ms - np.arange(int(n)) * 1e3 / rate for now, t0_ms, rate, n in received
    ]
    newest = np.array([a[-1] for a in ages])
    every = np.concatenate(ages)
    note = f"{len(ages)} frames; the newest sample of a frame: {np.median(newest):.0f} ms"
    yield Row("sample to browser, every sample, p50", float(np.median(every)), "ms", "", None, note)
    p99 = float(np.percentile(every, 99))
    yield Row("sample to browser, every sample, p99", p99, "ms", "< 150 ms", p99 < 150)
