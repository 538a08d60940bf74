from __future__ import annotations

import numpy as np
import pytest

from daemon.store.columns import columns
from daemon.store.reader import History, ask

BOOT = "boot-1"


@pytest.mark.parametrize(("count", "by_bins"), [(7, True), (50, True), (1000, False)])
async def test_columns_equal_brute_force(running, path, line, count, by_bins):
    counts = line.samples(500 * 150)
    missing = slice(500 * 20 + 100, 500 * 31)
    async with running() as writer:
        writer.offer("1", line.block(0, counts[:, : missing.start]))
        writer.offer("1", line.block(missing.stop, counts[:, missing.stop :]))
    t0_ns, t1_ns = 3_000_000_000, 149_000_000_000
    got = ask(path, lambda r: columns(r, BOOT, t0_ns, t1_ns, count, bed="1", channels=["II"]))

    values = ((counts[1] - 3.0) * 0.005).astype(np.float32)
    values[missing] = np.nan
    number = np.arange(values.size)
    begins = number - number % 500 if by_bins else number
    column = np.floor((begins * 2_000_000 - t0_ns) / ((t1_ns - t0_ns) / count)).astype(int)
    expected = [values[(column == c) & ~np.isnan(values)] for c in range(count)]
    np.testing.assert_array_equal(got.low[0], [v.min() if v.size else np.nan for v in expected])
    np.testing.assert_array_equal(got.high[0], [v.max() if v.size else np.nan for v in expected])
    assert (got.step_ns > 0) == by_bins


async def test_a_damaged_chunk_costs_itself_only(running, path, line):
    counts = line.samples(1500)
    async with running() as writer:
        writer.offer("1", line.block(0, counts))
    import sqlite3

    db = sqlite3.connect(path)
    db.execute("UPDATE chunks SET data = zeroblob(40) WHERE t0_ns = 1000000000")
    db.commit()
    db.close()
    (trace,) = ask(path, lambda r: r.read(BOOT, 0, 10**10))
    assert np.flatnonzero(~trace.present).tolist() == list(range(500, 1000))
    assert [(m.cause, m.first, m.count) for m in trace.missing] == [("damaged", 500, 500)]
    np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, trace.present])


async def test_an_async_reader_reads_while_the_writer_writes(running, path, line):
    counts = line.samples(1000)
    async with running() as writer:
        writer.offer("1", line.block(0, counts))
        history = History(path)
        while not (traces := await history.ask(lambda r: r.read(BOOT, 0, 10**10))):
            pass
        np.testing.assert_array_equal(traces[0].counts, counts[:, : traces[0].counts.shape[1]])
