"""`vitald devices`: one line a device."""

from __future__ import annotations

import argparse

from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of
from daemon.cli.status import ask
from daemon.words import say

_COLUMNS = "{bed:<6} {label:<10} {kind:<14} {device:<20} {firmware:<18} {state:<12} {rate:>8} {drift:>8} {lost:>6}  {port}"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    state = ask(config_of(options))
    if state is None:
        return NOT_WELL
    print(
        _COLUMNS.format(
            bed="bed", label="label", kind="kind", device="serial", firmware="firmware", state="state",
            rate="Hz", drift="ppm", lost="lost", port="port",
        )
    )  # fmt: skip
    for bed in state.beds:
        for device in bed.devices:
            print(
                _COLUMNS.format(
                    bed=bed.bed,
                    label=device.label,
                    kind=device.kind,
                    device=device.device or "-",
                    firmware=device.firmware or "-",
                    state=say(f"link.{device.state}"),
                    rate=f"{device.rate_hz:g}" if device.rate_hz else "-",
                    drift=f"{device.drift_ppm:+.1f}" if device.drift_ppm is not None else "-",
                    lost=device.samples_lost,
                    port=device.port,
                )
            )
            if device.detail:
                print(f"       {device.detail}")
    return WELL if all(d.state == "streaming" for bed in state.beds for d in bed.devices) else NOT_WELL
