"""Who speaks for whom, and what a bad signal, a pulse or a lost lead may do to an alarm."""

from __future__ import annotations

import pytest

from daemon.alarms.table import ROWS, TABLE
from daemon.model.alarms import ChangeKind, Phase, Priority
from daemon.model.findings import Grade, Trouble, Why
from daemon.model.signals import LinkState

S = 1_000_000_000
HIGH = Priority.HIGH


# The ladder.


def test_a_row_covers_only_rows_below_it_and_all_that_those_cover_too():
    order = [row.name for row in TABLE]
    assert len(set(order)) == len(order)
    for row in TABLE:
        for name in row.covers:
            assert order.index(name) > order.index(row.name), (row.name, name)
            assert set(ROWS[name].covers) <= {*row.covers, "no_heart_rate"} or ROWS[name].priority is not HIGH


def test_one_event_is_one_sound(bed):
    """VT, its run, the rate: the worst is heard, the others are listed under it."""
    bed.well(20)
    began = bed.ventricular(8, 160)
    bed.run(5)

    heard = [a.row for a in bed.engine.picture().alarms if a.sounds]
    assert heard == ["vent_tachy"]
    covered = {a.row: a.covered_by for a in bed.engine.picture().alarms if not a.sounds}
    assert covered["extreme_tachy"] == "vent_tachy"
    assert covered["hr_high"] in {"vent_tachy", "extreme_tachy"}

    bed.rhythm("VT", began, bed.now / S, rule="ectopy/2")  # a step down: the rate goes on
    bed.run(4)
    heard = [a.row for a in bed.engine.picture().alarms if a.sounds]
    assert heard == ["extreme_tachy", "pvc_rate"]  # more than ten in the minute there have been, too


def test_what_is_covered_is_acknowledged_with_what_speaks_for_it(bed):
    bed.well(20)
    bed.ventricular(8, 160)
    bed.run(5)
    bed.act("acknowledge")
    bed.run(1)

    assert bed.sound is None
    assert bed.phase("extreme_tachy") is Phase.ACKNOWLEDGED


def test_an_acknowledged_alarm_speaks_for_nothing_new_of_high_priority(bed):
    """VT has been acknowledged and goes on; then the rate becomes extreme: that is new."""
    bed.well(20)
    bed.rhythm("VT", 15.0)
    bed.run(1)
    bed.act("acknowledge")
    bed.run(1)
    assert bed.sound is None

    bed.values["heart_rate"] = 190.0
    bed.run(5)

    assert [a.row for a in bed.engine.picture().alarms if a.sounds] == ["extreme_tachy"]


def test_a_paused_fibrillation_stands_before_the_newer_rate_until_it_is_acknowledged(bed):
    """The rate is new and heard, as nothing new of high priority is ever silent; the name of what kills stays in front."""
    bed.well(20)
    bed.rhythm("VFL", 18.0)
    bed.run(1)
    bed.act("audio_pause")
    bed.rr_s, bed.values["heart_rate"] = 2.0, 30.0
    bed.run(20)
    alarms = bed.engine.picture().alarms

    assert [a.row for a in alarms][:2] == ["vent_fib", "extreme_brady"]
    assert [a.row for a in alarms if a.sounds] == ["extreme_brady"]

    occurrence = next(a.occurrence for a in alarms if a.row == "vent_fib")
    bed.act("acknowledge", occurrences=occurrence)
    bed.run(1)
    assert [a.row for a in bed.engine.picture().alarms][:2] == ["extreme_brady", "vent_fib"]

    bed.act("acknowledge")
    bed.run(1)
    assert [a.row for a in bed.engine.picture().alarms][:2] == ["vent_fib", "extreme_brady"]


