"""`vitald status` and what `vitald devices` shares with it: ask the running daemon over its socket."""

from __future__ import annotations

import argparse
import asyncio

from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.messages import BedState, State
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the whole state as JSON")


def run(options: argparse.Namespace) -> int:
    state = ask(config_of(options))
    if state is None:
        return NOT_WELL
    if options.json:
        print(state.model_dump_json(indent=2))
    else:
        print(f"{state.box}: vitald {state.version}{' (DEMO)' if state.demo else ''}")
        for fact in state.facts:
            print(f"  {say(f'fact.{fact.source}')} {fact.detail}".rstrip())
        for bed in state.beds:
            print(_line(bed))
    return WELL if well(state) else NOT_WELL


def well(state: State) -> bool:
    """Whether nothing is wrong that a person should see to."""
    return not state.facts and all(d.state == "streaming" for bed in state.beds for d in bed.devices)


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


def _line(bed: BedState) -> str:
    parts = [f"  {bed.name or bed.bed}:"]
    rate = bed.metrics.get("heart_rate")
    if rate is not None:
        parts.append(
            f"HR {rate.value:.0f} {rate.unit},"
            if rate.value is not None
            else f"HR -- ({say(f'why.{rate.why}')}),"
        )
    parts.append(
        ", ".join(f"{d.label} {say(f'link.{d.state}')}" for d in bed.devices) or "no device configured"
    )
    return " ".join(parts)
