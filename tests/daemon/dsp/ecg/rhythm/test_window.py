"""The measures of four seconds, and the score of them."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm import window
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.table import RhythmTable, load_rhythm_table

T = np.arange(window.WINDOW) / RATE_HZ


def named(x):
    return dict(zip(window.SIGNAL_FEATURES, window.measure(x[None])[0], strict=True))


def beats(hz):
    return np.exp(-0.5 * (((T * hz) % 1 - 0.5) / hz / 0.015) ** 2) - 0.05


def test_a_sine_is_all_wave_and_beats_are_mostly_still():
    sine, qrs = named(np.sin(2 * np.pi * 4 * T)), named(beats(1.25))

    assert sine["iso"] < 0.1 < 0.5 < qrs["iso"]
    assert sine["leak"] < 0.15 < qrs["leak"]
    assert sine["fdom"] == pytest.approx(4, abs=0.15)
    assert sine["waves"] == pytest.approx(4, abs=0.25)
    assert qrs["waves"] <= 1.5
    assert sine["conc"] > 0.9 > qrs["conc"]
    assert sine["acv"] > 0.95
    assert sine["kurt"] == pytest.approx(1.5, abs=0.05)


def test_the_band_loses_wander_and_keeps_waves():
    t = np.arange(window.CONTEXT + window.WINDOW) / RATE_HZ
    wander = window.band(2 * np.sin(2 * np.pi * 0.15 * t)[None])
    wave = window.band(np.sin(2 * np.pi * 4 * t)[None])

    assert np.abs(wander).max() < 0.25
    assert np.abs(wave).max() > 0.9


def test_a_row_is_measured_by_itself():
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (7, window.WINDOW))

    together = window.measure(x)

    assert all(np.array_equal(window.measure(row[None])[0], together[k]) for k, row in enumerate(x))


def test_amplitude_does_not_count():
    x = np.random.default_rng(6).normal(0, 1, (1, window.WINDOW))

    assert np.allclose(window.measure(x), window.measure(50 * x), rtol=1e-6)


def test_the_score_is_straight_between_knots_and_level_beyond():
    n = len(window.FEATURES)
    knots = np.tile(np.arange(6.0), (n, 1))
    value = np.zeros((n, 6))
    value[0] = np.arange(6.0) * 2
    score = window.WindowScore(knots, value, 1.0, window.FEATURES)
    rows = np.zeros((3, n))
    rows[:, 0] = (1.5, -3, 9)

    assert score.of(rows).tolist() == [4.0, 1.0, 11.0]


def test_a_table_of_other_features_is_refused(rhythm_table):
    shape = (len(window.FEATURES), window.KNOTS)
    with pytest.raises(ValueError, match="other features"):
        window.WindowScore(np.zeros(shape), np.zeros(shape), 0.0, ("one",))
    with pytest.raises(ValueError, match="af_means"):
        RhythmTable.from_arrays({})


def test_the_shipped_table_names_what_it_was_made_of():
    from importlib.resources import files

    path = files("daemon.dsp.ecg.tables") / "rhythm.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        records = [str(name) for name in arrays["records"]]
        assert int(arrays["seed"]) > 0
        assert len(str(arrays["digest"])) == 64
    assert len(path.read_bytes()) < 100_000
    assert all(name.split("/")[0].endswith("_train") or name.startswith("nstdb/") for name in records)
    assert load_rhythm_table().window.features == window.FEATURES
