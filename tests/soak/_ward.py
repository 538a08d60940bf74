"""Two bedsides of simulated devices in a process of their own: `python -m tests.soak._ward FOLDER`. Prints "ready", runs until SIGTERM.

Each bed has one body under an ECG, a CPAP and an oximeter, and an oxygen concentrator; the ports are FOLDER/ports/tty<bed>_<label>.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from daemon.cli.outlets import serve
from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.shared import Shared

DEVICES = {"ecg": "vlp_ecg", "cpap": "vlp_cpap", "oxygen": "vlp_oxygen", "oximeter": "vlp_oximeter"}
BEDS = ("1", "2")
CRYSTAL_PPM = {"1": 40.0, "2": -60.0}


def serial(bed: str, label: str) -> str:
    """The serial number of a device of a bed."""
    return f"{label.upper()}-000{bed}"


def outlets(folder: Path) -> dict[str, Outlet]:
    """All devices, by "<bed>_<label>"."""
    made = {}
    for bed in BEDS:
        shared = Shared(Patient(seed=int(bed)))
        for label, kind in DEVICES.items():
            body = Concentrator(seed=int(bed)) if label == "oxygen" else shared.tap()
            board = simulator(kind, body, serial=serial(bed, label), crystal_ppm=CRYSTAL_PPM[bed])
            made[f"{bed}_{label}"] = Outlet(f"tty{bed}_{label}", board, folder / "ports")
    return made


async def _run(folder: Path) -> None:
    made = outlets(folder)
    for outlet in made.values():
        outlet.plug()
    served = asyncio.create_task(serve(made, folder / "simulators.sock"))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, served.cancel)
    print("ready", flush=True)
    await asyncio.gather(served, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