def test_fibrillation_that_flattens_becomes_asystole_within_a_second(bed):
    bed.well(20)
    bed.rr_s, bed.values["heart_rate"] = None, Why.NOISE
    began = bed.now / S
    bed.rhythm("VFL", began)
    bed.run(10)
    bed.act("acknowledge")
    bed.rhythm("VFL", began, bed.now / S - 2)
    bed.rhythm("ASYS", began, rule="gap/1")
    bed.run(0.2)

    assert bed.phase("asystole") is Phase.ACTIVE
    assert bed.sound is HIGH
    assert bed.phase("vent_fib") is Phase.ACKNOWLEDGED  # it cannot be told that it is over


# A bad signal.


def test_a_bad_signal_holds_back_a_limit_and_says_so_itself(bed):
    bed.well()
    bed.values["heart_rate"] = 160.0
    bed.quality("global", Grade.POOR, Trouble.MOTION)
    bed.run(14)
    assert bed.sound is None

    bed.run(3)
    assert bed.phase("noisy_ecg") is Phase.ACTIVE  # within 30 s
    assert bed.began("extreme_tachy") == bed.began("hr_high") == []

    bed.quality("global")
    bed.run(4)
    assert bed.phase("extreme_tachy") is Phase.ACTIVE


@pytest.mark.parametrize(("label", "row"), [("VFL", "vent_fib"), ("ASYS", "asystole"), ("VT", "vent_tachy")])
def test_a_bad_signal_never_holds_back_what_kills(bed, label, row):
    bed.well()
    bed.quality("global", Grade.POOR, Trouble.MOTION)
    bed.values["heart_rate"] = Why.NOISE
    bed.rr_s = None
    bed.rhythm(label, bed.now / S - 4)
    bed.run(0.1)

    assert bed.phase(row) is Phase.ACTIVE


def test_a_delay_waits_for_a_bad_signal_ten_seconds_and_no_longer(make_bed):
    bed = make_bed(table=[ROWS["hr_high"]])
    bed.well()
    bed.values["heart_rate"] = 130.0
    bed.run(2)
    bed.values["heart_rate"] = Why.NOISE
    bed.run(6)
    bed.values["heart_rate"] = 130.0
    bed.run(3)
    assert bed.phase("hr_high") is Phase.ACTIVE  # its three seconds were made up of two pieces

    bed.values["heart_rate"] = 75.0
    bed.run(8)
    bed.values["heart_rate"] = 130.0
    bed.run(2)
    bed.values["heart_rate"] = Why.NOISE
    bed.run(15)
    assert bed.phase("hr_high") is Phase.INACTIVE
    assert [c.reason for c in bed.changes if c.kind is ChangeKind.NEAR_MISS] == ["signal"]


@pytest.mark.parametrize("why", [Why.LEADS_OFF, Why.NOISE, Why.NO_SIGNAL, Why.LEARNING])
def test_no_alarm_ends_because_data_stopped(bed, why):
    bed.well()
    bed.rhythm("VFL", 6.0)
    bed.values["heart_rate"] = 125.0
    bed.run(5)
    assert bed.phase("hr_high") is Phase.ACTIVE

    bed.rhythm("VFL", 6.0, bed.now / S)  # analysis closes it, for it sees nothing any more
    bed.values["heart_rate"] = why
    bed.run(20)

    assert bed.phase("vent_fib") is bed.phase("hr_high") is Phase.ACTIVE
    assert not any(a.updating for a in bed.engine.picture().alarms if a.row == "vent_fib")
    assert bed.sound is HIGH


def test_a_value_that_is_not_said_any_more_is_no_value_after_three_seconds(bed):
    bed.well()
    bed.values.pop("heart_rate")
    bed.run(2.9)
    assert bed.engine.seen.value("heart_rate") is not None
    bed.run(0.3)
    assert bed.engine.seen.value("heart_rate") is None
    bed.run(31)
    assert bed.phase("no_heart_rate") is Phase.ACTIVE


