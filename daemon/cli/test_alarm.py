"""`vitald test-alarm [BED]`: a marked test of the whole way of an alarm, from the engine to screens and loudspeaker."""

from __future__ import annotations

import argparse

from daemon.cli import WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.cli.limits import act, bed_of, talk
from daemon.control.client import ControlClient
from daemon.model.alarms import Priority


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "bed", nargs="?", default="", help="key of the bed; may be left out where there is one"
    )
    parser.add_argument("--priority", choices=[p.value for p in Priority], default=Priority.HIGH.value)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    bed = bed_of(config, options.bed)

    async def asked(client: ControlClient) -> int:
        answer = await client.act(act(bed, "test", {"priority": options.priority}))
        if not answer.acted:
            raise BadInput(answer.error)
        print(f"bed {bed}: ALARM TEST, {options.priority.upper()}, for 10 s: look at the screens and listen")
        return WELL

    return talk(config, asked)
