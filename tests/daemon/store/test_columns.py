from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from daemon.store.columns import columns
from daemon.store.reader import ask

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
    db = sqlite3.connect(path)
    db.execute("UPDATE chunks SET data = zeroblob(40) WHERE t0_ns = 1000000000")
    db.commit()
    db.close()
    (trace,) = ask(path, lambda r: r.read(BOOT, 0, 10**10))
    assert np.flatnonzero(~trace.present).tolist() == list(range(500, 1000))
    assert [(m.cause, m.first, m.count) for m in trace.missing] == [("damaged", 500, 500)]
    np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, trace.present])


@pytest.mark.parametrize("harm", ["missing", "damaged"])
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_an_envelope_that_is_not_there_is_taken_from_the_chunks(running, path, line, harm, which):
    counts = line.samples(500 * 170)
    async with running() as writer:
        writer.offer("1", line.block(0, counts))

    def look(reader):
        return columns(reader, BOOT, 0, 170 * 10**9, 40)

    whole = ask(path, look)
    db = sqlite3.connect(path)
    place = db.execute("SELECT place FROM envelopes ORDER BY place").fetchall()[which]
    change = {"missing": "DELETE FROM envelopes", "damaged": "UPDATE envelopes SET data = zeroblob(50)"}[harm]
    assert db.execute(f"{change} WHERE place = ?", place).rowcount == 1
    db.commit()
    db.close()
    again = ask(path, look)
    np.testing.assert_array_equal(again.low, whole.low)
    np.testing.assert_array_equal(again.high, whole.high)
    assert again.step_ns == whole.step_ns == 10**9


@pytest.mark.parametrize("seconds", [20, 200])
async def test_columns_take_gain_sign_and_segments_as_they_come(running, path, make_line, seconds):
    """Two segments with a pause between them, a channel that is upside down, one that only the second has."""
    first, second = make_line(("I", "II")), make_line(("I", "III"), 2, began_ns=(seconds + 5) * 10**9)
    for line in (first, second):
        channels = (replace(line.stream.channels[0], gain=-0.01, offset=0.0), line.stream.channels[1])
        stream = replace(line.stream, channels=channels)
        line.segment = replace(line.segment, stream=stream)
    counts = [line.samples(seconds * 500) for line in (first, second)]
    async with running() as writer:
        for line, samples in zip((first, second), counts, strict=True):
            writer.offer("1", line.block(0, samples))
    got = ask(path, lambda r: columns(r, BOOT, 0, (2 * seconds + 5) * 10**9, 2 * seconds + 5))
    assert [c.name for c in got.channels] == ["I", "II", "III"]
    by_second = [samples.reshape(2, seconds, 500) for samples in counts]
    expected = np.float32(-0.01 * by_second[0][0].max(axis=1))
    np.testing.assert_allclose(got.low[0, :seconds], expected, rtol=1e-6)
    np.testing.assert_allclose(
        got.high[0, seconds + 5 :], np.float32(-0.01 * by_second[1][0].min(axis=1)), rtol=1e-6
    )
    assert np.isnan(got.low[:, seconds : seconds + 5]).all()
    assert np.isnan(got.low[1, seconds:]).all()
    assert np.isnan(got.high[2, : seconds + 5]).all()


async def test_where_nothing_is_stored_there_are_no_channels(running, path):
    async with running():
        pass
    got = ask(path, lambda r: columns(r, BOOT, 0, 10**9, 12))
    assert (got.channels, got.low.shape, got.high.shape) == ((), (0, 12), (0, 12))
