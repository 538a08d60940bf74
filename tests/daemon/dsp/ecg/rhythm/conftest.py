"""Hearts whose rhythm is known, and a watch fed with their true beats."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.rhythm.watch import RhythmWatch

SEEN_AFTER_S = 0.4


@pytest.fixture(scope="session")
def rhythm_table():
    return load_rhythm_table()


@pytest.fixture(scope="session")
def watched(rhythm_table):
    """watched(rate_hz, x, beats, usable, cuts) -> what is said; beats as (time s, label)."""

    def run(rate_hz, x, beats, usable=None, cuts=(), names=None):
        usable = np.ones(x.shape, dtype=bool) if usable is None else usable
        watch = RhythmWatch(rate_hz, names or ("II", "V1", "V5")[: len(x)], rhythm_table)
        told = [(round(t * rate_hz), label) for t, label in beats]
        said, at = [], 0
        for stop in [*np.cumsum(cuts).tolist(), x.shape[1]]:
            stop = min(stop, x.shape[1])
            while told and told[0][0] + round(SEEN_AFTER_S * rate_hz) < stop:
                sample, label = told.pop(0)
                watch.beat(sample, label, due=sample + round(SEEN_AFTER_S * rate_hz))
            said += watch.push(x[:, at:stop], usable[:, at:stop])
            at = stop
        return said

    return run
