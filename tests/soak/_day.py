"""The processes of a simulated day: a bed that says its seconds as fast as a disk takes them, and a forwarder of the same boot.

python -m tests.soak._day bed FOLDER BOOT FIRST SECONDS UNSET PACE

A box that wakes in 1970 knows the time after UNSET seconds; a second takes PACE seconds at least.

python -m tests.soak._day forward CONFIG BOOT
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import subprocess
import sys
from pathlib import Path

from benchmarks._backlog import SECOND_NS, Bedside
from benchmarks._box import boottime_ns
from daemon.config import load
from daemon.forward.process import Forwarder
from daemon.store.retention import Quota

DAY_UTC_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01
BALLAST_MB = 8
"""Nothing is kept free besides: a disk that fills costs ballast, not records, so that all there ever was can be compared."""

ALARM_EVERY = 20
"""Seconds."""

SAVED_EVERY = 10
"""Seconds that are said before it is waited for the disk."""

_AT = struct.Struct("<q")


async def bed(folder: Path, boot: str, first: int, seconds: int, unset: int, pace_s: float) -> None:
    """Seconds `first` .. of the day. How far it has come stands in FOLDER/at."""
    began_ns = boottime_ns()
    true_ns = DAY_UTC_NS + first * SECOND_NS - began_ns
    mb = 1 << 20
    made = Bedside(
        folder / "data" / "vitald.db",
        boot=boot,
        began_ns=began_ns,
        offset_ns=true_ns if unset == 0 else -began_ns,
        clock_is_set=unset == 0,
        quota=Quota(10**12, 10**12, 0, BALLAST_MB * mb),
    )
    await made.writer.start()
    at = os.open(folder / "at", os.O_WRONLY | os.O_CREAT, 0o600)
    while made.seconds < seconds:
        if made.seconds == unset > 0:
            made.offset_ns = true_ns
            made.writer.clock_offset(true_ns, is_set=True)
        n = made.seconds
        await made.second(alarms=n % ALARM_EVERY == 5, wait=n % SAVED_EVERY == SAVED_EVERY - 1)
        await asyncio.sleep(pace_s)
        os.pwrite(at, _AT.pack(first + made.seconds), 0)
    await made.writer.stop(30)


def reached(folder: Path) -> int:
    """The second of the day that the bed has come to; 0 before it has said anything."""
    try:
        return int(_AT.unpack((folder / "at").read_bytes())[0])
    except (OSError, struct.error):
        return 0


def begun(log: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """One of the processes."""
    command = [sys.executable, "-m", "tests.soak._day", *(str(argument) for argument in arguments)]
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def main(what: str, *arguments: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if what == "bed":
        folder, boot, first, seconds, unset, pace_s = arguments
        asyncio.run(bed(Path(folder), boot, int(first), int(seconds), int(unset), float(pace_s)))
    else:
        path, boot = arguments
        asyncio.run(Forwarder(load(Path(path)), boot=boot).until_stopped())


if __name__ == "__main__":
    main(*sys.argv[1:])
