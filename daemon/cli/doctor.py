"""`vitald doctor`: numbered checks of the box, what each finding means, and what to do about it. Changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import json

from daemon.appliance.doctor import Checked, examine
from daemon.appliance.findings import Grade
from daemon.appliance.surroundings import Reached, Surroundings
from daemon.appliance.update import status as slots_now
from daemon.cli import BAD_CONFIGURATION, NOT_WELL, WELL
from daemon.cli.configured import add_config
from daemon.config import BadConfig, Config, load
from daemon.config_devices import refuse_wrong_devices
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument(
        "--quick", action="store_true", help="without the disk's speed, the databases' pages and the clouds"
    )


def run(options: argparse.Namespace) -> int:
    box = surroundings(options)
    checks = []
    for checked in examine(box):
        checks.append(checked)
        if not options.json:
            print("\n".join(lines(checked)), flush=True)
    if options.json:
        print(json.dumps(as_json(checks), indent=2))
    else:
        print(summary(checks))
    if box.config is None:
        return BAD_CONFIGURATION
    return WELL if all(one.grade is Grade.OK for one in checks) else NOT_WELL


def surroundings(options: argparse.Namespace) -> Surroundings:
    """All that is looked at."""
    from daemon.cli.asked import ask_all

    try:
        config = load(options.config)
        refuse_wrong_devices(config, options.config)
    except BadConfig as error:
        return Surroundings(None, options.config, str(error), quick=options.quick)
    asked = ask_all(config, options.config)
    return Surroundings(
        config,
        options.config,
        quick=options.quick,
        state=asked.state,
        health=asked.health,
        silent=asked.silent,
        answers=asked.answers,
        pids=asked.pids,
        told=asked.told,
        update=slots_now(config),
        misconfigured=_misconfigured(config),
        reached=() if options.quick else reached(config, sign_in="vitald-forward" not in asked.pids),
    )


def _misconfigured(config: Config) -> dict[str, str]:
    if not config.forward.enabled or not config.forward.destinations:
        return {}
    from daemon.forward.process import check

    return check(config)


def reached(config: Config, *, sign_in: bool) -> list[Reached]:
    """How far every cloud is reached; signing in only where no forwarder does."""
    if not config.forward.enabled or not config.forward.destinations:
        return []
    from daemon.forward.probing import probe

    return [
        Reached(
            one.name,
            one.host,
            one.port,
            one.failed,
            one.why,
            None if one.until is None else one.until.timestamp(),
        )
        for one in asyncio.run(probe(config, sign_in=sign_in))
    ]


def lines(checked: Checked) -> list[str]:
    """A check as a person reads it."""
    grade = say(f"doctor.grade.{checked.grade}")
    told = [f"{checked.number:>3} {grade:<4} {say(f'doctor.check.{checked.check}')}"]
    if checked.unknown:
        told.append(f"         {say('doctor.not_known', why=checked.unknown)}")
    for one in checked.findings:
        told += [f"         {one.id}: {one.meaning}", f"         -> {one.remedy}"]
    return told


def summary(checks: list[Checked]) -> str:
    """The last line."""
    grades = [one.grade for checked in checks for one in checked.findings]
    unknown = sum(bool(checked.unknown) for checked in checks)
    if not grades and not unknown:
        return say("doctor.well")
    fail = grades.count(Grade.FAIL)
    return say("doctor.summary", fail=str(fail), warn=str(len(grades) - fail + unknown))


def as_json(checks: list[Checked]) -> dict[str, object]:
    """For a machine."""
    return {
        "checks": [
            {
                "number": checked.number,
                "check": checked.check,
                "grade": checked.grade,
                "unknown": checked.unknown,
                "findings": [
                    {"id": f.id, "grade": f.grade, "meaning": f.meaning, "remedy": f.remedy}
                    for f in checked.findings
                ],
            }
            for checked in checks
        ]
    }
