"""Reports in the store: a row a file, versions that name each other, pages of a list, the upload log, and what may go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.contracts.box import v1 as box
from daemon.model.outgoing import Lane
from daemon.store import outbox
from daemon.store.reader import ask
from daemon.store.reports import (
    Message,
    NotTaken,
    ReportRow,
    UploadRow,
    Wanted,
    oldest_files,
    report,
    reports,
    uploads,
    without_report,
    write_gone,
    write_report,
    write_uploads,
)

S = 10**9


def row(number: int, **changes) -> ReportRow:
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    made = ReportRow(
        uuid=uuid, session="session_20260101_000000", bed="1", kind="ecg", state="preliminary", made_utc_ns=number * S,
        about_utc_ns=0, actor="nurse", automatic=False, patient={"patient_id": "P-1", "full_name": "Ada Żak"},
        file=f"ecg_report_{uuid}.pdf", size=1000, sha256="0" * 64, pages=1, samples_sha256="", options={"layout": "6x2"},
        made=({"key": "sinus_rhythm", "text": "Sinus rhythm", "criteria": []},), edited=None, confirmed_by="",
        confirmed_utc_ns=None, amends=None,
    )  # fmt: skip
    return replace(made, **changes)


BODY = {
    "report_id": row(1).uuid, "filename": row(1).file, "sha256": "0" * 64, "size_bytes": 1000, "kind": "ecg", "summary": {},
    "conclusion": "Sinus rhythm", "metrics": {"heart_rate_bpm": 75.0}, "patient": None,
}  # fmt: skip


@pytest.fixture
async def writer(running, line):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(500)))
        yield writer


def told(path, question):
    return ask(path, question)


async def test_a_row_is_written_once_with_its_message(path, writer):
    message = Message("boot-1", 5, "ECG-1", BODY)
    assert await writer.aside(lambda db: write_report(db, row(1), message))
    assert not await writer.aside(lambda db: write_report(db, row(1), message))

    found = told(path, lambda r: report(r, row(1).uuid))
    assert found.row == replace(row(1), made=[dict(row(1).made[0])])
    (sent,) = told(path, lambda r: outbox.outgoing(r, Lane.REPORTS, 0, 2**62, 10))
    assert (sent.message, sent.session, sent.device) == ("box.report/1", row(1).session, "ECG-1")
    assert box.Report.model_validate(sent.body).filename == row(1).file


async def test_versions_name_each_other_and_only_the_last_is_current(path, writer):
    confirmed = row(
        2,
        state="confirmed",
        amends=row(1).uuid,
        edited=["Normal"],
        confirmed_by="Dr. Grey",
        confirmed_utc_ns=9,
    )
    await writer.aside(lambda db: write_report(db, row(1), None))
    await writer.aside(lambda db: write_report(db, confirmed, None))
    for second in (
        row(3, state="confirmed", amends=row(1).uuid),
        row(4, state="confirmed", amends=row(99).uuid),
    ):
        with pytest.raises(NotTaken):
            await writer.aside(lambda db, second=second: write_report(db, second, None))

    first, last = (told(path, lambda r, n=n: report(r, row(n).uuid)) for n in (1, 2))
    assert first.replaced_by == row(2).uuid
    assert first.row.made == last.row.made  # both versions are kept, and what the box had said
    assert last.row.edited == ["Normal"]
    assert [one.row.uuid for one in told(path, lambda r: reports(r, Wanted(current=True)))[0]] == [
        row(2).uuid
    ]
    assert told(path, lambda r: reports(r, Wanted()))[1] == 2


async def test_pages_and_filters(path, writer):
    kinds = ("ecg", "session", "night", "oxygen")
    for n in range(1, 12):
        one = row(
            n, kind=kinds[n % 4], patient=None if n == 5 else {"patient_id": f"P-{n}", "full_name": "Ada Żak"}
        )
        await writer.aside(lambda db, one=one: write_report(db, one, None))

    seen, before = [], ""
    while True:
        page, total = told(path, lambda r, b=before: reports(r, Wanted(most=4, before=b)))
        assert total == 11
        seen += [one.row.made_utc_ns // S for one in page]
        if len(page) < 4:
            break
        before = page[-1].place
    assert seen == list(range(11, 0, -1))

    def numbers(**wanted):
        return [one.row.made_utc_ns // S for one in told(path, lambda r: reports(r, Wanted(**wanted)))[0]]

    assert numbers(kind="night") == [10, 6, 2]
    assert numbers(find="p-7") == [7]
    assert numbers(find="ada", kind="session") == [9, 1]
    assert numbers(since_ns=3 * S, until_ns=5 * S) == [4, 3]
    assert numbers(bed="2") == numbers(state="amended") == numbers(session="x") == []


async def test_the_upload_log_keeps_the_newest_word_and_what_is_done_stays_done(path, writer):
    await writer.aside(lambda db: write_report(db, row(1), None))

    def word(state, **more):
        return UploadRow(
            row(1).file,
            "cloud",
            state,
            7,
            1000,
            more.get("remote", ""),
            more.get("tries", 1),
            more.get("error", ""),
        )

    assert (
        await writer.aside(
            lambda db: write_uploads(
                db, [word("waiting", error="no network"), replace(word("done"), file="x.pdf")]
            )
        )
        == 1
    )
    await writer.aside(lambda db: write_uploads(db, [word("done", remote="report_12", tries=3)]))
    await writer.aside(lambda db: write_uploads(db, [word("waiting", error="late news")]))
    (one,) = told(path, lambda r: uploads(r, row(1).uuid))
    assert (one.state, one.remote, one.tries, one.error, one.report) == (
        "done",
        "report_12",
        3,
        "",
        row(1).uuid,
    )


async def test_files_that_are_everywhere_may_go_first(path, writer):
    for n in (1, 2):
        await writer.aside(lambda db, n=n: write_report(db, row(n), None))
    done = UploadRow(row(2).file, "cloud", "done", 7, 1000, "", 1, "")
    await writer.aside(lambda db: write_uploads(db, [done]))
    assert [(u, e) for u, _, _, e in told(path, lambda r: oldest_files(r, ["cloud"]))] == [
        (row(1).uuid, False),
        (row(2).uuid, True),
    ]
    assert await writer.aside(lambda db: write_gone(db, [row(2).uuid], 11)) == 1
    assert [u for u, *_ in told(path, lambda r: oldest_files(r, []))] == [row(1).uuid]
    assert told(path, lambda r: report(r, row(2).uuid)).gone_utc_ns == 11


async def test_sessions_that_ended_without_a_report(path, running, line, clock):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(500)))
        clock.now_ns = 90 * S
    (name,) = told(path, lambda r: without_report(r, "session", 0, 60 * S))
    assert told(path, lambda r: without_report(r, "session", 91 * S, 60 * S)) == []
    assert told(path, lambda r: without_report(r, "session", 0, 100 * S)) == []
    async with running(boot="boot-2") as writer:
        await writer.aside(lambda db: write_report(db, row(1, session=name, kind="session"), None))
    assert told(path, lambda r: without_report(r, "session", 0, 60 * S)) == []
