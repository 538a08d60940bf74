"""The classes on real hearts: no cut shows, and they come with the beat."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.tables import load_class_table
from daemon.model.findings import BeatClass
from firmware_bridge.recordings import open_recording

pytestmark = pytest.mark.recordings
SECONDS = 60


@pytest.mark.parametrize("record", ["mitdb/200", "nstdb/118e00"])
def test_a_recording_cut_at_random_gives_the_same_classes(recordings, fitted, record):
    recording = open_recording(recordings / record)
    rate_hz = recording.rate_hz
    counts = recording.counts(0, round(SECONDS * rate_hz))[:2]
    gain = np.array([[c.gain] for c in recording.channels[:2]])
    offset = np.array([[c.offset] for c in recording.channels[:2]])
    x = ((counts - offset) * gain).astype(np.float32)
    usable = np.isfinite(x)
    classes = load_class_table()

    whole = QrsDetector(rate_hz, ("a", "b"), fitted, classes).push(x, usable)
    rng = np.random.default_rng(12)
    detector, beats, at = QrsDetector(rate_hz, ("a", "b"), fitted, classes), [], 0
    while at < x.shape[1]:
        stop = at + int(rng.integers(1, 500))
        beats += detector.push(x[:, at:stop], usable[:, at:stop])
        at = stop

    assert beats == whole
    if record == "mitdb/200":  # normal beats and ventricular ones, nearly every second
        said = Counter(beat.label for beat in whole)
        assert said[BeatClass.VENTRICULAR] > 20
        assert said[BeatClass.NORMAL] > 20
