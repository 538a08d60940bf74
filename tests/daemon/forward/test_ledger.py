"""The ledger opens whatever happened to it, and a step is kept wholly or not at all."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from daemon.forward import ledger
from daemon.forward.bookkeeping import Bookkeeping
from daemon.forward.delivery import Batch
from daemon.forward.destinations import Sealed
from daemon.forward.steps import Standing
from daemon.model.outgoing import Lane


@pytest.fixture
def path(tmp_path):
    return tmp_path / "forward.db"


def test_every_setting_holds(path):
    db = ledger.open_ledger(path)
    for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        assert db.execute(f"PRAGMA {name}").fetchone()[0] == value
    db.close()


def test_it_opens_twice(path):
    for _ in range(2):
        db = ledger.open_ledger(path)
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(ledger.STEPS)
        db.close()


def test_a_damaged_one_is_moved_aside(path):
    db = ledger.open_ledger(path)
    ledger.destination(db, "there")
    db.close()
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)

    db = ledger.open_ledger(path)
    assert db.execute("SELECT count(*) FROM destinations").fetchone()[0] == 0
    db.close()
    assert list(path.parent.glob("forward.db.damaged-*"))


@pytest.mark.parametrize("make", ["CREATE TABLE x (y)", "PRAGMA user_version = 99; CREATE TABLE x (y)"])
def test_a_foreign_one_is_left_alone(path, make):
    db = sqlite3.connect(path)
    db.executescript(make)
    db.close()
    before = path.read_bytes()

    with pytest.raises(ledger.ForeignLedger):
        ledger.open_ledger(path)
    assert path.read_bytes() == before


def test_a_request_comes_back_byte_for_byte(path):
    sealed = Sealed("k", Lane.REPORTS, "POST /x", "application/json", "gzip", bytes(range(256)), "/r/a.pdf")
    batch = Batch("k", Lane.REPORTS, True, 3, 9, (4, 8), 256)
    db = ledger.open_ledger(path)
    here, new = ledger.destination(db, "there")
    ledger.seal(db, here, batch, sealed)
    db.close()
    db = ledger.open_ledger(path)

    assert new
    assert ledger.destination(db, "there") == (here, False)
    assert ledger.sealed_of(db, "k") == sealed
    (again,) = ledger.batches_of(db, here)
    assert (again.key, again.part, again.first, again.last, again.members, again.size) == (
        "k",
        batch.part,
        3,
        9,
        (4, 8),
        256,
    )
    db.close()


def test_how_a_destination_stands_comes_back(path):
    standing = Standing("nurse", "no key", 4711, {Lane.WAVEFORM: "arrays only"})
    health = ledger.Health("no key", 5, 4, 3)
    db = ledger.open_ledger(path)
    here, _ = ledger.destination(db, "there")
    assert ledger.standing_of(db, here) == Standing()
    ledger.stands(db, here, standing, health)

    assert ledger.standing_of(db, here) == standing
    assert ledger.health_of(db, here) == health
    db.close()


async def test_steps_that_come_together_are_one_flush_and_a_bad_one_is_alone(path):
    books = Bookkeeping(path)
    await books.open()
    commits = []
    books._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    steps = [books.do(lambda db, n=n: ledger.destination(db, f"d{n}")[0]) for n in range(20)]
    task = asyncio.create_task(asyncio.sleep(0))
    gathered = asyncio.gather(*steps)
    await task
    running = asyncio.create_task(books.run())
    assert await gathered == list(range(1, 21))
    assert len(commits) == 1

    def bad(db):
        ledger.destination(db, "never")
        raise ValueError("a bug")

    results = await asyncio.gather(
        books.do(bad), books.do(lambda db: ledger.destination(db, "good")), return_exceptions=True
    )
    assert isinstance(results[0], ValueError)
    assert results[1] == (21, True)
    names = await books.do(lambda db: [name for (name,) in db.execute("SELECT name FROM destinations")])
    assert "never" not in names
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await books.close()


async def test_what_nobody_waits_for_is_written_with_the_next_step_or_at_the_end(path):
    books = Bookkeeping(path)
    await books.open()
    running = asyncio.create_task(books.run())
    for name in ("a", "b"):
        await books.later(lambda db, name=name: ledger.destination(db, name) and None)
    assert await books.do(lambda db: db.execute("SELECT count(*) FROM destinations").fetchone()[0]) == 2
    await books.later(lambda db: ledger.destination(db, "c") and None)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await books.close()

    db = ledger.open_ledger(path)
    assert [name for (name,) in db.execute("SELECT name FROM destinations")] == ["a", "b", "c"]
    db.close()
