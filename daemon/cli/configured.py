"""The option that most verbs share: which configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.config import Config, load

PROCESSES = ("run", "web", "work", "forward", "sound")
DEFAULT = Path("/etc/vitald/vitald.toml")


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=DEFAULT, metavar="FILE", help=f"configuration (default {DEFAULT})"
    )


def config_of(options: argparse.Namespace) -> Config:
    """The configuration asked for. Raises `BadConfig`. A process of the box is watched for errors from here on."""
    config = load(options.config)
    if getattr(options, "verb", "") in PROCESSES and not getattr(options, "check", False):
        from daemon.appliance.crash import watch

        watch(options.verb, config.crash_data)
    return config
