"""The process that makes one report: a `Job` comes in on standard input, `Line`s go out; then it ends.

It may use so much memory and time and no more, and it yields to everything else. `python -m daemon.reports < job.json`
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import hashlib  # noqa: E402
import importlib  # noqa: E402
import logging  # noqa: E402
import resource  # noqa: E402
import sqlite3  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from daemon.control.reports import ReportGiven  # noqa: E402
from daemon.reports.job import Drawn, Job, Line, NotMakeable  # noqa: E402
from daemon.reports.whose import Whose  # noqa: E402
from daemon.store.reader import ask  # noqa: E402

MEMORY_BYTES = 1 << 30
"""Of addresses; what is really used is a tenth of it."""

CPU_S = 300
NICE = 10


def make(job: Job) -> tuple[ReportGiven, Drawn]:
    """Draw the report and say what it is. Raises `NotMakeable`, OSError, sqlite3.Error."""
    kind = importlib.import_module(f"daemon.reports.{job.asked.kind}")
    fresh = job.folder / f".{job.file}.part"
    try:
        drawn, whose = ask(
            job.database, lambda reader: (kind.draw(reader, job, _tell, fresh), Whose.of(reader, job))
        )
        size, sha256 = _settled(fresh, job.folder / job.file)
    finally:
        fresh.unlink(missing_ok=True)
    signed = job.signed
    given = ReportGiven(
        id=job.id,
        session=whose.session.name,
        bed=whose.bed,
        device=drawn.device,
        kind=job.asked.kind,
        state="preliminary" if signed is None else "amended" if signed.amends else "confirmed",
        made_utc_ns=job.utc_ns,
        about_utc_ns=drawn.about_utc_ns,
        actor=job.asked.actor,
        by=job.asked.by,
        automatic=job.asked.automatic,
        patient=dict(whose.patient) or None,
        file=job.file,
        size=size,
        sha256=sha256,
        pages=drawn.pages,
        samples_sha256=drawn.samples_sha256,
        options=drawn.options,
        made=drawn.made,
        edited=None if signed is None else signed.lines,
        confirmed_by="" if signed is None else signed.by,
        confirmed_utc_ns=None if signed is None else signed.utc_ns,
        amends=None if signed is None else signed.of,
        metrics=drawn.metrics,
        summary=drawn.summary,
        conclusion=drawn.conclusion,
    )
    return given, drawn


def _settled(fresh: Path, to: Path) -> tuple[int, str]:
    """The file under its name, on the disk; its size and SHA-256."""
    with fresh.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fchmod(file.fileno(), 0o640)
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    fresh.replace(to)
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size, sha256


def _tell(progress: float) -> None:
    _say(Line(progress=progress))


def _say(line: Line) -> None:
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()


def main() -> int:
    """0 where the report is made; else a line says why it is not."""
    for name in ("fpdf", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold a patient's data
    job = Job.model_validate_json(sys.stdin.buffer.read())
    try:
        given, drawn = make(job)
    except NotMakeable as error:
        _say(Line(refused=str(error)))
        return 1
    except (sqlite3.Error, OSError) as error:
        _say(Line(refused=f"{type(error).__name__}: {error}"))
        return 1
    _say(Line(progress=1.0, given=given, missing=len(drawn.missing)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
