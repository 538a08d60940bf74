"""Records from a real store: their times by the latest knowledge of the clock, their samples bit for bit, live apart from backlog."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest

from benchmarks._backlog import BEGAN_UTC_NS, BOOT, DEVICE, RATE, SECOND_NS, Bedside, ecg, fill, recorded
from daemon.forward.source import CLOCK_WAIT_NS, Heads, StoreChanged, StoreSource
from daemon.model.outgoing import Lane
from daemon.store.codec import decode
from daemon.wallclock import STEP_NS, Seen, WallClock

MINUTE = 60


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vitald.db"


@asynccontextmanager
async def bedside(path, **more):
    bed = Bedside(path, **more)
    await bed.writer.start()
    try:
        yield bed
    finally:
        await bed.writer.stop()


async def everything(source, lane):
    """All records of a lane that may go, in pages of seven."""
    _, heads = await source.begin()
    out, first = [], 1
    while first <= heads[lane]:
        found = await source.find(lane, first, heads[lane], 7, newest=False)
        out += found.records
        if found.held_ns is not None:
            break
        first = found.last + 1
    return out


async def test_samples_are_those_that_were_stored_bit_for_bit(path):
    await recorded(path, 5)
    source = StoreSource(path, BOOT, lambda: 0)
    waves = await source.fill(await everything(source, Lane.WAVEFORM))

    got = np.concatenate([record.samples.counts for record in waves], axis=1)
    assert np.array_equal(got[:, : 4 * RATE], ecg(60)[:, : 4 * RATE])
    for record in waves:
        samples = record.samples
        assert (record.device, samples.stream, record.message) == (DEVICE, "ecg", "ecg.waveform/1")
        again = decode(samples.coded, 8, samples.counts.shape[1], samples.crc32, samples.codec)
        assert np.array_equal(again, samples.counts)
        assert record.utc_ns == BEGAN_UTC_NS + samples.first * SECOND_NS // RATE


async def test_keys_are_the_same_for_ever_and_of_one_record_each(path):
    await recorded(path, 3)
    keys = [r.key for r in await everything(StoreSource(path, BOOT, lambda: 0), Lane.METRICS)]
    again = [r.key for r in await everything(StoreSource(path, "a later boot", lambda: 9), Lane.METRICS)]

    assert keys == again
    assert len(set(keys)) == 3


async def test_the_newest_are_found_and_the_stretch_that_they_cover(path):
    await recorded(path, 30)
    source = StoreSource(path, BOOT, lambda: 0)
    _, heads = await source.begin()
    head = heads[Lane.METRICS]
    every = await everything(source, Lane.METRICS)
    newest = await source.find(Lane.METRICS, 1, head, 4, newest=True)

    assert newest.records == tuple(every[-4:])
    assert (newest.first, newest.last) == (every[-4].seq, head)
    rest = await source.find(Lane.METRICS, 1, newest.first - 1, 1000, newest=True)
    assert rest.records + newest.records == tuple(every)


async def test_a_clock_that_is_not_set_is_waited_for_ten_minutes_and_no_longer(path):
    """Bar (i): boot in 1970, 11 minutes, step to 2026, step back an hour, two seconds of smear; seqs stay in order."""
    truth_ns = 1_767_225_600 * SECOND_NS
    async with bedside(path, offset_ns=0, clock_is_set=False) as bed:
        source = StoreSource(path, BOOT, lambda: bed.now_ns)
        for _ in range(11 * MINUTE):
            await bed.second(waves=False, wait=bed.seconds % 60 == 59)
        went = await everything(source, Lane.METRICS)
        # Measured at 1 s .. 60 s: ten minutes old at 660 s.
        assert [record.t_ns // SECOND_NS for record in went] == list(range(1, 61))
        assert not any(record.synced for record in went)
        seq = went[-1].seq + 1
        found = await source.find(Lane.METRICS, seq, seq + 10, 5, newest=False)
        assert found.records == ()
        assert found.held_ns == 61 * SECOND_NS + CLOCK_WAIT_NS

        for offset_ns in (
            truth_ns + 3600 * SECOND_NS,
            truth_ns - 2 * SECOND_NS,
            truth_ns - SECOND_NS,
            truth_ns,
        ):
            bed.writer.clock_offset(offset_ns, is_set=True)
            await bed.second(waves=False)
        rest = (await everything(source, Lane.METRICS))[60:]
        assert all(record.synced for record in rest)
        assert all(abs(record.utc_ns - truth_ns - record.t_ns) < 50_000_000 for record in rest)
        seqs = [record.seq for record in [*went, *rest]]
        assert seqs == sorted(set(seqs))
        assert [r.t_ns for r in [*went, *rest]] == [n * SECOND_NS for n in range(1, 11 * MINUTE + 5)]


@pytest.mark.parametrize("per_s", [0.02, 0.005])
async def test_a_clock_that_is_smeared_over_minutes_is_followed_as_it_goes(path, per_s):
    """Bar (i), its smear: wall time alone drifts by two seconds, second by second, as the box's own watch of the clock sees it."""
    began_ns, smear_ns = 1_767_225_600 * SECOND_NS, 2 * SECOND_NS
    wall_ns = began_ns
    async with bedside(path, offset_ns=began_ns) as bed:
        clock = WallClock(
            lambda seen: bed.writer.clock_offset(seen.offset_ns, is_set=seen.is_set),
            lambda fact: None,
            lambda: bed.now_ns,
            lambda: Seen(wall_ns, True),
        )
        for second in range(round(smear_ns / per_s / 1e9) + 20):
            wall_ns = began_ns + min(round(second * per_s * 1e9), smear_ns)
            clock.step()
            assert abs(clock.seen.offset_ns - wall_ns) <= STEP_NS
            await bed.second(waves=False, wait=second % 20 == 19)
        await bed.second(waves=False)
    records = await everything(StoreSource(path, BOOT, lambda: bed.now_ns), Lane.METRICS)

    assert all(record.synced for record in records)
    assert all(abs(record.utc_ns - record.t_ns - began_ns - smear_ns) < 50_000_000 for record in records)
    assert [r.seq for r in records] == sorted({r.seq for r in records})
    assert all(later.utc_ns > earlier.utc_ns for earlier, later in pairwise(records))


