"""Every store that was ever written opens: tests/databases holds one of each step, as the vitald of that step left it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.model.outgoing import Lane
from daemon.store import outbox, ranges, schema
from daemon.store.connection import open_writing
from daemon.store.reader import ask
from daemon.store.reports import Wanted, reports, uploads

DATABASES = Path(__file__).parents[2] / "databases"
SAMPLES = {"segment-1": 600, "segment-2": 400, "segment-3": 500}
S = 10**9


def walk(n: int) -> np.ndarray:
    """The samples that the dumps were made with."""
    return np.cumsum(np.random.default_rng(7).integers(-9, 10, (2, n)), axis=1).astype(np.int32)


@pytest.fixture
def restore(path: Path):
    def make(step: int) -> None:
        db = open_writing(path)
        db.execute("PRAGMA foreign_keys = 0")  # a dump has its tables in the order of their names
        db.executescript((DATABASES / f"step-{step}.sql").read_text(encoding="utf-8"))
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {step}")
        db.close()

    return make


@pytest.mark.parametrize("step", range(1, schema.LATEST + 1))
async def test_everything_of_an_earlier_step_is_there_after_the_upgrade(path, running, restore, step):
    restore(step)
    for _ in range(2):
        async with running():
            pass

    boots = ask(path, lambda r: r.boots())
    assert [b.boot for b in boots] == ["boot-1", "boot-2"]
    segments = [s for b in boots for s in ask(path, lambda r, b=b: r.segments(b.boot, -(2**62), 2**62))]
    assert [(s.id, s.ended_by) for s in segments] == [
        ("segment-1", "stop"),
        ("segment-2", "stop"),
        ("segment-3", "crash"),
    ]
    for segment in segments:
        always = (segment.boot, segment.began_ns, segment.began_ns + 10 * S)
        (trace,) = ask(path, lambda r, a=always: r.read(*a))
        n = SAMPLES[segment.id]
        np.testing.assert_array_equal(trace.counts[:, :n], walk(n))
        assert trace.present[:n].all()
        assert [m.cause for m in trace.missing] == ["noise"]
        assert ask(path, lambda r, s=segment: ranges.unexplained(r, s)) == []
        beats = ask(path, lambda r, a=always: r.beats(*a))
        assert [b.label for b in beats] == ["V" if i == 3 else "N" for i in range(n // 100)]
        numbers = ask(path, lambda r, a=always: r.metrics(*a))
        assert {(m.name, m.value) for m in numbers} == {("heart_rate", 75.0), ("purity", 93.0)}
        kinds = {e.kind for e in ask(path, lambda r, a=always: r.events(*a))}
        assert kinds >= {"leads", "quality", "rhythm", "device", "fact", "command"}
    assert (ask(path, lambda r: r.alarm_states()) != {}) == (step >= 2)


@pytest.mark.parametrize("step", [1, 2])
async def test_runs_of_before_become_sessions(path, running, restore, step):
    """Of those that were open the next start says how they ended; of the others nobody was told."""
    restore(step)
    async with running():
        pass
    sessions = ask(
        path,
        lambda r: r.db.execute("SELECT name, began_ns, ended_ns, ended_by, summary FROM sessions").fetchall(),
    )
    assert [s[:4] for s in sessions] == [
        ("session_20250108_125136", 1000 * S, 1006 * S, "stop"),
        ("session_20250108_125156", 1020 * S, 1024 * S, "stop"),
        ("session_20250108_123501", 5 * S, 10 * S + S // 2, "crash"),
    ]
    said = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 10))
    assert [(m.message, m.session, m.boot) for m in said] == [
        ("box.session_end/1", "session_20250108_123501", "boot-2")
    ]
    assert said[0].body["summary"]["total_heartbeats"] == 5
    waves = ask(path, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 100))
    assert [m.place for m in waves] == ask(
        path, lambda r: [p for (p,) in r.db.execute("SELECT place FROM chunks")]
    )
    assert [m.session for m in waves[:: len(waves) - 1]] == [
        "session_20250108_125136",
        "session_20250108_123501",
    ]


async def test_messages_and_sessions_of_step_3_keep_their_keys(path, running, restore):
    restore(3)

    def waves():
        said = ask(path, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 100))
        return ask(path, outbox.identity), [(m.seq, m.place, m.session) for m in said]

    kept = waves()
    async with running():
        pass
    assert waves() == kept
    assert len(kept[1]) == ask(path, lambda r: r.db.execute("SELECT count(*) FROM chunks").fetchone()[0])
    told = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 100))
    assert [(m.message[4:], m.body.get("ended_by")) for m in told] == [
        ("session_start/1", None), ("session_end/1", "stop"), ("session_start/1", None), ("session_end/1", "stop"),
        ("session_start/1", None), ("session_end/1", "crash"),
    ]  # fmt: skip


async def test_reports_of_step_4_keep_their_versions_and_their_uploads(path, running, restore):
    restore(4)
    async with running():
        pass
    found, total = ask(path, lambda r: reports(r, Wanted()))
    assert total == 2
    last, first = found
    assert (first.row.state, last.row.state, last.row.amends) == ("preliminary", "confirmed", first.row.uuid)
    assert first.replaced_by == last.row.uuid
    assert (last.row.edited, last.row.confirmed_by) == (["Normal"], "Dr. Grey")
    (upload,) = ask(path, lambda r: uploads(r, first.row.uuid))
    assert (upload.destination, upload.state, upload.remote, upload.tries) == (
        "cloud",
        "done",
        "report_12",
        2,
    )
    (told,) = ask(path, lambda r: outbox.outgoing(r, Lane.REPORTS, 0, 2**62, 10))
    assert told.body["report_id"] == first.row.uuid
