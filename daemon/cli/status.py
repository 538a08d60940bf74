"""`vitald status`: one screen on what is well, what is not and since when. No patient's name is on it.

`ask` and `well` are what other verbs share with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.appliance import machine, update
from daemon.appliance.hours import Left, hours_left, next_to_go
from daemon.cli import NOT_WELL, WELL
from daemon.cli.asked import Asked, ask_all
from daemon.cli.configured import add_config, config_of
from daemon.cli.screen import STALE_S, screen
from daemon.config import Config
from daemon.control.messages import State
from daemon.store.reader import ask as ask_store
from daemon.wallclock import read as read_clock

LAST_BACKUP = "last-backup.json"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the whole state as JSON")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    asked = ask_all(config, options.config)
    technical = technical_of(config, options.config, asked)
    if options.json:
        told = (
            {}
            if asked.state is None
            else asked.state.model_dump(mode="json", exclude={"beds": {"__all__": {"patient"}}})
        )
        print(json.dumps({**told, "technical": technical}, indent=2, default=str))
    else:
        if asked.state is None:
            print(f"the daemon does not answer: {asked.silent}")
        print("\n".join(screen(asked, technical)))
    if asked.state is None:
        return NOT_WELL
    return WELL if well(asked.state) and not _silent(asked) and not late(asked.state, technical) else NOT_WELL


def well(state: State) -> bool:
    """Whether nothing is wrong that a person should see to."""
    return not state.facts and all(d.state == "streaming" for bed in state.beds for d in bed.devices)


def late(state: State, technical: dict[str, Any]) -> bool:
    """Whether the way of a sample stands still though the daemon answers."""
    del state
    age_s = (technical.get("health") or {}).get("tick_age_s")
    return age_s is not None and age_s > STALE_S


def ask(config: Config) -> State | None:
    """The daemon's state; None, with one line said, where it does not answer."""
    from daemon.control.client import ControlClient, NotAnswering

    async def asked() -> State:
        async with ControlClient(config.box.socket) as client:
            return await client.status()

    try:
        return asyncio.run(asked())
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return None


def _silent(asked: Asked) -> bool:
    """Whether a process has died. One that was never started here leaves no socket: `doctor` asks whether it should have been."""
    return any(why and unit in asked.pids for unit, why in asked.answers.items())


def technical_of(config: Config, path: Path, asked: Asked) -> dict[str, Any]:
    """All that is no patient's: machine, processes, clouds, room, certificates."""
    from daemon.appliance.checks_network import certificate_files, ends

    disk, memory, clock = machine.disk(config.box.data), machine.memory(), read_clock()
    certificates = {}
    for file, _ in certificate_files(config):
        try:
            certificates[str(file)] = ends(file).isoformat()
        except (OSError, ValueError) as error:
            certificates[str(file)] = f"unreadable: {error}"
    left, slots = _left(config, asked), update.status(config)
    return {
        "config": str(path),
        "serial": config.box.serial,
        "model": machine.model(),
        "uptime_s": machine.uptime_s(),
        "clock_is_set": clock.is_set,
        "temperature_c": machine.temperature_c(),
        "throttled": machine.throttled(),
        "memory_free_mb": None if memory is None else memory.available // 1_000_000,
        "disk_free_mb": None if disk is None else disk.free // 1_000_000,
        "disk_used_pct": None if disk is None else round(disk.used_pct, 1),
        "processes": asked.answers,
        "health": None if asked.health is None else asked.health.model_dump(mode="json"),
        "admitted": {bed.bed: bed.patient is not None for bed in (asked.state.beds if asked.state else ())},
        "clouds": []
        if asked.told is None
        else [one.model_dump(mode="json") for one in asked.told.destinations],
        "hours_left": [
            {
                "kind": one.kind,
                "hours": one.hours,
                "reach_hours": one.reach_hours,
                "rate_bytes_h": one.rate_bytes_h,
                "used_bytes": one.used_bytes,
                "room_bytes": one.room_bytes,
                "bounded_by": one.bounded_by,
            }
            for one in left
        ],
        "next_to_go": next_to_go(left),
        "certificates": certificates,
        "last_backup": _last_backup(config),
        "update": {**asdict(slots), "well": slots.well},
    }


def _left(config: Config, asked: Asked) -> list[Left]:
    state = asked.state
    if state is None:
        return []
    try:
        return ask_store(
            config.box.database, lambda reader: hours_left(reader, config, state.boot, state.now_ns)
        )
    except (sqlite3.Error, OSError):
        return []


def _last_backup(config: Config) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((config.box.data / LAST_BACKUP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
