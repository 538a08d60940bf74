"""Beats are named against the patient's own normal beat, learnt without labels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from daemon.dsp.ecg.classify import CLASS_FEATURES, Classifier, Intervals
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.tables import load_class_table
from daemon.dsp.ecg.trees import CLASSES, LEAVES, NODES, ClassTable
from daemon.model.findings import BeatClass

N, S, V, Q = BeatClass.NORMAL, BeatClass.SUPRAVENTRICULAR, BeatClass.VENTRICULAR, BeatClass.UNKNOWN
RATE_HZ = 250.0
LEADS = ("II", "V1")
GAINS = (1.0, -0.6)
# place from R in s, width (SD) in s, height in mV: a wide beat without P, its T turned
WIDE = ((-0.01, 0.030, 1.5), (0.06, 0.030, -0.7), (0.30, 0.060, -0.5))


@pytest.fixture(scope="module")
def classes() -> ClassTable:
    return load_class_table()


def with_wide(x, beats_s, gains=(1.0, 0.9)):
    t = np.arange(x.shape[1]) / RATE_HZ
    x = x.copy()
    for at in beats_s:
        for place, width, height in WIDE:
            x += np.outer(gains, height * np.exp(-0.5 * ((t - at - place) / width) ** 2)).astype(np.float32)
    return x


def named(fitted, classes, x, cut=None):
    """(time in s, class) of every beat."""
    detector = QrsDetector(RATE_HZ, LEADS, fitted, classes)
    usable = np.isfinite(x)
    step = cut or x.shape[1]
    beats = [
        beat
        for at in range(0, x.shape[1], step)
        for beat in detector.push(x[:, at : at + step], usable[:, at : at + step])
    ]
    return [(beat.sample / RATE_HZ, beat.label) for beat in beats]


def labels_at(said, times_s):
    """The class said of the beat at each time; None where there is none."""
    return [next((label for t, label in said if abs(t - at) < 0.1), None) for at in times_s]


def test_wide_early_beats_are_ventricular_and_the_others_normal(heart, fitted, classes):
    beats = np.arange(0.6, 118.0, 0.8)
    early = beats[20::9] - 0.28
    normal = np.delete(beats, np.arange(20, len(beats), 9))

    said = named(fitted, classes, with_wide(heart(RATE_HZ, 120.0, normal, GAINS), early))

    assert set(labels_at(said, early)) == {V}
    assert set(labels_at(said, normal[5:])) == {N}


def test_in_bigeminy_from_the_start_the_wide_beat_does_not_become_the_normal_one(heart, fitted, classes):
    normal = np.arange(0.6, 118.0, 1.5)
    early = normal[:-1] + 0.55

    said = named(fitted, classes, with_wide(heart(RATE_HZ, 120.0, normal, GAINS), early))

    assert labels_at(said, early[10:]).count(V) >= 0.95 * len(early[10:])
    assert labels_at(said, normal[10:]).count(N) >= 0.95 * len(normal[10:])


def test_an_early_beat_of_normal_shape_is_supraventricular_but_not_in_a_rhythm_without_rule(
    heart, fitted, classes
):
    regular = np.full(140, 0.85)
    early = np.arange(30, 139, 11)
    regular[early - 1] = 0.5
    regular = 0.6 + np.concatenate([[0.0], np.cumsum(regular)])
    free = 0.6 + np.cumsum(np.random.default_rng(3).uniform(0.45, 1.1, 140))

    in_sinus = named(fitted, classes, heart(RATE_HZ, regular[-1] + 2, regular, GAINS))
    in_disorder = named(fitted, classes, heart(RATE_HZ, free[-1] + 2, free, GAINS))

    assert labels_at(in_sinus, regular[early]).count(S) >= 0.8 * len(early)
    assert [label for t, label in in_sinus if t > 10].count(S) <= len(early)
    assert S not in [label for t, label in in_disorder if t > 30]


def test_one_normal_heart_has_normal_beats_whatever_its_rate(heart, fitted, classes):
    for bpm in (45, 80, 150):
        beats = np.arange(0.6, 58.0, 60 / bpm)

        said = named(fitted, classes, heart(RATE_HZ, 60.0, beats, GAINS))

        assert {label for t, label in said if t > 5} == {N}, bpm


def test_the_first_beat_has_no_class_and_every_other_one_has(heart, fitted, classes):
    said = named(fitted, classes, heart(RATE_HZ, 30.0, np.arange(0.6, 28.0, 0.8), GAINS))

    assert [label for _, label in said][:1] == [Q]
    assert Q not in [label for _, label in said][1:]


def test_beats_in_noise_as_tall_as_they_are_have_no_class(heart, fitted, classes):
    beats = np.arange(0.6, 118.0, 0.8)
    x = heart(RATE_HZ, 120.0, beats, GAINS)
    noise = np.random.default_rng(2).normal(0.0, 1.0, x.shape)
    noise = np.stack([np.convolve(lead, np.hanning(15) / 2, "same") for lead in noise])
    x[:, x.shape[1] // 2 :] += noise[:, x.shape[1] // 2 :].astype(np.float32)

    said = named(fitted, classes, x)

    assert {label for t, label in said if 5 < t < 59} == {N}
    noisy = [label for t, label in said if t > 75]
    assert noisy.count(Q) >= 0.8 * len(noisy)


def test_the_cut_of_the_stream_changes_no_class(heart, fitted, classes):
    beats = np.arange(0.6, 58.0, 0.8)
    x = with_wide(heart(RATE_HZ, 60.0, beats, GAINS, noise_mv=0.05), beats[10::7] - 0.3)
    x[0, 5000:5400] = np.nan

    whole = named(fitted, classes, x)

    assert V in [label for _, label in whole]
    assert named(fitted, classes, x, cut=13) == whole
    assert named(fitted, classes, x, cut=997) == whole


def test_without_a_table_of_classes_beats_have_none(heart, fitted):
    x = heart(RATE_HZ, 20.0, np.arange(0.6, 18.0, 0.8), GAINS)

    assert {label for _, label in named(fitted, None, x)} == {Q}


def test_a_table_for_other_features_is_refused():
    table = ClassTable(
        np.zeros((CLASSES, NODES), dtype=np.int64),
        np.zeros((CLASSES, NODES)),
        np.zeros((CLASSES, LEAVES)),
        np.zeros(CLASSES),
        CLASS_FEATURES[::-1],
    )

    with pytest.raises(ValueError, match="other features"):
        Classifier(RATE_HZ, 1, table)


def test_the_normal_interval_is_that_of_normal_beats():
    intervals = Intervals()
    for _ in range(10):
        intervals.learn(0.8, normal=True)
    for _ in range(30):
        intervals.learn(0.5, normal=False)
        intervals.learn(1.1, normal=False)

    premature, *_, normal_s, _, _ = intervals.of(0.4)

    assert normal_s == pytest.approx(0.8)
    assert premature == pytest.approx(-1.0)


def test_irregular_is_the_share_of_intervals_unlike_the_one_before():
    rng = np.random.default_rng(5)
    steady, free = Intervals(), Intervals()
    values = rng.uniform(0.4, 1.2, 33)
    for rr_s in values:
        steady.learn(0.8 + 0.01 * rng.random(), normal=True)
        free.learn(float(rr_s), normal=True)

    assert steady.irregular == 0.0
    assert free.irregular == pytest.approx(np.mean([abs(np.log2(b / a)) > 0.12 for a, b in pairwise(values)]))


def test_after_a_time_nobody_saw_the_interval_is_not_known():
    intervals = Intervals()
    for _ in range(10):
        intervals.learn(0.8, normal=True)

    assert intervals.of(None)[:3] == (0.0, 0.0, 0.0)
