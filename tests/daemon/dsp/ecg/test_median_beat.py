"""The median beat of a heart whose amplitudes are known."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.amplitudes import levels
from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.median_beat import median_beat

RATE_HZ = 500.0


def strip(beats_s, st_mv=0.0, noise_mv=0.0, odd=()):
    t = np.arange(round((beats_s[-1] + 1) * RATE_HZ)) / RATE_HZ
    x = np.full(len(t), 0.7)  # an electrode's offset
    for k, b in enumerate(beats_s):
        size = -2.0 if k in odd else 1.0
        for at, width, height in (
            (-0.17, 0.02, 0.12),
            (-0.028, 0.006, -0.1),
            (0.0, 0.009, 1.0),
            (0.03, 0.008, -0.3),
            (0.28, 0.04, 0.3),
        ):
            x += size * height * np.exp(-0.5 * ((t - b - at) / width) ** 2)
        x[(t > b + 0.055) & (t < b + 0.16)] += st_mv
    return np.stack([x, -0.5 * x]) + np.random.default_rng(2).normal(0, noise_mv, (2, len(t)))


def marks(r):
    place = {
        "p_on": -0.23,
        "p_peak": -0.17,
        "p_off": -0.11,
        "qrs_on": -0.05,
        "qrs_off": 0.058,
        "t_on": 0.18,
        "t_peak": 0.28,
        "t_off": 0.4,
    }
    return LeadMarks(**{k: r + at * RATE_HZ for k, at in place.items()})


BEATS = np.arange(1.0, 11.0, 0.9)


def test_noise_and_odd_beats_go_and_amplitudes_stay():
    x = strip(BEATS, noise_mv=0.02, odd=(3, 7))
    shifted = [
        round(b * RATE_HZ) + jitter
        for b, jitter in zip(BEATS, np.resize([-4, 0, 5], len(BEATS)), strict=True)
    ]

    beat = median_beat(x, shifted, RATE_HZ)

    assert beat is not None
    assert beat.beats == len(BEATS) - 2
    assert np.abs(beat.mv[0] - beat.mv[0].min()).argmax() == pytest.approx(beat.r, abs=6)
    found = levels(beat, 0, marks(int(beat.mv[0].argmax())))
    assert found is not None
    assert (found.r_mv, found.s_mv, found.t_mv, found.p_mv) == pytest.approx(
        (0.99, -0.3, 0.3, 0.12), abs=0.04
    )


@pytest.mark.parametrize("st_mv", [-0.2, 0.0, 0.15])
def test_st_is_read_against_the_pq_level_in_both_polarities(st_mv):
    beat = median_beat(strip(BEATS, st_mv=st_mv), [round(b * RATE_HZ) for b in BEATS], RATE_HZ)
    assert beat is not None

    for lead, gain in ((0, 1.0), (1, -0.5)):
        found = levels(beat, lead, marks(beat.r))
        assert found is not None
        assert found.st_mv[1] == pytest.approx(gain * st_mv, abs=0.01)
        assert found.st_slope_mv_s == pytest.approx((found.st_mv[2] - found.st_mv[0]) / 0.08)


def test_areas_have_the_sign_of_their_wave():
    beat = median_beat(strip(BEATS), [round(b * RATE_HZ) for b in BEATS], RATE_HZ)
    assert beat is not None
    up, down = levels(beat, 0, marks(beat.r)), levels(beat, 1, marks(beat.r))

    assert up.t_area_mv_s == pytest.approx(0.3 * 0.04 * np.sqrt(2 * np.pi), rel=0.05)
    assert down.t_area_mv_s == pytest.approx(-0.5 * up.t_area_mv_s)
    assert down.qrs_area_mv_s == pytest.approx(-0.5 * up.qrs_area_mv_s)


def test_too_few_beats_of_one_shape_have_no_median():
    r = [round(b * RATE_HZ) for b in BEATS]

    assert median_beat(strip(BEATS), r[:2], RATE_HZ) is None
    assert median_beat(strip(BEATS, odd=range(12)), r[:2], RATE_HZ) is None


def test_a_lead_that_was_lost_for_a_while_costs_itself_only():
    x = strip(BEATS)
    x[1, 1000:] = np.nan

    beat = median_beat(x, [round(b * RATE_HZ) for b in BEATS], RATE_HZ)

    assert beat is not None
    assert beat.leads.tolist() == [True, False]
    assert beat.beats == len(BEATS)
    assert levels(beat, 1, marks(beat.r)) is None


def test_beats_that_were_not_seen_whole_are_left_out():
    x = strip(BEATS)
    x[:, round((BEATS[4] + 0.1) * RATE_HZ)] = np.nan

    beat = median_beat(x, [round(b * RATE_HZ) for b in BEATS], RATE_HZ)

    assert beat is not None
    assert 4 not in beat.chosen
    assert not np.isnan(beat.mv).any()


def test_a_wandering_baseline_does_not_move_st():
    x = strip(BEATS, st_mv=0.15)
    t = np.arange(x.shape[1]) / RATE_HZ
    x += 0.6 * np.sin(2 * np.pi * 0.23 * t)

    beat = median_beat(x, [round(b * RATE_HZ) for b in BEATS], RATE_HZ, qrs_on=-25)

    assert beat is not None
    found = levels(beat, 0, marks(beat.r))
    assert found is not None
    assert found.st_mv[1] == pytest.approx(0.15, abs=0.03)


def test_waves_without_marks_have_no_amplitude():
    beat = median_beat(strip(BEATS), [round(b * RATE_HZ) for b in BEATS], RATE_HZ)
    assert beat is not None

    only_qrs = levels(beat, 0, LeadMarks(qrs_on=beat.r - 25.0, qrs_off=beat.r + 29.0))
    assert only_qrs is not None
    assert (only_qrs.p_mv, only_qrs.t_mv, only_qrs.t_area_mv_s) == (None, None, None)
    assert levels(beat, 0, LeadMarks()) is None
