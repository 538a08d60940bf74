from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from daemon.store import ranges
from daemon.store.connection import open_writing
from daemon.store.reader import ask
from daemon.store.schema import LATEST, ForeignStore
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
def saved(s):
    for number in s.samples.values(): print(number, flush=True)
async def main():
    writer = Writer(Path(sys.argv[1]), boot="boot-1", now=lambda: 0, utc_offset_ns=0, commit_every_s=0.005, on_saved=saved)
    await writer.start()
    for first in range(0, 10**9, 250):
        counts = (ramp + np.arange(first, first + 250) % 997).astype(np.int32)
        writer.offer("1", SampleBlock(segment, first, first * 2_000_000, 2e6, counts, first * 2_000_000 + 500_000_000))
        await asyncio.sleep(0)
asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 4, 9])
async def test_nothing_acknowledged_is_lost_when_the_daemon_is_killed(path, running, after):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOAD, str(path), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )  # fmt: skip
    acknowledged = 0
    for _ in range(after):
        acknowledged = int(await asyncio.wait_for(process.stdout.readline(), 30))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for rest in (await process.stdout.read()).split():
        acknowledged = int(rest)
    assert acknowledged > 0

    async with running():
        pass  # the next start ends what the kill left open
    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    assert trace.counts.shape[1] >= acknowledged
    assert trace.present.all()
    expected = np.arange(8)[:, None] * 1000 + np.arange(trace.counts.shape[1]) % 997
    np.testing.assert_array_equal(trace.counts, expected)
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    assert segment.ended_by == "crash"
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []


async def test_a_torn_wal_costs_its_tail_only(path, running, line, make_writer, tmp_path):
    """As after a power cut: the WAL ends anywhere; what was committed before that point is there, and the file is whole."""
    writer = make_writer()
    await writer.start()
    counts = line.samples(5000)
    sizes = []
    for first in range(0, 5000, 500):
        seq = writer.offer("1", line.block(first, counts[:, first : first + 500]))
        async with asyncio.timeout(5):
            while writer._intake.saved_seq() < seq:
                await asyncio.sleep(0.002)
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
async def test_a_damaged_file_is_moved_aside_and_a_new_one_begins(path, running, line, harm):
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

    facts = []
    async with running(on_fact=facts.append) as writer:
        writer.offer("1", line.block(0, counts[:, :700]))
    assert [fact.source for fact in facts] == [STORE_DAMAGED]
    assert path.with_name("vitald.db.damaged-1").stat().st_size == len(broken)
    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    np.testing.assert_array_equal(trace.counts, counts[:, :700])


async def test_a_newer_store_is_not_touched(path, running):
    async with running():
        pass
    db = open_writing(path)
    db.execute(f"PRAGMA user_version = {LATEST + 1}")
    db.close()
    with pytest.raises(ForeignStore, match="update vitald"):
        async with running():
            pass
    assert not path.with_name("vitald.db.damaged-1").exists()


async def test_the_schema_is_applied_once(path, running):
    for _ in range(2):
        async with running() as writer:
            assert await writer._db.run(lambda db: db.execute("PRAGMA user_version").fetchone()) == (LATEST,)
    assert len(ask(path, lambda r: r.boots())) == 1
