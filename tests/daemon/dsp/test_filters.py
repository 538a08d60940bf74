"""Filters equal scipy's designs at every rate, and run the same whatever they are fed in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from daemon.dsp.filters import Bridge, Cascade, Fir, group_delay, high_pass, low_pass, notch, response

RATES = (80.0, 125.0, 128.0, 200.0, 250.0, 257.0, 360.0, 499.5, 500.0, 1000.0)


def gain(sos, frequencies, rate):
    return signal.sosfreqz(sos, worN=frequencies, fs=rate)[1]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("cut", [0.05, 0.5, 30.0, 0.44])
def test_butterworth_equals_scipys(rate, order, cut):
    cut = cut * rate if cut == 0.44 else cut
    frequencies = np.geomspace(0.01, 0.499 * rate, 200)

    for make, kind in ((low_pass, "lowpass"), (high_pass, "highpass")):
        wanted = gain(signal.butter(order, cut, kind, fs=rate, output="sos"), frequencies, rate)
        np.testing.assert_allclose(response(make(order, cut, rate), frequencies, rate), wanted, atol=2e-8)


@pytest.mark.parametrize("rate", RATES)
def test_notch_equals_scipys(rate):
    centre = min(50.0, 0.45 * rate)
    b, a = signal.iirnotch(centre, centre / 4.0, fs=rate)

    np.testing.assert_allclose(notch(centre, 4.0, rate)[0], [*b, *a], atol=1e-12)


def test_a_cut_off_beyond_half_the_rate_is_refused():
    with pytest.raises(ValueError, match="between 0 and half"):
        low_pass(2, 125.0, 250.0)


def test_group_delay_equals_scipys():
    sos = low_pass(4, 40.0, 500.0)

    wanted = signal.group_delay(signal.sos2tf(sos), w=[10.0], fs=500.0)[1][0]

    assert group_delay(sos, 10.0, 500.0) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_a_lifted_cascade_equals_sosfilt_and_starts_in_its_steady_state(rate):
    sos = np.vstack([high_pass(1, 0.05, rate), low_pass(4, 0.3 * rate, rate), notch(0.25 * rate, 4.0, rate)])
    x = np.random.default_rng(1).normal(size=(40 * 17, 3)) + 300.0
    cascade = Cascade(17, 3, sos)
    restart = [np.ones(3, dtype=bool)] + [None] * 39

    ran = np.concatenate([cascade.step(x[k * 17 : k * 17 + 17], restart[k]) for k in range(40)])

    start = signal.sosfilt_zi(sos)[:, :, None] * x[0]
    wanted = signal.sosfilt(sos, x, axis=0, zi=start)[0]
    np.testing.assert_allclose(ran, wanted, atol=1e-8)
    assert np.abs(ran).max() < 10.0


def test_cascades_side_by_side_equal_each_by_itself():
    one, two = low_pass(2, 1.0, 250.0), high_pass(3, 40.0, 250.0)
    x = np.random.default_rng(2).normal(size=(60, 2))
    both, first, second = Cascade(60, 2, one, two), Cascade(60, 2, one), Cascade(60, 2, two)

    y = both.step(x, None)

    np.testing.assert_allclose(y[:60], first.step(x, None), atol=1e-12)
    np.testing.assert_allclose(y[60:], second.step(x, None), atol=1e-12)


def test_a_fir_delays_by_half_its_length():
    taps = np.array([1.0, 2.0, 4.0, 2.0, 1.0])
    x = np.random.default_rng(3).normal(size=(30, 1))
    fir = Fir(3, 1, taps)

    y = np.concatenate([fir.step(x[k : k + 3], None) for k in range(0, 30, 3)])

    assert fir.delay == 2
    np.testing.assert_allclose(y[:, 0], np.convolve(x[:, 0], taps)[:30], atol=1e-12)


goods = st.lists(st.booleans(), min_size=40, max_size=40)


@given(goods, st.integers(0, 12))
def test_a_bridge_holds_the_last_good_value_and_restarts_only_after_its_patience(good, patience):
    hop, good = 5, np.array(good)
    x = np.arange(40.0)[:, None] + 100.0
    bridge = Bridge(1, patience)

    steps = [bridge.step(x[k : k + hop], good[k : k + hop, None]) for k in range(0, 40, hop)]

    stale, last = patience + 1, 0.0
    for k, (bridged, restart) in enumerate(steps):
        part = good[k * hop : k * hop + hop]
        first = int(part.argmax()) if part.any() else None
        anew = first is not None and stale + first > patience
        assert (restart is not None) == anew
        before = x[k * hop + first, 0] if anew else last
        for i in range(hop):
            before = x[k * hop + i, 0] if part[i] else before
            assert bridged[i, 0] == before
            stale = 0 if part[i] else stale + 1
        last = before
