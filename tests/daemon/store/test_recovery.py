from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from daemon.store import ranges, recovery
from daemon.store.connection import open_writing
from daemon.store.reader import ask
from daemon.store.writer import STORE_DAMAGED

ALWAYS = ("boot-1", -(2**62), 2**62)

LOAD = """
import asyncio, sys
import numpy as np
from pathlib import Path
from daemon.model.signals import *
from daemon.store.writer import Writer
stream = Stream("E", "ecg", 500.0, tuple(Channel(str(i), Quantity.ECG, "mV", 1.0) for i in range(8)))
segment = Segment("s", "1", stream, "boot-1", 1, 0)
ramp = np.arange(8)[:, None] * 1000
early = sys.argv[2] == "before"
news = asyncio.Event()
def saved(s):
    news.set()
    for number in s.samples.values():
        if not early: print(number, flush=True)
async def main():
    writer = Writer(Path(sys.argv[1]), boot="boot-1", now=lambda: 0, utc_offset_ns=0, commit_every_s=0.002, on_saved=saved)
    await writer.start()
    for first in range(0, 10**9, 500):
        counts = (ramp + np.arange(first, first + 500) % 997).astype(np.int32)
        writer.offer("1", SampleBlock(segment, first, first * 2_000_000, 2e6, counts, first * 2_000_000 + 10**9))
        if early: print(first + 500, flush=True)
        if first % 2000 == 1500:
            news.clear()
            await news.wait()
asyncio.run(main())
"""


