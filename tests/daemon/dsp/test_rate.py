"""The heart rate that is said, and the reason when none is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.rate import HeartRate
from daemon.model.findings import Why

RATE_HZ, HOP = 500.0, 25


class Bed:
    """Feeds hops of 50 ms and beats at their places."""

    def __init__(self):
        self.rate = HeartRate(RATE_HZ)
        self.now = 0

    def run(self, seconds, beats=(), lost=None, noisy=False):
        """Beats in seconds from now."""
        marks = [self.now + round(b * RATE_HZ) for b in beats]
        intervals = []
        for _ in range(round(seconds * RATE_HZ / HOP)):
            self.rate.signal(self.now, self.now + HOP, lost)
            self.now += HOP
            while marks and marks[0] < self.now:
                intervals.append(self.rate.beat(marks.pop(0), "II", 1000.0 / RATE_HZ))
        self.said = self.rate.at(self.now - 1, noisy)
        return intervals


def every(rr, seconds):
    return [k * rr for k in range(int(seconds / rr - 1e-9) + 1)]


@pytest.mark.parametrize("bpm", [15.5, 30, 40, 60, 72, 80, 120, 200, 300, 349])
def test_a_steady_rate_is_said_to_the_beat(bpm):
    bed = Bed()
    bed.run(30, every(60 / bpm, 30))

    assert bed.said.value == pytest.approx(bpm, rel=0.006)
    assert bed.said.why is None


@pytest.mark.parametrize(("start", "end", "within", "limit"), [(80, 120, 7, 100), (80, 40, 7, 60)])
def test_a_step_passes_the_alarm_limit_in_time(start, end, within, limit):
    bed = Bed()
    bed.run(20, every(60 / start, 20))

    bed.run(within, every(60 / end, within))

    assert (bed.said.value > limit) == (end > start)


def test_one_missed_and_one_doubled_beat_do_no_harm():
    bed = Bed()
    beats = every(0.8, 20)
    bed.run(20, sorted([*beats[:20], *beats[21:], beats[15] + 0.3]))

    assert bed.said.value == pytest.approx(75, rel=0.01)


def test_bigeminy_counts_every_beat():
    bed = Bed()
    bed.run(30, [t + d for t in every(1.5, 28) for d in (0.0, 0.5)])

    assert bed.said.value == pytest.approx(80, rel=0.05)


def test_beats_that_stop_are_said_to_have_stopped():
    bed = Bed()
    bed.run(20, every(0.8, 20))
    bed.run(2.0)
    assert bed.said.value == pytest.approx(75, rel=0.01)
    bed.run(1.5)
    assert bed.said.why is Why.NO_BEATS
    bed.run(0.1, noisy=True)
    assert bed.said.why is Why.NOISE


def test_too_few_beats_are_learning_and_never_any_are_none():
    bed = Bed()
    bed.run(2, [0.5, 1.2])
    assert bed.said.why is Why.LEARNING
    bed = Bed()
    bed.run(9)
    assert bed.said.why is Why.NO_BEATS


@pytest.mark.parametrize("why", [Why.LEADS_OFF, Why.FLAT, Why.SATURATED])
def test_leads_that_cannot_be_used_blank_the_rate_after_a_second_with_their_reason(why):
    bed = Bed()
    bed.run(10, every(0.8, 10))
    bed.run(0.9, lost=why)
    assert bed.said.why is None
    bed.run(0.2, lost=why)
    assert bed.said.why is why
    bed.run(1.0, [0.1, 0.9])
    assert bed.said.why is Why.LEARNING


def test_no_interval_is_counted_over_what_could_not_be_seen():
    bed = Bed()
    bed.run(5, every(0.8, 5))
    bed.run(0.8, lost=Why.NO_SIGNAL)

    assert bed.run(2, [0.2, 1.0]) == [None, pytest.approx(800.0)]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_any_beats_give_a_rate_in_range_or_a_reason(steps):
    rate = HeartRate(RATE_HZ)
    sample = 0
    for step in steps:
        rate.signal(sample, sample + step, None)
        sample += step
        rate.beat(sample, "II", 2.0)
        said = rate.at(sample, noisy=False)
        assert (said.value is None) == (said.why is not None)
        assert said.value is None or 15 <= said.value <= 350.5


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(10, 4000), st.sampled_from([None, None, None, Why.FLAT])), max_size=30))
def test_the_reason_stays_what_it_is_for_as_long_as_is_said(steps):
    rate, now = HeartRate(RATE_HZ), 0
    for step, lost in steps:
        rate.signal(now, now + HOP, lost)
        if lost is None:
            rate.beat(now + 1, "II", 1000.0 / RATE_HZ)
        until = min(rate.same_until(), now + 4000)
        reasons = {rate.why(at, noisy=False) for at in (*range(now, until, 97), until - 1) if now <= at}
        assert len(reasons) <= 1
        now += max(step, HOP)
