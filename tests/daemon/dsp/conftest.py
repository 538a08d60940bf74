"""Streams of blocks for the tests of the signal half."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.decide import FEATURES
from daemon.dsp.ecg.detect import QrsTable


@pytest.fixture(scope="session")
def table() -> QrsTable:
    """A detector's table by hand: a beat is what is as tall as half of the last beats. Plain, and true on clean signals."""
    size, against_last = FEATURES.index("size"), FEATURES.index("size_level")
    feature = np.array([[size, against_last, against_last, size, size, size, size]])
    threshold = np.array([[-1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]])
    leaf = np.array([[-4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, 4.0]])
    return QrsTable(feature, threshold, leaf, 0.0, FEATURES)
