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
    from daemon import journal
    from daemon.appliance.notify import Notify
    from webui.app import run as run_web

    if journal.is_journal(journal.STANDARD_ERROR):
        journal.begin()  # on a terminal the address on standard output is all that is wanted
    try:
        run_web(config, Notify().alive)
    except OSError as error:  # the port is taken, or not ours to take; systemd tries again
        print(f"vitald web: {config.web.host} port {config.web.port}: {error.strerror}", file=sys.stderr)
        return NOT_WELL
    return WELL
