"""Limits: ranges, pairs, what follows, proposals, what is kept, what a new patient gets."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import words
from daemon.alarms.limits import PAIRS, Limits, keys_of, range_of
from daemon.alarms.table import CHALLENGE, ROWS, TABLE
from daemon.model.alarms import Priority

EVERY = [(row.name, key) for row in TABLE for key in keys_of(row.name)]


def test_defaults_are_within_their_ranges_and_apart():
    for row in TABLE:
        for limit in row.limits:
            assert limit.low <= limit.default <= limit.high, row.name
        assert row.delay.least <= row.delay.seconds <= row.delay.most or not row.delay.adjustable
    limits = Limits()
    assert limits.refused == []
    assert limits.differing == limits.switched_off == ()


def test_ward_never_gets_a_default_spo2_below_85_or_a_rate_range_below_the_standard():
    """ISO 80601-2-61: no default below 85 %. IEC 60601-2-27: low 30 to 100, high 100 to 200 /min at least."""
    assert range_of("spo2_low", "below").default >= 85
    low, high = range_of("hr_low", "below"), range_of("hr_high", "above")
    assert low.low <= 30
    assert low.high >= 100
    assert high.low <= 100
    assert high.high >= 200
    assert low.step <= 5


@given(st.sampled_from(EVERY), st.one_of(st.floats(), st.booleans()))
def test_nothing_out_of_range_is_ever_in_force(place, value):
    row, key = place
    limits = Limits()
    refusal = limits.refusal([(row, key, value)])
    span = range_of(row, key)
    if refusal is None:
        limits.change([(row, key, value)])
        assert limits.value(row, key) == value
        assert isinstance(value, bool) if span is None else span.low <= value <= span.high
    else:
        with pytest.raises(ValueError):
            limits.change([(row, key, value)])
        assert refusal.text in words.table()
        assert limits.differing == ()


def test_low_and_high_may_not_meet():
    limits = Limits()

    refusal = limits.refusal([("hr_low", "below", 115.0)])

    assert refusal is not None
    assert refusal.text == "alarm.refused.crossing"
    assert limits.refusal([("hr_low", "below", 115.0), ("hr_high", "above", 130.0)]) is None


def test_all_changes_are_made_or_none():
    limits = Limits()

    with pytest.raises(ValueError):
        limits.change([("hr_high", "above", 130.0), ("hr_low", "below", 5.0)])

    assert limits.value("hr_high", "above") == 120


def test_extreme_rates_stay_beyond_the_rates_of_the_nurse():
    """IEC practice: max(140, high + 20) up to 200; min(40, low - 10) down to 30."""
    limits = Limits()
    assert (limits.of("extreme_tachy")["above"], limits.of("extreme_brady")["below"]) == (140, 40)

    limits.change([("hr_high", "above", 150.0), ("hr_low", "below", 45.0)])
    assert (limits.of("extreme_tachy")["above"], limits.of("extreme_brady")["below"]) == (170, 35)

    limits.change([("hr_high", "above", 250.0), ("hr_low", "below", 20.0)])
    assert (limits.of("extreme_tachy")["above"], limits.of("extreme_brady")["below"]) == (200, 30)


def test_what_is_or_becomes_high_can_never_be_off():
    limits = Limits()
    for row in TABLE:
        lethal = row.priority is Priority.HIGH or any(p is Priority.HIGH for _, p in row.escalates)
        refusal = limits.refusal([(row.name, "on", False)])
        assert (refusal is not None) == lethal, row.name
    kept = Limits(own={"asystole": {"on": False}})
    assert kept.is_on("asystole")
    assert [r.text for r in kept.refused] == ["alarm.refused.never_off"]


def test_own_limits_lie_over_the_wards_and_go_with_the_patient():
    limits = Limits(preset={"hr_high": {"above": 110.0}}, own={"hr_high": {"above": 140.0}})
    assert limits.value("hr_high", "above") == 140
    assert limits.differing == ("hr_high",)

    limits.to_default()

    assert limits.value("hr_high", "above") == 110
    assert limits.differing == ()


def test_switching_off_is_marked_and_the_wards_own_off_is_not():
    limits = Limits(preset={"pvc_rate": {"on": False}})
    limits.change([("hr_high", "on", False)])

    assert limits.switched_off == ("hr_high",)
    assert not limits.is_on("pvc_rate")
    assert not limits.is_on("couplet")


@given(st.dictionaries(st.sampled_from(EVERY), st.floats(0, 1), max_size=8))
def test_what_is_kept_comes_back_the_same(chosen):
    limits = Limits()
    for (row, key), share in chosen.items():
        span = range_of(row, key)
        value = share > 0.5 if span is None else span.low + share * (span.high - span.low)
        if limits.refusal([(row, key, value)]) is None:
            limits.change([(row, key, value)])

    again = Limits(own=json.loads(json.dumps(limits.as_dict())))

    assert again.refused == []
    assert again.all() == limits.all()
    assert all(again.of(name) == limits.of(name) for name in ROWS)


def test_damaged_settings_cost_themselves_only():
    limits = Limits(
        own={
            "hr_high": {"above": math.nan, "delay_s": 5.0},
            "no_such_row": {"above": 1.0},
            "hr_low": {"x": 1.0},
        }
    )

    assert len(limits.refused) == 3
    assert limits.value("hr_high", "above") == 120
    assert limits.delay_s("hr_high") == 5


def test_crossing_settings_of_a_damaged_file_fall_back_to_the_wards():
    limits = Limits(own={"hr_low": {"below": 118.0}})

    assert limits.refused
    assert limits.value("hr_low", "below") == 50


def test_auto_limits_are_offsets_of_present_values_and_stay_reasonable():
    proposed = {
        (row, key): value for row, key, value in Limits().proposals({"heart_rate": 80.0, "spo2": 97.0})
    }
    assert proposed == {("hr_high", "above"): 100, ("hr_low", "below"): 60, ("spo2_low", "below"): 92}

    frightening = {
        (row, key): value for row, key, value in Limits().proposals({"heart_rate": 190.0, "spo2": 80.0})
    }
    assert frightening == {("hr_high", "above"): 160, ("hr_low", "below"): 60, ("spo2_low", "below"): 85}
    assert Limits().refusal([(row, key, value) for (row, key), value in frightening.items()]) is None


def test_the_challenge_is_a_preset_like_any_other():
    limits = Limits(preset=CHALLENGE)

    assert limits.refused == []
    assert limits.of("vent_tachy") == {"beats": 5, "rate": 100}
    assert limits.of("extreme_tachy") == {"above": 140, "beats": 17}
    assert limits.of("extreme_brady") == {"below": 40, "beats": 5}
    assert limits.delay_s("extreme_brady") == limits.delay_s("extreme_tachy") == 0
    assert limits.of("asystole") == {"gap_s": 4}


def test_pairs_name_what_is_in_the_table():
    for low, low_key, high, high_key, _ in PAIRS:
        assert low_key in keys_of(low)
        assert high_key in keys_of(high)
