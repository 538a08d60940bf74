"""Fifty onsets each of asystole, VF, VT, 80 to 40 and 80 to 120 /min, to the alarm row, to pixels and to the loudspeaker.

From a board on a serial line through the daemon to a real Chromium and a real ALSA device; several boxes run at once. Half of
the fibrillations and tachycardias are real: excerpts of the MIT-BIH Malignant Ventricular and Creighton databases, played by the
board (VITALD_DATA; without it all are the simulator's). Times are from the moment the simulator is told, or from the sample at
which the annotation stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from benchmarks._box import Box, boottime_ns
from daemon.store.reader import ask
from tests.daemon.signals._device import NAME, Device
from tests.soak import _excerpts
from tests.soak._watch import MARK, Screen

EACH = int(os.environ.get("VITALD_ONSETS", "50"))
BOXES = int(os.environ.get("VITALD_BOXES", "5"))
WITHIN_S = 10.0
CALM_S = 180.0
"""Ventricular beats are counted over a minute, and their alarm ends a minute after that."""
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM += ["--autoplay-policy=no-user-gesture-required"]
STEP_LIMITS = {"hr_low.below": "60", "hr_high.above": "100", "hr_low.delay_s": "2", "hr_high.delay_s": "2"}


@dataclass(frozen=True)
class Kind:
    """How an onset is made, and the rows that say it."""

    command: str
    rows: frozenset[str]


VENTRICULAR = frozenset({"vent_fib", "vent_tachy"})
KINDS = {
    "asystole": Kind("ecg rhythm asystole", frozenset({"asystole", "flat_ecg"})),
    "vf": Kind("ecg rhythm vf", VENTRICULAR),
    "vt": Kind("ecg rhythm vt", VENTRICULAR),
    "80 to 40": Kind("ecg rate 40", frozenset({"hr_low", "extreme_brady"})),
    "80 to 120": Kind("ecg rate 120", frozenset({"hr_high", "extreme_tachy"})),
}


@dataclass
class Seen:
    """Seconds from the onset; NaN = not within the time."""

    row_s: float
    pixels_s: float
    sound_s: float
    name: str = ""


@dataclass
class Tally:
    """Everything that was seen, by kind and source."""

    seen: dict[str, list[Seen]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def add(self, kind: str, one: Seen) -> None:
        self.seen.setdefault(kind, []).append(one)
        count = sum(map(len, self.seen.values()))
        print(
            f"  {count}: {kind}: row {one.row_s:.2f}, pixels {one.pixels_s:.2f}, sound {one.sound_s:.2f} s",
            flush=True,
        )


def run() -> list[str]:
    tally = Tally()
    asyncio.run(_all(tally))
    wrong = list(tally.troubles)
    for kind, all_seen in sorted(tally.seen.items()):
        for what in ("row_s", "pixels_s", "sound_s"):
            values = np.array([getattr(s, what) for s in all_seen])
            late = int(np.sum(~(values <= WITHIN_S)))
            told = values[np.isfinite(values)]
            p50, p99, worst = (
                (float("nan"),) * 3 if not len(told) else (*np.percentile(told, [50, 99]), told.max())
            )
            print(
                f"{kind:<14} {what:<9} n {len(values):3}  p50 {p50:5.2f}  p99 {p99:5.2f}  worst {worst:5.2f}  late {late}"
            )
            if late:
                wrong.append(f"{kind}: {late} of {len(values)} {what} not within {WITHIN_S:g} s")
    return wrong


async def _all(tally: Tally) -> None:
    real = {"vf": 0, "vt": 0}
    jobs: asyncio.Queue[tuple[str, _excerpts.Excerpt | None]] = asyncio.Queue()
    with tempfile.TemporaryDirectory() as folder:
        for kind, excerpt in _excerpts.made(Path(folder), EACH // 2):
            real[kind] += 1
            jobs.put_nowait((kind, excerpt))
        made = {kind: EACH - real.get(kind, 0) for kind in KINDS}
        async with async_playwright() as playwright, contextlib.AsyncExitStack() as stack:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            stack.push_async_callback(browser.close)
            async with asyncio.TaskGroup() as tasks:
                for worker in range(BOXES):
                    share = {k: n // BOXES + (worker < n % BOXES) for k, n in made.items()}
                    tasks.create_task(_worker(browser, jobs, share, tally, worker))


async def _worker(
    browser: Browser, jobs: asyncio.Queue, share: dict[str, int], tally: Tally, worker: int
) -> None:
    with _told(tally, f"box {worker}"):
        await _simulated(browser, share, tally, worker)
    while not jobs.empty():
        kind, excerpt = jobs.get_nowait()
        with _told(tally, excerpt.name if excerpt else kind):
            await _real(browser, kind, excerpt, tally)


@contextlib.contextmanager
def _told(tally: Tally, what: str) -> Iterator[None]:
    """A box that breaks down is told of, and takes nothing from the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - told of
        tally.troubles.append(f"{what}: {type(error).__name__}: {error}")


@contextlib.asynccontextmanager
async def _box(browser: Browser, source: str = "patient"):
    with tempfile.TemporaryDirectory() as folder:
        device = Device(Path(folder))
        box = Box(Path(folder), source=source, sound=(NAME, device.environment))
        await asyncio.to_thread(box.__enter__)
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await page.add_init_script(MARK)
        await page.goto(box.url)
        screen = Screen(box)
        watching = asyncio.create_task(screen.watch())
        try:
            yield box, page, screen, device
        finally:
            watching.cancel()
            await context.close()
            await asyncio.to_thread(box.__exit__)
            device.close()


