"""`vitald limits [BED] [ROW.KEY=VALUE ...]`: the alarm limits of a bed, as they are set, or set anew."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import Act, AlarmVerb, LimitRowState
from daemon.words import say

SCREEN = "command line"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "bed", nargs="?", default="", help="key of the bed; may be left out where there is one"
    )
    parser.add_argument(
        "settings", nargs="*", metavar="ROW.KEY=VALUE", help="for example hr_high.above=130, hr_high.on=false"
    )
    parser.add_argument("--default", action="store_true", help="put every limit back to the ward's default")
    parser.add_argument("--all", action="store_true", help="show all limits, not only those that differ")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    bed, settings = options.bed, list(options.settings)
    if "=" in bed:  # the bed was left out
        bed, settings = "", [bed, *settings]
    bed = bed_of(config, bed)
    values = dict(_setting(text) for text in settings)

    async def asked(client: ControlClient) -> int:
        wanted = values
        if options.default:
            rows = (await client.limits(bed)).limits
            wanted = {name: "default" for row in rows for name, _, differs in told(row) if differs}
        if wanted:
            answer = await client.act(act(bed, "limits", wanted))
            if not answer.acted:
                raise BadInput(answer.error)
        shown = 0
        for row in (await client.limits(bed)).limits:
            for name, text, differs in told(row):
                if options.all or differs:
                    print(f"{name:24} {text}")
                    shown += 1
        if not shown:
            print(f"bed {bed}: all limits are the default ones (--all shows them)")
        return WELL

    return talk(config, asked)


def told(row: LimitRowState) -> list[tuple[str, str, bool]]:
    """Of everything that can be set of a row: its name, what is set, and whether that differs from the default."""
    lines = []
    for one in (*row.limits, *([row.delay] if row.delay else [])):
        differs = one.value != one.default
        usual = f" (default {one.default:g})" if differs else ""
        span = f"{one.low:g} to {one.high:g}"
        text = f"{one.value:g} {one.unit}{usual}, {span}  {say(f'alarm.{row.row}', instance='')}"
        lines.append((f"{row.row}.{one.key}", text, differs))
    if row.may_be_off:
        differs = row.on != row.on_default
        usual = f" (default {'true' if row.on_default else 'false'})" if differs else ""
        lines.append((f"{row.row}.on", f"{'true' if row.on else 'false'}{usual}", differs))
    return lines


def bed_of(config: Config, given: str) -> str:
    """The bed that is meant. Raises `BadInput` naming those that there are."""
    if not given and len(config.beds) == 1:
        return next(iter(config.beds))
    if given not in config.beds:
        raise BadInput(f"which bed? There are: {', '.join(config.beds)}")
    return given


def act(bed: str, verb: AlarmVerb, values: Mapping[str, str]) -> Act:
    """An operator's act from the command line."""
    return Act(id=secrets.token_hex(8), bed=bed, verb=verb, values={**values, "screen": SCREEN})


def talk(config: Config, asked: Callable[[ControlClient], Awaitable[int]]) -> int:
    """Ask the daemon; the exit code. One line where it does not answer."""

    async def talking() -> int:
        async with ControlClient(config.box.socket) as client:
            return await asked(client)

    try:
        return asyncio.run(talking())
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise BadInput(f"{text}: a limit is set like hr_high.above=130")
    return name, value
