"""`vitald time`: how the clock stands, in plain words, and setting it.

vitald time zone Europe/Berlin        with timedatectl
vitald time servers ntp1.example ...  with chrony, or systemd-timesyncd
vitald time set 2026-01-31T12:00:00Z  where nothing else keeps it
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from daemon.appliance.system_steps import CannotDo
from daemon.appliance.time_setting import Time, time_steps
from daemon.appliance.timekeeping import CannotSet, moment, set_clock, timekeeping
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.carrying import carried_out
from daemon.control.asking import first_fault
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", nargs="?", choices=("show", "set", "zone", "servers"), default="show")
    parser.add_argument(
        "values",
        nargs="*",
        metavar="VALUE",
        help="set: a time with its zone, 2026-01-31T12:00:00Z; zone: Europe/Berlin; servers: names or addresses",
    )
    parser.add_argument("--show", action="store_true", help="zone, servers: only show what would be done")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    if options.act in {"zone", "servers"}:
        return _kept(options)
    now = timekeeping()
    if options.act == "set":
        if len(options.values) != 1:
            raise BadInput("set to what? 2026-01-31T12:00:00Z")
        try:
            set_clock(moment(options.values[0]), now.keeper)
        except CannotSet as error:
            raise BadInput(str(error)) from None
        now = timekeeping()
    if options.json:
        print(json.dumps(asdict(now), indent=2))
    else:
        print(f"{now.utc} (UTC)")
        print(say("technician.time_believed" if now.believed else "technician.time_not_believed"))
        print(say("technician.keeper", keeper=now.keeper) if now.keeper else say("technician.no_keeper"))
        for name, value in now.says.items():
            print(f"  {name}: {value}")
        print(say("technician.battery" if now.battery_clock else "technician.no_battery"))
    return WELL if now.believed else NOT_WELL


def _kept(options: argparse.Namespace) -> int:
    if not options.values or (options.act == "zone" and len(options.values) > 1):
        raise BadInput(
            "which zone? vitald time zone Europe/Berlin" if options.act == "zone" else "which servers?"
        )
    said = {"zone": options.values[0]} if options.act == "zone" else {"servers": tuple(options.values)}
    try:
        return carried_out(
            time_steps(Time.model_validate(said), options.root), show=options.show, as_json=options.json
        )
    except ValidationError as error:
        raise BadInput(first_fault(error)) from None
    except CannotDo as error:
        raise BadInput(str(error)) from None
