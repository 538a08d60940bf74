"""`vitald setup`: whether the first administrator is still to be made, and the code for doing it from another computer."""

from __future__ import annotations

import argparse
import asyncio

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.people import PeopleClient, SetUpTold


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="JSON")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
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
        print(f"open /setup on the pages; set-up code {told.code}")
    return WELL


async def _told(config: Config) -> SetUpTold:
    async with PeopleClient(config.box.socket) as client:
        return await client.setup()
