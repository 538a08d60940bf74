"""The marks of P, QRS and T: twelve leads live in 50 ms chunks, and half an hour of two leads in long blocks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from benchmarks import Row
from benchmarks.qrs import heart
from daemon.dsp.ecg.delineate import Delineator
from daemon.dsp.ecg.tables import load_waves_table


def cpu_s(rate_hz: float, seconds: int, leads: int, chunk: int) -> float:
    """CPU seconds to mark the beats of `seconds` of signal given `chunk` samples at a time, without finding them."""
    x = heart(rate_hz, seconds, leads)
    usable = np.ones(x.shape, dtype=np.bool_)
    delineator = Delineator(rate_hz, tuple(f"lead {n}" for n in range(leads)), load_waves_table())
    beats = [round((0.37 + 0.8 * k) * rate_hz) for k in range(int(seconds / 0.8))]
    said = 0
    begun = time.process_time()
    for first in range(0, x.shape[1], chunk):
        while beats and beats[0] + 0.45 * rate_hz < first + chunk:
            beat = beats.pop(0)
            delineator.beat(beat, beat + round(0.45 * rate_hz))
        said += len(delineator.push(x[:, first : first + chunk], usable[:, first : first + chunk]))
    if not said:
        raise RuntimeError("no beat was marked: this measures nothing")
    return time.process_time() - begun


def rows() -> Iterable[Row]:
    live = 100 * cpu_s(500.0, 120, 12, 25) / 120
    yield Row("Waves: 12 leads at 500 Hz in chunks of 50 ms", live, "% of a core", "< 0.5 %", live < 0.5)
    bulk = cpu_s(360.0, 1800, 2, 720)
    yield Row(
        "Waves: 30 min of 2 leads at 360 Hz, blocks of 2 s",
        bulk,
        "s CPU",
        "",
        None,
        f"{1800 / bulk:.0f} x real time",
    )
