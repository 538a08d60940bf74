"""The RR intervals of the last five minutes, and which of them are between normal beats (NN)."""

from __future__ import annotations

from collections import deque
from itertools import islice
from statistics import median

import numpy as np

from daemon.dsp.ecg.hrv import WINDOW_S, Variability, variability
from daemon.model.findings import BeatClass, Why

MOST_INTERVALS = 1500  # in the window: 300 a minute
ODD = (
    0.6,
    1.6,
)  # of the median of the intervals around: what lies outside hides a beat missed, or one too many
AROUND = 5  # intervals before


class Variation:
    """Interval by interval."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._rows: deque[tuple[int, float, bool]] = deque(maxlen=MOST_INTERVALS)
        self._last: tuple[int, bool] | None = None

    def beat(self, sample: int, label: BeatClass, *, seen: bool) -> float | None:
        """A beat; `seen`: nothing was missing since the one before. Its RR in ms, None without one before."""
        normal = label is BeatClass.NORMAL
        before, self._last = self._last, (sample, normal)
        if before is None or not seen:
            return None
        rr_ms = 1000 * (sample - before[0]) / self._rate_hz
        around = [rr for _, rr, is_nn in islice(reversed(self._rows), AROUND) if is_nn]
        usual = median(around) if len(around) == AROUND else rr_ms
        is_nn = normal and before[1] and ODD[0] * usual <= rr_ms <= ODD[1] * usual
        self._rows.append((sample, rr_ms, is_nn))
        return rr_ms

    def over_five_minutes(self, due: int) -> tuple[Variability | Why, int]:
        """Variability as of sample `due`, and the first sample that it is from."""
        while self._rows and self._rows[0][0] < due - WINDOW_S * self._rate_hz:
            self._rows.popleft()
        if not self._rows:
            return Why.LEARNING, due
        samples, rr_ms, normal = zip(*self._rows, strict=True)
        found = variability(np.array(samples) / self._rate_hz, np.array(rr_ms), np.array(normal))
        return found, samples[0]
