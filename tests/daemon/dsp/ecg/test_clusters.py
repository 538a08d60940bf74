"""Kinds of beats gathered without names: which one is normal, and how many there can be."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.clusters import CLUSTERS, Clusters
from daemon.dsp.ecg.shapes import Scaled

LEADS, SAMPLES, SLOW, LAGS = 2, 41, 90, 5
BOTH = np.ones(LEADS)
T = np.linspace(-1, 1, SAMPLES + LAGS - 1)


def windows(width, size=1.0):
    wave = size * np.exp(-((T / width) ** 2)) * np.cos(T / width)
    return np.stack([np.stack([wave[k : k + SAMPLES]] * LEADS) for k in range(LAGS)])


def seen(clusters, beat, timing=0.0, log_width=-4.0, now_s=0.0):
    likeness = clusters.compare(Scaled.of(beat, BOTH))
    clusters.learn(likeness, beat, np.zeros((LEADS, SLOW)), BOTH, timing, log_width, now_s)
    return likeness


def test_beats_of_one_shape_and_size_are_one_cluster():
    clusters = Clusters(LEADS, SAMPLES, SLOW)
    for _ in range(5):
        seen(clusters, windows(0.2))

    assert clusters.n == 1
    assert clusters.compare(Scaled.of(windows(0.2), BOTH)).values == pytest.approx([1.0])


def test_the_same_shape_four_times_as_large_is_less_alike():
    clusters = Clusters(LEADS, SAMPLES, SLOW)
    seen(clusters, windows(0.2))

    assert clusters.compare(Scaled.of(windows(0.2, 4.0), BOTH)).values == pytest.approx([0.7], abs=1e-6)


def test_of_two_as_frequent_kinds_the_late_and_narrow_one_is_the_reference():
    clusters = Clusters(LEADS, SAMPLES, SLOW)
    for _ in range(20):
        seen(clusters, windows(0.5), timing=-0.6, log_width=-3.0)
        seen(clusters, windows(0.1), timing=0.3, log_width=-4.0)

    assert clusters.n == 2
    assert clusters.reference == 1


def test_before_the_first_beat_there_is_nothing_to_compare_with():
    clusters = Clusters(LEADS, SAMPLES, SLOW)

    assert clusters.reference == -1
    assert clusters.compare(Scaled.of(windows(0.2), BOTH)).values.size == 0


def test_hundreds_of_artefacts_take_no_more_room_and_do_not_become_the_reference():
    clusters, rng = Clusters(LEADS, SAMPLES, SLOW), np.random.default_rng(4)
    for beat in range(300):
        seen(clusters, windows(0.15), now_s=float(beat))
        seen(clusters, rng.normal(size=(LAGS, LEADS, SAMPLES)), now_s=float(beat))

    assert clusters.n == CLUSTERS
    assert clusters.compare(Scaled.of(windows(0.15), BOTH)).values[clusters.reference] > 0.99


def test_a_lead_that_was_off_is_learnt_when_it_returns():
    clusters, beat = Clusters(LEADS, SAMPLES, SLOW), windows(0.2)
    only_first = np.array([1.0, 0.0])
    clusters.learn(
        clusters.compare(Scaled.of(beat, only_first)),
        beat,
        np.zeros((LEADS, SLOW)),
        only_first,
        0.0,
        -4.0,
        0.0,
    )

    assert clusters.seen[0].tolist() == [1.0, 0.0]
    seen(clusters, beat)
    assert clusters.seen[0].tolist() == [1.0, 1.0]
    assert clusters.compare(Scaled.of(beat, BOTH)).values == pytest.approx([1.0])
