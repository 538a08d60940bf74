"""Breathing out of series whose rate is known; nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.respiration import Breathing, breathing
from daemon.model.findings import Why


def beats(bpm, seconds=40.0):
    return np.arange(0, seconds, 60 / bpm)


def series(t, per_min, *, rows=4, depth=0.1, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6, (rows, 1))
    return 1 + depth * np.sin(2 * np.pi * per_min / 60 * t + phase) + rng.normal(0, noise, (rows, len(t)))


@pytest.mark.parametrize("per_min", [8.0, 12.0, 16.0, 24.0, 30.0])
def test_the_rate_that_the_beats_sample_comes_back(per_min):
    t = beats(75)
    found = breathing(t, series(t, per_min))

    assert isinstance(found, Breathing)
    assert found.rate_per_min == pytest.approx(per_min, abs=1.0)


def test_noise_alone_has_no_rate():
    t = beats(75)
    for seed in range(10):
        assert breathing(t, series(t, 12, depth=0.0, seed=seed)) is Why.IRREGULAR


def test_nothing_is_said_above_half_of_the_heart_rate():
    t = beats(40)

    found = breathing(t, series(t, 26.0))  # folds to 14 a minute in what 40 beats a minute can show

    assert found is Why.IRREGULAR or found.rate_per_min <= 20.0


def test_series_that_disagree_say_nothing():
    t = beats(75)
    mixed = np.concatenate([series(t, rate, rows=1) for rate in (9, 14, 20, 26, 31)])

    assert breathing(t, mixed) is Why.IRREGULAR


def test_half_a_minute_of_beats_is_needed():
    t = beats(75, 25.0)

    assert breathing(t, series(t, 12)) is Why.LEARNING
    assert breathing(t[:0], series(t[:0], 12)) is Why.LEARNING


def test_missing_values_and_odd_beats_do_no_harm():
    t = beats(75)
    x = series(t, 15)
    x[:, ::7] = np.nan
    x[0, 3] = 40.0

    found = breathing(t, x)

    assert isinstance(found, Breathing)
    assert found.rate_per_min == pytest.approx(15, abs=1.0)
