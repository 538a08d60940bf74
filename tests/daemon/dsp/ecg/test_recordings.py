"""The detector on real hearts: no cut shows, and every beat is said in time."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.detect import PROMISED_S, QrsDetector
from firmware_bridge.recordings import open_recording

pytestmark = pytest.mark.recordings
SECONDS = 120


def signals(path):
    recording = open_recording(path)
    counts = recording.counts(0, round(SECONDS * recording.rate_hz))[:2]
    gain = np.array([[c.gain] for c in recording.channels[:2]])
    offset = np.array([[c.offset] for c in recording.channels[:2]])
    return recording.rate_hz, ((counts - offset) * gain).astype(np.float32)


@pytest.mark.parametrize("record", ["mitdb/100", "mitdb/200", "mitdb/228", "nstdb/118e00", "cudb/cu07"])
def test_a_recording_cut_at_random_gives_the_same_beats_each_in_time(recordings, fitted, record):
    rate_hz, x = signals(recordings / record)
    usable = np.isfinite(x)
    names = ("a", "b")[: len(x)]
    whole = QrsDetector(rate_hz, names, fitted).push(x, usable)

    rng = np.random.default_rng(11)
    detector, beats, at = QrsDetector(rate_hz, names, fitted), [], 0
    while at < x.shape[1]:
        stop = at + int(rng.integers(1, 400))
        beats += detector.push(x[:, at:stop], usable[:, at:stop])
        at = stop

    assert beats == whole
    assert len(whole) > SECONDS / 2
    assert all(beat.due - beat.sample <= PROMISED_S * rate_hz for beat in whole if not beat.late)
    assert all(beat.sample < 5 * rate_hz for beat in whole if beat.late)
    assert all(beat.due - beat.sample < rate_hz for beat in whole)
