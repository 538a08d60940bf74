"""`vitald setup`: the first settings of a box, asked for or from a file; and the code for the first administrator's account.

vitald setup                          the set-up code; on a terminal, everything is asked for
vitald setup --from FILE [--show]     what FILE says, done (or only shown)
vitald setup hash | code              what stands for a person's password in FILE
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from daemon.appliance.config_file import Fault
from daemon.appliance.first_settings import FILE_NAME, LARGEST
from daemon.appliance.first_start import (
    ANSWER,
    FOLDER,
    NotAsked,
    Places,
    Plan,
    applied,
    is_set_up,
    leave,
    plan_of,
    planned,
)
from daemon.appliance.stick import COPY, FAILED, copied, mounted
from daemon.appliance.system_steps import CannotDo, run_program
from daemon.cli import BAD_INPUT, NOT_WELL, WELL, BadInput
from daemon.cli.asked import ask_all
from daemon.cli.configured import DEFAULT, add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.people import PeopleClient, SetUpTold
from daemon.first_start import REQUEST, requested
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "act",
        nargs="?",
        choices=("show", "ask", "hash", "code"),
        help="show: the set-up code; ask: everything, one after the other (on a terminal, unless something else is said); "
        "hash: a password as a hash for the file; code: one that signs in once",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--from", dest="file", type=Path, metavar="FILE", help=f"first settings, as in {FILE_NAME}"
    )
    parser.add_argument("--show", action="store_true", help="only show what would be done")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="ask: keep the answers as a file, and do nothing"
    )
    parser.add_argument("--stick", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--request", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--copy", type=Path, default=COPY, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.act == "hash":
        return _hash()
    if options.act == "code":
        from daemon.people.passwords import random_password

        print(random_password())
        return WELL
    config = config_of(options)
    if options.stick is not None:
        return _from_stick(options, config)
    if options.request:
        return _requested(options, config)
    if options.file is not None:
        return _settled(options, lambda places: planned(options.file, places), config, str(options.file))
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    if (
        options.act == "ask"
        or options.save
        or (options.act is None and on_terminal and not is_set_up(config))
    ):
        return _ask(options, config)
    return _show(options, config)


# --- the set-up code -------------------------------------------------------------------------------------


def _show(options: argparse.Namespace, config: Config) -> int:
    try:
        told = asyncio.run(_told(config))
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL
    if options.json:
        print(told.model_dump_json(indent=2))
    elif not told.needed:
        raise BadInput("the box is set up: people are made by an administrator, or by `vitald user add`")
    else:
        for line in told.told:
            print(line)
        print(f"open /setup on the pages; set-up code {told.code}")
    return WELL


async def _told(config: Config) -> SetUpTold:
    async with PeopleClient(config.box.socket) as client:
        return await client.setup()


def _hash() -> int:
    from daemon.people.passwords import Passwords, fault

    first = getpass.getpass(say("setup.cli.password"))
    if key := fault(first):
        raise BadInput(say(key))
    if getpass.getpass(say("setup.cli.again")) != first:
        raise BadInput(say("setup.cli.differ"))
    passwords = Passwords()
    print(asyncio.run(passwords.hash(first)))
    passwords.close()
    return WELL


# --- a file, answers, a stick, a request -----------------------------------------------------------------


def _ask(options: argparse.Namespace, config: Config) -> int:
    from daemon.cli.setup_asking import asked

    text = asked(config)
    if options.save:
        options.save.write_text(text, encoding="utf-8")
        options.save.chmod(0o600)
        print(say("setup.cli.saved", path=str(options.save)))
        return WELL
    print(f"\n{text}")
    if input(say("setup.cli.sure")).strip().lower() not in say("setup.cli.yes").split():
        print(say("setup.cli.nothing"))
        return NOT_WELL

    def plan(places: Places) -> Plan:
        with TemporaryDirectory() as folder:
            file = Path(folder) / FILE_NAME
            file.write_text(text, encoding="utf-8")
            return planned(file, places)

    return _settled(options, plan, config, "vitald setup")


def _settled(options: argparse.Namespace, plan: Callable[[Places], Plan], config: Config, source: str) -> int:
    """Do what a plan says, and tell of it."""
    places = Places(config, options.config)
    told: dict[str, Any] = {"applied": [], "faults": [], "remarks": [], "next": ""}
    try:
        made = plan(places)
        if not (options.show or made.empty):
            _nobody_is_here(config, options.config)
            told["remarks"] = applied(made, places, source)
    except NotAsked as error:
        return _refused(options, source, error.faults)
    except (CannotDo, OSError, UnicodeDecodeError) as error:
        return _refused(options, source, [Fault(0, "", str(error))])
    told["applied"] = [list(line) for line in made.lines]
    if options.show:
        for step in made.steps:
            print(step.shown(), file=sys.stderr)
    elif not made.empty:
        told["next"] = _begin_anew(options.config)
    if options.json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return WELL
    for key, value in made.lines:
        print(f"{key} = {value}")
    for remark in told["remarks"]:
        print(say("setup.cli.remark", text=str(remark)))
    if made.empty:
        print(say("setup.cli.so_already"))
    elif options.show:
        print(say("setup.cli.shown"))
    else:
        print(say("setup.cli.anew" if told["next"] == "anew" else "setup.cli.restart"))
    return WELL


def _nobody_is_here(config: Config, path: Path) -> None:
    """All programs begin anew: not under a patient. Raises `CannotDo`."""
    state = ask_all(config, path).state
    beds = [bed.bed for bed in state.beds if bed.patient is not None] if state is not None else []
    if beds:
        raise CannotDo(say("setup.cli.admitted", beds=", ".join(beds)))


def _refused(options: argparse.Namespace, source: str, faults: tuple[Fault, ...] | list[Fault]) -> int:
    if options.json:
        told = [{"line": f.line, "key": f.key, "text": f.text} for f in faults]
        print(
            json.dumps(
                {"applied": [], "faults": told, "remarks": [], "next": ""}, indent=2, ensure_ascii=False
            )
        )
        return BAD_INPUT
    for line in _lines(source, faults):
        print(line, file=sys.stderr)
    print(say("setup.cli.nothing"), file=sys.stderr)
    return BAD_INPUT


def _lines(source: str, faults: tuple[Fault, ...] | list[Fault]) -> list[str]:
    return [
        f"{source}{f':{fault.line}' if fault.line else ''}: {f'{fault.key}: ' if fault.key else ''}{fault.text}"
        for fault in faults
    ]


def _begin_anew(path: Path) -> str:
    """Where systemd runs the box all of it begins anew; else a person is told to: "anew" or "restart"."""
    if path != DEFAULT or not Path("/run/systemd/system").is_dir() or os.geteuid() != 0:
        return "restart"
    for words in (("systemctl", "daemon-reload"), ("systemctl", "restart", "--no-block", "vitald.target")):
        if said := run_program(words):
            print(said, file=sys.stderr)
            return "restart"
    return "anew"


def _from_stick(options: argparse.Namespace, config: Config) -> int:
    """Only copied: what changes the box has no right to mount, and what mounts none to change it."""
    if is_set_up(config):
        print(say("setup.cli.stick_late"))
        return WELL
    try:
        with mounted(options.stick) as folder:
            copied(folder)
    except CannotDo as error:
        raise BadInput(str(error)) from None
    return WELL


def _requested(options: argparse.Namespace, config: Config) -> int:
    """What a stick or the page has asked for; the unit takes both away when it ends, done or not."""
    if options.copy.is_dir():
        return _for_the_screen(
            options, config, lambda places: _of_stick(options.copy, config, places), FILE_NAME
        )
    file = config.box.data / FOLDER / REQUEST
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as opened:
            text = opened.read(LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: {error}") from None

    def plan(places: Places) -> Plan:
        return plan_of(requested(text, tomllib.loads(places.text)), places)

    return _for_the_screen(options, config, plan, "the page /setup")


def _of_stick(copy: Path, config: Config, places: Places) -> Plan:
    failed = copy / FAILED
    if failed.exists():
        raise CannotDo(failed.read_text(encoding="utf-8"))
    if is_set_up(config):
        raise CannotDo(say("setup.cli.stick_late"))
    return planned(copy / FILE_NAME, places)


def _for_the_screen(
    options: argparse.Namespace, config: Config, plan: Callable[[Places], Plan], source: str
) -> int:
    """Done, with what was wrong left where the page /setup finds it."""
    faults: list[str] = []

    def noted(places: Places) -> Plan:
        try:
            return plan(places)
        except NotAsked as error:
            faults.extend(_lines(source, error.faults))
            raise
        except (CannotDo, OSError, UnicodeDecodeError) as error:
            faults.append(str(error))
            raise

    code = _settled(options, noted, config, source)
    leave(config.box.data, ANSWER, json.dumps({"lines": faults}, ensure_ascii=False))
    return code
