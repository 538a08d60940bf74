"""Channels become rows by the device's times; a row is whole or lost, once."""

from __future__ import annotations

import random

import numpy as np
import pytest

from firmware_bridge.frames import Samples
from firmware_bridge.vlp.weave import Weave

RATE = 25.0
PERIOD_US = 40_000
MS = 1_000_000


def told(us: int) -> float:
    return us * 1000.0 + 5e9


def weave(lanes: int = 2) -> Weave:
    return Weave("flow", RATE, lanes, told)


def values(first: int, n: int) -> np.ndarray:
    return np.arange(first, first + n, dtype=np.int32)


def give(one: Weave, lane: int, first: int, n: int = 5, *, jitter_us: int = 0, now_ns: int | None = None):
    us = first * PERIOD_US + jitter_us
    now = round(told(us + n * PERIOD_US)) if now_ns is None else now_ns
    one.add(lane, us, values(first, n), now)
    return one.take(now)


def rows(frames: list[Samples]) -> tuple[list[int], int]:
    for frame in frames:
        assert (frame.counts == frame.counts[0]).all()
    return [int(v) for f in frames for v in f.counts[0]], sum(f.lost for f in frames)


def test_a_row_waits_for_its_last_channel_and_is_stamped_with_its_time():
    one = weave()
    assert give(one, 0, 0) == []
    (frame,) = give(one, 1, 0)

    assert frame.counts.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert frame.arrived_ns == pytest.approx(told(4 * PERIOD_US))
    assert frame.lost == 0


def test_a_frame_lost_on_one_channel_loses_those_rows_and_no_others():
    one = weave()
    frames = []
    for first in range(0, 50, 5):
        frames += give(one, 0, first)
        if first != 20:
            frames += give(one, 1, first)

    got, lost = rows(frames)
    assert got == [*range(20), *range(25, 50)]
    assert lost == 5


def test_frames_on_another_grid_are_woven_all_the_same():
    one = weave()
    frames = [*give(one, 0, 0, 7)]
    for first in range(0, 35, 5):
        frames += give(one, 1, first)
        if first % 10 == 0:
            frames += give(one, 0, 7 + first // 10 * 7, 7)

    got, lost = rows(frames)
    assert got == list(range(len(got)))
    assert lost == 0


@pytest.mark.parametrize("seed", range(10))
def test_any_losses_on_any_channel_are_told_exactly(seed):
    draw = random.Random(seed)
    one = weave(3)
    frames, whole = [], []
    for first in range(0, 2000, 5):
        arrived = [draw.random() < 0.9 for _ in range(3)] if 0 < first < 1990 else [True] * 3
        for lane in range(3):
            if arrived[lane]:
                frames += give(one, lane, first, jitter_us=draw.randrange(-8000, 8000))
        whole += range(first, first + 5) if all(arrived) else []

    got, lost = rows(frames)
    assert got == whole
    assert len(got) + lost == 2000


def test_a_sample_clock_of_its_own_makes_no_losses():
    one = weave(1)
    frames = []
    for first in range(0, 20_000, 5):  # 1000 ppm slower than it says
        us = round(first * PERIOD_US * 1.001)
        one.add(0, us, values(first, 5), round(told(us)))
        frames += one.take(round(told(us)))

    got, lost = rows(frames)
    assert (len(got), lost) == (20_000, 0)


def test_samples_that_come_twice_count_once():
    one = weave(1)
    frames = [*give(one, 0, 0), *give(one, 0, 5), *give(one, 0, 3, 6)]

    assert rows(frames) == ([*range(10)], 0)


def test_a_channel_that_falls_silent_costs_rows_and_no_memory():
    one = weave()
    frames = []
    for first in range(0, 5000, 5):
        frames += give(one, 0, first)
        if first < 500:
            frames += give(one, 1, first)
    kept = sum(v.size for lane in one._lanes for _, v in lane.parts)
    frames += give(one, 1, 5000)
    frames += give(one, 0, 5000)

    got, lost = rows(frames)
    assert got == [*range(500), *range(5000, 5005)]
    assert lost == 4500
    assert kept <= 70


def test_after_a_restart_our_own_clock_says_what_is_missing():
    one = weave(1)
    give(one, 0, 0)
    end_ns = round(told(4 * PERIOD_US))
    one.restart()
    offset_ns = end_ns + 10_000 * MS
    one._host_ns = lambda us: us * 1000.0 + offset_ns
    one.add(0, 100_000, values(100, 5), offset_ns + 400 * MS)
    (frame,) = one.take(offset_ns + 400 * MS)

    assert frame.lost == pytest.approx((10_000 + 100) / 40 - 1, abs=1)


@pytest.mark.parametrize("us", [2**63, 10**12])
def test_a_time_that_cannot_be_is_not_believed(us):
    one = weave(1)
    give(one, 0, 0)
    one.add(0, us, values(5, 5), round(told(10 * PERIOD_US)))
    (frame,) = one.take(round(told(10 * PERIOD_US)))

    assert frame.lost <= 5
    assert frame.counts.tolist() == [[5, 6, 7, 8, 9]]


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_come_whole_are_those_that_come_one_by_one(seed):
    draw = random.Random(seed)
    quick, slow = weave(3), weave(3)
    out: tuple[list, list] = ([], [])
    for first in range(0, 1000, 5):
        if draw.random() < 0.1:
            continue
        first -= draw.choice((0, 0, 0, 0, 3, 5))
        us, counts = max(first, 0) * PERIOD_US, np.stack([values(max(first, 0), 5)] * 3)
        now = round(told(us + 5 * PERIOD_US))
        whole = quick.whole(us, counts, now)
        assert whole is not None
        out[0].extend(whole)
        for lane in range(3):
            slow.add(lane, us, counts[lane], now)
        out[1].extend(slow.take(now))

    assert [(f.counts.tolist(), f.lost, f.arrived_ns) for f in out[0]] == [
        (f.counts.tolist(), f.lost, f.arrived_ns) for f in out[1]
    ]
