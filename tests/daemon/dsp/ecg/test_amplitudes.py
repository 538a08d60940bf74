"""Deflections get their names by order and side, as a reader gives them."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.amplitudes import levels
from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.median_beat import MedianBeat

RATE_HZ = 500.0
ON, J = 200, 250  # samples


def lead(*bells, st=0.0):
    """A beat of one lead from bells (centre in ms behind QRS on, deviation in ms, mV)."""
    t = 1000 * (np.arange(550) - ON) / RATE_HZ
    x = np.full(550, -0.3) + sum(mv * np.exp(-0.5 * ((t - at) / width) ** 2) for at, width, mv in bells)
    x[J + 1 :] += st
    beat = MedianBeat(x[None], 225, RATE_HZ, (0, 1, 2), (0, 0, 0), np.array([True]))
    found = levels(beat, 0, LeadMarks(qrs_on=float(ON), qrs_off=float(J)))
    assert found is not None
    return found


def test_qrs_in_its_usual_order():
    found = lead((15, 4, -0.2), (40, 6, 1.2), (70, 6, -0.4))

    assert (found.q_mv, found.r_mv, found.s_mv) == pytest.approx((-0.2, 1.2, -0.4), abs=0.01)
    assert (found.r2_mv, found.s2_mv) == (None, None)
    assert found.r_peak_ms == pytest.approx(40, abs=2)
    assert found.qrs_span_mv == pytest.approx(1.6, abs=0.02)


def test_a_second_r_is_not_mistaken_for_the_first():
    found = lead((20, 6, 0.2), (42, 5, -0.8), (75, 8, 0.6))

    assert (found.q_mv, found.r_mv, found.s_mv, found.r2_mv) == (
        None,
        pytest.approx(0.2, abs=0.02),
        pytest.approx(-0.8, abs=0.02),
        pytest.approx(0.6, abs=0.02),
    )
    assert found.tallest_mv == pytest.approx(0.6, abs=0.02)
    assert found.r_peak_ms == pytest.approx(75, abs=2)


def test_a_complex_without_r_is_q_alone():
    found = lead((40, 12, -1.0))

    assert (found.r_mv, found.s_mv) == (None, None)
    assert found.q_mv == pytest.approx(-1.0, abs=0.01)
    assert found.deepest_mv == -found.q_mv
    assert found.q_ms == pytest.approx(
        2 * 12 * np.sqrt(2 * np.log(1.0 / 0.02)), abs=3
    )  # where it leaves 0.02 mV


def test_what_is_smaller_than_a_wave_has_no_name():
    found = lead((15, 4, -0.02), (40, 6, 1.0))

    assert found.q_mv is None


@pytest.mark.parametrize("st", [-0.2, 0.3])
def test_st_is_read_behind_j_and_is_no_wave_of_the_qrs(st):
    found = lead((40, 6, 1.0), st=st)

    assert found.st_mv[1:] == pytest.approx((st, st), abs=0.005)
    assert (found.s_mv, found.r2_mv) == (None, None)