def test_a_broken_number_is_no_number_and_ends_nothing(bed):
    bed.well()
    bed.values["heart_rate"] = 125.0
    bed.run(5)
    bed.values["heart_rate"] = float("nan")
    bed.run(10)

    assert bed.phase("hr_high") is Phase.ACTIVE
    assert [a.updating for a in bed.engine.picture().alarms if a.row == "hr_high"] == [False]


def test_silent_device_is_said_within_seconds_and_becomes_high(bed):
    bed.block()
    bed.link(LinkState.STREAMING)
    bed.well()
    bed.link(LinkState.STALLED)
    bed.values.pop("heart_rate")
    bed.run(3)
    assert bed.phase("no_data_ecg") is Phase.ACTIVE
    bed.run(60)
    assert bed.sound is HIGH
    assert [a.row for a in bed.engine.picture().alarms if a.sounds] == ["no_data_ecg"]


def test_a_rhythm_of_a_lost_connection_ends_only_when_a_heart_beats_again(bed):
    bed.well()
    bed.rhythm("VFL", 6.0)
    bed.run(1)
    bed.segment = "after"
    bed.values["heart_rate"] = Why.LEARNING
    bed.run(5)
    assert bed.phase("vent_fib") is Phase.ACTIVE

    bed.values["heart_rate"] = 70.0
    bed.run(6)

    assert bed.phase("vent_fib") is Phase.LATCHED


# The pulse.


def test_a_pulse_delays_asystole_by_five_seconds_and_no_more(bed):
    bed.values["pulse_rate"] = 75.0
    bed.well()
    last = bed.stop()
    bed.rhythm("ASYS", last, rule="gap/1")
    bed.run(4)
    assert bed.began("asystole") == []
    bed.run(3)

    (began,) = bed.began("asystole")
    assert 8.5 <= began - last <= 10
    change = next(c for c in bed.changes if c.kind is ChangeKind.BEGAN and c.row == "asystole")
    assert dict(change.values)["pulse"] == 75.0


def test_what_the_pulse_held_back_is_kept_with_its_reason(bed):
    bed.values["pulse_rate"] = 75.0
    bed.well()
    last = bed.stop()
    bed.rhythm("ASYS", last, rule="gap/1")
    bed.run(2)
    bed.rhythm("ASYS", last, bed.now / S, rule="gap/1")
    bed.rr_s, bed.values["heart_rate"] = 0.8, 75.0
    bed.run(4)

    assert bed.began("asystole") == []
    assert [(c.kind, c.reason) for c in bed.changes if c.row == "asystole"] == [
        (ChangeKind.NEAR_MISS, "pulse")
    ]


@pytest.mark.parametrize("pulse", [12.0, Why.NOISE])
def test_no_pulse_or_a_bad_one_delays_nothing(bed, pulse):
    bed.values["pulse_rate"] = pulse
    bed.well()
    last = bed.stop()
    bed.run(1)
    bed.rhythm("ASYS", last, rule="gap/1")
    bed.run(0.1)

    assert bed.phase("asystole") is Phase.ACTIVE


@pytest.mark.parametrize(("pulse", "held"), [(75.0, True), (42.0, False), (30.0, False), (Why.NOISE, False)])
def test_a_pulse_that_is_faster_than_the_limit_delays_extreme_bradycardia(bed, pulse, held):
    bed.well(20)
    bed.values["pulse_rate"] = pulse
    slowed = bed._last_beat / S
    bed.rr_s = 60 / 30
    bed.run(12)

    early = [t for t in bed.began("extreme_brady") if t - slowed <= 12]
    assert bool(early) is not held
    bed.run(12)
    assert bed.began("extreme_brady")


@pytest.mark.parametrize(("label", "row"), [("VFL", "vent_fib"), ("VT", "vent_tachy")])
def test_a_pulse_never_touches_fibrillation_or_tachycardia(bed, label, row):
    bed.values["pulse_rate"] = 75.0
    bed.well()
    bed.rhythm(label, 6.0)
    bed.run(0.1)

    assert bed.phase(row) is Phase.ACTIVE
