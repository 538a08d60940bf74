"""`vitald work`: what computes over history (strips, statistics, rehearsals of limits), until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse

from daemon.cli import WELL
from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    from daemon.worker import run_worker

    run_worker(config)
    return WELL
