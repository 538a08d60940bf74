"""A device is told from none by how it takes samples; time is passed in."""

from __future__ import annotations

import pytest

from daemon.signals.pace import AHEAD_S, FASTEST, OFFER, SLOWEST, Pace, Verdict

RATE = 44_100
BLOCK = 1024
BUFFERS_S = 0.19


def judged(seconds, rate=1.0, buffers_s=BUFFERS_S, asleep=(), start=100.0):
    """Verdicts over time of a device that takes `rate` times what is due; while `asleep` (from, to) we do not run."""
    pace, now, held, verdicts = Pace(RATE, start), 0.0, 0.0, []
    while now < seconds:
        before = now
        now += 0.005
        for begin, end in asleep:
            if begin <= now < end:
                now = end
        held = max(0.0, held - (now - before) * rate * RATE)
        while pace.wait_s(BLOCK, start + now) <= 0 and held + BLOCK <= buffers_s * RATE:
            # The pipe, half of the buffers, is empty when less is held than the device's own buffer.
            pace.took(BLOCK, start + now, ran_empty=held <= buffers_s / 2 * RATE)
            held += BLOCK
            if pace.verdict is not (verdicts[-1][1] if verdicts else None):
                verdicts.append((now, pace.verdict))
    return verdicts


@pytest.mark.parametrize("rate", [0.9999, 1.0, 1.0001])
def test_a_device_at_its_rate_is_well_within_3_s_and_stays_so(rate):
    said = judged(600, rate)
    assert [v for _, v in said] == [Verdict.UNKNOWN, Verdict.WELL]
    assert said[1][0] < 3


def test_what_takes_everything_is_no_device():
    said = judged(30, rate=1000.0)
    assert Verdict.WELL not in [v for _, v in said]
    assert said[-1][1] is Verdict.TOO_FAST
    assert said[-1][0] < 6


def test_a_null_device_does_not_take_the_processor():
    pace, now, frames = Pace(RATE, 0.0), 0.0, 0
    while now < 20:
        wait = pace.wait_s(BLOCK, now)
        now += wait
        if wait == 0:
            pace.took(BLOCK, now, ran_empty=True)
            frames += BLOCK
    assert frames <= (20 * OFFER + AHEAD_S) * RATE + BLOCK


def test_a_slow_device_is_told():
    assert judged(30, rate=0.5)[-1][1] is Verdict.TOO_SLOW


def test_that_we_were_late_is_not_held_against_the_device():
    stretches = [(4 + 2 * i, 4.9 + 2 * i) for i in range(10)]
    assert [v for _, v in judged(30, asleep=stretches)] == [Verdict.UNKNOWN, Verdict.WELL]


def test_a_short_null_stretch_after_a_real_device_is_seen_too():
    pace, now = Pace(RATE, 0.0), 0.0
    while now < 10:
        now += BLOCK / RATE
        pace.took(BLOCK, now, ran_empty=False)
    assert pace.verdict is Verdict.WELL
    while now < 14:
        now += BLOCK / RATE / OFFER
        pace.took(BLOCK, now, ran_empty=True)
    assert pace.verdict is Verdict.TOO_FAST


def test_limits_leave_room_for_what_a_good_device_does():
    buffers = 1 + BUFFERS_S / 2.0
    assert SLOWEST < 0.9 < buffers < FASTEST < OFFER
