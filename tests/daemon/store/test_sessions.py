from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from daemon.model.findings import Beat, BeatClass, Event, Evidence, Grade, Quality, Rhythm, Trouble
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Command, Tick
from daemon.store import outbox
from daemon.store.reader import ask
from daemon.store.sessions import Occupant

S = 10**9
UTC_NS = 1_736_339_696 * S  # 2025-01-08 12:34:56, as in the seeds
JOHN = {
    "patient_id": "0194-john", "full_name": "John Doe", "age": 45, "gender": "Male", "phone": "+1234567890",
    "address": "123 Main St", "registration_date": "2025-01-01",
}  # fmt: skip


def stored(path, columns="name, began_ns, ended_ns, ended_by, began_by"):
    sql = f"SELECT {columns} FROM sessions ORDER BY id"
    return ask(path, lambda r: r.db.execute(sql).fetchall())


def said(path, lane=Lane.EVENTS):
    return ask(path, lambda r: outbox.outgoing(r, lane, 0, 2**62, 1000))


def act(verb: str, t_ns: int, bed: str = "1", **values: str) -> Command:
    return Command(f"{verb}-{t_ns}", t_ns, bed, "nurse", verb, tuple(sorted(values.items())))


@pytest.fixture
def streaming(running, saved, line):
    """Seconds of samples from 0 on, each of them stored before the next; a command goes in between."""

    async def run(seconds: int, commands: dict[int, Command], findings=None, **options):
        counts = line.samples(seconds * 500)
        async with running(on_saved=saved, utc_offset_ns=UTC_NS, **options) as writer:
            for i in range(seconds):
                found = findings(line.segment.id, i) if findings else ()
                block = line.block(i * 500, counts[:, i * 500 : i * 500 + 500])
                await saved.up_to(writer.offer("1", block, found))
                if i in commands:
                    await saved.up_to(writer.offer("1", commands[i]))
            writer._now.now_ns = seconds * S

    return run


async def test_a_session_begins_with_the_samples_and_ends_with_the_daemon(path, streaming):
    await streaming(3, {})
    assert stored(path) == [("session_20250108_123456", 0, 3 * S, "stop", "samples")]
    begin, end = said(path)
    assert (begin.message, begin.t_ns, begin.device) == ("box.session_start/1", 0, "ECG-1")
    assert begin.body["automatic"] is True
    assert begin.body["device_info"]["sampling_rate_hz"] == 500.0
    assert (end.message, end.t_ns, end.body["ended_by"]) == ("box.session_end/1", 3 * S, "stop")
    assert end.body["summary"]["duration_seconds"] == 3.0
    assert begin.body["session_uuid"] == end.body["session_uuid"]
    assert {m.session for m in said(path, Lane.WAVEFORM)} == {"session_20250108_123456"}


