"""`vitald time`: how the clock stands, in plain words; `vitald time set WHEN` where nothing else keeps it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from daemon.appliance.timekeeping import CannotSet, moment, set_clock, timekeeping
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", nargs="?", choices=("show", "set"), default="show")
    parser.add_argument("when", nargs="?", help="set: with its zone, 2026-01-31T12:00:00Z")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    now = timekeeping()
    if options.act == "set":
        if not options.when:
            raise BadInput("set to what? 2026-01-31T12:00:00Z")
        try:
            set_clock(moment(options.when), now.keeper)
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
