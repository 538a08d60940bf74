"""`vitald queue`: what waits for each cloud, why, and what a person can do about it."""

from __future__ import annotations

import argparse
import asyncio
import getpass

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.forwarding import (
    DestinationTold,
    ForwardClient,
    NotAnswering,
    QuarantineTold,
    Told,
    Unknown,
)

WELL_STATES = {"idle", "sending"}


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument(
        "act", nargs="?", choices=("pause", "resume", "retry", "quarantine", "release", "metrics")
    )
    parser.add_argument("name", nargs="?", help="the destination")
    parser.add_argument(
        "seqs", nargs="*", type=int, help="release: these records of the quarantine (none: all)"
    )


def run(options: argparse.Namespace) -> int:
    if options.act not in {None, "metrics"} and not options.name:
        raise BadInput(f"{options.act} of which destination?")
    try:
        return asyncio.run(_run(options, config_of(options)))
    except NotAnswering as error:
        print(f"the forwarder does not answer: {error}")
        return NOT_WELL
    except Unknown as error:
        raise BadInput(str(error)) from None


async def _run(options: argparse.Namespace, config: Config) -> int:
    async with ForwardClient(config.forward_socket) as client:
        actor = getpass.getuser()
        match options.act:
            case None:
                return _show(await client.told(), as_json=options.json)
            case "metrics":
                print(await client.metrics(), end="")
            case "quarantine":
                _list(await client.quarantine(options.name), as_json=options.json)
            case "release":
                done = await client.release(options.name, tuple(options.seqs) or None, actor)
                print(f"{done.records} records are sent again")
            case verb:
                await client.act(options.name, verb, actor)
    return WELL


def _show(told: Told, *, as_json: bool) -> int:
    if as_json:
        print(told.model_dump_json(indent=2))
    elif not told.destinations:
        print("no destination is configured")
    else:
        print(
            f"{'destination':<16} {'state':<9} {'waiting':>9} {'oldest':>8} {'rate':>10} {'refused':>8}  why"
        )
        for one in told.destinations:
            print(_line(one))
    return (
        WELL
        if all(one.state in WELL_STATES and not one.quarantined for one in told.destinations)
        else NOT_WELL
    )


def _line(one: DestinationTold) -> str:
    waiting = sum(lane.waiting for lane in one.lanes.values())
    why = one.reason
    if one.next_try_s:
        why += f" (next try in {span(one.next_try_s)})"
    rate = f"{one.bytes_per_s / 1000:.1f} kB/s"
    line = f"{one.name:<16} {one.state:<9} {waiting:>9} {span(one.oldest_unsent_s):>8} {rate:>10} {one.quarantined:>8}  {why}"
    lanes = [
        f"{name} {lane.waiting} (about {lane.waiting_bytes / 1000:.0f} kB)"
        for name, lane in one.lanes.items()
        if lane.waiting
    ]
    return "\n".join([line.rstrip(), *(f"    {lane}" for lane in lanes)])


def span(seconds: float) -> str:
    """A length of time in its two largest parts: "3d 4h", "12m 5s"."""
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{n}{unit}" for n, unit in parts[:2])


def _list(told: QuarantineTold, *, as_json: bool) -> None:
    if as_json:
        print(told.model_dump_json(indent=2))
        return
    for entry in told.records:
        print(f"{entry.seq:>10} {entry.message:<20} {entry.device:<20} refused {entry.times}x: {entry.reply}")
    if not told.records:
        print("nothing is refused")
