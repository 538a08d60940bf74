"""What each beat shows of breathing, kept for as long as `respiration` looks back."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.respiration import WINDOW_S, Breathing, breathing
from daemon.model.findings import Why

Floats = npt.NDArray[np.float64]

QRS_HALF_S = 0.06  # of the R mark, either side
LEVEL_S = (0.14, 0.08)  # before the R mark: between P and QRS
MOST_BEATS = 200  # in the window: 300 a minute


class Breaths:
    """Beat by beat; a beat is dropped when it is older than the window."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._half = round(QRS_HALF_S * rate_hz)
        self._level = tuple(round(s * rate_hz) for s in LEVEL_S)
        self._beats: deque[tuple[int, Floats]] = deque(maxlen=MOST_BEATS)

    @property
    def reach(self) -> int:
        """Samples before a beat that are looked at."""
        return max(self._half, self._level[0])

    @property
    def after(self) -> int:
        """Samples behind a beat that are looked at."""
        return self._half + 1

    def beat(self, sample: int, around: Floats, rr_ms: float | None) -> None:
        """A beat, samples sample - reach .. sample + after - 1 of every lead around it, and its RR where that is normal."""
        at = self.reach
        before = around[:, at - self._level[0] : at - self._level[1]]
        level = np.add.reduce(before, axis=1) / before.shape[1]
        qrs = around[:, at - self._half : at + self._half + 1]
        height = np.maximum.reduce(qrs, axis=1) - np.minimum.reduce(qrs, axis=1)
        area = np.add.reduce(np.abs(qrs - level[:, None]), axis=1)
        rr = np.nan if rr_ms is None else rr_ms
        self._beats.append((sample, np.concatenate([height, area, level, [rr]])))

    def clear(self) -> None:
        self._beats.clear()

    def rate(self, due: int, *, irregular: bool) -> tuple[Breathing | Why, int]:
        """The rate as of sample `due`, and the first sample that it is from; in an irregular rhythm RR is left out."""
        while self._beats and self._beats[0][0] < due - WINDOW_S * self._rate_hz:
            self._beats.popleft()
        if not self._beats:
            return Why.LEARNING, due
        t_s = np.array([sample for sample, _ in self._beats]) / self._rate_hz
        series = np.stack([values for _, values in self._beats], axis=1)
        return breathing(t_s, series[:-1] if irregular else series), self._beats[0][0]
