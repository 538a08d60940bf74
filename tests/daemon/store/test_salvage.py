"""What a damaged file still holds comes back, in the background, while the new one is being written."""

from __future__ import annotations

import random
import sqlite3

import numpy as np
import pytest

from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Beat, BeatClass, Evidence, Metric
from daemon.model.outgoing import Lane, Outgoing
from daemon.store import outbox, ranges
from daemon.store.connection import PAGE_BYTES, open_writing
from daemon.store.reader import ask
from daemon.store.salvage import Salvage
from daemon.store.torn import rows_after

S = 10**9
ALWAYS = ("boot-1", -(2**62), 2**62)
SECONDS = 300


async def record(running, line, saved=None) -> np.ndarray:
    counts = line.samples(SECONDS * 500)
    async with running(max_sample_bytes=1 << 30) as writer:
        for i in range(SECONDS):
            t_ns = line.began_ns + i * S
            evidence = Evidence(line.segment.id, i * 500, i * 500 + 9, "qrs/1")
            found = [
                Beat(t_ns, t_ns, i * 500, BeatClass.NORMAL, 1000.0, evidence),
                Metric(t_ns, t_ns, "heart_rate", 60.0, "bpm", None, "II", 1.0, evidence),
            ]
            alarm = Change(ChangeKind.BEGAN, t_ns, t_ns, "hr_high", priority=Priority.HIGH)
            said = Outgoing(t_ns, Lane.METRICS, "ecg.metrics/1", "ECG-1", {"n": i})
            writer.offer("1", line.block(i * 500, counts[:, i * 500 : i * 500 + 500]), found, [alarm], [said])
    return counts


def damage(path, pages: list[int]) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE_BYTES)
            file.write(b"\xa5" * PAGE_BYTES)


def salvage_all(path, aside) -> int:
    """Every step of it into a store that is there; the rows that came over."""
    db = open_writing(path)
    salvage = Salvage(aside)
    while salvage.step(db):
        pass
    db.close()
    return salvage.rows


@pytest.fixture
async def parted(path, running, make_line):
    """A recording that is moved aside, and a later one in the new file; the samples of the first."""
    counts = await record(running, make_line())
    aside = path.with_name("vitald.db.damaged-1")
    path.rename(aside)
    later = make_line(connection=2, began_ns=1000 * S)
    async with running() as writer:
        writer._upkeep._salvages.clear()  # by hand in these tests
        writer.offer("1", later.block(0, later.samples(1000)))
    return aside, counts


async def test_of_a_whole_file_everything_comes_over(path, parted):
    aside, counts = parted
    before = aside.read_bytes()
    salvage_all(path, aside)
    assert aside.read_bytes() == before
    traces = ask(path, lambda r: r.read(*ALWAYS))
    np.testing.assert_array_equal(traces[0].counts, counts)
    assert (traces[0].present.all(), traces[1].counts.shape[1]) == (True, 1000)
    assert [b.t_ns for b in ask(path, lambda r: r.beats(*ALWAYS))] == [i * S for i in range(SECONDS)]
    numbers = ask(path, lambda r: r.metrics(*ALWAYS))
    assert [(m.t_ns, m.segment, m.rule) for m in numbers] == [
        (i * S, "segment-1", "qrs/1") for i in range(SECONDS)
    ]
    assert len(ask(path, lambda r: r.events(*ALWAYS, kinds=["alarm"]))) == SECONDS
    for segment in ask(path, lambda r: r.segments(*ALWAYS)):
        assert ask(path, lambda r, s=segment: ranges.unexplained(r, s)) == []
    sessions = ask(
        path, lambda r: r.db.execute("SELECT name, ended_by FROM sessions ORDER BY began_ns").fetchall()
    )
    assert [by for _, by in sessions] == ["stop", "stop"]


async def test_it_is_done_once(path, parted):
    aside, _ = parted
    assert salvage_all(path, aside) > 0
    assert salvage_all(path, aside) == 0
    assert len(ask(path, lambda r: r.metrics(*ALWAYS))) == SECONDS


async def test_it_goes_on_where_a_restart_cut_it_off(path, parted):
    aside, counts = parted
    more = True
    while more:  # a new process for every step
        db = open_writing(path)
        more = Salvage(aside).step(db)
        db.close()
    traces = ask(path, lambda r: r.read(*ALWAYS))
    np.testing.assert_array_equal(traces[0].counts, counts)
    assert len(ask(path, lambda r: r.metrics(*ALWAYS))) == SECONDS
    assert len(ask(path, lambda r: r.events(*ALWAYS, kinds=["alarm"]))) == SECONDS


