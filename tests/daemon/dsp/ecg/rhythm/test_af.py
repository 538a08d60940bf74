"""Fibrillation from RR intervals."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm import af
from daemon.dsp.ecg.rhythm.beats import SeenBeat

RATE = 250


def told(watch, rr, labels=None):
    """Feed intervals in s; give what changed."""
    at, changes = 0.0, []
    for k, interval in enumerate(rr):
        at += interval
        label = labels[k] if labels else "N"
        beat = SeenBeat(round(at * 125), round(at * RATE), label, interval if k else None, 0.98, 0.98, 1.0)
        change = watch.beat(beat, None)
        if change:
            changes.append((k, change))
    return changes


@pytest.fixture
def watch(rhythm_table):
    return af.AfWatch(rhythm_table.af_means, rhythm_table.af_deviations)


def test_random_intervals_are_fibrillation_from_their_first_beat(watch):
    ((beat, change),) = told(watch, np.random.default_rng(1).uniform(0.4, 1.0, 60))

    assert change.on
    assert beat < 25
    assert change.sample < 2 * RATE


def test_breathing_is_not_fibrillation(watch):
    k = np.arange(200)

    assert told(watch, 0.85 + 0.1 * np.sin(2 * np.pi * k / 5.3)) == []


@pytest.mark.parametrize("every", [2, 3, 4])
def test_single_ectopic_beats_are_not_fibrillation(watch, every):
    rng = np.random.default_rng(2)
    rr, labels = [], []
    for k in range(150):
        early = k % every == 0
        late = k % every == 1
        rr.append(0.8 + rng.normal(0, 0.01) + (-0.25 if early else 0.25 if late else 0.0))
        labels.append("V" if early else "N")

    assert told(watch, rr, labels) == []


def test_it_ends_when_the_rhythm_becomes_regular(watch):
    rng = np.random.default_rng(3)
    rr = [*rng.uniform(0.4, 1.0, 80), *(0.8 + rng.normal(0, 0.01, 80))]

    (_, begun), (at, ended) = told(watch, rr)

    assert begun.on
    assert not ended.on
    assert at < 80 + 50
    assert abs(ended.sample / RATE - sum(rr[:80])) < 20


def test_p_waves_are_heard(rhythm_table):
    rng = np.random.default_rng(4)
    p = np.exp(-0.5 * ((np.arange(20) - 10) / 3) ** 2)[None]

    assert af.coherence(np.array([p + rng.normal(0, 0.02, p.shape) for _ in range(16)])) > 0.9
    assert af.coherence(rng.normal(0, 1, (16, 2, 20))) < 0.3


def test_segments_lose_their_slope():
    line = np.array([np.linspace(0, 3, 20)])

    assert np.abs(af.without_trend(line)).max() < 1e-12
