"""What `vitald analyse` prints of the recordings that accuracy is measured on: each is analysed once."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ALL = "all"
SETS: dict[str, tuple[str, ...]] = {  # folder of recordings: the leads that are analysed
    "mitdb": ("1", ALL),
    "nstdb": ("1", ALL),
    "vfdb": (ALL,),
    "cudb": (ALL,),
    "cpsc2021": (ALL,),
    "ludb": ("ii", ALL),
}
SCORED = ("beat", "rhythm", "waves")
"""Line types that are kept: the scorer reads no others, and most lines are others."""


@dataclass(frozen=True)
class Job:
    """One recording to be analysed by itself."""

    record: Path
    lead: str
    to: Path


def analyse(job: Job) -> float:
    """Write what `vitald analyse` prints of it; the CPU seconds that it took."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from daemon.cli import analyse as command

    lead = None if job.lead == ALL else job.lead
    begun = time.process_time()
    with job.to.open("w") as out, contextlib.redirect_stdout(_Scored(out)):  # type: ignore[type-var]
        code = command.run(argparse.Namespace(record=str(job.record), lead=lead, limits=None))
    assert code == 0, job
    return time.process_time() - begun


class _Scored:
    """Passes on the lines that the scorer reads."""

    def __init__(self, out) -> None:
        self._out = out
        self._kept = tuple(f'{{"type": "{kind}"' for kind in SCORED)
        self._open = ""

    def write(self, text: str) -> int:
        *lines, self._open = (self._open + text).split("\n")
        self._out.writelines(f"{line}\n" for line in lines if line.startswith(self._kept))
        return len(text)

    def flush(self) -> None:
        """Nothing is held but an unfinished line."""


def records_of(folder: Path) -> list[Path]:
    """Its annotated recordings, without suffix: those that have more than a header and a signal."""
    files = [path for path in folder.iterdir() if path.suffix not in {".hea", ".dat", ".mat"}]
    return [p.with_suffix("") for p in sorted(folder.glob("*.hea")) if any(f.stem == p.stem for f in files)]


def analyse_all(
    recordings: Path, to: Path, sets: dict[str, tuple[str, ...]] | None = None
) -> dict[str, float]:
    """Every recording of the sets into TO/FOLDER/LEAD/RECORD.jsonl; CPU seconds of each "FOLDER/LEAD/RECORD"."""
    jobs = []
    for name, leads in (sets or SETS).items():
        for lead in leads:
            folder = to / name / lead
            folder.mkdir(parents=True)
            jobs += [Job(r, lead, folder / f"{r.name}.jsonl") for r in records_of(recordings / name)]
    jobs.sort(key=lambda job: -job.record.with_suffix(".dat").stat().st_size)
    # Beside other tests one core is what there is: pages and lines are judged there by their timing.
    at_once = 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count()
    with ProcessPoolExecutor(at_once) as pool:
        spent = list(pool.map(analyse, jobs))
    return {str(job.to.relative_to(to).with_suffix("")): s for job, s in zip(jobs, spent, strict=True)}


def lines_of(folder: Path, kind: str) -> list[dict]:
    """Every line of one type that was printed of a set."""
    starts = f'{{"type": "{kind}"'
    texts = (path.read_text() for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith(starts)]
