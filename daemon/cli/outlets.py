"""Simulated boards on pseudo-terminals, with a socket to steer them: what `replay` and `demo` share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from daemon.cli import BadInput
from firmware_bridge.recordings import BadRecording, open_recording
from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.board import SimulatedBoard
from firmware_bridge.simulators.control import Control
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.replay import Player


def player(path: Path, *, loop: bool) -> Player:
    """A recording to be played. Raises `BadInput`."""
    try:
        return Player(open_recording(path), loop=loop)
    except (BadRecording, ValueError) as error:
        raise BadInput(str(error)) from None


def board(kind: str, source: Player | None, seed: int = 0) -> SimulatedBoard:
    """A board of `kind` that plays `source`, or a simulated patient where there is none. Raises `BadInput`."""
    try:
        return simulator(kind, Patient(seed=seed) if source is None else source)
    except ValueError as error:
        raise BadInput(str(error)) from None


async def serve(outlets: Mapping[str, Outlet], socket: Path) -> None:
    """Serve plugged outlets and the socket that steers them, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for name, outlet in outlets.items():
            tasks.create_task(outlet.run(), name=f"outlet {name}")
        tasks.create_task(Control(socket, outlets).run(), name="simulators: control")
