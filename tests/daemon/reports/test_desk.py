"""The desk: a report is asked for, made in a process of its own, listed by the daemon, confirmed, and made by itself."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from daemon import audit
from daemon.config import Config, Destination, Forward, Reports
from daemon.control.confirming import IdentifiersGiven
from daemon.control.reports import (
    JobClient,
    ReportAsked,
    ReportClient,
    ReportRoutes,
    ReportsWanted,
    SeenGiven,
    Signing,
    UploadGiven,
    UploadsGiven,
)
from daemon.model.actor import Actor
from daemon.model.outgoing import Lane
from daemon.model.permissions import Role
from daemon.reporting import Reporting
from daemon.reports.desk import Desk
from daemon.store import outbox
from daemon.store.box import BoxFile, ask_box
from daemon.store.reader import History, ask
from daemon.store.writer import Writer
from tests.daemon.reports import _recorded

LONGEST_S = 90


@pytest.fixture
def box(plain, tmp_path):
    """The files of a box, with the store of `plain`: its configuration, and the name of its session."""
    data = tmp_path / "data"
    data.mkdir()
    for file in plain[0].parent.glob("vitald.db*"):
        shutil.copy(file, data / file.name)
    config = Config(
        box={"run": tmp_path / "run", "data": data},
        reports=Reports(at_session_end=(), shortest_s=5, keep_mb=10),
        forward=Forward(destinations={"cloud": Destination(kind="folder")}),
    )
    config.box.run.mkdir()
    return config, plain[1]


@asynccontextmanager
async def serving(routes, socket):
    app = web.Application()
    routes.add_to(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    socket.parent.mkdir(parents=True, exist_ok=True)
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(config, upload="ready"):
    """The daemon's side with its real store and box.db, and a desk."""
    now = time.time_ns
    writer = Writer(config.box.database, boot="boot-2", now=now, utc_offset_ns=0, commit_every_s=0.02)
    people = BoxFile(config.box.people)
    await writer.start()
    reporting = Reporting(
        writer,
        people,
        History(config.box.database),
        boot="boot-2",
        now=now,
        utc=lambda: (now(), True),
        upload=upload,
    )
    # Twelve hours after the session: what ended within a day is reported on.
    desk = Desk(config, utc_ns=lambda: _recorded.UTC_NS + 12 * 3600 * 10**9)
    desk.start()
    try:
        async with (
            serving(ReportRoutes(reporting), config.box.socket),
            serving(desk, config.work_socket),
            JobClient(config.work_socket) as jobs,
            ReportClient(config.box.socket) as listed,
        ):
            yield desk, jobs, listed, reporting
    finally:
        await desk.close()
        await writer.stop()
        await people.close()


async def finished(jobs, job):
    async with asyncio.timeout(LONGEST_S):
        while True:
            now = next(one for one in (await jobs.jobs()).jobs if one.job == job.job)
            if now.state not in {"waiting", "running"}:
                return now
            await asyncio.sleep(0.05)


async def made(jobs, **asked):
    return await finished(
        jobs, await jobs.begin(ReportAsked(**{"kind": "ecg", "actor": "Nurse Ada", **asked}))
    )


async def compared(reporting, report, actor):
    """Somebody has looked at the wristband; what does not fit is refused, and does not count."""
    one = IdentifiersGiven(identifiers={"patient_id": "P-1017"})
    actor = Actor(actor, Role.CLINICIAN, "10.0.0.9", "id-1")
    assert (await reporting.compared(report, one, actor)).refused == "Enter two identifiers."
    other = IdentifiersGiven(identifiers={"patient_id": "P-1018", "birth_date": "1954-05-06"})
    assert "does not fit this patient" in (await reporting.compared(report, other, actor)).refused
    given = IdentifiersGiven(identifiers={"patient_id": " P-1017", "birth_date": "1954-05-06"})
    assert (await reporting.compared(report, given, actor)).refused == ""
    assert (await reporting.compared("no", given, actor)).refused == "there is no such report"


