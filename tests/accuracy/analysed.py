"""What analysis says of the recordings that accuracy is measured on: each is analysed once, by the stages of `vitald analyse`.

Only what the figures are made of is worked out and kept: the lines that the scorer reads, without alarms, and where beats are
all that is scored without what follows from them. `test_analysed.py` holds them to the lines that the command prints.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from daemon.cli.analyse import chosen, items, line_of
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Beat, Finding, Rhythm, Waves
from firmware_bridge.recordings import open_recording

ALL = "all"
Scored = tuple[type[Beat] | type[Rhythm] | type[Waves], ...]
SETS: dict[
    str, dict[str, Scored]
] = {  # folder of recordings: the leads that are analysed, and what is scored of them
    "mitdb": {"1": (Beat,), ALL: (Beat, Rhythm)},
    "nstdb": {"1": (Beat,), ALL: (Beat,)},
    "vfdb": {ALL: (Rhythm,)},
    "cudb": {ALL: (Rhythm,)},
    "cpsc2021": {ALL: (Rhythm,)},
    "ludb": {"ii": (Waves,), ALL: (Waves,)},
}

SAMPLED = {"mitdb": slice(4, None, 8), "vfdb": slice(1, None, 3)}
"""The recordings of the long sets that the suite analyses: by their place alone. The whole is `./dev soak accuracy`."""


@dataclass(frozen=True)
class Job:
    """One recording to be analysed by itself."""

    record: Path
    lead: str
    scored: Scored
    to: Path


def analyse(job: Job) -> float:
    """Write the lines that are scored; the CPU seconds that it took."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    begun = time.process_time()
    with job.to.open("w") as out:
        for findings in _heard(job):
            out.writelines(f"{json.dumps(line_of(f))}\n" for f in findings if isinstance(f, job.scored))
    return time.process_time() - begun


def _heard(job: Job) -> Iterable[list[Finding]]:
    recording = open_recording(job.record)
    stream, rows = chosen(recording, None if job.lead == ALL else job.lead)
    further = None if job.scored == (Beat,) else Tables(load_waves_table(), load_rhythm_table())
    pipeline = Pipeline(load_qrs_table(), None, load_class_table(), further)
    for item in items(recording, stream, rows):
        yield pipeline.push(item)
    yield pipeline.finish()


def records_of(folder: Path) -> list[Path]:
    """Its annotated recordings, without suffix: those that have more than a header and a signal."""
    files = [path for path in folder.iterdir() if path.suffix not in {".hea", ".dat", ".mat"}]
    return [p.with_suffix("") for p in sorted(folder.glob("*.hea")) if any(f.stem == p.stem for f in files)]


def at_once() -> int:
    """Processes to analyse with. Beside other tests one core is what there is: pages and lines are judged there by their timing."""
    return 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1


def analyse_all(
    recordings: Path,
    to: Path,
    sets: Mapping[str, Iterable[str]] = SETS,
    sampled: Mapping[str, slice] = MappingProxyType({}),
) -> dict[str, float]:
    """Every recording of the sets (of those in `sampled` some) into TO/FOLDER/LEAD/RECORD.jsonl; CPU seconds of each."""
    jobs = []
    for name, leads in sets.items():
        for lead in leads:
            folder = to / name / lead
            folder.mkdir(parents=True)
            jobs += [
                Job(r, lead, SETS[name][lead], folder / f"{r.name}.jsonl")
                for r in records_of(recordings / name)[sampled.get(name, slice(None))]
            ]
    jobs.sort(key=lambda job: -job.record.with_suffix(".dat").stat().st_size)
    with ProcessPoolExecutor(at_once()) as pool:
        spent = list(pool.map(analyse, jobs))
    return {str(job.to.relative_to(to).with_suffix("")): s for job, s in zip(jobs, spent, strict=True)}


def keep_sampled(to: Path) -> None:
    """Take away what the suite would not have analysed, where all was."""
    for name, part in SAMPLED.items():
        for lead in (to / name).iterdir():
            for record in set(analysed(lead)) - set(analysed(lead)[part]):
                (lead / f"{record}.jsonl").unlink()


def analysed(folder: Path) -> list[str]:
    """The names of the recordings of a set that were analysed."""
    return sorted(path.stem for path in folder.glob("*.jsonl"))


def lines_of(folder: Path, kind: str) -> list[dict]:
    """Every line of one type that was kept of a set."""
    starts = f'{{"type": "{kind}"'
    texts = (path.read_text() for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith(starts)]
