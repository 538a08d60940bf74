"""`vitald run`: the daemon in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse

from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    from daemon.config_devices import refuse_wrong_devices
    from daemon.main import run_daemon

    refuse_wrong_devices(config, options.config)
    return run_daemon(config, options.config)