async def test_a_report_is_made_listed_sent_confirmed_and_amended(box):
    config, session = box
    async with running(config) as (_, jobs, listed, reporting):
        job = await made(jobs, session=session, by={"role": "nurse", "origin": "10.0.0.8"})
        assert (job.state, job.refused, job.progress) == ("done", "", 1.0)
        report = await listed.one(job.report)
        file = config.box.data / "reports" / report.file
        assert report.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert file.stat().st_mode & 0o777 == 0o640
        assert (report.state, report.actor, report.session, report.automatic) == (
            "preliminary",
            "Nurse Ada",
            session,
            False,
        )
        assert report.full_name.startswith("محمد")
        assert "محمد" not in report.file

        (sent,) = ask(config.box.database, lambda r: outbox.outgoing(r, Lane.REPORTS, 0, 2**62, 10))
        assert (sent.message, sent.body["filename"], sent.body["sha256"]) == (
            "box.report/1",
            report.file,
            report.sha256,
        )
        assert sent.body["patient"]["patient_id"] == "P-1017"
        await listed.uploads(
            UploadsGiven(
                uploads=(
                    UploadGiven(
                        file=report.file, destination="cloud", state="done", utc_ns=5, remote="report_1"
                    ),
                )
            )
        )
        assert [(u.destination, u.state) for u in (await listed.one(report.id)).uploads] == [
            ("cloud", "done")
        ]

        nobody = await made(jobs, session=session, actor="", signing=Signing(of=report.id))
        assert (nobody.state, nobody.refused) == (
            "failed",
            "only a person who is signed in can confirm a report",
        )
        unseen = await made(jobs, session=session, actor="Dr. Grey", signing=Signing(of=report.id))
        assert (unseen.state, unseen.refused) == (
            "failed",
            "two identifiers of the patient have to be compared first",
        )
        assert len(list((config.box.data / "reports").iterdir())) == 1
        await compared(reporting, report.id, "Dr. Grey")
        first = await made(
            jobs, session=session, actor="Dr. Grey", signing=Signing(of=report.id, lines=("Normal ECG",))
        )
        confirmed = await listed.one(first.report)
        assert (confirmed.state, confirmed.confirmed_by, confirmed.amends) == (
            "confirmed",
            "Dr. Grey",
            report.id,
        )
        assert (confirmed.edited, confirmed.made, confirmed.samples_sha256) == (
            ("Normal ECG",),
            report.made,
            report.samples_sha256,
        )
        assert file.exists()  # both versions stay
        twice = await made(jobs, session=session, actor="Dr. Who", signing=Signing(of=report.id))
        assert (twice.state, twice.refused) == ("failed", "it has been confirmed or amended already")
        await compared(reporting, confirmed.id, "Dr. Who")
        second = await made(
            jobs, session=session, actor="Dr. Who", signing=Signing(of=confirmed.id, lines=("Normal",))
        )
        assert (await listed.one(second.report)).state == "amended"

        current = await listed.told(ReportsWanted())
        assert [one.id for one in current.reports] == [second.report]
        assert (await listed.told(ReportsWanted(current=False))).total == 3
        assert len(ask(config.box.database, lambda r: outbox.outgoing(r, Lane.REPORTS, 0, 2**62, 10))) == 3
        await listed.seen(SeenGiven(report=report.id, actor="Nurse Ada"))

    entries = ask_box(config.box.people, lambda db: audit.entries(db))
    assert [(one["act"], one["actor"]) for one in entries] == [
        ("report_made", "Nurse Ada"), ("report_identifiers_wrong", "Dr. Grey"), ("report_confirmed", "Dr. Grey"),
        ("report_identifiers_wrong", "Dr. Who"), ("report_amended", "Dr. Who"), ("report_opened", "Nurse Ada"),
    ]  # fmt: skip
    assert {one["subject"] for one in entries} == {"P-1017"}
    assert entries[0]["by"] == {"role": "nurse", "origin": "10.0.0.8"}
    assert entries[2]["by"] == {"role": "clinician", "origin": "10.0.0.9", "person": "id-1"}
    assert entries[2]["body"]["identifiers"] == ["birth_date", "patient_id"]
    assert ask_box(config.box.people, audit.broken_at) is None


async def test_what_cannot_be_made_leaves_no_file_and_no_row(box):
    config, session = box
    async with running(config, upload="confirmed") as (_, jobs, listed, _):
        failed = await made(jobs, session="session_19990101_000000")
        assert (failed.state, failed.refused) == ("failed", "there is no session session_19990101_000000")
        assert (await listed.told(ReportsWanted())).total == 0
        assert list((config.box.data / "reports").iterdir()) == []
        waiting = [await jobs.begin(ReportAsked(session=session, kind="ecg")) for _ in range(3)]
        await jobs.cancel(waiting[2].job)
        assert (await finished(jobs, waiting[2])).state == "cancelled"
        await jobs.cancel(waiting[0].job)
        assert (await finished(jobs, waiting[0])).state == "cancelled"
        assert (await finished(jobs, waiting[1])).state == "done"
        # Nothing goes out before it is confirmed, where that is configured.
        assert ask(config.box.database, lambda r: outbox.outgoing(r, Lane.REPORTS, 0, 2**62, 10)) == []
        assert len(list((config.box.data / "reports").iterdir())) == 1


async def test_a_session_that_ended_gets_its_report_by_itself_and_old_files_make_room(box):
    config, session = box
    config = config.model_copy(update={"reports": Reports(at_session_end=("ecg",), shortest_s=5, keep_mb=10)})
    async with running(config) as (desk, jobs, listed, _):
        await desk.look()
        await desk.look()
        (job,) = (await jobs.jobs()).jobs
        assert (job.asked.session, job.asked.automatic) == (session, True)
        assert (await finished(jobs, job)).state == "done"
        await desk.look()
        told = await listed.told(ReportsWanted())
        assert [(one.automatic, one.session) for one in told.reports] == [(True, session)]
        assert len((await jobs.jobs()).jobs) == 1

        desk._config = config.model_copy(
            update={"reports": Reports.model_construct(at_session_end=(), shortest_s=5, keep_mb=0)}
        )
        await desk.look()
        (gone,) = (await listed.told(ReportsWanted())).reports
        assert gone.gone
        assert list((config.box.data / "reports").iterdir()) == []
