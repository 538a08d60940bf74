"""Whatever a destination answers and whenever the process dies: nothing is lost, nothing is sent as two different requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.forward import ledger
from daemon.forward.destinations import DONE, Bounds, Outcome, Verdict
from daemon.forward.packing import Terms
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import AGAIN, PARKED, REFUSED, SPLIT, WAIT, MemorySource, Receiver, World, run

ANSWERS = st.sampled_from([DONE, DONE, DONE, AGAIN, WAIT, SPLIT, REFUSED, PARKED, "lost reply"])


@settings(max_examples=60, deadline=None)
@given(
    lanes=st.lists(st.sampled_from(Lane), min_size=1, max_size=60),
    answers=st.lists(ANSWERS, max_size=40),
    kills=st.lists(st.floats(0.001, 40.0), max_size=5),
    bad=st.sets(st.integers(1, 70), max_size=4),
    records=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_nothing_is_lost_and_nothing_twice(lanes, answers, kills, bad, records, seed):
    """Any answers, any kills between commits, records that come all the while; then the destination is well for ever."""

    async def main():
        left = list(answers)

        def answer(sealed, seqs):
            if bad & set(seqs):
                return REFUSED
            given = left.pop(0) if left else DONE
            if given == "lost reply":
                receiver.keep(sealed.key, seqs)
                return AGAIN
            return DONE if given in (REFUSED, SPLIT) and len(seqs) == 1 else given

        receiver = Receiver(answer, bounds=Bounds(2000, records, 4))
        source = MemorySource()
        for lane in lanes[::2]:
            source.say(lane, "x" * 30)
        world = World(receiver, source, seed=seed)
        for pause in kills:
            await world.start()
            await asyncio.sleep(pause)
            await world.kill()
        await world.start()
        for lane in lanes[1::2]:
            await asyncio.sleep(0.3)
            world.say(lane, "y" * 30)
        await world.quiet()

        every = set(range(1, len(lanes) + 1))
        assert Counter(receiver.seqs) == Counter(every - bad)
        assert set(world.in_quarantine()) == every & bad
        bytes_of = {}
        for _, sealed, _ in receiver.asked:
            assert bytes_of.setdefault(sealed.key, sealed) == sealed
        assert not ledger.batches_of(world.books.db, world.sender.id)
        await world.kill()

    run(main())


def test_the_kill_test_would_notice_a_request_that_is_not_frozen(monkeypatch):
    """The control: a ledger that forgets sealed requests makes the receiver take records twice."""
    monkeypatch.setattr(ledger, "batches_of", lambda db, destination: [])

    async def main():
        replies = iter(["lost"])

        def answer(sealed, seqs):
            if next(replies, None):
                receiver.keep(sealed.key, seqs)
                return AGAIN
            return DONE

        receiver, source = Receiver(answer), MemorySource()
        for _ in range(5):
            source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start()
        await asyncio.sleep(0.025)
        await world.kill()
        await world.start()
        await world.quiet()
        await world.kill()
        return Counter(receiver.seqs)

    assert max(run(main()).values()) == 2


def test_a_destination_that_needs_a_person_keeps_everything_and_is_tried_slowly():
    async def main():
        known = False
        receiver = Receiver(lambda sealed, seqs: DONE if known else PARKED)
        source = MemorySource()
        world = World(receiver, source)
        await world.start()
        for _ in range(100):
            world.say(Lane.METRICS)
            await asyncio.sleep(60)

        assert len(receiver.asked) < 20
        assert world.sender.delivery.standing.parked == PARKED.reason
        assert not receiver.seqs

        known = True
        world.sender.retry()
        await world.quiet(within_s=30)
        assert sorted(receiver.seqs) == list(range(1, 101))
        assert not world.sender.delivery.standing.parked
        await world.kill()

    run(main())


def test_a_black_hole_gets_one_request_at_a_time_and_few():
    async def main():
        receiver = Receiver(lambda sealed, seqs: AGAIN, latency_s=30.0)
        world = World(receiver, MemorySource())
        await world.start()
        for _ in range(360):
            world.say(Lane.METRICS)
            await asyncio.sleep(10)
        await world.kill()
        return receiver

    receiver = run(main())
    assert receiver.busiest == 1
    assert len(receiver.asked) < 3600 / 60
    assert sum(len(sealed.data) for _, sealed, _ in receiver.asked[-10:]) < 10 * 16 * 1024


def test_a_destination_that_lets_us_in_and_takes_nothing_fails_since_its_first_try():
    """Its account answers; what goes to it vanishes, or waits for a session that cannot begin."""

    async def main():
        receiver = Receiver(
            lambda sealed, seqs: WAIT if len(receiver.asked) % 3 == 0 else AGAIN, latency_s=5.0
        )
        world = World(receiver, MemorySource())
        await world.start()
        for _ in range(180):
            world.say(Lane.METRICS)
            await asyncio.sleep(10)
        health = world.sender.health
        await world.kill()
        return health

    health = run(main())
    assert health.failing_since_ms > 0
    assert health.success_ms == 0


def test_retry_after_is_kept_and_is_no_failure():
    async def main():
        receiver = Receiver(
            lambda sealed, seqs: DONE if len(receiver.asked) > 3 else Outcome(Verdict.WAIT, "", 7.0)
        )
        source = MemorySource()
        source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start()
        await world.quiet()
        times = [at for at, _, _ in receiver.asked]
        assert all(b - a >= 7.0 for a, b in zip(times, times[1:], strict=False))
        assert world.sender.health.failing_since_ms == 0
        await world.kill()

    run(main())


def test_a_request_that_must_wait_for_another_lets_it_pass():
    """An alarm of a session that has not begun at the receiver: the message that begins it is in a lane that comes later."""

    async def main():
        source = MemorySource()
        begins, alarm = source.say(Lane.EVENTS), source.say(Lane.ALARMS)
        receiver = Receiver(
            lambda sealed, seqs: WAIT if alarm in seqs and begins not in receiver.seqs else DONE
        )
        world = World(receiver, source)
        await world.start()
        await world.quiet()
        await world.kill()
        return receiver.arrived_s[alarm]

    assert run(main()) < 6


def test_so_does_one_whose_breaker_is_open():
    """What begins the session fails until the breaker is open; then the one small request is not always the alarm."""

    async def main():
        source = MemorySource()
        begins = source.say(Lane.EVENTS)
        tries = iter([AGAIN] * 5)

        def answer(sealed, seqs):
            if begins in seqs:
                return next(tries, DONE)
            return WAIT if begins not in receiver.seqs else DONE

        receiver = Receiver(answer)
        world = World(receiver, source)
        await world.start()
        for lane in (Lane.ALARMS, Lane.METRICS, Lane.WAVEFORM):
            world.say(lane)
        await world.quiet()
        await world.kill()
        return max(receiver.arrived_s.values())

    assert run(main()) < 120


def test_the_size_that_is_too_large_is_learned_and_survives_a_restart():
    async def main():
        receiver = Receiver(lambda sealed, seqs: SPLIT if len(sealed.data) > 3000 else DONE)
        source = MemorySource()
        for _ in range(400):
            source.say(Lane.METRICS, "x" * 50)
        world = World(receiver, source)
        await world.start()
        await world.quiet()
        refused = sum(len(sealed.data) > 3000 for _, sealed, _ in receiver.asked)
        await world.kill()
        await world.start()
        for _ in range(400):
            world.say(Lane.METRICS, "x" * 50)
        await world.quiet()
        await world.kill()
        assert sum(len(sealed.data) > 3000 for _, sealed, _ in receiver.asked) == refused < 12
        assert sorted(receiver.seqs) == list(range(1, 801))

    run(main())


def test_paused_by_a_person_it_sends_nothing_even_after_a_restart():
    async def main():
        receiver, source = Receiver(), MemorySource()
        world = World(receiver, source)
        await world.start()
        await world.sender.pause("nurse")
        await world.kill()
        await world.start()
        world.say(Lane.ALARMS)
        await asyncio.sleep(1000)
        assert not receiver.asked
        assert world.sender.delivery.standing.paused_by == "nurse"
        await world.sender.resume()
        await world.quiet(within_s=5)
        assert receiver.seqs == [1]
        await world.kill()

    run(main())


def test_what_is_not_for_the_destination_is_done_and_never_asked():
    async def main():
        receiver = Receiver(takes_it=lambda record: record.lane is not Lane.WAVEFORM)
        source = MemorySource()
        for n in range(5000):
            source.say(Lane.WAVEFORM if n % 10 else Lane.METRICS, device="A" if n % 20 else "B")
        world = World(receiver, source, terms=Terms(goes=lambda record: record.device == "A"))
        await world.start()
        await world.quiet()
        assert len(receiver.seqs) == 250
        assert all(source.records[seq - 1].device == "A" for seq in receiver.seqs)
        assert source.reads < 60
        await asyncio.sleep(10)
        assert world.done()[Lane.WAVEFORM][0][0] == 1
        await world.kill()

    run(main())


def test_a_store_that_begins_anew_is_sent_from_its_first_record():
    async def main():
        receiver, source = Receiver(), MemorySource()
        world = World(receiver, source)
        ledger.belongs_to(world.books.db, "old")
        for _ in range(3):
            source.say(Lane.METRICS)
        await world.start()
        await world.quiet()
        await world.kill()
        assert ledger.belongs_to(world.books.db, "old")
        assert not ledger.belongs_to(world.books.db, "new")
        await world.start()
        await world.quiet()
        await world.kill()
        return receiver.seqs

    assert run(main()) == [1, 2, 3, 1, 2, 3]


def test_a_new_destination_may_begin_with_what_is_new():
    async def main():
        receiver, source = Receiver(), MemorySource()
        for _ in range(3):
            source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start(start=3)
        world.say(Lane.METRICS)
        await world.quiet()
        await world.kill()
        return receiver.seqs

    assert run(main()) == [4]


def test_random_is_of_the_box_so_that_boxes_do_not_come_back_together():
    assert Random().random() != Random().random()
