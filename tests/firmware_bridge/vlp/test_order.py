"""Frames in order, each once: gaps asked for again after 50 and 500 ms, then given up; a device that counts anew."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.vlp.order import GIVE_UP_NS, MOST_HELD, Order, Taken
from firmware_bridge.vlp.wire import AGAIN, Letter

MS = 1_000_000


def letter(sequence: int, flags: int = 0) -> Letter:
    return Letter(0x10, flags, sequence % 2**32, b"", 20)


def order() -> Order:
    one = Order()
    one.asks = True
    return one


def ready(one: Order) -> list[int]:
    out = [found.sequence for found, _ in one.ready]
    one.ready.clear()
    return out


def test_frames_in_order_are_ready_at_once():
    one = order()
    for sequence in (2**32 - 2, 2**32 - 1, 0, 1):  # over the end of the numbers
        assert one.take(letter(sequence), 0) is Taken.KEPT

    assert ready(one) == [2**32 - 2, 2**32 - 1, 0, 1]


def test_a_gap_is_asked_for_after_50_ms_again_after_500_and_then_given_up():
    one = order()
    one.take(letter(4), 0)
    one.take(letter(8), 1000 * MS)

    asked = {ms: runs for ms in range(0, 1000, 10) if (runs := one.due((1000 + ms) * MS))}
    assert asked == {50: [(5, 7)], 500: [(5, 7)]}
    assert ready(one) == [4]
    one.expire(1000 * MS + GIVE_UP_NS - 1)
    assert ready(one) == []
    one.expire(1000 * MS + GIVE_UP_NS)
    assert ready(one) == [8]
    assert one.take(letter(6, AGAIN), 1800 * MS) is Taken.OLD


def test_what_comes_again_fills_its_gap_and_goes_in_order():
    one = order()
    for sequence in (0, 2, 3, 5):
        one.take(letter(sequence), 0)
    assert one.due(50 * MS) == [(1, 1), (4, 4)]

    one.take(letter(4, AGAIN), 60 * MS)
    assert ready(one) == [0]
    one.take(letter(1, AGAIN), 61 * MS)
    assert ready(one) == [1, 2, 3, 4, 5]
    assert one.due(1000 * MS) == []


def test_each_frame_counts_once():
    one = order()
    taken = [one.take(letter(s), 0) for s in (0, 1, 1, 3, 3, 0)]

    assert taken == [Taken.KEPT, Taken.KEPT, Taken.OLD, Taken.KEPT, Taken.OLD, Taken.OLD]


def test_without_a_way_to_ask_nothing_is_waited_for():
    one = Order()
    for sequence in (0, 1, 5, 6):
        one.take(letter(sequence), 0)

    assert ready(one) == [0, 1, 5, 6]
    assert one.due(10_000 * MS) == []


def test_a_line_that_was_away_is_no_gap_to_fill():
    one = order()
    one.take(letter(10), 0)
    one.take(letter(100_000), 0)

    assert ready(one) == [10, 100_000]
    assert one.due(100 * MS) == []


def test_a_device_that_counts_anew_is_noticed_and_waits_for_its_name():
    one = order()
    one.take(letter(5000), 0)
    taken = [one.take(letter(s), 0) for s in (3, 4, 5, 6)]

    assert taken == [Taken.OLD, Taken.OLD, Taken.STRANGE, Taken.STRANGE]
    one.restart(9)
    assert one.take(letter(10), 0) is Taken.KEPT


def test_frames_sent_again_late_are_no_restart():
    one = order()
    one.take(letter(5000), 0)

    assert {one.take(letter(s, AGAIN), 0) for s in range(4000, 4100)} == {Taken.OLD}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_order_holds_nothing_is_twice_and_little_is_kept(seed):
    draw = random.Random(seed)
    one = order()
    out: list[int] = []
    queue = [letter(s) for s in range(3000)]
    now = 0
    for at in range(0, len(queue), 10):
        now += draw.randrange(40) * MS
        one.expire(now)
        for piece in queue[at : at + 10]:
            chance = draw.random()
            if chance < 0.2:
                continue
            one.take(piece, now)
            if chance > 0.95:
                one.take(piece, now)
        for first, last in one.due(now):
            for sequence in range(first, last + 1):
                if draw.random() < 0.6:
                    one.take(letter(sequence, AGAIN), now)
        out += ready(one)
        assert len(one._held) <= MOST_HELD
        assert len(one._missing) <= 1024

    assert out == sorted(set(out))
    assert len(out) > 2400