async def _simulated(browser: Browser, share: dict[str, int], tally: Tally, worker: int) -> None:
    if not sum(share.values()):
        return
    async with _box(browser) as (box, page, screen, device):
        await asyncio.to_thread(box.steer, "ecg rate 80")
        if not await screen.until(lambda: bool(screen.rate and 75 < screen.rate < 85), 40):
            tally.troubles.append(f"box {worker}: no heart rate")
            return
        if not await screen.act("limits", **STEP_LIMITS) and not await screen.act("limits", **STEP_LIMITS):
            tally.troubles.append(f"box {worker}: limits refused")
        for kind, count in share.items():
            for _ in range(count):
                tally.add(f"{kind}, made", await _one(box, page, screen, device, KINDS[kind]))
                await asyncio.to_thread(box.steer, "ecg rhythm sinus")
                await asyncio.to_thread(box.steer, "ecg rate 80")
                if not await _calm(screen, page):
                    tally.troubles.append(f"box {worker}: not calm after {kind}: {sorted(screen.alarms)}")


async def _one(box: Box, page: Page, screen: Screen, device: Device, kind: Kind) -> Seen:
    screen.forget()
    await page.evaluate("window.marks = {}")
    began_s, began_ns = time.monotonic(), boottime_ns()
    await asyncio.to_thread(box.steer, kind.command)
    await screen.until(lambda: any(row in screen.heard for row in kind.rows), 20)
    return await _seen(page, screen, device, kind.rows, began_ns, began_s)


async def _seen(
    page: Page, screen: Screen, device: Device, rows: frozenset[str], onset_ns: int, onset_s: float
) -> Seen:
    """When the first of the rows was heard on the socket, drawn and sounded, from the onset (negative: before it)."""
    row, pixels, sound = float("nan"), float("nan"), float("nan")
    heard = {r: t for r, t in screen.heard.items() if r in rows}
    if heard:
        row = (min(heard.values()) - onset_ns) / 1e9
    end = time.monotonic() + 5
    while time.monotonic() < end and not (np.isfinite(pixels) and np.isfinite(sound)):
        utc_minus_boot_ms = (time.time_ns() - boottime_ns()) / 1e6
        marks = await page.evaluate("window.marks")
        drawn = [m for r, m in marks.items() if r in rows and m is not None]
        if drawn:
            pixels = (min(drawn) - utc_minus_boot_ms) / 1e3 - onset_ns / 1e9
        first = device.first_sound(onset_s)
        if first is not None:
            sound = first - onset_s
        await asyncio.sleep(0.1)
    return Seen(row, pixels, sound, next(iter(heard), ""))


async def _calm(screen: Screen, page: Page) -> bool:
    """Acknowledge until nothing is there, and the loudspeaker has nothing to say."""
    end = time.monotonic() + CALM_S
    while time.monotonic() < end:
        if not screen.alarms and screen.rate and 75 < screen.rate < 85:
            await asyncio.sleep(3)
            if not screen.alarms:
                return True
        elif screen.alarms:
            shown = ",".join(alarm.occurrence for alarm in screen.alarms.values())
            await screen.act("acknowledge", occurrences=shown)
            await screen.act("reset")
        await asyncio.sleep(0.5)
    return False


async def _real(browser: Browser, kind: str, excerpt: _excerpts.Excerpt, tally: Tally) -> None:
    async with _box(browser, str(excerpt.path)) as (box, page, screen, device):
        onset_ns = 0
        end = time.monotonic() + excerpt.onset_s + 45
        while time.monotonic() < end:
            onset_ns = onset_ns or _stored_time(box, excerpt.onset_s)
            if onset_ns and boottime_ns() > onset_ns + 12_000_000_000:
                break
            if not onset_ns and screen.heard and not screen.there(KINDS[kind].rows):
                # What alarmed before the onset, and is over, says nothing of it. What still sounds there does: it came before.
                screen.forget()
                await page.evaluate("window.marks = {}")
            await asyncio.sleep(0.2)
        if not onset_ns:
            tally.troubles.append(f"{excerpt.name}: the board did not play as far as its onset")
            return
        onset_s = time.monotonic() - (boottime_ns() - onset_ns) / 1e9
        tally.add(f"{kind}, real", await _seen(page, screen, device, KINDS[kind].rows, onset_ns, onset_s))


def _stored_time(box: Box, at_s: float) -> int:
    """When the sample `at_s` into the recording was taken, once it is stored; 0 = not yet. The board plays from its first sample."""

    def question(reader):
        boot = reader.boots()[-1].boot
        for segment in reader.segments(boot, 0, 2**62, bed="1"):
            begin = reader.seek(segment, 2**62)
            for fit, n, _ in reader.chunks(segment, begin, begin + 2**30, 2**62):
                wanted = round(at_s * segment.rate_hz)
                if fit.first + n >= wanted:
                    return fit.t0_ns + round((wanted - fit.first) * fit.period_ns)
        return 0

    with contextlib.suppress(Exception):
        return ask(box.database, question)
    return 0
