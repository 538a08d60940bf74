"""The signal at 125 Hz."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.rhythm.inner import RATE_HZ, Inner


def sine(rate_hz, hz, seconds=4):
    return np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)[None].astype(np.float32)


@pytest.mark.parametrize("rate_hz", [125.0, 200.0, 250.0, 257.0, 360.0, 500.0, 1000.0])
def test_a_slow_wave_passes_at_its_time_whatever_the_rate(rate_hz):
    y, _ = Inner(rate_hz, 1).push(sine(rate_hz, 5), np.ones((1, round(rate_hz * 4)), dtype=bool))

    at = np.arange(y.shape[1]) / RATE_HZ
    inside = (at > 0.2) & (at < 3.7)
    assert y.shape[1] > 3.9 * RATE_HZ
    assert np.abs(y[0] - np.sin(2 * np.pi * 5 * at))[inside].max() < 0.05


@pytest.mark.parametrize("rate_hz", [250.0, 500.0])
def test_mains_does_not_pass(rate_hz):
    y, _ = Inner(rate_hz, 1).push(sine(rate_hz, 50), np.ones((1, round(rate_hz * 4)), dtype=bool))

    assert np.abs(y[0, 25:-25]).max() < 0.1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=12),
    st.sampled_from([125.0, 200.0, 257.0, 360.0, 500.0]),
)
def test_no_cut_changes_a_bit(cuts, rate_hz):
    n = sum(cuts)
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (2, n)).astype(np.float32)
    usable = rng.random((2, n)) > 0.1
    whole, lost = Inner(rate_hz, 2).push(x, usable)

    inner, parts, at = Inner(rate_hz, 2), [], 0
    for cut in cuts:
        parts.append(inner.push(x[:, at : at + cut], usable[:, at : at + cut]))
        at += cut

    assert np.array_equal(np.concatenate([p[0] for p in parts], axis=1), whole)
    assert np.array_equal(np.concatenate([p[1] for p in parts], axis=1), lost)


def test_an_inner_sample_needs_what_it_says():
    inner = Inner(360.0, 1)
    for k in range(1, 50):
        need = inner.needed(k)
        fresh = Inner(360.0, 1)
        assert fresh.push(np.zeros((1, need), np.float32), np.ones((1, need), bool))[0].shape[1] == k
        assert fresh.push(np.zeros((1, 1), np.float32), np.ones((1, 1), bool))[0].shape[1] >= 1