async def test_a_persons_end_begins_the_next_within_the_same_segment(path, streaming, line):
    at = 2 * S + S // 2
    await streaming(6, {2: act("session_end", at)})
    assert stored(path) == [
        ("session_20250108_123456", 0, at, "person", "samples"),
        ("session_20250108_123458", at, 6 * S, "stop", "samples"),
    ]
    assert len(ask(path, lambda r: r.segments("boot-1", 0, 10 * S))) == 1
    sessions = {m.t_ns: m.session for m in said(path, Lane.WAVEFORM)}
    # A chunk belongs to the session in which its first sample lies.
    assert {t: s[-2:] for t, s in sessions.items()} == {
        **dict.fromkeys([0, S // 4, S // 2, 3 * S // 4, S, 2 * S], "56"),
        **dict.fromkeys([3 * S, 4 * S, 5 * S], "58"),
    }


async def test_nothing_streams_then_an_end_is_an_end_and_the_next_samples_begin_anew(
    path, running, saved, make_line
):
    line, later = make_line(), make_line(connection=2, began_ns=50 * S)
    async with running(on_saved=saved, utc_offset_ns=UTC_NS) as writer:
        await saved.up_to(writer.offer("1", line.block(0, line.samples(1000))))
        await saved.up_to(writer.offer("1", act("session_end", 20 * S)))
        number = Outgoing(30 * S, Lane.METRICS, "ecg.metrics/1", "ECG-1", {})
        await saved.up_to(writer.offer("1", Tick(30 * S), outgoing=[number]))
        assert [row[3] for row in stored(path)] == ["person"]
        await saved.up_to(writer.offer("1", later.block(0, later.samples(500))))
    assert [(row[0][-2:], row[1]) for row in stored(path)] == [("56", 0), ("46", 50 * S)]
    assert [m.session for m in said(path, Lane.METRICS)] == [""]


async def test_numbers_that_come_before_their_samples_are_stored_belong_to_the_session(path, running, line):
    """A batch has rows first: the message of the first second is written before the first chunk."""
    async with running(utc_offset_ns=UTC_NS) as writer:
        number = Outgoing(S // 10, Lane.METRICS, "ecg.metrics/1", "ECG-1", {})
        writer.offer("1", line.block(0, line.samples(100)), outgoing=[number])
    assert [m.session for m in said(path, Lane.METRICS)] == ["session_20250108_123456"]
    assert len(stored(path)) == 1


async def test_a_person_starts_a_session(path, streaming):
    await streaming(4, {1: act("session_start", 2 * S)})
    rows = stored(path, "name, ended_by, began_by, actor")
    assert [row[1:] for row in rows] == [("person", "samples", ""), ("stop", "person", "nurse")]
    starts = [m.body["automatic"] for m in said(path) if m.message == "box.session_start/1"]
    assert starts == [True, False]


async def test_a_patient_has_sessions_of_their_own(path, streaming):
    commands = {
        1: act("admit", 2 * S, patient=json.dumps({**JOHN, "birth_date": None, "age_on": "2025-01-08"})),
        3: act("discharge", 4 * S),
    }
    await streaming(6, commands)
    rows = stored(path, "ended_by, patient")
    assert [(by, json.loads(p)["full_name"] if p else None) for by, p in rows] == [
        ("person", None), ("discharge", "John Doe"), ("stop", None)
    ]  # fmt: skip
    patients = [m.body["patient"] for m in said(path) if m.message == "box.session_start/1"]
    assert patients == [None, JOHN, None]


async def test_the_patient_stays_over_a_restart_and_over_a_file_that_was_moved_aside(
    path, streaming, running
):
    await streaming(
        3, {1: act("admit", 2 * S, patient=json.dumps({**JOHN, "birth_date": None, "age_on": "2025-01-08"}))}
    )
    await streaming(3, {})
    assert json.loads(stored(path, "patient")[-1][0])["patient_id"] == JOHN["patient_id"]
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    async with running() as writer:
        writer.occupied("1", Occupant(json.dumps(JOHN), "admit-1"))
        await writer.stop()
    await streaming(3, {})
    assert json.loads(stored(path, "patient")[-1][0])["patient_id"] == JOHN["patient_id"]


async def test_two_beds_that_begin_in_one_second_have_two_names(path, running, make_line):
    async with running(utc_offset_ns=UTC_NS) as writer:
        for i, bed in enumerate(("1", "2", "3")):
            line = make_line(connection=i)
            object.__setattr__(line.segment, "bed", bed)
            writer.offer(bed, line.block(0, line.samples(100)))
    assert [row[0] for row in stored(path)] == [f"session_20250108_1234{s}" for s in (56, 57, 58)]


def beat(segment: str, i: int, t_ns: int, rr_ms: float | None, label=BeatClass.NORMAL) -> Beat:
    return Beat(t_ns, t_ns, i * 100, label, rr_ms, Evidence(segment, i, i + 1, "qrs/1"))


async def test_the_summary_is_that_of_the_sessions_own_time(path, streaming):
    """Beats at 80/min for 10 s, then at 120/min: two sessions, cut at 10 s."""

    def findings(segment, second):
        gap_s = 0.75 if second < 10 else 0.5
        times = [n * gap_s for n in range(100) if second <= n * gap_s < second + 1]
        found = [
            beat(segment, round(t * 5), round(t * S), gap_s * 1000,
                 BeatClass.VENTRICULAR if t == 3 else BeatClass.NORMAL) for t in times
        ]  # fmt: skip
        if second == 0:
            found.append(Quality(0, 0, "global", Grade.GOOD, Trouble.NONE))
        if second == 11:
            found.append(Quality(11 * S, 11 * S, "global", Grade.POOR, Trouble.MUSCLE))
            found.append(Quality(11 * S, 11 * S, "II", Grade.OFF, Trouble.OFF))
        evidence = Evidence(segment, 0, 1, "rhythm/1")
        if second == 14:
            found.append(Rhythm(14 * S, 14 * S, None, "AFIB", evidence))
            found.append(Rhythm(14 * S, 14 * S, None, "N", evidence))
            found.append(Event(14 * S, 14 * S, "pause", (), evidence))
        return found

    await streaming(20, {9: act("session_end", 10 * S)}, findings)
    first, second = (json.loads(s) for (s,) in stored(path, "summary"))
    assert first == {
        "duration_seconds": 10.0,
        "total_heartbeats": 14,
        "average_heart_rate_bpm": 80.0,
        "min_heart_rate_bpm": 80.0,
        "max_heart_rate_bpm": 80.0,
        "arrhythmias_detected": ["PVC"],
        "signal_quality": "good",
    }
    assert (second["total_heartbeats"], second["average_heart_rate_bpm"]) == (20, 120.0)
    assert second["arrhythmias_detected"] == ["AFIB", "PAUSE"]
    assert second["signal_quality"] == "poor"


async def test_a_summary_of_nothing_says_that_nothing_was_measured(path, running):
    async with running() as writer:
        writer.offer("1", act("session_start", S))
        writer.offer("1", act("session_end", 3 * S))
    (summary,) = (json.loads(s) for (s,) in stored(path, "summary"))
    assert summary == {
        "duration_seconds": 2.0,
        "total_heartbeats": 0,
        "average_heart_rate_bpm": None,
        "min_heart_rate_bpm": None,
        "max_heart_rate_bpm": None,
        "arrhythmias_detected": [],
        "signal_quality": "off",
    }


@pytest.mark.slow
async def test_a_crash_is_found_at_the_next_start_and_told(path, running, tmp_path):
    script = tmp_path / "crash.py"
    conftest = Path(__file__).with_name("conftest.py")
    script.write_text(f"""
import asyncio, importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("made", {str(conftest)!r})
made = importlib.util.module_from_spec(spec); spec.loader.exec_module(made)
async def main():
    saved = made.Heard()
    writer = made.Writer(made.Path(sys.argv[1]), boot="boot-1", now=lambda: 0, utc_offset_ns={UTC_NS}, commit_every_s=0.01, on_saved=saved)
    await writer.start()
    line = made.Line()
    await saved.up_to(writer.offer("1", line.block(0, line.samples(2000))))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
""")
    code = os.spawnve(
        os.P_WAIT, sys.executable, [sys.executable, str(script), str(path)], {**os.environ, "PYTHONPATH": str(Path.cwd())}
    )  # fmt: skip
    assert code == -signal.SIGKILL
    for _ in range(2):
        async with running(utc_offset_ns=UTC_NS):
            pass
    assert stored(path) == [("session_20250108_123456", 0, 4 * S, "crash", "samples")]
    assert [(m.message, m.body.get("ended_by")) for m in said(path)] == [
        ("box.session_start/1", None), ("box.session_end/1", "crash")
    ]  # fmt: skip


async def test_beginning_and_end_are_told_in_the_transaction_that_makes_them_so(path, streaming):
    """At any moment: as many starts as sessions, as many ends as ended ones."""
    db = None

    def check(*_):
        nonlocal db
        if db is None:
            return
        sessions, ended = db.execute("SELECT count(*), count(ended_ns) FROM sessions").fetchone()
        count = "SELECT count(*) FROM outbox WHERE message = ?"
        assert db.execute(count, ("box.session_start/1",)).fetchone() == (sessions,)
        assert db.execute(count, ("box.session_end/1",)).fetchone() == (ended,)

    await streaming(1, {})
    db = sqlite3.connect(path)
    await streaming(
        8, {i: act("session_end", (i + 1) * S) for i in range(1, 7)}, findings=lambda s, i: check() or []
    )
    check()
    assert len(stored(path)) == 8
    db.close()
