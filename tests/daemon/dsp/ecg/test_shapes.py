"""Shapes of beats: learnt, found again, and replaced by what is more use."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.shapes import SHAPES, UNKNOWN, Shapes

LAGS, LEADS, SAMPLES = 5, 2, 31
BOTH = np.ones(LEADS)


def windows(centre, width=3.0, heights=(1.0, -0.6), shift=0.0):
    """A wave at `centre` of the middle window, moved by one sample from lag to lag."""
    t = np.arange(SAMPLES)[None] + (np.arange(LAGS) - LAGS // 2)[:, None] - shift
    wave = np.exp(-0.5 * ((t - centre) / width) ** 2) - np.exp(-0.5 * ((t - centre - 6) / width) ** 2)
    return np.array(heights)[None, :, None] * wave[:, None, :]


def learn(shapes, z, now_s=0.0, *, new=True, usable=BOTH):
    match = shapes.match(z, usable)
    shapes.learn(match, z, usable, now_s, may_be_new=new)
    return match


def test_without_a_shape_nothing_is_said_for_or_against():
    assert Shapes(LEADS, SAMPLES).match(windows(15), BOTH).best == UNKNOWN


def test_a_learnt_shape_is_found_again_at_its_lag_and_in_any_size():
    shapes = Shapes(LEADS, SAMPLES)
    learn(shapes, windows(15))

    match = shapes.match(2 * windows(15, shift=1.0), BOTH)

    assert match.best == pytest.approx(1.0, abs=1e-6)
    assert match.lag == LAGS // 2 + 1
    assert match.gain_log2 == pytest.approx(1.0, abs=1e-6)


def test_a_lead_turned_over_is_told_by_the_worst_lead():
    shapes = Shapes(LEADS, SAMPLES)
    learn(shapes, windows(15))

    match = shapes.match(windows(15, heights=(1.0, 0.6)), BOTH)

    assert match.lead_best == pytest.approx(1.0, abs=1e-6)
    assert match.lead_worst < -0.5
    assert match.best < 0.7


def test_a_lead_that_cannot_be_seen_does_not_count():
    shapes = Shapes(LEADS, SAMPLES)
    learn(shapes, windows(15))

    match = shapes.match(windows(15, heights=(1.0, 5.0)), np.array([1.0, 0.0]))

    assert match.best == pytest.approx(1.0, abs=1e-6)


def test_a_lead_blind_when_a_shape_was_learnt_does_not_count_in_it_until_it_is_seen():
    shapes = Shapes(LEADS, SAMPLES)
    learn(shapes, windows(15), usable=np.array([1.0, 0.0]))
    stranger = windows(15, heights=(1.0, 5.0))

    assert shapes.match(stranger, BOTH).best == pytest.approx(1.0, abs=1e-6)

    learn(shapes, windows(15))
    assert shapes.match(stranger, BOTH).best < 0.7


def test_an_unlike_beat_becomes_a_shape_only_where_it_may():
    shapes = Shapes(LEADS, SAMPLES)
    learn(shapes, windows(15))
    wide = windows(15, width=9.0, heights=(-1.0, 1.0))

    learn(shapes, wide, new=False)
    assert shapes.match(wide, BOTH).best < 0.85

    learn(shapes, wide)
    assert shapes.match(wide, BOTH).best == pytest.approx(1.0, abs=1e-6)


def test_the_rarest_and_oldest_shape_gives_its_room():
    rng = np.random.default_rng(5)
    shapes = Shapes(LEADS, SAMPLES)
    common = rng.normal(size=(LAGS, LEADS, SAMPLES))
    for now in range(20):
        learn(shapes, common, now)

    for now in range(20, 20 + 3 * SHAPES):
        learn(shapes, rng.normal(size=(LAGS, LEADS, SAMPLES)), now)

    assert shapes.match(common, BOTH).best == pytest.approx(1.0, abs=1e-6)
