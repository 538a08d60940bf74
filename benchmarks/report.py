"""Our twelve-lead page of PTB s0010_re beside the same ten seconds drawn by wfdb with ECG grids into a PDF, in one run.

Both begin with a fresh interpreter. Ours also reads the store, filters, prints measurements, statements and a hash; wfdb draws the
raw samples of the record. Time is wall clock, memory the peak of the process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks import Row

SECONDS = 10
TIMES = 3

WFDB = """
import sys, wfdb, matplotlib
matplotlib.use("pdf")
matplotlib.rcParams["pdf.fonttype"] = 42
record = wfdb.rdrecord(sys.argv[1], sampfrom=14000, sampto=24000, channels=list(range(12)))
figure = wfdb.plot_wfdb(record=record, ecg_grids="all", figsize=(11.69, 8.27), return_fig=True)
figure.savefig(sys.argv[2])
"""


def _run(arguments: list[str], stdin: bytes = b"") -> tuple[float, float]:
    """Seconds and MiB of the fastest of a few runs."""
    best = (float("inf"), float("inf"))
    for _ in range(TIMES):
        began = time.perf_counter()
        reading, writing = os.pipe()
        os.write(writing, stdin)
        os.close(writing)
        child = os.posix_spawn(
            arguments[0],
            arguments,
            {**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reading, 0),
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            ],
        )
        os.close(reading)
        _, status, used = os.wait4(child, 0)
        assert status == 0, arguments
        best = min(best, (time.perf_counter() - began, used.ru_maxrss / 1024))
    return best


def rows() -> Iterable[Row]:
    data = os.environ.get("VITALD_DATA")
    if not data:
        print("report: VITALD_DATA is not set: nothing was timed", file=sys.stderr)
        return
    from daemon.control.reports import ReportAsked
    from daemon.model.ids import uuid7
    from daemon.reports.job import Job
    from firmware_bridge.recordings import open_recording
    from tests.daemon.reports import _recorded

    record = Path(data) / "ptbdb/s0010_re"
    recording = open_recording(record)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        stream = _recorded.stream_of(recording.rate_hz, recording.channels[0].gain)
        counts = recording.counts(0, 24_000)[:12]
        name = asyncio.run(_recorded.write(folder / "vitald.db", stream, counts))
        job = Job(
            id=uuid7(time.time_ns()),
            utc_ns=time.time_ns(),
            asked=ReportAsked(session=name, kind="ecg"),
            database=folder / "vitald.db",
            folder=folder,
        )
        ours = _run([sys.executable, "-m", "daemon.reports"], job.model_dump_json().encode())
        size = (folder / job.file).stat().st_size / 1024
        theirs = _run([sys.executable, "-c", WFDB, str(record), str(folder / "wfdb.pdf")])
        other = (folder / "wfdb.pdf").stat().st_size / 1024
    about = f"{ours[0]:.2f} s beside {theirs[0]:.2f} s"
    yield Row(
        "twelve-lead page, time over wfdb's", ours[0] / theirs[0], "x", "< 2", ours[0] < 2 * theirs[0], about
    )
    about = f"{size:.0f} KiB beside {other:.0f} KiB"
    yield Row("twelve-lead page, size over wfdb's", size / other, "x", "< 1.5", size < 1.5 * other, about)
    about = f"{ours[1]:.0f} MiB beside {theirs[1]:.0f} MiB"
    yield Row(
        "twelve-lead page, memory over wfdb's", ours[1] / theirs[1], "x", "< 1", ours[1] < theirs[1], about
    )
