"""`vitald demo`: the daemon and the pages as they run at a bed, with simulated hardware, under one parent."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.demo_firmware import offer_firmware
from daemon.cli.demo_people import make_people
from daemon.cli.outlets import bedside, player, serve
from daemon.config import load
from firmware_bridge.simulators import SIMULATORS
from firmware_bridge.simulators.board import SimulatedBoard
from firmware_bridge.simulators.pty import Outlet

DEFAULT_FOLDER = Path("var/demo")
STOP_S = 8.0
NEVER_RECOGNISED = frozenset({"dm_ecg_ascii"})
"""The old ASCII firmware looks like many an Arduino sketch."""

_CONFIG = """\
# Written by `vitald demo`.
[box]
name = "Demo"
data = "{folder}/data"
run = "{folder}/run"
demo = true

[web]
host = "{host}"
port = {port}
tls = false

[beds.1]
name = "Bed 1"
"""
_DEVICE = """
[[beds.1.devices]]
label = "{label}"
port = "{port}*"
ask = true
{kind}"""

BESIDE = {"cpap": "vlp_cpap", "oxygen": "vlp_oxygen", "oximeter": "vlp_oximeter"}
"""Label -> board of what stands at the bed beside the ECG."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        default=DEFAULT_FOLDER,
        help=f"where everything is kept (default {DEFAULT_FOLDER})",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the pages (default 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port of the pages (default 8080; 0 = any free one)"
    )
    parser.add_argument(
        "--as", dest="kind", default="dm_ecg", metavar="BOARD", help=f"one of {', '.join(SIMULATORS)}"
    )
    parser.add_argument(
        "--beside",
        default=",".join(BESIDE),
        metavar="DEVICES",
        help=f"what stands at the bed beside the ECG: any of {', '.join(BESIDE)}, or none (default all)",
    )
    parser.add_argument(
        "--record", type=Path, help="play this recording, over and over, instead of a simulated patient"
    )
    parser.add_argument("--keep", action="store_true", help="keep what an earlier demo stored")


def run(options: argparse.Namespace) -> int:
    boards = bedside(
        {"ecg": options.kind, **_beside(options.beside)},
        None if options.record is None else player(options.record, loop=True),
    )
    folder = options.folder.resolve()
    with _alone(folder):
        return _demo(options, boards, folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two demos in one folder would take each other's data away. Raises `BadInput`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "demo.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise BadInput(f"{folder}: another demo runs there; end it, or choose another --folder") from None
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror}") from None


def _demo(options: argparse.Namespace, boards: Mapping[str, SimulatedBoard], folder: Path) -> int:
    if not options.keep:
        for kept in ("data", "data-forward"):
            shutil.rmtree(folder / kept, ignore_errors=True)
    try:
        outlets: dict[str, Outlet] = {}
        text = _CONFIG.format(folder=folder, host=options.host, port=options.port)
        for label, board in boards.items():
            name = f"tty{label.upper()}"
            outlets[label] = Outlet(f"{name}0", board, folder / "ports")
            outlets[label].plug()
            # Records without anything to tell them by are never recognised, only configured.
            kind = f'kind = "{board.kind}"\n' if board.kind in NEVER_RECOGNISED else ""
            text += _DEVICE.format(label=label, port=folder / "ports" / name, kind=kind)
        config = folder / "vitald.toml"
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror}") from None
    return asyncio.run(
        _Demo(config, outlets, folder / "simulators.sock", folder / "run" / "control.sock").run()
    )


def _beside(said: str) -> dict[str, str]:
    """The devices beside the ECG that a person has named. Raises `BadInput`."""
    labels = [] if said in {"", "none"} else said.split(",")
    for label in labels:
        if label not in BESIDE:
            raise BadInput(f"--beside: no device {label!r}: any of {', '.join(BESIDE)}, or none")
    return {label: BESIDE[label] for label in labels}


class _Demo:
    """The parent: simulators in its own loop, the product's processes as children, all ended together."""

    def __init__(self, config: Path, outlets: dict[str, Outlet], socket: Path, control: Path) -> None:
        self._config = config
        self._outlets = outlets
        self._socket = socket
        self._control = control

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        simulators = asyncio.create_task(serve(self._outlets, self._socket), name="simulators")
        verbs = ["run", "web", "work", "forward"]
        if shutil.which("aplay"):
            verbs.append("sound")
        else:
            print("vitald demo: no sound: aplay (Debian: alsa-utils) is not installed", file=sys.stderr)
        children = {verb: await self._start(verb) for verb in verbs}
        people = asyncio.create_task(make_people(self._control), name="people")
        firmware = asyncio.create_task(offer_firmware(load(self._config)), name="firmware")
        ends: dict[asyncio.Task[int], str] = {
            asyncio.create_task(child.wait(), name=verb): verb for verb, child in children.items()
        }
        asked = asyncio.create_task(stop.wait(), name="stop")
        waits: set[asyncio.Task[Any]] = {*ends, asked, simulators}  # not `people`: they are made once
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        failed = [verb for task, verb in ends.items() if task in done]
        for verb in failed:
            print(
                f"vitald demo: `vitald {verb}` ended with code {children[verb].returncode}", file=sys.stderr
            )
        await self._end(children)
        asked.cancel()
        people.cancel()
        firmware.cancel()
        simulators.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await simulators
        return WELL if asked in done else NOT_WELL

    async def _start(self, verb: str) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C reaches the parent, which ends the children in order.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "daemon.cli",
            verb,
            "--config",
            str(self._config),
            start_new_session=True,
        )

    async def _end(self, children: dict[str, asyncio.subprocess.Process]) -> None:
        for child in children.values():
            if child.returncode is None:
                child.terminate()
        for child in children.values():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), STOP_S)
            if child.returncode is None:
                child.kill()
                await child.wait()
