"""`vitald analyse` of half an hour of two leads beside the fastest other open programs, in one run on one machine.

The others find beats only; vitald also classes them, draws waves, measures, says rhythm and quality, and reads the file.
They run in an environment of their own (`.venv-peers`, from tests/accuracy/peers.txt), which `./dev bench peers` makes.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks import Row

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers/bin/python"
ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def rows() -> Iterable[Row]:
    data = os.environ.get("VITALD_DATA")
    if not data:
        print("peers: VITALD_DATA is not set: nothing was timed", file=sys.stderr)
        return
    record = Path(data) / "mitdb/100"
    wall, cpu = _analysed(record)
    busy = (
        f"{wall:.1f} s on the clock, with {os.getloadavg()[0]:.0f} processes wanting {os.cpu_count()} cores"
    )
    yield Row(
        "vitald analyse, 30 min of 2 leads: all analysis", cpu, "s CPU", "< 4 s", max(wall, cpu) < 4, busy
    )
    if not PEERS.exists():
        print("peers: no .venv-peers: the others were not timed", file=sys.stderr)
        return
    said = subprocess.run(
        [PEERS, ROOT / "tests/accuracy/peers.py", "--time", record],
        capture_output=True,
        text=True,
        check=True,
        env=ONE_THREAD,
    )
    for line in said.stdout.splitlines():
        peer = json.loads(line)
        ratio = peer["seconds"] / cpu
        yield Row(
            f"{peer['program']}: beats alone", peer["seconds"], "s CPU", note=f"{ratio:.2g} x vitald analyse"
        )


def _analysed(record: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the command, from its start to its end."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "daemon.cli", "analyse", record],
        stdout=subprocess.DEVNULL,
        check=True,
        cwd=ROOT,
        env=ONE_THREAD,
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
