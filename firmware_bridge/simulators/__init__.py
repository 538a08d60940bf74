"""The other end of the wire: simulated patients, boards, faults and ports. Used by the command line and by tests.

outlet = Outlet("ttyECG0", simulator("dm_ecg", Patient(seed=1)), folder)
outlet.plug()
await outlet.run()
"""

from __future__ import annotations

from typing import Any

from firmware_bridge.simulators.board import SimulatedBoard
from firmware_bridge.simulators.contec import Contec, Contec7
from firmware_bridge.simulators.cyton import Cyton
from firmware_bridge.simulators.dm_ecg import DmEcg
from firmware_bridge.simulators.dm_ecg_ascii import DmEcgAscii
from firmware_bridge.simulators.gasboard import Gasboard
from firmware_bridge.simulators.healthypi4 import HealthyPi4
from firmware_bridge.simulators.healthypi5 import HealthyPi5
from firmware_bridge.simulators.medibus import Ventilator
from firmware_bridge.simulators.nonin import Nonin
from firmware_bridge.simulators.resmed import AirSense10
from firmware_bridge.simulators.source import Source
from firmware_bridge.simulators.vlp import VlpCpap, VlpEcg, VlpOximeter, VlpOxygen
from firmware_bridge.simulators.vt_settings import VtSettings

__all__ = ["SIMULATORS", "simulator"]

SIMULATORS: dict[str, type[SimulatedBoard]] = {
    board.kind: board for board in (DmEcg, DmEcgAscii, HealthyPi4, HealthyPi5, Cyton, Ventilator, AirSense10)
} | {
    board.kind: board
    for board in (VlpCpap, VlpOxygen, VlpOximeter, VlpEcg, Gasboard, Contec, Contec7, Nonin, VtSettings)
}


def simulator(kind: str, source: Source, **options: Any) -> SimulatedBoard:
    """A simulated board of a kind, with its own switches as `options`. ValueError for an unknown kind."""
    if kind not in SIMULATORS:
        raise ValueError(f"no board {kind!r} to simulate: one of {', '.join(SIMULATORS)}")
    return SIMULATORS[kind](source, **options)
