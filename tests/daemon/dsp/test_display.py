"""The screen's chains do what their labels say, at every rate, causally."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.display import Chain, Display, DisplaySettings

RATES = (125.0, 128.0, 200.0, 250.0, 257.0, 360.0, 500.0, 1000.0)
MODES = ("diagnostic", "monitor", "st")


def hop_of(rate):
    return round(rate * 0.05)


def run(chain, x, hop):
    steps = [
        chain.step(x[k : k + hop], np.ones(x.shape[1], dtype=bool) if k == 0 else None)
        for k in range(0, len(x), hop)
    ]
    return np.concatenate(steps)


def amplitude(settings, rate, frequency):
    """What is left of a sine of 1 mV once it has run for a while."""
    hop = hop_of(rate)
    n = hop * int(max(30.0, 6.0 / frequency) / 0.05)
    x = np.sin(2 * np.pi * frequency * np.arange(n) / rate)[:, None]
    y = run(Chain(settings, rate, hop, 1), x, hop)[n // 2 :]
    return np.sqrt(2.0) * y.std()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("mode", "low"), [("monitor", 0.5), ("st", 0.05)])
def test_the_band_is_three_decibels_down_where_its_label_says(rate, mode, low):
    settings = DisplaySettings(mode, 0)

    assert Chain(settings, rate, hop_of(rate), 1).names == (f"{low:g}-40 Hz",)
    assert amplitude(settings, rate, 40.0) == pytest.approx(0.707, abs=0.02)
    assert amplitude(settings, rate, 10.0) == pytest.approx(1.0, abs=0.01)
    if low == 0.5:
        assert amplitude(settings, rate, low) == pytest.approx(0.707, abs=0.03)


@pytest.mark.parametrize(
    ("rate", "label"),
    [(500.0, "0.05-150 Hz"), (360.0, "0.05-150 Hz"), (250.0, "0.05-125 Hz"), (128.0, "0.05-64 Hz")],
)
def test_a_rate_too_low_for_the_band_is_said_in_the_label(rate, label):
    assert Chain(DisplaySettings("diagnostic", 0), rate, hop_of(rate), 1).names == (label,)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mains", [50, 60])
def test_the_notch_takes_mains_out_and_leaves_the_middle(rate, mains):
    settings = DisplaySettings("diagnostic", mains)

    names = Chain(settings, rate, hop_of(rate), 1).names

    assert amplitude(settings, rate, float(mains)) < 0.01
    assert amplitude(settings, rate, 20.0) == pytest.approx(1.0, abs=0.02)
    assert names[1] in {f"notch {mains} Hz", f"notch {mains}+{2 * mains} Hz"}


@pytest.mark.parametrize(
    ("settings", "most_ms"),
    [(DisplaySettings(mode, 50), 12.0) for mode in MODES]
    + [(DisplaySettings("monitor", 50, cleaning=True), 80.0)],
)
@pytest.mark.parametrize("rate", [250.0, 500.0])
def test_a_qrs_is_drawn_where_it_happened_and_soon(settings, most_ms, rate):
    hop = hop_of(rate)
    chain = Chain(settings, rate, hop, 1)
    place = np.arange(hop * 40) - hop * 20
    x = np.exp(-0.5 * np.square(place / (0.012 * rate)))[:, None]

    y = run(chain, x, hop)

    assert abs(int(y[:, 0].argmax()) - chain.delay - hop * 20) <= 2
    assert chain.delay / rate * 1000 <= most_ms


def test_cleaning_prints_every_stage_and_takes_noise_away():
    settings = DisplaySettings("monitor", 50, cleaning=True)
    noise = np.random.default_rng(6).normal(0, 0.05, (25 * 200, 1))

    def left(chosen):
        return run(Chain(chosen, 500.0, 25, 1), noise, 25)[1000:].std()

    assert Chain(settings, 500.0, 25, 1).names == (
        "0.5-40 Hz", "notch 50 Hz", "low-pass 30 Hz", "Wiener 20 uV", "Gauss 2.4 ms", "Savitzky-Golay 30 ms",
        "median 14 ms", "mean 14+10 ms", "Gauss 1.6 ms",
    )  # fmt: skip
    assert left(settings) < 0.7 * left(DisplaySettings("monitor", 50))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cleaning", [False, True])
def test_a_large_electrode_offset_makes_no_transient(rate, mode, cleaning):
    hop = hop_of(rate)
    y = run(Chain(DisplaySettings(mode, 50, cleaning), rate, hop, 2), np.full((hop * 100, 2), 300.0), hop)

    assert np.abs(y).max() < 1e-6


@given(st.sampled_from(RATES), st.sampled_from(MODES), st.booleans(), st.integers(0, 99))
def test_nothing_is_drawn_before_it_came(rate, mode, cleaning, after):
    hop = hop_of(rate)
    x = np.zeros((hop * 8, 1))
    changed = x.copy()
    changed[hop * 4 + after % hop :] = 1.0
    settings = DisplaySettings(mode, 50, cleaning)

    one, other = (run(Chain(settings, rate, hop, 1), signal, hop) for signal in (x, changed))

    np.testing.assert_array_equal(one[: hop * 4 + after % hop], other[: hop * 4 + after % hop])


def test_blanking_keeps_pace_with_the_delay_of_the_chain():
    display = Display(DisplaySettings("monitor", 50, cleaning=True), 500.0, 25, 1, 1)
    delay = display.chain.delay
    visible = np.ones((500, 1), dtype=bool)
    visible[200:210] = False

    y = np.concatenate(
        [display.step(np.zeros((25, 1)), None, visible[k : k + 25], np.eye(1)) for k in range(0, 500, 25)]
    )

    np.testing.assert_array_equal(np.flatnonzero(np.isnan(y[delay:, 0])), np.arange(200, 210))


def test_settings_take_text_and_name_what_cannot_be():
    changed = DisplaySettings().with_values({"mode": "st", "mains_hz": "60", "cleaning": "true"})

    assert changed == DisplaySettings("st", 60, cleaning=True)
    for values in ({"mode": "loud"}, {"mains_hz": "55"}, {"cleaning": "yes"}, {"gain": "1"}):
        with pytest.raises(ValueError, match=f"display: {next(iter(values))} cannot be"):
            DisplaySettings().with_values(values)
