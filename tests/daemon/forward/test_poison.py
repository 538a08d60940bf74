"""Records that are refused: the one is found and set aside, the others go on, and where all are refused it is not the records."""

from __future__ import annotations

import asyncio

import pytest

from daemon.forward import ledger
from daemon.forward.delivery import REFUSES_ALL
from daemon.forward.destinations import DONE, Bounds, Verdict
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import REFUSED, SPLIT, MemorySource, Receiver, World, run


def poisoned(n, bad, most=500):
    """Requests that `n` records take, of which those in `bad` are refused; the world when all is done."""

    async def main():
        receiver = Receiver(
            lambda sealed, seqs: REFUSED if bad & set(seqs) else DONE, bounds=Bounds(1 << 20, most, 4)
        )
        source = MemorySource()
        for _ in range(n):
            source.say(Lane.METRICS)
        world = World(receiver, source, seed=1)
        await world.start()
        await world.quiet()
        await world.kill()
        return len(receiver.asked), sorted(receiver.seqs), world.in_quarantine()

    return run(main())


@pytest.mark.parametrize("position", [1, 2, 250, 251, 333, 499, 500])
def test_one_bad_record_of_a_batch_costs_eighteen_requests_more(position):
    plain, _, _ = poisoned(500, set())
    asked, stored, quarantined = poisoned(500, {position})

    assert asked - plain <= 18
    assert quarantined == [position]
    assert stored == [seq for seq in range(1, 501) if seq != position]


def test_three_bad_records_are_found():
    asked, stored, quarantined = poisoned(500, {7, 8, 400})

    assert quarantined == [7, 8, 400]
    assert len(stored) == 497
    assert asked < 60


def test_where_all_are_refused_it_stops_and_keeps_all():
    """Not 999 requests, no quarantine full of good records; and when the destination has been mended, all arrive."""

    async def main():
        mended = False
        receiver = Receiver(lambda sealed, seqs: DONE if mended else REFUSED, bounds=Bounds(1 << 20, 500, 4))
        source = MemorySource()
        for _ in range(500):
            source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start()
        await asyncio.sleep(50)

        asked = len(receiver.asked)
        assert asked <= 9 + 3 * REFUSES_ALL
        assert world.in_quarantine() == []
        assert world.sender.delivery.standing.refusing == {Lane.METRICS: "no good"}

        alarm = world.say(Lane.EVENTS)  # refused too, and stops nothing else
        await asyncio.sleep(3600)
        assert len(receiver.asked) - asked < 40
        mended = True
        await world.quiet(within_s=3600)
        assert sorted(set(receiver.seqs) | set(world.in_quarantine())) == list(range(1, alarm + 1))
        assert len(receiver.seqs) == len(set(receiver.seqs)) >= 500
        await world.kill()

    run(main())


def test_a_quarantined_record_is_sent_again_when_a_person_says_so():
    async def main():
        good = False
        receiver, source = (
            Receiver(lambda sealed, seqs: DONE if good or 3 not in seqs else REFUSED),
            MemorySource(),
        )
        for _ in range(5):
            source.say(Lane.EVENTS)
        world = World(receiver, source)
        await world.start()
        await world.quiet()
        assert world.in_quarantine() == [3]
        assert await world.sender.release(None) == 1
        await world.quiet()
        (entry,) = ledger.quarantine(world.books.db, world.sender.id)
        assert (entry.seq, entry.times, entry.reply) == (3, 2, REFUSED.reason)
        good = True
        assert await world.sender.release([3]) == 1
        await world.quiet()
        assert sorted(receiver.seqs) == [1, 2, 3, 4, 5]
        assert world.in_quarantine() == []
        await world.kill()

    run(main())


def test_a_record_of_which_no_request_can_be_made_is_set_aside_alone():
    class Clumsy(Receiver):
        def seal(self, key, records):
            if any(record.seq == 4 for record in records):
                raise KeyError("leads")
            return super().seal(key, records)

    async def main():
        receiver, source = Clumsy(), MemorySource()
        for _ in range(9):
            source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start()
        await world.quiet()
        assert world.in_quarantine() == [4]
        assert sorted(receiver.seqs) == [1, 2, 3, 5, 6, 7, 8, 9]
        await world.kill()

    run(main())


def test_a_size_that_was_too_large_is_tried_again_a_little_at_a_time():
    """A server that takes no more is asked for more once an hour at most; one that was mended gets large requests again."""

    async def main():
        takes = 20_000
        receiver = Receiver(lambda sealed, _: SPLIT if len(sealed.data) > takes else DONE)
        world = World(receiver, MemorySource(), seed=1)
        await world.start()

        async def hours(n):
            """100 kB three times an hour."""
            for _ in range(3 * n):
                for _ in range(100):
                    world.say(Lane.METRICS, "x" * 1000)
                await asyncio.sleep(1200)

        standing, verdicts = world.sender.delivery.standing, world.sender.verdicts
        await hours(1)
        learned, before = standing.limit_bytes, verdicts[Verdict.SPLIT]
        await hours(8)
        held, again = standing.limit_bytes, verdicts[Verdict.SPLIT] - before
        takes = 1 << 30
        await hours(24)
        await world.quiet()
        await world.kill()
        return (
            learned,
            held,
            again,
            standing.limit_bytes,
            max(len(s.data) for _, s, _ in receiver.asked[-20:]),
        )

    learned, held, again, mended, largest = run(main())
    assert 5_000 < learned <= 20_000
    assert 5_000 < held <= 25_000
    assert 1 <= again <= 8
    assert mended == 0 or mended > 5 * held
    assert largest > 60_000
