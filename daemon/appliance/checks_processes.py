"""Checks of `vitald doctor` on what runs: the daemon and its way of a sample, the other processes, sound, systemd's units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import daemon
from daemon.appliance import machine
from daemon.appliance.findings import Finding, found
from daemon.appliance.holders import started_s
from daemon.appliance.surroundings import UNITS, Surroundings
from daemon.words import say, table

LATE_S = 2.0
"""A Tick comes ten times a second."""

ONCE = ("vitald-health", "vitald-cert", "vitald-credentials", "vitald-setup", "vitald-waiting")
"""Units that do one thing and end: none of them need run, and none may have failed."""

STOPPED_S = 10.0
MANY_ITEMS = 500
"""That wait for the daemon: some seconds of all devices."""

UNREAD_S = 2.0
TOLD_ELSEWHERE = frozenset(
    {
        "sound",
        "outputs",
        "clock",
        "disk",
        "disk_full",
        "keeping",
        "heat",
        "memory",
        "supply",
        "power",
        "cloud",
    }
)
"""Sources of Facts that a check of its own looks at."""


def the_daemon(box: Surroundings) -> Iterator[Finding]:
    """Whether it answers, whether Ticks come out of every bed, and what it says of itself."""
    if box.state is None:
        yield found("daemon.silent", why=box.silent)
        return
    health = box.health
    if health is not None:
        age_s = health.tick_age_s
        if age_s is None or age_s > STOPPED_S:
            yield found("daemon.no_ticks", seconds=f"{health.up_s if age_s is None else age_s:.0f}")
        elif age_s > LATE_S or health.waiting > MANY_ITEMS:
            yield found("daemon.behind", seconds=f"{age_s:.1f}", waiting=health.waiting)
        if health.overflowed:
            yield found("daemon.dropped", samples=health.overflowed)
    for fact in box.state.facts:
        if fact.source in TOLD_ELSEWHERE:
            continue
        key = f"fact.{fact.source}" if f"fact.{fact.source}" in table() else "fact.other"
        texts = {"text": say(key, source=fact.source), "help": say(f"{key}.help")}
        yield found("daemon.says", detail=fact.detail, **texts)


def processes(box: Surroundings) -> Iterator[Finding]:
    """Those beside the daemon: whether they answer, and whether any is of before the last update."""
    for unit, why in box.answers.items():
        if why and unit != "vitald":
            yield found("processes.silent", unit=unit, why=why, loss=say(f"doctor.loss.{unit}"))
    installed_s = Path(daemon.__file__).stat().st_ctime
    up_s = machine.uptime_s(box.root)
    if up_s is None:
        return
    other = box.health is not None and box.health.version != daemon.__version__
    for unit, pid in box.pids.items():
        began_s = started_s(pid, box.root)
        before = began_s is not None and box.utc_ns() / 1e9 - up_s + began_s < installed_s - 1
        if before or (unit == "vitald" and other):
            yield found("processes.old", unit=unit)


def sound(box: Surroundings) -> Iterator[Finding]:
    """Whether alarms are heard from the box itself, where it has a loudspeaker."""
    if box.config is None or not box.config.sound.enabled or box.health is None:
        return
    told = box.health.sound
    if told is None or not told.answers:
        yield found("sound.silent")
        return
    if told.speaker not in {"well", "opening"}:
        yield found("sound.speaker", text=say(f"fact.sound.{told.speaker}"), detail=told.detail)
    if told.self_test:
        yield found("sound.self_test", why=told.self_test)
    if told.output_fault:
        yield found("sound.outputs", why=told.output_fault)


def units(box: Surroundings) -> Iterator[Finding]:
    """How systemd sees them, where it runs."""
    if not box.has_systemd:
        return
    off = set()
    if box.config is not None:
        off = {"vitald-sound"} if not box.config.sound.enabled else set()
        off |= {"vitald-forward"} if not box.config.forward.enabled else set()
    for unit in (*UNITS, *ONCE):
        told = box.systemctl("show", f"{unit}.service", "--property=LoadState,ActiveState,SubState,Result")
        state = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if not state or state.get("LoadState") == "not-found" or unit in off:
            continue
        if state.get("ActiveState") == "failed":
            yield found("units.failed", unit=unit, why=state.get("Result", ""))
        elif state.get("ActiveState") != "active" and unit not in ONCE:
            yield found("units.stopped", unit=unit, why=state.get("SubState", ""))
