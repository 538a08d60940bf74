"""Short forms of the bars (d), (h) and (j); the long ones are benchmarks/forward_*.py."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import forward_poison, forward_resets
from benchmarks._receiver import SqliteTables
from daemon.forward.destinations import Bounds
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import AGAIN, MemorySource, Receiver, World, run


@pytest.mark.slow
def test_connections_that_are_reset_lose_nothing_and_the_key_finds_every_copy(tmp_path):
    doubled = False
    for attempt in range(
        6
    ):  # where no reset comes between taking and answering, nothing could be there twice
        folder = tmp_path / str(attempt)
        folder.mkdir()
        tables = SqliteTables(folder / "cloud.db")
        with forward_resets.fast_retries(0.02):
            seen = asyncio.run(forward_resets.reset_often(folder, tables, 8))
        tables.db.close()

        assert seen.once == seen.said > 0
        assert seen.again <= 8
        doubled = seen.every > seen.once
        if doubled:
            break
    assert doubled  # the control: without the key they would be there twice


def test_one_bad_record_of_ten_thousand():
    seen = forward_poison.poisoned(10_000, frozenset({5001}))

    assert seen.more <= 18
    assert seen.aside == [5001]
    assert seen.arrived == 9_999 + 4
    assert seen.late_s < 5


def six(shared):
    """Five destinations and a black hole for ten seconds; what the five had, with one worker for all or each its own."""

    async def main():
        lock = asyncio.Lock()

        class Queued(Receiver):
            async def send(self, sealed):
                async with lock:
                    return await super().send(sealed)

        kind = Queued if shared else Receiver
        worlds = []
        for n in range(6):
            source = MemorySource()
            for _ in range(3000):
                source.say(Lane.WAVEFORM, "w" * 1000)
            hole = (
                {"answer": lambda sealed, seqs: AGAIN, "latency_s": 30.0} if n == 5 else {"bytes_per_s": 2e5}
            )
            worlds.append(World(kind(bounds=Bounds(1 << 20, 500, 4), **hole), source, seed=n))
        for world in reversed(worlds):
            await world.start()
        await asyncio.sleep(10)
        got = sum(len(world.receiver.seqs) for world in worlds[:5])
        for world in worlds:
            await world.kill()
        return got, worlds[5].receiver.busiest

    return run(main())


def test_a_black_hole_costs_the_others_nothing():
    got, connections = six(shared=False)

    assert got == pytest.approx(5 * 10 * 2e5 / 1010, rel=0.05)
    assert connections == 1


def test_control_with_one_worker_for_all_it_would():
    got, _ = six(shared=True)

    assert got < 1000
