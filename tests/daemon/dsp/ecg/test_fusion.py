"""A fusion beat is a sum of the patient's normal and ventricular shapes; nothing else is called one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.fusion import Fusions, is_mixture
from daemon.dsp.ecg.tables import load_class_table
from daemon.model.findings import BeatClass
from firmware_bridge.recordings import open_recording

SECONDS = 240
T = np.linspace(-0.1, 0.1, 51)
NORMAL = np.stack([np.exp(-0.5 * (T / 0.018) ** 2), -0.6 * np.exp(-0.5 * (T / 0.02) ** 2)])
VENTRICULAR = np.stack(
    [np.exp(-0.5 * ((T + 0.01) / 0.04) ** 2), 0.9 * np.exp(-0.5 * ((T - 0.02) / 0.045) ** 2)]
)
OTHER = np.stack([-np.exp(-0.5 * ((T - 0.03) / 0.04) ** 2), 0.7 * np.exp(-0.5 * ((T + 0.03) / 0.03) ** 2)])


@given(st.floats(0.3, 1.2), st.floats(0.25, 0.9), st.floats(0.2, 5.0))
def test_a_sum_of_both_is_a_mixture_whatever_its_weights_and_the_gain_of_the_scale(a, b, gain):
    parts = (a * NORMAL + b * VENTRICULAR, NORMAL, VENTRICULAR)
    x, normal, ventricular = (gain * part for part in parts)

    assert is_mixture(x, normal, [ventricular])
    assert is_mixture(x, normal, [gain * OTHER, ventricular])


@given(st.floats(0.5, 1.5), st.integers(0, 1000))
def test_one_shape_alone_with_noise_is_none(gain, seed):
    noise = np.random.default_rng(seed).normal(0.0, 0.03, NORMAL.shape)

    assert not is_mixture(gain * NORMAL + noise, NORMAL, [VENTRICULAR, OTHER])
    assert not is_mixture(gain * VENTRICULAR + noise, NORMAL, [VENTRICULAR, OTHER])


def test_what_the_two_do_not_explain_is_none():
    assert not is_mixture(0.6 * NORMAL + 0.5 * OTHER, NORMAL, [VENTRICULAR])
    assert not is_mixture(0.6 * NORMAL - 0.5 * VENTRICULAR, NORMAL, [VENTRICULAR])


def test_with_nothing_to_compare_nothing_is_said():
    assert not is_mixture(NORMAL, NORMAL, [])
    assert not is_mixture(0.7 * NORMAL, NORMAL, [NORMAL])
    assert not is_mixture(np.zeros_like(NORMAL), NORMAL, [VENTRICULAR])
    assert not is_mixture(NORMAL, np.zeros_like(NORMAL), [VENTRICULAR])


def test_a_shape_is_ventricular_while_most_of_its_beats_are():
    fusions = Fusions()
    for k in range(3):
        assert fusions.ventricular == []
        fusions.learn(1, new=k == 0, ventricular=True)
    fusions.learn(0, new=True, ventricular=False)
    assert fusions.ventricular == [1]
    fusions.learn(1, new=True, ventricular=True)
    assert fusions.ventricular == []
    for _ in range(12):
        fusions.learn(1, new=False, ventricular=False)
    assert fusions.ventricular == []


@pytest.mark.recordings
def test_a_patient_with_fusion_beats_has_them_with_two_leads_only(recordings, fitted):
    """213 has 362 in half an hour; it was looked at when the rule was made, so this is no measure of accuracy."""
    recording = open_recording(recordings / "mitdb_train/213")
    counts = recording.counts(0, round(SECONDS * recording.rate_hz))[:2]
    gain = np.array([[c.gain] for c in recording.channels[:2]])
    offset = np.array([[c.offset] for c in recording.channels[:2]])
    x = ((counts - offset) * gain).astype(np.float32)

    for leads, some in ((2, True), (1, False)):
        detector = QrsDetector(recording.rate_hz, ("a", "b")[:leads], fitted, load_class_table())
        said = [beat.label for beat in detector.push(x[:leads], np.isfinite(x[:leads]))]

        assert said.count(BeatClass.VENTRICULAR) > 5
        assert (said.count(BeatClass.FUSION) > 0) == some
        assert said.count(BeatClass.FUSION) < 0.15 * len(said)
