"""Who goes next: alarms before all, live before backlog, to each lane its share, and nobody starves."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import forward_lanes
from daemon.forward.delivery import LEAST_BYTES
from daemon.forward.destinations import Bounds
from daemon.forward.lanes import BACKLOG_SHARE, QUANTUM, SHARES, Lanes, Part, Shares
from daemon.forward.packing import Terms
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import MemorySource, Receiver, World, run

PARTS = [Part(lane, live) for lane in Lane for live in (True, False)]
SIZES = st.integers(100, 60_000)


def carried(ready, sizes, rounds=4000):
    """Bytes of each part when all in `ready` always have something to send."""
    shares, sent = Shares(), Counter()
    for n in range(rounds):
        part = shares.choose(ready)
        size = sizes[n % len(sizes)]
        shares.spent(part, size)
        sent[part] += size
    return sent


@settings(deadline=None)
@given(st.sets(st.sampled_from(PARTS), min_size=1), st.lists(SIZES, min_size=1, max_size=9))
def test_every_lane_that_waits_gets_its_share(ready, sizes):
    sent = carried(ready, sizes, 1000)
    alarms = [part for part in ready if part.lane is Lane.ALARMS]
    if alarms:
        assert set(sent) == {max(alarms, key=lambda part: part.live)}
        return
    total = sum(sent.values())
    live = [part for part in ready if part.live]
    backlog = [part for part in ready if not part.live]
    for half, of in ((live, 1 - BACKLOG_SHARE if backlog else 1), (backlog, BACKLOG_SHARE if live else 1)):
        weight = sum(SHARES[part.lane] for part in half)
        for part in half:
            due = of * total * SHARES[part.lane] / weight
            assert sent[part] >= due - 4 * max(*sizes, QUANTUM, 1)


def test_shares_are_forty_twentyfive_twenty_fifteen():
    sent = carried([part for part in PARTS if part.live and part.lane is not Lane.ALARMS], [10_000])
    total = sum(sent.values())

    assert {part.lane: round(100 * size / total) for part, size in sent.items()} == dict(SHARES)


def test_a_lane_that_was_idle_saves_nothing_up():
    shares, events, waves = Shares(), Part(Lane.EVENTS, live=False), Part(Lane.WAVEFORM, live=False)
    for _ in range(1000):
        shares.spent(shares.choose([waves]), 10_000)
    sent = Counter()
    for _ in range(90):
        part = shares.choose([events, waves])
        shares.spent(part, 10_000)
        sent[part] += 1

    assert sent[events] == pytest.approx(60, abs=2)  # 40 : 20, not all


def test_backlog_that_went_while_nothing_was_live_costs_it_nothing():
    shares, live, old = Shares(), Part(Lane.METRICS, live=True), Part(Lane.WAVEFORM, live=False)
    for _ in range(1000):
        shares.spent(shares.choose([old]), 50_000)
    sent = Counter()
    for _ in range(100):
        part = shares.choose([live, old])
        shares.spent(part, 50_000)
        sent[part] += 1

    assert sent[old] == pytest.approx(20, abs=3)


SEQS = st.sets(st.integers(1, 40))


@settings(deadline=None)
@given(SEQS, st.integers(0, 40), st.sampled_from(PARTS))
def test_a_part_takes_from_the_end_that_is_its_own(taken, split, part):
    lanes = Lanes({})
    lanes.see({part.lane: 40}, {part.lane: split})
    for seq in taken:
        lanes.take(part.lane, seq, seq)
    mine = range(split + 1, 41) if part.live else range(1, split + 1)
    free = [seq for seq in mine if seq not in taken]
    gap = lanes.gap(part)

    assert (gap is None) == (not free)
    if gap is not None and part.live and part.lane is not Lane.ALARMS:
        assert gap[1] == free[-1]
    elif gap is not None:
        assert gap[0] == free[0]


def test_alarms_and_numbers_are_not_late_behind_a_backlog():
    alarms, numbers = forward_lanes.late(lanes=True)

    assert max(alarms) < 1.0
    assert max(numbers) < 2.0


def test_control_without_lanes_they_would_be():
    alarms, _ = forward_lanes.late(lanes=False, seconds=14)

    assert max(alarms) > 60


def test_backlog_always_ends_though_live_would_fill_the_link():
    async def main():
        source = MemorySource()
        for _ in range(1500):
            source.say(Lane.METRICS, "b" * 100)
        receiver = Receiver(bytes_per_s=20_000, latency_s=0.01, bounds=Bounds(LEAST_BYTES, 100, 4))
        world = World(receiver, source)
        await world.start()
        for _ in range(60):
            for _ in range(30):
                world.say(Lane.WAVEFORM, "w" * 1000)
            await asyncio.sleep(1)
        at_end = len([seq for seq in receiver.arrived_s if seq <= 1500])
        await world.kill()
        return at_end

    assert run(main()) == 1500


def test_alarms_arrive_in_their_order():
    async def main():
        world = forward_lanes.backlogged(2000)
        await world.start()
        alarms = []
        for _ in range(50):
            alarms.append(world.say(Lane.ALARMS))
            await asyncio.sleep(0.05)
        await asyncio.sleep(5)
        await world.kill()
        return [seq for seq in world.receiver.seqs if seq in set(alarms)] == alarms

    assert run(main())


def test_a_limit_on_bytes_a_second_is_kept_and_alarms_pass_it():
    async def main():
        world = forward_lanes.backlogged(5000)
        world.terms = Terms(max_bytes_per_s=10_000)
        await world.start()
        await asyncio.sleep(100)
        sent = sum(len(sealed.data) for _, sealed, _ in world.receiver.asked)
        seq = world.say(Lane.ALARMS)
        await asyncio.sleep(1)
        arrived = seq in world.receiver.arrived_s
        await world.kill()
        return sent, arrived

    sent, arrived = run(main())
    assert 900_000 < sent < 1_150_000
    assert arrived


def test_memory_and_reads_do_not_grow_with_the_backlog():
    async def main(n):
        world = forward_lanes.backlogged(n)
        await world.start()
        await asyncio.sleep(20)
        asked = world.sender.delivery
        kept = len(asked.waiting) + len(asked.lanes.done[Lane.WAVEFORM].spans) + len(world.sender._fresh)
        await world.kill()
        return kept, world.source.reads

    (few, reads), (many, reads_many) = run(main(3000)), run(main(60_000))
    assert many <= few + 2
    assert reads_many <= 1.1 * reads + 5
