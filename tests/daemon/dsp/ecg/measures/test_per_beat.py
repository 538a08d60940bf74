"""Intervals beat by beat: medians, and no corrected QT where the rate gives it no meaning."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.measures.per_beat import BeatIntervals
from daemon.model.findings import Why

RATE_HZ = 500.0


def beats(rrs_ms, qt_ms=400.0):
    intervals, sample, found = BeatIntervals(RATE_HZ), 0, []
    for rr in rrs_ms:
        sample += round(rr * RATE_HZ / 1000)
        marks = LeadMarks(
            p_on=sample - 100.0, qrs_on=sample - 20.0, qrs_off=sample + 30.0, t_off=sample - 20.0 + qt_ms / 2
        )
        found.append(intervals.beat(sample, marks))
    return found


def test_a_steady_heart_has_all_its_intervals():
    last = beats([1000.0] * 20)[-1]

    assert {name: value for name, (value, _) in last.items()} == pytest.approx(
        {
            "pr_interval": 160.0,
            "qrs_duration": 100.0,
            "qt_interval": 400.0,
            "qtc_bazett": 400.0,
            "qtc_fridericia": 400.0,
            "qtc_framingham": 400.0,
            "qtc_hodges": 400.0,
        }
    )


def test_the_first_beats_are_too_few():
    assert all(value is None and why is Why.LEARNING for value, why in beats([1000.0] * 2)[-1].values())


def test_no_corrected_qt_while_the_rate_changes_fast():
    found = beats([1000.0] * 16 + [600.0] * 5)

    assert found[15]["qtc_fridericia"][0] == pytest.approx(400.0)
    assert found[-1]["qtc_fridericia"] == (None, Why.IRREGULAR)
    assert found[-1]["qt_interval"] == (400.0, None)


def test_in_fibrillation_qt_is_corrected_over_ten_beats_and_more():
    rrs = np.random.default_rng(3).uniform(500, 1000, 16).tolist()
    found = beats(rrs)

    assert found[7]["qtc_fridericia"] == (None, Why.IRREGULAR)
    mean = np.mean([round(rr * RATE_HZ / 1000) * 2 for rr in rrs[1:]])
    assert found[-1]["qtc_fridericia"][0] == pytest.approx(400 / np.cbrt(mean / 1000), rel=0.01)


def test_an_interval_over_a_gap_is_none():
    intervals = BeatIntervals(RATE_HZ)
    marks = LeadMarks(qrs_on=0.0, qrs_off=50.0, t_off=200.0)
    for sample in (500, 1000, 1500):
        intervals.beat(sample, marks)
    intervals.skip()

    found = intervals.beat(9000, marks)

    assert found["qtc_bazett"][0] == pytest.approx(400.0)
