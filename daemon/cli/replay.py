"""`vitald replay FILE --as BOARD`: a recording (or `patient`, a simulated one) speaks a board's bytes through a pseudo-terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path

from daemon.cli import WELL, BadInput
from daemon.cli.outlets import board, player, serve
from firmware_bridge.simulators import SIMULATORS
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.replay import Player

_ASK_S = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="EDF, SCP-ECG, WFDB or CSV recording; `patient` for a simulated patient")
    parser.add_argument(
        "--as", dest="kind", required=True, metavar="BOARD", help=f"one of {', '.join(SIMULATORS)}"
    )
    parser.add_argument(
        "--port", type=Path, metavar="PATH", help="where the port appears (default: ttyECG0 in a new folder)"
    )
    parser.add_argument("--loop", action="store_true", help="begin anew at the end instead of stopping")


def run(options: argparse.Namespace) -> int:
    source = None if options.file == "patient" else player(Path(options.file), loop=options.loop)
    simulated = board(options.kind, source)
    path = options.port or Path(tempfile.mkdtemp(prefix="vitald-")) / "ttyECG0"
    outlet = Outlet(path.name, simulated, path.parent)
    try:
        outlet.plug()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    socket = path.parent / f"{path.name}.sock"
    print(f"{options.kind} at {outlet.path}; steer it with: socat - UNIX:{socket} (ecg help)", flush=True)
    asyncio.run(_until_done({"ecg": outlet}, socket, source))
    return WELL


async def _until_done(outlets: dict[str, Outlet], socket: Path, source: Player | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(outlets, socket), name="replay")
    while not (stop.is_set() or serving.done() or (source is not None and source.done)):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _ASK_S)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
