"""How alarms load a bed: counts by rule and hour, times to acknowledge, share of the time."""

from __future__ import annotations

import pytest

from daemon.review.load import HOUR_NS, load
from daemon.store.reader import ask

S = 1_000_000_000


def told(past, hours=2, now_ns=None):
    utc_ns = past.utc_ns if now_ns is None else now_ns
    return ask(past.path, lambda reader: load(reader, "1", hours, utc_ns))


@pytest.fixture(scope="module")
def busy(past_in, tmp_path_factory):
    past = past_in(tmp_path_factory.mktemp("busy"))
    past.run(60, 75)
    past.run(30, 130)  # hr_high: 27 s and its 5 s to end
    past.run(60, 75)
    past.run(30, 130)
    past.act("acknowledge")
    past.run(60, 75)
    past.run(6, 40)  # hr_low, over soon
    past.run(60, 75)
    past.store()
    return past


def test_alarms_are_counted_by_rule_with_their_times_and_answers(busy):
    state = told(busy)
    rows = {row.row: row for row in state.rows}

    assert [row.row for row in state.rows][0] == "hr_high"
    high, low = rows["hr_high"], rows["hr_low"]
    assert (high.count, high.priority, high.short, high.acknowledged) == (2, "medium", 0, 1)
    assert high.median_to_acknowledge_s == high.worst_to_acknowledge_s == pytest.approx(26.5, abs=2)
    assert high.in_alarm_s == pytest.approx(2 * 32, abs=4)
    assert (low.count, low.short) == (1, 1)
    assert state.total.count == sum(row.count for row in state.rows)
    assert state.recorded_s == pytest.approx(306, abs=2)
    assert state.share_in_alarm == pytest.approx(state.total.in_alarm_s / state.recorded_s)


def test_each_alarm_is_in_its_hour(busy):
    state = told(busy, hours=3)
    assert state.total.hours[-1] == state.total.count
    later = told(busy, hours=3, now_ns=busy.utc_ns + HOUR_NS + 60 * S)
    assert later.total.hours[1:] == (state.total.count, 0)
    assert told(busy, hours=1, now_ns=busy.utc_ns + 2 * HOUR_NS).total.count == 0


def test_alarms_at_once_are_time_once(past):
    past.run(60, 75)
    past.run(60, 150)  # hr_high begins, extreme_tachy covers it
    past.run(30, 75)
    past.store()
    state = told(past)
    assert state.total.in_alarm_s <= max(row.in_alarm_s for row in state.rows) + 5
    assert state.total.in_alarm_s < sum(row.in_alarm_s for row in state.rows) or len(state.rows) == 1


def test_a_bed_without_alarms(past):
    past.run(30, 75)
    past.store()
    state = told(past)
    assert (state.total.count, state.rows, state.share_in_alarm) == (0, (), 0.0)
