"""`vitald support-bundle`: one file for whoever helps from afar, without patients' data; with `--incident` the minutes around an alarm."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import daemon
from daemon.appliance import journal, machine, support
from daemon.appliance.doctor import examine
from daemon.appliance.network import gateway, interfaces
from daemon.appliance.support import Part, as_json
from daemon.appliance.surroundings import UNITS, Surroundings, systemctl
from daemon.appliance.telling_logs import told as told_logs
from daemon.appliance.versions import versions
from daemon.cli import WELL, BadInput
from daemon.cli.asked import ask_all
from daemon.cli.configured import add_config, config_of
from daemon.cli.doctor import surroundings
from daemon.config import Config
from daemon.words import say

UNIT_PROPERTIES = (
    "LoadState,ActiveState,SubState,Result,NRestarts,MemoryCurrent,CPUUsageNSec,ActiveEnterTimestamp"
)
LOG_LINES = 5000


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the file to make (default vitald-support.zip here)"
    )
    parser.add_argument(
        "--incident",
        metavar="ALARM",
        help="an alarm's id: what happened around it, as a page for any browser",
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="before and after the alarm (default 2)")
    parser.add_argument("--quick", action="store_true", help="without the slow checks of `vitald doctor`")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if options.incident:
        from daemon.cli.incident_parts import LEFT_OUT, incident_parts

        parts, left_out = incident_parts(config, options.incident, options.minutes), list(LEFT_OUT)
        output = options.output or Path("vitald-incident.zip")
    else:
        parts, left_out = bundle_parts(config, options), list(support.LEFT_OUT)
        output = options.output or Path("vitald-support.zip")
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(support.pack(parts, daemon.__version__, left_out))
    except OSError as error:
        raise BadInput(f"{output}: {error.strerror}") from None
    for part in parts:
        print(f"  {part.name} ({len(part.data)} bytes)")
    print(say("technician.left_out", what="; ".join(left_out)))
    print(say("technician.bundled", file=str(output)))
    return WELL


def bundle_parts(config: Config, options: argparse.Namespace) -> list[Part]:
    """All parts."""
    asked = ask_all(config, options.config)
    box = surroundings(options)
    disk, memory = machine.disk(config.box.data), machine.memory()
    return [
        as_json("doctor.json", _doctor(box)),
        as_json("versions.json", versions()),
        as_json("configuration.json", support.configuration(config)),
        as_json("state.json", support.state(config, asked.state)),
        as_json("health.json", _health(asked.health)),
        as_json("clouds.json", support.clouds(config, asked.told)),
        as_json(
            "databases.json", {p.name: support.database(p) for p in (config.box.database, config.box.people)}
        ),
        as_json(
            "machine.json",
            {
                "model": machine.model(),
                "uptime_s": machine.uptime_s(),
                "temperature_c": machine.temperature_c(),
                "throttled": machine.throttled(),
                "memory": None if memory is None else [memory.total, memory.available, memory.stalled_pct],
                "disk": None if disk is None else [disk.total, disk.free, disk.files, disk.files_free],
                "links": [
                    {"up": link.up, "wireless": link.wireless, "addresses": len(link.addresses)}
                    for link in interfaces()
                ],
                "way_out": bool(gateway()),
            },
        ),
        as_json("units.json", _units(box)),
        *_logs(options.config),
    ]


def _doctor(box: Surroundings) -> list[dict[str, object]]:
    """Ids alone: what is filled into their words names things."""
    return [
        {
            "number": one.number,
            "check": one.check,
            "grade": one.grade,
            "findings": [f.id for f in one.findings],
        }
        for one in examine(box)
    ]


def _health(health: object) -> dict[str, object]:
    if health is None:
        return {"answers": False}
    from daemon.control.technician import HealthTold

    assert isinstance(health, HealthTold)
    sound = health.sound
    return {
        "version": health.version,
        "up_s": health.up_s,
        "tick_age_s": health.tick_age_s,
        "waiting": health.waiting,
        "overflowed": health.overflowed,
        "rounds_age_s": sorted(health.rounds_age_s.values()),
        "alarms": health.alarms,
        "sound": None
        if sound is None
        else {"answers": sound.answers, "speaker": sound.speaker, "playing": sound.playing},
    }


def _units(box: Surroundings) -> dict[str, dict[str, str]]:
    if not box.has_systemd:
        return {}
    told = {unit: systemctl("show", f"{unit}.service", f"--property={UNIT_PROPERTIES}") for unit in UNITS}
    return {
        unit: dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        for unit, text in told.items()
    }


def _logs(config: Path) -> list[Part]:
    if journal.has_journal():
        texts = {unit: journal.read([unit], lines=LOG_LINES).splitlines() for unit in UNITS}
    else:
        known = {"daemon", "web", "worker", "sound", "forward", "simulators"}
        texts = {
            path.stem: list(journal.tail(path, LOG_LINES))
            for path in journal.files(config)
            if path.stem in known
        }
    return [
        Part(f"logs/{name}.log", ("\n".join(told_logs(lines)) + "\n").encode())
        for name, lines in texts.items()
        if lines
    ]
