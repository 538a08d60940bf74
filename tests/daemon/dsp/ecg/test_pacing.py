"""Pacing pulses are found in the signal, and nothing else is taken for one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.detect import DECISION_S, QrsDetector
from daemon.dsp.ecg.front import FrontEnd
from daemon.dsp.ecg.pacing import PROVEN, PULSE_S, SLOWEST_HZ, PacedShapes, PacingSpikes, Pulses
from daemon.dsp.ecg.tables import load_class_table
from daemon.model.findings import BeatClass
from firmware_bridge.recordings import open_recording
from firmware_bridge.simulators.patient import Patient

WIDE = ((-0.01, 0.028, 1.2), (0.06, 0.030, -0.6), (0.30, 0.060, -0.4))  # place, width (SD) in s, height in mV
BEATS_S = np.arange(0.7, 29.0, 0.85)
PULSES_S = BEATS_S - 0.075


def wide(rate_hz, gains=(1.0, -0.7), noise_mv=0.005):
    """Wide beats at BEATS_S, (leads, 30 s)."""
    t = np.arange(round(30 * rate_hz)) / rate_hz
    lead = sum(
        height * np.exp(-0.5 * ((t - at - place) / width) ** 2)
        for at in BEATS_S
        for place, width, height in WIDE
    )
    noise = np.random.default_rng(4).normal(0.0, noise_mv, (len(gains), len(t)))
    return (np.outer(gains, lead) + noise).astype(np.float32)


def with_pulses(x, rate_hz, times_s, gains=(0.6, 0.4), smeared_s=0.0):
    """Pulses of one sample (smeared over a Gaussian of that SD) added at the times."""
    x = x.copy()
    t = np.arange(x.shape[1])
    for at in times_s:
        away = t - round(at * rate_hz)
        pulse = (away == 0) if not smeared_s else np.exp(-0.5 * (away / (smeared_s * rate_hz)) ** 2)
        x += np.outer(gains, pulse).astype(np.float32)
    return x


def found(x, rate_hz, cuts=None):
    spikes = PacingSpikes(rate_hz, len(x))
    usable = np.isfinite(x)
    parts = np.split(np.arange(x.shape[1]), cuts if cuts is not None else [])
    return [spike for part in parts for spike in spikes.push(x[:, part], usable[:, part])]


@pytest.mark.parametrize(
    ("rate_hz", "smeared_s"), [(250, 0), (360, 0.0045), (500, 0), (500, 0.002), (1000, 0), (1000, 0.001)]
)
def test_every_pulse_is_found_once_where_it_stands_and_nothing_else(rate_hz, smeared_s):
    said = found(with_pulses(wide(rate_hz), rate_hz, PULSES_S, smeared_s=smeared_s), rate_hz)

    assert np.array([spike.sample for spike in said]) == pytest.approx(np.rint(PULSES_S * rate_hz), abs=1)
    assert {spike.lead for spike in said} == {0}
    assert [spike.mv for spike in said] == pytest.approx([0.6] * len(said), abs=0.1)


def test_a_pulse_downwards_has_its_sign():
    said = found(with_pulses(wide(500), 500, PULSES_S, gains=(-0.5, 0.1)), 500)

    assert len(said) == len(PULSES_S)
    assert all(spike.mv < 0 for spike in said)


@pytest.mark.parametrize("rate_hz", [250, 360, 500, 1000])
def test_hearts_without_a_pacemaker_have_none(heart, rate_hz):
    narrow = heart(rate_hz, 30.0, BEATS_S, (1.0, -0.6))
    tall = heart(rate_hz, 30.0, BEATS_S, (3.0, 2.0))

    assert found(wide(rate_hz), rate_hz) == []
    assert found(narrow, rate_hz) == []
    assert found(tall, rate_hz) == []


def test_a_small_narrow_wave_before_a_steep_qrs_is_no_pulse(heart):
    """A septal q of 12 ms, as in mitdb 101."""
    x = heart(360, 30.0, BEATS_S, (1.0,))
    t = np.arange(x.shape[1]) / 360
    for at in BEATS_S:
        x[0] -= (0.25 * np.exp(-0.5 * ((t - at + 0.030) / 0.005) ** 2)).astype(np.float32)

    assert found(x, 360) == []


def test_of_many_leads_two_must_show_it():
    x = wide(500, gains=(1.0, 0.8, -0.7, 0.5))

    assert found(with_pulses(x, 500, PULSES_S, gains=(0.6, 0, 0, 0)), 500) == []
    assert len(found(with_pulses(x, 500, PULSES_S, gains=(0.6, 0, -0.3, 0)), 500)) == len(PULSES_S)


def test_below_the_slowest_rate_nothing_is_claimed():
    assert found(with_pulses(wide(200), 200, PULSES_S), 200) == []
    assert SLOWEST_HZ > 200


def test_what_cannot_be_used_is_no_pulse_and_warns_of_nothing():
    x = wide(500)
    x[:, 3000:3010] = np.nan
    x[0, 6000] = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert found(x, 500) == []


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 14_999), max_size=40).map(sorted))
def test_the_cut_of_the_stream_changes_nothing(cuts):
    x = with_pulses(wide(500), 500, PULSES_S)

    assert found(x, 500, cuts) == found(x, 500)


def test_a_pulse_is_said_within_its_promise():
    x = with_pulses(wide(500), 500, PULSES_S)
    spikes = PacingSpikes(500, 2)
    for k in range(x.shape[1]):
        for spike in spikes.push(x[:, k : k + 1], np.ones((2, 1), dtype=np.bool_)):
            assert k - spike.sample <= spikes.ahead


@pytest.mark.parametrize("rate_hz", [250, 360, 500, 977, 1000])
def test_a_pulse_is_known_when_its_beat_is_named(rate_hz):
    """Else the cut of the stream would decide whether it is."""
    needed_s = PULSE_S[1] + PacingSpikes(rate_hz, 1).ahead / rate_hz

    assert needed_s < DECISION_S + FrontEnd(rate_hz, 1).ahead / rate_hz


def test_a_beat_has_the_pulse_just_before_it():
    pulses = Pulses(500, 2)
    x = with_pulses(wide(500), 500, PULSES_S)
    pulses.push(x, np.isfinite(x))

    for k in (3, 4, 9):
        assert pulses.of(round(BEATS_S[k] * 500)) == pytest.approx(-0.075, abs=0.003)
        assert pulses.of(round((BEATS_S[k] + 0.3) * 500)) is None
    assert PULSE_S[0] < -0.075 < PULSE_S[1]


def learn(paced, shape, pulse_s, *, new=False, early=False, width_s=0.17):
    return paced.learn(shape, pulse_s, new=new, early=early, width_s=width_s)


def test_a_shape_is_paced_once_its_pulses_agree_and_no_longer_when_another_takes_its_place():
    paced = PacedShapes()

    assert [learn(paced, 0, -0.07, new=k == 0) for k in range(5)] == [False, False, True, True, True]
    assert learn(paced, 0, None), "a pulse too small to see in one beat"
    assert not learn(paced, 0, None, early=True), "a pacemaker does not come early"
    assert not learn(paced, 1, None, new=True)
    assert not learn(paced, 0, None, new=True)


def test_a_narrow_beat_after_a_pulse_is_the_hearts_own():
    paced = PacedShapes()

    assert not any(learn(paced, 0, -0.07, new=k == 0, width_s=0.1) for k in range(20))


def test_pulses_at_other_places_each_time_prove_nothing():
    paced = PacedShapes()
    places = np.linspace(-0.15, 0.02, 14)

    assert not any(learn(paced, 0, float(place), new=k == 0) for k, place in enumerate(places))


def test_now_and_then_a_pulse_proves_nothing():
    paced = PacedShapes()
    rng = np.random.default_rng(8)
    said = [learn(paced, 0, -0.02 if rng.random() < PROVEN / 3 else None, new=k == 0) for k in range(3000)]

    assert sum(said) < 0.02 * len(said)


@pytest.mark.parametrize("rate_hz", [250, 500])
def test_a_paced_patient_has_paced_beats_and_another_none(fitted, rate_hz):
    for rhythm, share in (("paced", 0.95), ("sinus", 0.0), ("bigeminy", 0.0)):
        patient = Patient(rate_hz, 3)
        patient.rhythm = rhythm
        x = patient.next(40 * rate_hz)[:, [1, 2, 6]].T.astype(np.float32)
        detector = QrsDetector(rate_hz, ("II", "V1", "V5"), fitted, load_class_table())
        labels = [beat.label for beat in detector.push(x, np.isfinite(x)) if beat.sample > 6 * rate_hz]

        assert len(labels) > 20
        assert share * len(labels) <= labels.count(BeatClass.PACED) <= (share > 0) * len(labels), rhythm


@pytest.mark.recordings
def test_paced_beats_of_a_recording_and_its_ventricular_ones(recordings, fitted):
    """Two minutes of 217: paced, with ventricular beats; fitted on, so this is no measure of accuracy."""
    recording = open_recording(recordings / "mitdb_train/217")
    rate_hz = recording.rate_hz
    counts = recording.counts(0, round(120 * rate_hz))[:2]
    gain = np.array([[c.gain] for c in recording.channels[:2]])
    offset = np.array([[c.offset] for c in recording.channels[:2]])
    x = ((counts - offset) * gain).astype(np.float32)
    usable = np.isfinite(x)

    whole = QrsDetector(rate_hz, ("a", "b"), fitted, load_class_table()).push(x, usable)
    detector, beats = QrsDetector(rate_hz, ("a", "b"), fitted, load_class_table()), []
    for at in range(0, x.shape[1], 37):
        beats += detector.push(x[:, at : at + 37], usable[:, at : at + 37])

    assert beats == whole
    said = [beat.label for beat in whole]
    assert said.count(BeatClass.PACED) > 0.7 * len(said)
    assert BeatClass.VENTRICULAR in said
