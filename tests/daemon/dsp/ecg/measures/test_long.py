"""What takes minutes: variability and breathing, from beats that are told to the stage directly."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.detect import DetectedBeat
from daemon.dsp.ecg.measures.said import Measured
from daemon.dsp.ecg.measures.stage import Measures
from daemon.dsp.ecg.rhythm.said import RhythmSaid
from daemon.model.findings import BeatClass, Why

RATE_HZ = 250.0
LEADS = ("I", "II", "V2", "V5")


def heart(seconds, *, swing_ms=30.0, swing_hz=0.25, labels=lambda k: BeatClass.NORMAL):
    """Beats whose RR swings round 800 ms."""
    t, beats = 1.0, []
    while t < seconds - 1:
        sample = round(t * RATE_HZ)
        beats.append(DetectedBeat(sample, sample + 75, 1.0, "II", late=False, label=labels(len(beats))))
        t += (800 + swing_ms * np.sin(2 * np.pi * swing_hz * t)) / 1000
    return beats


def signal(seconds, beats, *, per_min=15.0, depth=0.15):
    """QRS whose height goes with the breath, (leads, n) in mV."""
    n = round(seconds * RATE_HZ)
    x = np.zeros(n)
    bell = np.exp(-0.5 * (np.arange(-20, 21) / 3) ** 2)
    for beat in beats:
        at = beat.sample
        x[at - 20 : at + 21] += bell * (1 + depth * np.sin(2 * np.pi * per_min / 60 * at / RATE_HZ))
    return np.outer([0.8, 1.0, -0.6, 1.2], x).astype(np.float32)


def measured(beats, mv, *, said=(), lost=None, step=500):
    """All values, as (due, name, value, why)."""
    stage, usable = Measures(RATE_HZ, LEADS), np.ones(mv.shape, dtype=bool)
    if lost is not None:
        usable[:, lost[0] : lost[1]] = False
    found, told, spoken = [], list(beats), list(said)
    for first in range(0, mv.shape[1], step):
        stop = min(first + step, mv.shape[1])
        while told and told[0].due < stop:
            stage.beat(told.pop(0))
        due = [one for one in spoken if one.due < stop]
        spoken = spoken[len(due) :]
        found += stage.push(mv[:, first:stop], usable[:, first:stop], due)
    return [(m.due, v.name, v.value, v.why) for m in found if isinstance(m, Measured) for v in m.values]


def of(found, name):
    return [(due, value, why) for due, n, value, why in found if n == name]


@pytest.fixture(scope="module")
def steady():
    beats = heart(320)
    return measured(beats, signal(320, beats))


def test_variability_is_said_every_minute_and_absent_with_its_reason_until_there_are_five(steady):
    said = of(steady, "sdnn")

    assert [due for due, _, _ in said] == [round(60 * k * RATE_HZ) - 1 for k in range(1, 6)]
    assert [why for _, _, why in said] == [Why.LEARNING] * 4 + [None]
    assert said[-1][1] == pytest.approx(30 / np.sqrt(2), rel=0.1)
    hf, lf = of(steady, "hf_power")[-1][1], of(steady, "lf_power")[-1][1]
    assert hf == pytest.approx(30**2 / 2, rel=0.2)
    assert lf < 0.1 * hf


def test_breathing_is_the_rate_at_which_the_beats_turn(steady):
    said = of(steady, "respiration_rate")
    values = [value for _, value, why in said if why is None]

    assert said[0][2] is Why.LEARNING
    assert values
    assert values == pytest.approx([15.0] * len(values), abs=1.0)


def test_extra_beats_take_variability_away():
    beats = heart(305, labels=lambda k: BeatClass.VENTRICULAR if k % 12 == 0 else BeatClass.NORMAL)
    assert of(measured(beats, signal(305, beats)), "rmssd")[-1][2] is Why.ECTOPIC


def test_fibrillation_within_the_five_minutes_takes_it_away_too():
    beats = heart(305)
    said = [
        RhythmSaid(20_000, None, "AFIB", 21_000, (), "af/1"),
        RhythmSaid(20_000, 30_000, "AFIB", 31_000, (), "af/1"),
    ]
    assert of(measured(beats, signal(305, beats), said=said), "rmssd")[-1][2] is Why.IRREGULAR


def test_a_beat_missed_in_noise_makes_no_difference():
    beats = heart(305)
    lost = (round(100 * RATE_HZ), round(103 * RATE_HZ))
    seen = [one for one in beats if not lost[0] <= one.sample < lost[1]]
    found = of(measured(seen, signal(305, beats), lost=lost), "rmssd")[-1][1]

    assert found == pytest.approx(of(measured(beats, signal(305, beats)), "rmssd")[-1][1], rel=0.05)


@pytest.mark.parametrize("step", [25, 333, 5000])
def test_the_cut_changes_nothing(steady, step):
    beats = heart(320)
    assert measured(beats, signal(320, beats), step=step) == steady
