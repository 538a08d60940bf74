"""Simulated boards on pseudo-terminals, with a socket to steer them: what `replay` and `demo` share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from daemon.cli import BadInput
from firmware_bridge.recordings import BadRecording, open_recording
from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.board import SimulatedBoard
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.control import Control
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.replay import Player
from firmware_bridge.simulators.shared import Shared
from firmware_bridge.simulators.source import Source

AT_CONCENTRATOR = frozenset({"vlp_oxygen", "gasboard", "ocs3f"})
"""Kinds of boards that sit at a concentrator, not at a patient."""


def player(path: Path, *, loop: bool) -> Player:
    """A recording to be played. Raises `BadInput`."""
    try:
        return Player(open_recording(path), loop=loop)
    except (BadRecording, ValueError) as error:
        raise BadInput(str(error)) from None


def board(kind: str, source: Player | None, seed: int = 0) -> SimulatedBoard:
    """A board of `kind` that plays `source`, or is at a simulated patient or concentrator without one. Raises `BadInput`."""
    body: Source = Concentrator(seed=seed) if kind in AT_CONCENTRATOR else Patient(seed=seed)
    return _board(kind, body if source is None else source)


def bedside(kinds: Mapping[str, str], played: Player | None, seed: int = 0) -> dict[str, SimulatedBoard]:
    """The boards of one bed, by label: one body under those at a patient, a concentrator of its own for oxygen.

    `kinds`: label -> kind of board. `played` is what the first board plays, instead. Raises `BadInput`.
    """
    shared = Shared(Patient(seed=seed))
    boards: dict[str, SimulatedBoard] = {}
    for label, kind in kinds.items():
        source: Source = Concentrator(seed=seed) if kind in AT_CONCENTRATOR else shared.tap()
        boards[label] = _board(kind, played if played is not None and not boards else source)
    return boards


def _board(kind: str, source: Source) -> SimulatedBoard:
    try:
        return simulator(kind, source)
    except ValueError as error:
        raise BadInput(str(error)) from None


async def serve(outlets: Mapping[str, Outlet], socket: Path) -> None:
    """Serve plugged outlets and the socket that steers them, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for name, outlet in outlets.items():
            tasks.create_task(outlet.run(), name=f"outlet {name}")
        tasks.create_task(Control(socket, outlets).run(), name="simulators: control")