async def acknowledged_until_killed(path, when: str, lines: int) -> int:
    """Run the load, kill it after so many acknowledgements, wherever it is then; the last one that came out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOAD, str(path), when, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )  # fmt: skip
    acknowledged = 0
    for _ in range(lines):
        acknowledged = int(await asyncio.wait_for(process.stdout.readline(), 30))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for rest in (await process.stdout.read()).splitlines(keepends=True):
        if rest.endswith(b"\n"):
            acknowledged = int(rest)
    assert acknowledged > 0
    return acknowledged


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 12, 60])
async def test_nothing_acknowledged_is_lost_when_the_daemon_is_killed(path, running, lines):
    acknowledged = await acknowledged_until_killed(path, "after", lines)
    async with running():
        pass  # the next start ends what the kill left open
    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    assert trace.counts.shape[1] >= acknowledged
    assert trace.present.all()
    expected = np.arange(8)[:, None] * 1000 + np.arange(trace.counts.shape[1]) % 997
    np.testing.assert_array_equal(trace.counts, expected)
    messages = "SELECT place FROM outbox WHERE lane = 3"
    assert ask(
        path,
        lambda r: r.db.execute("SELECT place FROM chunks").fetchall() == r.db.execute(messages).fetchall(),
    )
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    assert segment.ended_by == "crash"
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []


@pytest.mark.slow
async def test_the_kill_would_find_what_is_acknowledged_too_early(tmp_path, running):
    """Control of the test above: a writer that acknowledges before the commit must be seen to lose."""
    lost = 0
    for lines in (5, 60):
        path = tmp_path / f"{lines}.db"
        acknowledged = await acknowledged_until_killed(path, "before", lines)
        traces = ask(path, lambda r: r.read(*ALWAYS))
        lost += acknowledged - (traces[0].counts.shape[1] if traces else 0)
    assert lost > 0


@pytest.mark.slow
async def test_a_torn_wal_costs_its_tail_only(path, line, make_writer, tmp_path, saved):
    """As after a power cut: the WAL ends anywhere; what was committed before that point is there, and the file is whole."""
    writer = make_writer(on_saved=saved)
    await writer.start()
    counts = line.samples(5000)
    sizes = []
    for first in range(0, 5000, 500):
        await saved.up_to(writer.offer("1", line.block(first, counts[:, first : first + 500])))
        sizes.append(path.with_name("vitald.db-wal").stat().st_size)
    main, wal = path.read_bytes(), path.with_name("vitald.db-wal").read_bytes()
    await writer.stop()

    for kept in range(sizes[0], len(wal) + 1, len(wal) // 12):
        torn = tmp_path / f"cut-{kept}.db"
        torn.write_bytes(main)
        torn.with_name(torn.name + "-wal").write_bytes(wal[:kept])
        db = open_writing(torn)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
        (trace,) = ask(torn, lambda r: r.read(*ALWAYS))
        committed = sum(size <= kept for size in sizes)
        assert trace.counts.shape[1] >= 500 * committed
        np.testing.assert_array_equal(trace.counts, counts[:, : trace.counts.shape[1]])


@pytest.mark.parametrize("harm", ["garbage", "page", "cut"])
async def test_a_damaged_file_is_moved_aside_and_a_new_one_begins(path, running, line, facts, harm):
    counts = line.samples(2000)
    async with running() as writer:
        writer.offer("1", line.block(0, counts))
    whole = path.read_bytes()
    broken = {
        "garbage": b"no database" * 1000,
        "page": whole[:4096] + b"\xff" * 8192 + whole[12288:],
        "cut": whole[: len(whole) // 2],
    }[harm]
    path.write_bytes(broken)

    async with running(on_fact=facts) as writer:
        writer.offer("1", line.block(0, counts[:, :700]))
    assert [fact.source for fact in facts] == [STORE_DAMAGED]
    assert path.with_name("vitald.db.damaged-1").stat().st_size == len(broken)
    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    np.testing.assert_array_equal(trace.counts, counts[:, :700])


@pytest.mark.parametrize("harm", ["main", "everything"])
async def test_damage_that_appears_while_running_costs_the_old_file_and_not_the_samples(
    path, running, line, facts, saved, harm
):
    counts = line.samples(3000)
    async with running(on_fact=facts, on_saved=saved) as writer:
        await saved.up_to(writer.offer("1", line.block(0, counts[:, :1000])))
        # Into the file itself, as the writer will read it again; nothing that it remembers helps it.
        await writer._db.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        for suffix in ("", "-wal")[: 2 if harm == "everything" else 1]:
            part = path.with_name(path.name + suffix)
            size = max(part.stat().st_size, 40960)
            with part.open("r+b") as file:
                file.seek(4096 if suffix == "" and harm == "main" else 0)
                file.write(b"\xa5" * size)
        await writer._db.run(lambda db: db.execute("PRAGMA shrink_memory").fetchall())
        writer.offer("1", line.block(1000, counts[:, 1000:2000]))
        await facts.until(lambda: STORE_DAMAGED in [fact.source for fact in facts])
        writer.offer("1", line.block(2000, counts[:, 2000:]))
    assert [(fact.source, str(fact.state)) for fact in facts] == [
        ("store", "failed"), (STORE_DAMAGED, "failed"), ("store", "ok")
    ]  # fmt: skip
    assert (writer.samples_lost, writer.rows_lost) == (0, 0)
    assert path.with_name("vitald.db.damaged-1").exists()
    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    assert (trace.first, trace.present.all()) == (
        1000,
        True,
    )  # its beginning is in the file that was moved aside
    np.testing.assert_array_equal(trace.counts, counts[:, 1000:])


async def test_a_large_file_is_looked_at_table_by_table_and_opened(path, running, line, monkeypatch):
    """Above the size for a whole check: every table of the newest schema has to be one that can be looked at."""
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(500)))
    monkeypatch.setattr(recovery, "CHECK_ALL_BELOW_BYTES", 0)

    async with running(boot="boot-2"):
        pass

    db = sqlite3.connect(path)
    recovery.check(db, path)
    db.close()
    assert not list(path.parent.glob("*.damaged-*"))
    assert [b.boot for b in ask(path, lambda r: r.boots())] == ["boot-1", "boot-2"]
