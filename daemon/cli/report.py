"""`vitald report`: a report of a session as a PDF file, made by the worker where the box runs, else here and now."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import logging
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control import acting
from daemon.control.client import NotAnswering
from daemon.control.reports import KINDS, JobClient, ReportAsked, ReportJob

ASKED_EVERY_S = 0.3


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("session", help="its name (session_20250108_123456) or UUID")
    parser.add_argument("--kind", choices=KINDS, default="session", help="default: session")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to put it (default: its own name, here)"
    )
    parser.add_argument("--paper", choices=("A4", "Letter"), default="", help="default: as configured")
    parser.add_argument(
        "--here",
        action="store_true",
        help="make it in this process's own folder: it is not listed and not uploaded",
    )
    ecg = parser.add_argument_group("of a 12-lead ECG")
    ecg.add_argument(
        "--at", metavar="TIME", help="where it begins, as 2026-01-08T22:00:05Z (default: the box chooses)"
    )
    ecg.add_argument("--layout", choices=("3x4+1", "6x2", "12x1"), default="3x4+1")
    ecg.add_argument("--speed", choices=("25", "50", "12.5"), default="25", help="mm/s")
    ecg.add_argument("--gain", choices=("5", "10", "20"), default="10", help="mm/mV")
    ecg.add_argument("--filter", choices=("diagnostic", "monitor", "st"), default="diagnostic")
    ecg.add_argument(
        "--mains", type=int, choices=(0, 50, 60), help="notch in Hz, 0 = none (default: that of the bed)"
    )
    ecg.add_argument("--rhythm", default="II", metavar="LEAD", help="lead of the long strip (default: II)")
    ecg.add_argument("--cabrera", action="store_true", help="limb leads in Cabrera's order")
    ecg.add_argument("--simultaneous", action="store_true", help="all columns show the same stretch of time")
    ecg.add_argument("--no-grid", action="store_true", help="for paper that has a grid")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    by = acting.console(getpass.getuser())
    asked = ReportAsked(
        session=options.session,
        kind=options.kind,
        actor=by.name,
        by=by.by,
        paper=options.paper,
        at_ms=_moment(options.at),
        layout=options.layout,
        cabrera=options.cabrera,
        simultaneous=options.simultaneous,
        speed_mm_s=options.speed,
        gain_mm_mv=options.gain,
        rhythm=options.rhythm,
        grid=not options.no_grid,
        mode=options.filter,
        mains_hz=options.mains,
    )
    if not config.box.database.exists():
        raise BadInput(f"{config.box.database}: there is no such file")
    try:
        if options.here:
            return _here(config, asked, options.output)
        try:
            job = asyncio.run(_by_worker(config, asked))
        except NotAnswering:
            print("the worker does not answer: made here, not listed and not uploaded", file=sys.stderr)
            return _here(config, asked, options.output)
        if job.state != "done":
            raise BadInput(job.refused or job.state)
        source = config.box.data / "reports" / job.file
        to = options.output or Path(job.file)
        shutil.copyfile(source, to)
    except (sqlite3.Error, OSError) as error:
        print(f"not made: {error}")
        return NOT_WELL
    print(f"{to}: report {job.report}")
    return WELL


def _moment(text: str | None) -> float:
    from daemon.contracts.times import nanoseconds

    if not text:
        return 0.0
    try:
        return nanoseconds(text) / 1e6
    except ValueError as error:
        raise BadInput(f"--at: {error}") from None


async def _by_worker(config: Config, asked: ReportAsked) -> ReportJob:
    async with JobClient(config.work_socket) as client:
        job = await client.begin(asked)
        while job.state in {"waiting", "running"}:
            await asyncio.sleep(ASKED_EVERY_S)
            job = next((one for one in (await client.jobs()).jobs if one.job == job.job), job)
    return job


def _here(config: Config, asked: ReportAsked, output: Path | None) -> int:
    """Without the box: straight from the database."""
    from daemon.model.ids import uuid7
    from daemon.reports.desk import box_of
    from daemon.reports.job import Job, NotMakeable
    from daemon.reports.making import Failed, made

    logging.getLogger("daemon.reports").setLevel(logging.ERROR)
    utc_ns = time.time_ns()
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            id=uuid7(utc_ns),
            utc_ns=utc_ns,
            asked=asked,
            database=config.box.database,
            folder=Path(folder),
            box=box_of(config),
        )
        try:
            given, missing = asyncio.run(made(job, lambda _: None))
        except (NotMakeable, Failed) as error:
            raise BadInput(str(error)) from None
        to = output or Path(given.file)
        shutil.copyfile(Path(folder) / given.file, to)
    print(f"{to}: {given.pages} pages" + (f", {missing} letters that no font has" if missing else ""))
    return WELL
