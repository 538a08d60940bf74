"""The QRS detector alone: half an hour in long blocks as `vitald analyse` gives it, and twelve leads live in 50 ms chunks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from benchmarks import Row
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.tables import load_qrs_table


def heart(rate_hz: float, seconds: int, leads: int) -> np.ndarray:
    """A beat of Gaussian waves 75 times a minute, in a little noise."""
    t = (np.arange(round(rate_hz * seconds)) / rate_hz) % 0.8
    waves = ((0.2, 0.022, 0.12), (0.37, 0.010, 1.1), (0.398, 0.010, -0.25), (0.64, 0.045, 0.28))
    beat = sum(height * np.exp(-0.5 * ((t - at) / width) ** 2) for at, width, height in waves)
    rng = np.random.default_rng(1)
    gains = rng.uniform(0.4, 1.2, (leads, 1)) * rng.choice([-1, 1], (leads, 1))
    return (gains * beat + rng.normal(0, 0.02, (leads, len(t)))).astype(np.float32)


def cpu_s(rate_hz: float, seconds: int, leads: int, chunk: int) -> float:
    """CPU seconds to detect in `seconds` of signal given `chunk` samples at a time."""
    x = heart(rate_hz, seconds, leads)
    usable = np.ones(x.shape, dtype=np.bool_)
    detector = QrsDetector(rate_hz, tuple(f"lead {n}" for n in range(leads)), load_qrs_table())
    begun = time.process_time()
    for first in range(0, x.shape[1], chunk):
        detector.push(x[:, first : first + chunk], usable[:, first : first + chunk])
    return time.process_time() - begun


def rows() -> Iterable[Row]:
    bulk = cpu_s(360.0, 1800, 2, 360 * 60)
    yield Row(
        "QRS: 30 min of 2 leads at 360 Hz, long blocks",
        bulk,
        "s CPU",
        "< 3 s",
        bulk < 3,
        f"{1800 / bulk:.0f} x real time",
    )
    live = 100 * cpu_s(500.0, 120, 12, 25) / 120
    yield Row("QRS: 12 leads at 500 Hz in chunks of 50 ms", live, "% of a core", "< 1 %", live < 1)
