"""Intervals, QTc, axis and medians against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.measure import (
    QTC,
    Intervals,
    Median,
    axis_class,
    axis_deg,
    bazett,
    framingham,
    fridericia,
    hodges,
    intervals,
    over_beats,
)


def test_intervals_run_between_the_marks():
    marks = LeadMarks(p_on=100, p_off=150, qrs_on=180, qrs_off=225, t_off=380.5)

    assert intervals(marks, 500.0) == Intervals(100.0, 160.0, 90.0, 401.0)


def test_what_has_no_mark_has_no_interval():
    assert intervals(LeadMarks(qrs_on=180, qrs_off=225), 500.0) == Intervals(None, None, 90.0, None)
    assert intervals(LeadMarks(p_on=190, qrs_on=180), 500.0).pr_ms is None


@pytest.mark.parametrize("formula", QTC.values())
def test_at_60_per_minute_nothing_is_corrected(formula):
    assert formula(400.0, 1000.0) == pytest.approx(400.0)


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [(bazett, 437.5), (fridericia, 406.139), (framingham, 405.44), (hodges, 409.0625)],
)
def test_corrections_at_rr_640_ms(formula, wanted):
    assert formula(350.0, 640.0) == pytest.approx(wanted, abs=1e-2)


@given(st.floats(-180, 180))
def test_the_axis_is_where_the_vector_points(angle):
    lead_i, lead_avf = math.cos(math.radians(angle)), math.sin(math.radians(angle)) * math.sqrt(3) / 2

    difference = axis_deg(lead_i, lead_avf) - angle
    assert (difference + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)


def test_no_vector_has_no_axis():
    assert axis_deg(0.0, 0.0) is None
    assert axis_deg(-1.0, -0.0) == 180.0


@pytest.mark.parametrize(
    ("axis", "named"),
    [(60, "normal"), (-30, "normal"), (-31, "left"), (91, "right"), (180, "right"), (-91, "extreme")],
)
def test_axis_classes(axis, named):
    assert axis_class(axis) == named


def test_a_median_needs_three_beats_and_says_its_spread():
    assert over_beats([100.0, None, 110.0]) is None
    assert over_beats([100.0, None, 110.0, 102.0]) == Median(102.0, 3)
