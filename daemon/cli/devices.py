"""`vitald devices`: one line a device, and new firmware for it; with `--probe` every port of the box: its adapter, who holds it, and whose bytes come in."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of
from daemon.cli.status import ask
from daemon.config import Config
from daemon.control.messages import State
from daemon.words import say

_COLUMNS = "{bed:<6} {label:<10} {kind:<14} {device:<20} {firmware:<18} {state:<12} {rate:>8} {drift:>8} {lost:>6}  {port}"
LISTEN_S = 3.0


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("act", nargs="?", choices=("firmware",), help="new firmware for devices")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WHAT",
        help="firmware: accept DEVICE, refuse DEVICE, bring DEVICE FILE (nothing: what there is)",
    )
    parser.add_argument("--version", default="", help="bring: the version that the device will say")
    parser.add_argument("--origin", help="accept, refuse: from which cloud, where there are several")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument(
        "--probe",
        action="store_true",
        help=f"list every port, and listen for {LISTEN_S:.0f} s at each that nobody holds (nothing is sent)",
    )


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if options.act == "firmware":
        from daemon.cli import devices_firmware

        return devices_firmware.run(options, config)
    if options.probe:
        return _probe(config, as_json=options.json)
    state = ask(config)
    if state is None:
        return NOT_WELL
    devices = [(bed.bed, device) for bed in state.beds for device in bed.devices]
    if options.json:
        print(
            json.dumps([{"bed": bed, **device.model_dump(mode="json")} for bed, device in devices], indent=2)
        )
    else:
        _table(state)
    return WELL if all(device.state == "streaming" for _, device in devices) else NOT_WELL


def _table(state: State) -> None:
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


def _probe(config: Config, *, as_json: bool) -> int:
    from daemon.appliance.adapters import adapters
    from daemon.appliance.listening import CannotOpen, Nobody, recognise

    patterns = tuple(d.port for bed in config.beds.values() for d in bed.devices)
    told: list[dict[str, Any]] = []
    for one in adapters(patterns):
        heard: dict[str, Any] = {}
        if not one.held_by:
            try:
                verdict, count = recognise(one.port, LISTEN_S)
                heard = {"board": verdict.kind, "why": verdict.why, "bytes": count}
            except (CannotOpen, Nobody) as error:
                heard = {"board": "", "why": str(error), "bytes": 0}
        told.append({**asdict(one), "heard": heard})
        if not as_json:
            print("\n".join(_lines(told[-1])))
    if as_json:
        print(json.dumps(told, indent=2))
    elif not told:
        print(say("technician.no_ports"))
    return WELL


def _lines(one: dict[str, Any]) -> list[str]:
    """A port as a person reads it."""
    usb = f"USB {one['usb']} {one['serial'] or say('technician.no_serial')}" if one["usb"] else ""
    if one["held_by"]:
        holders = ", ".join(f"{h['name']} ({h['pid']})" for h in one["held_by"])
        state = say("technician.held", holders=holders)
    elif one["heard"]["board"]:
        state = say("technician.heard", board=one["heard"]["board"])
    else:
        state = say("technician.not_heard", why=one["heard"]["why"], count=str(one["heard"]["bytes"]))
    lines = [f"{one['port']}: {state}  {usb}".rstrip()]
    lines += [f"    {name}" for name in (one["by_id"], one["by_path"]) if name]
    if one["boards"]:
        lines.append(f"    {say('technician.adapter_of', boards=', '.join(one['boards']))}")
    return lines
