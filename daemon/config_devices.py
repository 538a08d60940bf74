"""Whether every device of the configuration can be set up: its kind is known, its options fit.

Apart from `config`, because it brings every board into memory: who opens the ports asks it, and who writes the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daemon.config import BadConfig, Config
from firmware_bridge.boards import why_no_board


def wrong_devices(config: Config) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Place in the configuration and reason, of each that cannot."""
    for name, bed in config.beds.items():
        for at, device in enumerate(bed.devices):
            if why := why_no_board(device.kind, device.options):
                yield ("beds", name, "devices", at), f"{device.label}: {why}"


def refuse_wrong_devices(config: Config, path: Path) -> None:
    """Raises `BadConfig` for the first that cannot; `path` is the configuration's."""
    for place, why in wrong_devices(config):
        raise BadConfig(f"{path}: {'.'.join(map(str, place))}: {why}")
