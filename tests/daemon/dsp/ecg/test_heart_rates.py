"""No heart is too slow or too fast to be counted: 20 to 220 beats a minute, in one lead and in eight.

The first second is start-up: of a fast heart's first two or three beats one may be missed.
"""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.tables import load_qrs_table
from firmware_bridge.simulators.patient import Patient

RATE_HZ, SECONDS = 500.0, 40
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.mark.parametrize("bpm", [20, 30, 40, 72, 120, 180, 220])
@pytest.mark.parametrize("rows", [[1], list(range(8))])
def test_every_beat_is_found(bpm, rows):
    patient = Patient(RATE_HZ, seed=3)
    patient.rate_bpm = bpm
    mv = patient.next(round(RATE_HZ * SECONDS)).T.astype(np.float32)[rows]
    truth = np.array([b.r_s for b in patient.beats if 1 < b.r_s < SECONDS - 1])
    detector = QrsDetector(RATE_HZ, tuple(LEADS[k] for k in rows), load_qrs_table())
    found = np.array([b.sample / RATE_HZ for b in detector.push(mv, np.ones(mv.shape, dtype=bool))])

    assert all(np.abs(found - r).min() < 0.05 for r in truth)
    assert len(found) <= len(truth) + 5
