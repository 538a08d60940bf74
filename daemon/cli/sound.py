"""`vitald sound`: the loudspeaker, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse

from daemon.cli.configured import add_config, config_of
from daemon.config import BadConfig


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if not config.sound.enabled:
        raise BadConfig("sound.enabled: this box is set to have no loudspeaker")
    from daemon.appliance.notify import Notify
    from daemon.signals.loudspeaker import run_sound

    return run_sound(config, Notify().alive)
