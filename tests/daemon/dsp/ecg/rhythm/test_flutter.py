"""Flutter waves between and under the beats."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm import flutter
from daemon.dsp.ecg.rhythm.beats import Beats
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.said import RhythmSaid
from daemon.dsp.ecg.rhythm.sight import View
from daemon.dsp.ecg.rhythm.window import WINDOW

RATE = 250.0


def sawtooth(t, bpm, mv=0.12):
    """Flutter waves: slow down, quick up."""
    phase = 2 * np.pi * t * bpm / 60
    return mv * (np.sin(phase) + 0.35 * np.sin(2 * phase + 0.6))


def beats_of(t, r_s, p_wave=True):
    x = np.zeros_like(t)
    waves = [(0.0, 0.010, 1.1), (0.028, 0.010, -0.25), (0.27, 0.045, 0.25)]
    for at in r_s:
        for place, width, height in [*waves, (-0.17, 0.022, 0.12)] if p_wave else waves:
            x += height * np.exp(-0.5 * ((t - at - place) / width) ** 2)
    return x


def heart(r_s, seconds, flutter_bpm=None, from_s=0.0, mv=0.12):
    t = np.arange(round(seconds * RATE)) / RATE
    x = beats_of(t, [r for r in r_s if flutter_bpm is None or r < from_s])
    if flutter_bpm:
        x += beats_of(t, [r for r in r_s if r >= from_s], p_wave=False)
        x += np.where(t >= from_s, sawtooth(t, flutter_bpm, mv), 0.0)
    noise = np.random.default_rng(5).normal(0, 0.01, (2, len(t)))
    return (np.array([[1.0], [0.4]]) * x + noise).astype(np.float32)


def rhythms(said, label):
    return [s for s in said if isinstance(s, RhythmSaid) and s.label == label]


@pytest.mark.parametrize("conducted", [(4,), (3,), (4, 3, 4, 4, 5, 3), (2, 4, 4, 2, 4, 5)])
def test_flutter_is_said_with_its_rate_whatever_its_conduction(watched, conducted):
    wave_s = 60 / 280
    before = list(np.arange(0.6, 29.5, 0.8))
    after = 30.2 + wave_s * np.cumsum(np.resize(conducted, 120))
    r_s = [*before, *after[after < 79]]
    x = heart(r_s, 80, 280, 30.0)

    said = watched(RATE, x, [(at, "N") for at in r_s])

    begun = rhythms(said, "AFL")[0]
    numbers = {name: value for name, value, _ in begun.numbers}
    assert numbers["atrial_rate"] == pytest.approx(280, rel=0.05)
    assert abs(begun.onset / RATE - 30) < 6
    assert begun.due / RATE < 30 + 15
    assert not [s for s in rhythms(said, "AFL") if s.end is not None and s.end < 75 * RATE]


@pytest.mark.parametrize("bpm", [48, 62, 75, 97, 120])
def test_sinus_rhythm_is_no_flutter(watched, bpm):
    r_s = list(np.arange(0.6, 58, 60 / bpm))

    said = watched(RATE, heart(r_s, 60), [(at, "N") for at in r_s])

    assert not rhythms(said, "AFL")


def test_fibrillating_atria_are_no_flutter(watched):
    rng = np.random.default_rng(6)
    r_s = list(0.6 + np.cumsum(rng.uniform(0.5, 1.1, 90)))
    t = np.arange(round(75 * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(6.2 + 1.5 * rng.normal(size=len(t)).cumsum() / 60) / RATE
    x = beats_of(t, r_s, p_wave=False) + 0.06 * np.sin(phase) * (1 + 0.5 * np.sin(2 * np.pi * 0.9 * t))

    said = watched(RATE, np.array([[1.0], [0.5]]) * x, [(at, "N") for at in r_s if at < 74])

    assert not rhythms(said, "AFL")
    assert rhythms(said, "AFIB")


def test_waves_of_microvolts_are_none(watched):
    r_s = list(30.2 + 60 / 280 * 4 * np.arange(40))

    said = watched(RATE, heart(r_s, 65, 280, mv=0.02), [(at, "N") for at in r_s])

    assert not rhythms(said, "AFL")


def test_a_qrs_is_cut_out_and_a_slow_wave_taken_off():
    t = np.arange(WINDOW) / RATE_HZ
    x = beats_of(t, [1.0, 2.0, 3.0], p_wave=False)[None] + 0.5 * np.sin(2 * np.pi * 0.3 * t)

    left, seen = flutter.masked(x, np.rint(np.array([1.0, 2.0, 3.0]) * RATE_HZ).astype(int))

    assert seen.sum() == WINDOW - 3 * (flutter.QRS_BEFORE + flutter.QRS_AFTER)
    assert np.abs(left).max() < 0.25


def test_likeness_is_a_correlation_over_what_is_seen():
    t = np.arange(WINDOW) / RATE_HZ
    seen = np.ones(WINDOW)
    seen[100:130] = 0.0
    wave = sawtooth(t, 300)[None] * seen

    alike = flutter.likeness(wave, seen)[0]

    assert alike[0] == pytest.approx(1.0)
    assert alike[round(0.2 * RATE_HZ)] > 0.97
    assert alike[round(0.1 * RATE_HZ)] < -0.5
    assert np.abs(alike).max() <= 1 + 1e-9


def eager(waves):
    """What the rule says of every window when all of them are measured."""
    on, last, said = False, [], []
    for one in waves:
        last = [*last, one][-flutter.MEAN_OF :]
        middle = sorted(w.bpm for w in last)[len(last) // 2]
        steady = sum(abs(w.bpm - middle) <= flutter.STEADY * middle for w in last)
        each = on or sum(w.alike >= flutter.EACH for w in last) >= flutter.EACH_OF
        score = sum(w.alike for w in last) / flutter.MEAN_OF
        on = (
            steady >= flutter.STEADY_SHARE * flutter.MEAN_OF
            and each
            and score >= (flutter.OFF if on else flutter.ON)
        )
        said.append(on)
    return said


@pytest.mark.parametrize("seed", range(20))
def test_windows_that_need_not_be_measured_change_nothing(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    alike = np.repeat(
        rng.choice([0.0, 0.45, 0.5, 0.6, 0.9], 40, p=[0.3, 0.1, 0.2, 0.2, 0.2]), rng.integers(1, 9, 40)
    )
    waves = [
        flutter.Waves(float(a), float(rng.choice([280.0, 285.0, 230.0], p=[0.6, 0.35, 0.05])), 0.1)
        for a in alike
    ]
    measured = []
    monkeypatch.setattr(flutter, "_may_be", lambda view, about: True)
    monkeypatch.setattr(flutter, "_waves", lambda view, about: measured.append(view.now) or waves[view.now])
    watch, beats = flutter.FlutterWatch(), Beats(1)
    said = []
    for k in range(len(waves)):
        view = View(k, 0, [0], np.zeros((1, WINDOW)), np.zeros((0, 0)))
        watch.step(view, beats, 0)  # every second decision is one
        said.append(watch.step(view, beats, 0))

    assert said == eager(waves)
    assert any(said)
    assert len(measured) == len(set(measured)) < len(waves)
