"""The heart's own alarms: golden times, and what their limits mean."""

from __future__ import annotations

import pytest

from daemon.alarms.limits import Limits
from daemon.alarms.table import CHALLENGE, ROWS
from daemon.model.alarms import Phase, Priority
from daemon.model.findings import Why

S = 1_000_000_000
HIGH = Priority.HIGH


# Golden times.


def test_asystole_is_said_ten_seconds_after_the_last_beat_at_the_latest(bed):
    bed.well()
    last = bed.stop()
    bed.run(1.0)
    bed.rhythm("ASYS", last, rule="gap/1")  # as analysis does, at 4.0 s
    bed.run(0.1)

    assert bed.began("asystole") == [pytest.approx(last + 4, abs=0.5)]
    assert bed.sound is HIGH


@pytest.mark.parametrize("gap_s", [3.5, 4.0, 6.0])
def test_asystole_is_said_when_the_pause_is_as_long_as_its_limit(make_bed, gap_s):
    bed = make_bed(Limits({"asystole": {"gap_s": gap_s}}))
    bed.well()
    last = bed.stop()
    bed.rhythm("PAUSE", last, rule="gap/1")  # as analysis does, from 3.0 s on
    bed.run(4)

    assert bed.began("asystole") == [pytest.approx(last + gap_s, abs=0.25)]


def test_a_pause_that_ends_before_the_limit_is_no_asystole(bed):
    bed.well()
    last = bed.stop()
    bed.rhythm("PAUSE", last, rule="gap/1")
    bed.run(0.5)
    bed.rhythm("PAUSE", last, bed.now / S, rule="gap/1")
    bed.rr_s, bed.values["heart_rate"] = 0.8, 75.0
    bed.run(6)

    assert bed.began("asystole") == []


def test_asystole_is_said_even_if_analysis_only_misses_beats(bed):
    bed.well()
    last = bed.stop()
    bed.run(10)

    assert bed.began("asystole")[0] - last <= 10


def test_a_flat_line_with_all_electrodes_on_is_asystole(bed):
    bed.well()
    bed.attached(RA=True, LA=True, LL=True, RL=True)
    bed.stop(Why.FLAT)
    bed.run(6)

    assert bed.phase("asystole") is Phase.ACTIVE
    assert bed.phase("ecg_leads_off") is not Phase.ACTIVE


def test_a_flat_line_with_an_electrode_off_is_technical(bed):
    bed.well()
    bed.attached(RA=True, LL=False)
    bed.stop(Why.FLAT)
    bed.run(20)

    assert bed.began("asystole") == bed.began("flat_ecg") == []
    assert bed.phase("ecg_leads_off") is Phase.ACTIVE
    assert bed.sound is Priority.MEDIUM
    bed.run(60)
    assert bed.sound is HIGH  # and it does not stay at that


def test_a_flat_line_where_the_device_cannot_tell_is_high_and_says_no_more_than_it_knows(bed):
    bed.well()
    last = bed.stop(Why.FLAT)
    bed.run(10)

    assert bed.began("asystole") == bed.began("ecg_leads_off") == []
    assert bed.began("flat_ecg")[0] - last <= 10
    assert bed.sound is HIGH


def test_leads_off_is_technical_and_no_asystole(bed):
    bed.well()
    bed.stop(Why.LEADS_OFF)
    bed.run(30)

    assert bed.began("asystole") == []
    assert bed.began("ecg_leads_off")[0] <= 10 + 10  # within 10 s


@pytest.mark.parametrize(("rate", "row"), [(120.0, "hr_high"), (40.0, "hr_low")])
def test_step_of_the_standard_is_said_within_ten_seconds(make_bed, rate, row):
    """IEC 60601-2-27: 80 to 120 with the limit at 100, 80 to 40 with the limit at 60; a rate delay of 2 s."""
    limits = Limits({"hr_high": {"above": 100.0, "delay_s": 2.0}, "hr_low": {"below": 60.0, "delay_s": 2.0}})
    bed = make_bed(limits)
    bed.well()
    bed.values["heart_rate"] = 80.0
    bed.run(10)
    stepped = bed.now / S
    bed.rr_s = 60 / rate
    # What dsp/rate.py says of the last intervals: the new rate from the seventh fast, or the third slow one.
    bed.run(3.5 if rate > 80 else 4.5)
    bed.values["heart_rate"] = rate
    bed.run(6)

    assert bed.began(row)[0] - stepped <= 10


