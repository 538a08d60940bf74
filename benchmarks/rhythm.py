"""The rhythm watch alone: half an hour in long blocks as `vitald analyse` gives it, and twelve leads live in 50 ms chunks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from benchmarks import Row
from benchmarks.qrs import heart
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.rhythm.watch import RhythmWatch


def cpu_s(rate_hz: float, seconds: int, leads: int, chunk: int) -> float:
    """CPU seconds to watch `seconds` of signal given `chunk` samples at a time, with its beats."""
    x = heart(rate_hz, seconds, leads)
    usable = np.ones(x.shape, dtype=np.bool_)
    watch = RhythmWatch(rate_hz, tuple(f"lead {n}" for n in range(leads)), load_rhythm_table())
    beats = iter([*range(round(0.37 * rate_hz), x.shape[1], round(0.8 * rate_hz)), x.shape[1]])
    beat = next(beats)
    begun = time.process_time()
    for first in range(0, x.shape[1], chunk):
        while beat + 0.45 * rate_hz < first + chunk and beat < x.shape[1]:
            watch.beat(beat, due=beat + round(0.4 * rate_hz))
            beat = next(beats)
        watch.push(x[:, first : first + chunk], usable[:, first : first + chunk])
    return time.process_time() - begun


def rows() -> Iterable[Row]:
    bulk = cpu_s(360.0, 1800, 2, 360 * 60)
    yield Row("Rhythm: 30 min of 2 leads at 360 Hz, long blocks", bulk, "s CPU", "< 2 s", bulk < 2)
    live = 100 * cpu_s(500.0, 120, 12, 25) / 120
    yield Row("Rhythm: 12 leads at 500 Hz in chunks of 50 ms", live, "% of a core", "< 0.7 %", live < 0.7)
