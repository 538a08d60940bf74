"""A heart of Gaussian waves: true beat times are known, nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.ecg.trees import QrsTable

Signals = npt.NDArray[np.float32]

# place from R in s, width (SD) in s, height in mV: P, Q, R, S, T
WAVES = (
    (-0.17, 0.022, 0.12),
    (-0.028, 0.009, -0.12),
    (0.0, 0.010, 1.1),
    (0.028, 0.010, -0.25),
    (0.27, 0.045, 0.28),
)


@pytest.fixture(scope="session")
def fitted() -> QrsTable:
    """The table that is shipped."""
    return load_qrs_table()


@pytest.fixture(scope="session")
def heart() -> Callable[..., Signals]:
    """heart(rate_hz, seconds, beats_s, gains) -> float32 (leads, n) in mV, with a little noise that is the same each time."""

    def signals(
        rate_hz: float,
        seconds: float,
        beats_s: npt.NDArray[np.float64],
        gains: tuple[float, ...] = (1.0,),
        noise_mv: float = 0.01,
    ) -> Signals:
        t = np.arange(round(seconds * rate_hz)) / rate_hz
        lead = np.zeros_like(t)
        for beat in beats_s:
            near = np.abs(t - beat) < 0.6
            for place, width, height in WAVES:
                lead[near] += height * np.exp(-0.5 * ((t[near] - beat - place) / width) ** 2)
        noise = np.random.default_rng(7).normal(0.0, noise_mv, (len(gains), len(t)))
        return (np.array(gains)[:, None] * lead + noise).astype(np.float32)

    return signals