async def test_messages_that_not_every_receiver_had_are_sent_again(path, parted):
    aside, _ = parted
    seqs = [m.seq for m in ask(aside, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10**6))]
    db = open_writing(aside)
    db.execute("INSERT INTO confirmed VALUES (?, ?)", (int(Lane.METRICS), seqs[99]))
    db.close()
    salvage_all(path, aside)
    told = ask(path, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10**6))
    assert [m.body["n"] for m in told] == list(range(100, SECONDS))
    waves = ask(path, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10**6))
    chunks = ask(path, lambda r: outbox.samples(r, [m.place for m in waves]))
    assert len(chunks) == len(waves) == SECONDS + 3 + 5


def schema_pages(file):
    """Places (from 0) of the pages that hold the schema: a page of pointers and the leaves it names (sqlite.org/fileformat2, 1.6)."""
    page = file.read_bytes()[:PAGE_BYTES]
    kind, cells, rightmost = page[100], int.from_bytes(page[103:105], "big"), page[108:112]
    assert kind == 5  # a page of pointers
    at = [int.from_bytes(page[112 + 2 * k : 114 + 2 * k], "big") for k in range(cells)]
    return {int.from_bytes(four, "big") - 1 for four in (rightmost, *(page[a : a + 4] for a in at))}


@pytest.mark.parametrize("seed", range(8))
async def test_pages_that_cannot_be_read_cost_what_was_in_them(path, parted, seed):
    """Some pages anywhere but the schema's: what comes is what was stored, nothing is made up, every hole is explained."""
    aside, counts = parted
    pages = aside.stat().st_size // PAGE_BYTES
    rng = random.Random(seed)
    damage(aside, rng.sample(sorted(set(range(20, pages)) - schema_pages(aside)), 6))
    salvage_all(path, aside)
    traces = [t for t in ask(path, lambda r: r.read(*ALWAYS)) if t.segment.id == "segment-1"]
    kept = 0
    for trace in traces:
        there = trace.present
        at = slice(trace.first, trace.first + trace.counts.shape[1])
        np.testing.assert_array_equal(trace.counts[:, there], counts[:, at][:, there])
        kept += int(there.sum())
        causes = {m.cause for m in trace.missing}
        assert causes <= {"damaged"}
        assert ask(path, lambda r, s=trace.segment: ranges.unexplained(r, s)) == []
    numbers = ask(path, lambda r: r.metrics(*ALWAYS))
    assert {(m.name, m.value) for m in numbers} <= {("heart_rate", 60.0)}
    assert len({m.t_ns for m in numbers}) == len(numbers)
    assert kept + len(numbers) > 0.3 * (counts.shape[1] + SECONDS)
    db = open_writing(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


async def test_a_file_of_garbage_gives_nothing_and_stops_nobody(path, parted):
    aside, _ = parted
    aside.write_bytes(b"no database" * 1000)
    assert salvage_all(path, aside) == 0
    assert len(ask(path, lambda r: r.read(*ALWAYS))) == 1


@pytest.mark.slow
async def test_the_writer_does_it_between_its_commits(path, running, make_line, saved):
    counts = await record(running, make_line())
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])  # found at the start
    later = make_line(connection=2, began_ns=1000 * S)
    async with running(on_saved=saved) as writer:
        assert path.with_name("vitald.db.damaged-1").exists()
        for i in range(200):
            await saved.up_to(writer.offer("1", later.block(i * 500, later.samples(500))))
            if not writer._upkeep._salvages:
                break
        assert writer._upkeep._salvages == []
    traces = ask(path, lambda r: r.read(*ALWAYS))
    assert traces[-1].present.all()
    old = [t for t in traces if t.segment.id == "segment-1"]
    for trace in old:
        at = slice(trace.first, trace.first + trace.counts.shape[1])
        np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, at][:, trace.present])


def test_rows_before_and_behind_the_damage_are_read(tmp_path):
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(i * 7, "x" * 50) for i in range(2000)])
    db.close()
    damage(path, [9, 10, 20])
    db = sqlite3.connect(path)
    at, found = -1, []
    while at is not None:
        rows, at = rows_after(db, "t", "id", at, 300)
        found += [row[0] for row in rows]
    db.close()
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] == 1999 * 7
    assert 1700 < len(found) < 1900