async def test_of_a_boot_that_is_over_nothing_waits_for_a_clock(path):
    await recorded(path, 3, clock_is_set=False)
    records = await everything(StoreSource(path, "a later boot", lambda: 0), Lane.METRICS)

    assert [record.synced for record in records] == [False] * 3


async def test_control_a_clock_believed_though_unset_would_send_1970(path):
    """Without the wait records go out at once with the time of 1970."""
    await recorded(path, 3, offset_ns=0, clock_is_set=True)
    records = await everything(StoreSource(path, BOOT, lambda: 3 * SECOND_NS), Lane.METRICS)

    assert all(record.utc_ns < 10**12 for record in records)


async def test_samples_that_are_gone_are_left_out_and_counted(path):
    await recorded(path, 4)
    db = sqlite3.connect(path)
    place = db.execute("SELECT max(place) FROM chunks").fetchone()[0]
    db.execute("UPDATE chunks SET data = x'0102' WHERE place = ?", (place,))
    db.execute("DELETE FROM chunks WHERE place = (SELECT min(place) FROM chunks)")
    db.commit()
    db.close()
    source = StoreSource(path, BOOT, lambda: 0)
    every = await everything(source, Lane.WAVEFORM)

    assert len(await source.fill(every)) == len(every) - 2
    assert source.unreadable == 2


async def test_what_waits_is_counted_and_of_days_estimated(tmp_path):
    path = tmp_path / "days.db"
    await asyncio.to_thread(fill, path, 2)
    source = StoreSource(path, BOOT, lambda: 0)
    _, heads = await source.begin()
    for lane in (Lane.METRICS, Lane.WAVEFORM, Lane.ALARMS):
        every = len((await source.find(lane, 1, heads[lane], 10**6, newest=False)).records)
        assert await source.waiting(lane, [(1, heads[lane])]) == pytest.approx(every, rel=0.1)
        few = len((await source.find(lane, 500, 900, 10**6, newest=False)).records)
        assert await source.waiting(lane, [(500, 700), (701, 900)]) == few


async def test_a_date_to_begin_from_is_found(path):
    await recorded(path, 30)
    source = StoreSource(path, BOOT, lambda: 0)
    _, heads = await source.begin()
    last = await source.last_before(BEGAN_UTC_NS + 20 * SECOND_NS, max(heads.values()))
    later = [r for r in await everything(source, Lane.METRICS) if r.seq > last]

    assert [r.t_ns // SECOND_NS for r in later] == list(range(20, 31))


async def test_news_are_told_and_become_backlog_after_a_minute(path):
    async with bedside(path) as bed:
        await bed.second()
        source = StoreSource(path, BOOT, lambda: bed.now_ns)
        told = asyncio.Event()
        heads = Heads(source, lambda: bed.now_ns / 1e9, told.set)
        await heads.begin()
        before = dict(heads.heads)
        task = asyncio.create_task(heads.run())
        for _ in range(5):
            told.clear()
            await bed.second()
            async with asyncio.timeout(5):
                await told.wait()
        assert heads.heads[Lane.METRICS] > before[Lane.METRICS]
        assert heads.splits == before
        bed.now_ns += 61 * SECOND_NS
        assert heads.splits[Lane.METRICS] > before[Lane.METRICS]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_another_store_in_its_place_is_noticed(path):
    await recorded(path, 1)
    source = StoreSource(path, BOOT, lambda: 0)
    heads = Heads(source, lambda: 0.0, lambda: None)
    await heads.begin()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    await recorded(path, 1)
    with pytest.raises(StoreChanged):
        async with asyncio.timeout(5):
            await heads.run()


def test_without_a_store_it_waits(path):
    async def main():
        heads = Heads(StoreSource(path, BOOT, lambda: 0), lambda: 0.0, lambda: None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await heads.begin()

    asyncio.run(main())
