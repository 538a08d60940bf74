# ruff: noqa: N999 - the name of the verb
"""`vitald import`: the nights on a device's card (ResMed), into the history of a bed."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.work import ImportAsked, ImportState, WorkClient

LOOKED_EVERY_S = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "path", type=Path, help="the card: its folder, or a zip file of it, where the worker may read it"
    )
    parser.add_argument("--bed", default="", help="key of the bed (default: the only one)")
    parser.add_argument(
        "--patient", default="", metavar="ID", help="whose nights they are (default: nobody's)"
    )
    parser.add_argument(
        "--timezone", default="", metavar="ZONE", help="of the card's clock (default: the box's own)"
    )
    parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: who is logged in)")
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    bed = options.bed or (next(iter(config.beds)) if len(config.beds) == 1 else "")
    if not bed:
        raise BadInput(f"--bed is one of {', '.join(config.beds)}")
    if not options.path.exists():
        raise BadInput(f"{options.path}: no such file or folder")
    asked = ImportAsked(
        path=str(options.path.resolve()),
        bed=bed,
        patient_id=options.patient,
        timezone=options.timezone,
        actor=options.by,
    )
    try:
        state = asyncio.run(_import(config, asked, told=not options.json and sys.stderr.isatty()))
    except NotAnswering as error:
        print(f"the worker (vitald work) does not answer: {error}")
        return NOT_WELL
    except KeyboardInterrupt:
        print("stopped: what was imported stays, the rest comes with the next import of the card")
        return NOT_WELL
    if options.json:
        print(state.model_dump_json(indent=2))
        return WELL if state.state == "done" else NOT_WELL
    for note in state.notes:
        print(f"note: {note}")
    if state.state != "done":
        print(f"not imported: {state.refused or state.state}")
    print(
        f"{state.title or 'card'} {state.device}: {state.nights} nights, {state.added} new sessions with {state.marks}"
        f" events, {state.known} here already, {state.empty} empty"
    )
    return WELL if state.state == "done" else NOT_WELL


async def _import(config: Config, asked: ImportAsked, *, told: bool) -> ImportState:
    async with WorkClient(config.work_socket) as client:
        state = await client.import_card(asked)
        try:
            while state.state == "running":
                await asyncio.sleep(LOOKED_EVERY_S)
                state = await client.card()
                if told:
                    sys.stderr.write(f"\r{100 * state.progress:3.0f} %")
                    sys.stderr.flush()
        except asyncio.CancelledError:
            await client.cancel_import()
            raise
        finally:
            if told:
                sys.stderr.write("\r")
    return state