@pytest.mark.parametrize("rate", [35.0, 30.0, 25.0, 20.0, 17.0])
def test_extreme_bradycardia_is_said_within_ten_seconds_however_slow(bed, rate):
    bed.well(20)
    stepped = bed._last_beat / S
    bed.rr_s = 60 / rate
    bed.run(12)

    assert bed.began("extreme_brady")[0] - stepped <= 10


def test_one_pause_in_a_slow_rhythm_is_no_extreme_bradycardia(bed):
    bed.values["heart_rate"], bed.rr_s = 52.0, 1.15
    bed.run(20)
    bed.event("pause", gap=2.6)
    bed._last_beat += round(1.45 * S)
    bed.run(20)

    assert bed.began("extreme_brady") == []
    assert len(bed.began("pause")) == 1


# Tachycardia and its limits.


@pytest.mark.parametrize(
    ("beats", "rate", "default", "challenge"),
    [(5, 150, False, True), (6, 150, True, True), (8, 110, False, True), (8, 95, False, False)],
)
def test_a_run_that_analysis_counted_by_its_look_is_judged_by_what_it_counted(
    make_bed, beats, rate, default, challenge
):
    for limits, expected in ((Limits(), default), (Limits(CHALLENGE), challenge)):
        bed = make_bed(limits)
        bed.well()
        began = bed.now / S - 2
        bed.counted(began, 4, rate)
        bed.run(0.5)
        assert bed.began("vent_tachy") == []

        bed.counted(began, beats, rate)
        bed.run(0.2)
        assert bool(bed.began("vent_tachy")) is expected

        bed.run(8)
        assert bed.phase("vent_tachy") is not Phase.ACTIVE


@pytest.mark.parametrize(
    ("beats", "rate", "default", "challenge"),
    [
        (5, 150, False, True),
        (6, 150, True, True),
        (8, 110, False, True),
        (8, 125, True, True),
        (4, 150, False, False),
    ],
)
def test_ventricular_tachycardia_is_as_long_and_fast_as_its_limits_say(
    make_bed, beats, rate, default, challenge
):
    for limits, said in ((Limits(), default), (Limits(CHALLENGE), challenge)):
        bed = make_bed(limits)
        bed.well(20)
        bed.ventricular(beats, rate)

        assert bool(bed.began("vent_tachy")) == said


def test_a_tachycardia_found_by_its_waves_needs_no_beats(bed):
    bed.well()
    bed.rr_s = None
    bed.rhythm("VT", 6.0, rule="window/1")
    bed.run(0.1)

    assert bed.phase("vent_tachy") is Phase.ACTIVE


def test_a_slow_run_is_a_ventricular_rhythm(bed):
    bed.well(20)
    bed.ventricular(8, 110)

    assert bed.phase("vent_rhythm") is Phase.ACTIVE
    assert bed.sound is Priority.MEDIUM


def test_fibrillation_of_the_atria_is_said_once_in_half_an_hour_and_its_end_once(make_bed):
    bed = make_bed(table=[ROWS[n] for n in ("af_start", "af_end")])
    bed.well()
    bed.rhythm("AFIB", 5.0, rule="af/1")
    bed.run(300)
    assert len(bed.began("af_start")) == 1
    assert bed.phase("af_start") is Phase.INACTIVE  # a state by now

    bed.rhythm("AFIB", 5.0, bed.now / S, rule="af/1")
    bed.run(30)
    again = bed.now / S
    bed.rhythm("AFIB", again, rule="af/1")
    bed.run(200)
    assert len(bed.began("af_start")) == 1
    assert bed.began("af_end") == []

    bed.rhythm("AFIB", again, bed.now / S, rule="af/1")
    bed.run(300)
    assert len(bed.began("af_end")) == 1
    bed.run(1800)
    bed.rhythm("AFIB", bed.now / S - 5, rule="af/1")
    bed.run(100)
    assert len(bed.began("af_start")) == 2


def test_st_needs_two_neighbouring_leads(make_bed):
    bed = make_bed(table=[ROWS["st_high"]])
    bed.well()
    bed.leads = {("st_j60", lead): 0.0 for lead in ("I", "II", "III", "aVF", "V1", "V2", "V3")}
    bed.leads["st_j60", "II"] = bed.leads["st_j60", "V2"] = bed.leads["st_j60", "III"] = 0.4
    bed.run(70)
    assert bed.began("st_high") == []

    bed.leads["st_j60", "V3"] = 0.25
    bed.run(62)

    (alarm,) = bed.engine.picture().alarms
    assert dict(alarm.values)["lead"] == "V2 V3"
    assert alarm.value == 0.25
