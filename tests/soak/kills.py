"""SIGKILL of the daemon 200 times during alarms: nothing that was shown is lost, nothing is forgotten in silence.

At every kill an alarm is there, has just begun, is being acknowledged or has just ended. After each the alarm stands again, as it
was or judged anew, within 5 s of the new process; in the end the log holds an onset for every occurrence that a screen ever
showed, an entry for every acknowledgement that was confirmed, and no end without its entry.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._box import Box
from daemon.store.reader import ask
from tests.soak._watch import Screen

KILLS = int(os.environ.get("VITALD_KILLS", "200"))
BOXES = int(os.environ.get("VITALD_BOXES", "4"))
SEED = 20
WITHIN_S = 5.0
STATES = {
    "ecg rhythm asystole": frozenset({"asystole", "flat_ecg"}),
    "ecg rhythm vf": frozenset({"vent_fib"}),
    "ecg rate 150": frozenset({"hr_high", "extreme_tachy"}),
}


def run() -> list[str]:
    return asyncio.run(_all())


async def _all() -> list[str]:
    shares = [KILLS // BOXES + (n < KILLS % BOXES) for n in range(BOXES)]
    results = await asyncio.gather(*(_one_box(n, share) for n, share in enumerate(shares)))
    back = np.array([s for times, _ in results for s in times])
    wrong = [line for _, lines in results for line in lines]
    print(
        f"{len(back)} kills on {BOXES} boxes, seed {SEED}: alarm back after p50 {np.median(back):.2f} s,"
        f" p99 {np.percentile(back, 99):.2f} s, worst {back.max():.2f} s"
    )
    return wrong


async def _one_box(number: int, kills: int) -> tuple[list[float], list[str]]:
    chance = random.Random(SEED + number)
    back: list[float] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        box = Box(Path(folder))
        box.start_simulators()
        box.start_daemon()
        screen = Screen(box)
        watching = asyncio.create_task(screen.watch())
        confirmed = 0
        try:
            await screen.until(lambda: screen.rate is not None, 40)
            for kill in range(kills):
                if kill % 10 == 0:
                    rows = await _another(box, screen, chance)
                elif chance.random() < 0.3:
                    shown = ",".join(alarm.occurrence for alarm in screen.alarms.values())
                    confirmed += await screen.act("acknowledge", occurrences=shown)
                await asyncio.sleep(chance.uniform(0, 1.0))
                await asyncio.to_thread(box.kill, "daemon")
                screen.alarms = {}
                began = time.monotonic()
                await asyncio.to_thread(box.start_daemon)
                if not await screen.until(lambda rows=rows: bool(rows & set(screen.alarms)), 30):  # type: ignore[misc]
                    wrong.append(f"box {number}, kill {kill}: {sorted(rows)} did not come back")
                    continue
                back.append(time.monotonic() - began)
                if back[-1] > WITHIN_S:
                    wrong.append(f"box {number}, kill {kill}: back after {back[-1]:.1f} s")
            await asyncio.to_thread(box.stop, "daemon")
            wrong += [f"box {number}: {line}" for line in _log_of(box, screen, confirmed)]
        finally:
            watching.cancel()
            await asyncio.to_thread(box.__exit__)
    return back, wrong


async def _another(box: Box, screen: Screen, chance: random.Random) -> frozenset[str]:
    """A heart that is well for a while, then another alarm; sometimes the kill comes right at its onset."""
    await asyncio.to_thread(box.steer, "ecg rhythm sinus")
    await asyncio.to_thread(box.steer, "ecg rate 72")
    await screen.until(lambda: bool(screen.rate and 65 < screen.rate < 80), 60)
    await screen.act("reset")
    command = chance.choice(list(STATES))
    await asyncio.to_thread(box.steer, command)
    await screen.until(lambda: bool(STATES[command] & set(screen.alarms)), 30)
    return STATES[command]


def _log_of(box: Box, screen: Screen, confirmed: int) -> list[str]:
    """What is wrong with the log, given what a screen has seen."""
    log = ask(box.database, lambda r: r.events(r.boots()[-1].boot, 0, 2**62, kinds=["alarm"]))
    entries: dict[str, list[str]] = {}
    for event in log:
        entries.setdefault(event.body["occurrence"], []).append(event.body["kind"])
    wrong = [
        f"{row} ({occurrence}) was shown and has no onset in the log"
        for occurrence, row in screen.ever.items()
        if not {"began", "resumed"} & set(entries.get(occurrence, []))
    ]
    acknowledged = sum(event.body["kind"] == "acknowledged" for event in log)
    if acknowledged < confirmed:
        wrong.append(f"{confirmed} acknowledgements were confirmed, {acknowledged} are in the log")
    return wrong
