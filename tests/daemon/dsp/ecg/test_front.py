"""The front end: exact, so that no cut shows, and what each filter lets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.front import FrontEnd

RATE = 250.0


def whole(rate_hz, x, usable=None):
    return FrontEnd(rate_hz, len(x)).push(x, np.ones(x.shape, dtype=bool) if usable is None else usable)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.sampled_from([125.0, 250.0, 360.0, 1000.0]))
def test_a_cut_changes_no_bit(cuts, rate_hz):
    rng = np.random.default_rng(3)
    n = sum(cuts)
    x = rng.normal(0, 3, (3, n)).astype(np.float32)
    usable = rng.random((3, n)) > 0.02
    expected = whole(rate_hz, x, usable)

    front, parts, at = FrontEnd(rate_hz, 3), [], 0
    for cut in cuts:
        parts.append(front.push(x[:, at : at + cut], usable[:, at : at + cut]))
        at += cut

    for name in ("envelope", "fine", "shape", "slow", "blind"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=1)
        assert np.array_equal(joined, getattr(expected, name)), name


def test_the_inner_rate_is_a_whole_part_of_the_rate_and_at_most_250_hz():
    steps = {rate: FrontEnd(rate, 1).step for rate in (125.0, 200.0, 250.0, 360.0, 500.0, 1000.0)}

    assert steps == {125.0: 1, 200.0: 1, 250.0: 1, 360.0: 2, 500.0: 2, 1000.0: 4}


def test_too_slow_a_rate_is_refused():
    with pytest.raises(ValueError, match="100 Hz is too slow"):
        FrontEnd(100.0, 1)


@pytest.mark.parametrize("rate_hz", [125.0, 360.0, 500.0, 1000.0])
def test_a_ramp_of_one_mv_a_second_has_the_envelope_one(rate_hz):
    x = (np.arange(round(4 * rate_hz))[None] / rate_hz).astype(np.float32)

    inside = whole(rate_hz, x).envelope[0, round(FrontEnd(rate_hz, 1).rate_hz) :]

    assert inside == pytest.approx(1.0, rel=2e-3)


def test_an_electrode_offset_of_300_mv_is_not_seen():
    x = np.random.default_rng(1).normal(0, 1, (1, 1000))
    # A float32 at 300 mV holds steps of 30 nV, so the samples are the same to that.
    plain, lifted = whole(RATE, x.astype(np.float32)), whole(RATE, (x + 300).astype(np.float32))

    assert np.abs(plain.envelope - lifted.envelope).max() < 0.05
    assert np.abs(plain.shape - lifted.shape).max() < 1e-3


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_of_a_tenth_mv_is_less_than_the_slope_of_a_small_beat(mains_hz):
    t = np.arange(2500) / 500.0
    x = (0.1 * np.sin(2 * np.pi * mains_hz * t))[None].astype(np.float32)

    assert whole(500.0, x).envelope[0, 200:].max() < 0.6  # the sine's own slope is 31 mV/s and more


def test_an_unusable_stretch_is_blind_and_a_lost_packet_is_not():
    x, usable = np.zeros((1, 1000), dtype=np.float32), np.ones((1, 1000), dtype=bool)
    usable[0, 300:305] = False  # 20 ms
    usable[0, 600:700] = False

    blind = np.flatnonzero(whole(RATE, x, usable).blind[0])

    assert 575 <= blind.min() < 600
    assert 700 < blind.max() <= 730


def test_values_where_a_lead_is_unusable_are_never_looked_at():
    usable = np.ones((1, 500), dtype=bool)
    usable[0, 100:200] = False
    quiet, wild = np.zeros((1, 500), dtype=np.float32), np.zeros((1, 500), dtype=np.float32)
    wild[0, 100:150], wild[0, 150:200] = np.nan, np.inf

    assert np.array_equal(whole(RATE, quiet, usable).shape, whole(RATE, wild, usable).shape)


def test_a_value_that_is_no_number_is_unusable():
    x = np.zeros((1, 500), dtype=np.float32)
    x[0, 100:200] = np.nan

    filtered = whole(RATE, x)

    assert np.isfinite(filtered.envelope).all()
    assert filtered.blind[0, 150]
