"""Heart-rate variability of series whose figures follow from how they are made."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.hrv import variability
from daemon.model.findings import Why


def series(swing_ms, hz, seconds=300.0, mean_ms=800.0):
    t, rr = [0.0], []
    while t[-1] < seconds:
        rr.append(mean_ms + swing_ms * np.sin(2 * np.pi * hz * t[-1]))
        t.append(t[-1] + rr[-1] / 1000)
    return np.array(t[1:]), np.array(rr), np.ones(len(rr), dtype=bool)


@pytest.mark.parametrize(("hz", "band"), [(0.1, "lf_ms2"), (0.25, "hf_ms2"), (0.02, "vlf_ms2")])
def test_the_power_of_a_swing_is_half_its_square_and_in_its_band(hz, band):
    found = variability(*series(40.0, hz))

    assert not isinstance(found, Why)
    assert getattr(found, band) == pytest.approx(800.0, rel=0.15)
    others = {"lf_ms2", "hf_ms2", "vlf_ms2"} - {band}
    assert all(getattr(found, other) < 40.0 for other in others)
    assert found.sdnn_ms == pytest.approx(40 / np.sqrt(2), rel=0.05)


def test_alternating_intervals_have_the_rmssd_of_their_difference():
    rr = np.tile([780.0, 840.0], 190)
    found = variability(np.cumsum(rr) / 1000, rr, np.ones(len(rr), dtype=bool))

    assert not isinstance(found, Why)
    assert (found.rmssd_ms, found.pnn50_pct, found.mean_nn_ms) == pytest.approx((60.0, 100.0, 810.0))


def test_no_difference_is_taken_over_an_extra_beat_or_a_gap():
    t, rr, normal = series(0.0, 0.1)
    rr[100], rr[101], normal[100:102] = 400.0, 1200.0, False
    t[200:] += 20.0

    found = variability(t, rr, normal)

    assert not isinstance(found, Why)
    assert (found.rmssd_ms, found.pnn50_pct) == (0.0, 0.0)


def test_too_many_extra_beats_or_too_short_a_time_say_why_there_is_nothing():
    t, rr, normal = series(20.0, 0.1)

    assert variability(t, rr, normal & (np.arange(len(t)) % 8 != 0)) is Why.ECTOPIC
    assert variability(t[:200], rr[:200], normal[:200]) is Why.LEARNING
    assert variability(t[:0], rr[:0], normal[:0]) is Why.LEARNING
