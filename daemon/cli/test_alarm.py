"""`vitald test-alarm [BED]`: a marked test of an alarm, from the engine to screens and loudspeaker.

With `--chain` the whole way is proved, from a board's bytes to what loudspeaker and screens confirm; exit code 1 where a stage failed.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.cli.limits import act, bed_of, talk
from daemon.config import Config
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.proof import ProofClient, ProofTold, Stage
from daemon.model.alarms import Priority
from daemon.words import say, table


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "bed", nargs="?", default="", help="key of the bed; may be left out where there is one"
    )
    parser.add_argument("--priority", choices=[p.value for p in Priority], default=Priority.HIGH.value)
    parser.add_argument(
        "--chain",
        action="store_true",
        help="prove the whole way at every bed: from a board's bytes to loudspeaker and screens",
    )
    parser.add_argument("--json", action="store_true", help="with --chain: the result as JSON")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if options.chain:
        return _chain(config, as_json=options.json)
    if options.json:
        raise BadInput("--json goes with --chain")
    bed = bed_of(config, options.bed)

    async def asked(client: ControlClient) -> int:
        answer = await client.act(act(bed, "test", {"priority": options.priority}))
        if not answer.acted:
            raise BadInput(answer.error)
        print(f"bed {bed}: ALARM TEST, {options.priority.upper()}, for 10 s: look at the screens and listen")
        return WELL

    return talk(config, asked)


def _chain(config: Config, *, as_json: bool) -> int:
    async def proved() -> ProofTold:
        async with ProofClient(config.box.socket) as client:
            return await client.prove()

    if not as_json:
        print(say("proof.begins"), flush=True)
    try:
        told = asyncio.run(proved())
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL
    print(told.model_dump_json(indent=2) if as_json else "\n".join(lines(told)))
    return WELL if told.state == "passed" else NOT_WELL


def lines(told: ProofTold) -> Iterator[str]:
    """The result, one line a stage."""
    yield verdict(told)
    for stage in told.stages:
        mark = "!" if stage.state == "failed" else " "
        yield f" {mark}{say(f'proof.stage.{stage.name}'):<42} {say(f'proof.state.{stage.state}')}{_more(stage)}"


def verdict(told: ProofTold) -> str:
    """Passed or not, and what an interrupted one was ended by."""
    row = say(f"alarm.{told.why}", instance="").strip() if told.why else ""
    return say(f"proof.{told.state}", row=row)


def _more(stage: Stage) -> str:
    code, _, known = stage.why.partition(" ")
    if stage.state == "ok" and stage.name == "screens":
        why = say("proof.screens", count=stage.why)
    elif not code:
        why = ""
    else:
        keys = (f"proof.why.{code}", f"fact.sound.{code}")
        why = next((say(key, known=known) for key in keys if key in table()), stage.why)
    took = "" if stage.ms is None else f"{stage.ms / 1000:.2f} s"
    said = ", ".join(part for part in (took, why) if part)
    return f": {said}" if said else ""
