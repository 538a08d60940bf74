from __future__ import annotations

import asyncio
import os
import sqlite3
import threading

import pytest

from daemon.store.connection import Threaded, open_writing
from daemon.store.schema import ForeignStore


def test_a_failing_open_leaves_no_thread_that_speaks_to_a_closed_loop():
    """Again and again, each on a loop that is closed at once: a thread's exception would fail the test."""

    def fails():
        raise sqlite3.OperationalError("no")

    async def attempt():
        with pytest.raises(sqlite3.OperationalError, match="no"):
            await Threaded(fails).open()

    before = threading.active_count()
    for _ in range(100):
        asyncio.run(attempt())
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)
    assert threading.active_count() == before


async def test_an_open_that_is_cancelled_closes_what_it_has_opened(path):
    begun, go_on = threading.Event(), threading.Event()
    wal = path.with_name(path.name + "-wal")

    def slow():
        begun.set()
        assert go_on.wait(10)
        db = open_writing(path)
        db.execute("CREATE TABLE t (id INTEGER)")
        assert wal.exists()
        return db

    thread = Threaded(slow)
    opening = asyncio.create_task(thread.open())
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    await asyncio.sleep(0)
    assert not opening.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert path.exists()
    assert not wal.exists()  # the last connection is closed


async def test_a_call_that_is_cancelled_runs_to_its_end_and_mixes_with_no_other(path):
    thread = Threaded(lambda: open_writing(path))
    await thread.open()
    begun, go_on = threading.Event(), threading.Event()

    def slow(db):
        begun.set()
        assert go_on.wait(10)
        db.execute("CREATE TABLE done (id INTEGER)")

    first = asyncio.create_task(thread.run(slow))
    second = asyncio.create_task(thread.run(lambda db: db.execute("SELECT count(*) FROM done").fetchone()))
    await asyncio.to_thread(begun.wait)
    first.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == (0,)
    await thread.close()
    await thread.close()


async def test_what_a_function_raises_reaches_its_caller_only(path):
    thread = Threaded(lambda: open_writing(path))
    await thread.open()
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda db: 1 // 0)
    assert await thread.run(lambda db: db.execute("SELECT 1").fetchone()) == (1,)
    await thread.close()


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_a_new_file_is_for_its_group_to_read_whatever_the_umask(path, umask):
    before = os.umask(umask)
    try:
        db = open_writing(path)
        db.execute("CREATE TABLE t (id INTEGER)")
        modes = [path.with_name(path.name + s).stat().st_mode & 0o777 for s in ("", "-wal", "-shm")]
        db.close()
    finally:
        os.umask(before)
    assert modes == [0o640] * 3


async def test_a_start_that_is_refused_or_cancelled_leaves_nothing_behind(path, make_writer):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (id INTEGER)")
    db.close()
    for _ in range(2):  # the lock was given back: not StoreBusy
        with pytest.raises(ForeignStore):
            await make_writer().start()
    path.unlink()
    starting = asyncio.create_task(make_writer().start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    writer = make_writer()
    await writer.start()
    await writer.stop()
