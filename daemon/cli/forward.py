"""`vitald forward`: the way to the clouds, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys

from daemon.cli import BAD_CONFIGURATION, WELL
from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "--check", action="store_true", help="only look whether every destination can be made; 78 if not"
    )


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    from daemon.appliance.notify import Notify
    from daemon.forward.process import check, run_forward

    if not options.check:
        return run_forward(config, Notify().alive)
    found = check(config)
    for name, fault in found.items():
        print(f"{name}: {fault or 'well'}", file=sys.stderr if fault else sys.stdout)
    return BAD_CONFIGURATION if any(found.values()) else WELL
