"""`vitald web`: the pages, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys

from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    from webui.app import run as run_web

    try:
        run_web(config)
    except OSError as error:  # the port is taken, or not ours to take; systemd tries again
        print(f"vitald web: {config.web.host} port {config.web.port}: {error.strerror}", file=sys.stderr)
        return NOT_WELL
    return WELL
