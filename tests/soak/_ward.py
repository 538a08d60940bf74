"""Two bedsides of simulated devices in a process of their own: `python -m tests.soak._ward FOLDER`. Prints "ready", runs until SIGTERM.

Each bed has one body under an ECG, a CPAP and an oximeter, and an oxygen concentrator; the ports are FOLDER/ports/tty<bed>_<label>.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.cli.outlets import serve
from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.control import ask
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.shared import Shared

DEVICES = {"ecg": "vlp_ecg", "cpap": "vlp_cpap", "oxygen": "vlp_oxygen", "oximeter": "vlp_oximeter"}
BEDS = ("1", "2")
CRYSTAL_PPM = {"1": 40.0, "2": -60.0}


def serial(bed: str, label: str) -> str:
    """The serial number of a device of a bed."""
    return f"{label.upper()}-000{bed}"


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """The ward as a process of its own."""
    simulators = subprocess.Popen(
        [sys.executable, "-m", "tests.soak._ward", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert simulators.stdout is not None
    simulators.stdout.readline()
    try:
        yield
    finally:
        simulators.terminate()
        simulators.wait(10)
        simulators.stdout.close()


def configuration(folder: Path, sound: str = "enabled = false") -> str:
    """The configuration of a box at which the ward's devices are."""
    text = f'[box]\ndata = "{folder}/data"\nrun = "{folder}/run"\ndemo = true\n[web]\nport = 0\n[sound]\n{sound}\n'
    for bed in BEDS:
        text += f'[beds.{bed}]\nname = "Bed {bed}"\n'
        for label in DEVICES:
            text += f'[[beds.{bed}.devices]]\nlabel = "{label}"\nport = "{folder}/ports/tty{bed}_{label}"\n'
            text += f'serial = "{serial(bed, label)}"\n'
    return text


def steer(folder: Path, bed: str, what: str) -> None:
    """Say a line to a device of a bed ("ecg rhythm vf"); raises RuntimeError where it is refused."""
    label, *words = what.split()
    answer = ask(folder / "simulators.sock", " ".join([f"{bed}_{label}", *words]))
    if not answer.startswith("ok"):
        raise RuntimeError(f"{what}: {answer}")


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
