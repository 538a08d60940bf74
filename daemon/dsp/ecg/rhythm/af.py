"""Atrial fibrillation from how irregular the RR intervals are, and whether P waves stand before the QRS.

The score of a window of RR is that of Lake and Moorman (coefficient of sample entropy) with four measures beside it, fitted
on the RR of the MIT-BIH AF database; ectopic beats are taken out first, because bigeminy and couplets are irregular too.
Windows of 16, 32 and 48 RR speak together, the longest twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.beats import SeenBeat
from daemon.dsp.ecg.rhythm.said import Numbers

Floats = npt.NDArray[np.float64]

RULE = "af/1"
WINDOWS = (16, 32, 48)
SHARES = np.array([1.0, 1.0, 2.0])
WEIGHTS = np.array([1.9, 3.8, -1.1, -0.24, 0.3])  # a standard deviation
CONSTANT = -2.7
RADIUS, CELL = 0.05, 0.06  # of the median RR
ON, OFF = 0.25, -0.5
MEAN_OF = 5
DATED_BACK = 19  # beats: 0.6 of the middle window
P_BEATS = 16
LIMIT = 6.0


@dataclass(frozen=True, slots=True)
class AfChange:
    """AF began or ended at `sample`."""

    on: bool
    sample: int


def features(rr: Floats) -> Floats:
    """Of the last 16, 32 and 48 of `rr`, as many as there are, divided by their median: (windows, 5).

    Coefficient of sample entropy (m = 1), occupied cells of the map of RR and step, ln of the median step, ln of the median
    step over two intervals by it, share of turning points.
    """
    x = rr / _median(rr)
    near = np.abs(x[:, None] - x[None, :]) <= RADIUS
    both = near[:-1, :-1] & near[1:, 1:]
    step = x[1:] - x[:-1]
    size, over_two = np.abs(step), np.abs(x[2:] - x[:-2])
    cells = np.floor(x[1:] / CELL).astype(np.int64) * 1000 + np.floor(step / CELL).astype(np.int64)
    turned = step[1:] * step[:-1] < 0
    out = []
    for n in WINDOWS:
        if len(x) < n:
            break
        # Both tables are symmetric with a true diagonal: each pair stands there twice.
        alone = (np.count_nonzero(near[-n:-1, -n:-1]) - (n - 1)) / 2
        matched = (np.count_nonzero(both[1 - n :, 1 - n :]) - (n - 1)) / 2
        middle = max(_median(size[1 - n :]), 0.002)
        sorted_cells = np.sort(cells[1 - n :])
        out.append(
            (
                log(max(alone, 1.0) / max(matched, 0.5)) + log(2 * RADIUS),
                (1 + np.count_nonzero(sorted_cells[1:] != sorted_cells[:-1])) / (n - 1),
                log(middle),
                log(max(_median(over_two[2 - n :]), 0.002) / middle),
                np.count_nonzero(turned[2 - n :]) / (n - 2),
            )
        )
    return np.array(out)


def _median(x: Floats) -> float:
    ordered = np.sort(x)
    n = len(x)
    return float(ordered[n // 2] + ordered[(n - 1) // 2]) / 2


def coherence(segments: Floats) -> float:
    """How alike (beats, leads, n) segments are, 0 (noise) .. 1, in the best lead: P waves repeat themselves."""
    n = len(segments)
    common = np.add.reduce((np.add.reduce(segments) / n) ** 2, axis=1)
    total = np.add.reduce(np.add.reduce(segments**2) / n, axis=1)
    return float(((common - total / n) / (total * (1 - 1 / n) + 1e-12)).max())


def without_trend(segment: Floats) -> Floats:
    """(leads, n) less the straight line of least squares."""
    n = segment.shape[1]
    at, squared = _line(n)
    slope = np.add.reduce(segment * at, axis=1, keepdims=True) / squared
    flat: Floats = segment - np.add.reduce(segment, axis=1, keepdims=True) / n - slope * at
    return flat


@cache
def _line(n: int) -> tuple[Floats, float]:
    """A straight line through 0 in the middle of n samples, and its sum of squares."""
    at = np.arange(n, dtype=np.float64) - (n - 1) / 2
    return at, float(np.add.reduce(at * at))


def repeating(rr: Floats) -> float:
    """Largest autocorrelation at lags 2 to 4: bi-, tri- and quadrigeminy."""
    total = np.add.reduce
    x = rr - total(rr) / len(rr)
    power = float(total(x * x)) + 1e-12
    return max(float(total(x[lag:] * x[:-lag])) / power for lag in (2, 3, 4))


class AfWatch:
    """Beat by beat. `means`, `deviations` (windows, 5) put the features of each window on the scale of the weights."""

    def __init__(self, means: Floats, deviations: Floats) -> None:
        if means.shape != (len(WINDOWS), len(WEIGHTS)) or deviations.shape != means.shape:
            raise ValueError("the AF score needs means and deviations (3, 5)")
        self._means, self._deviations = means, deviations
        self.on = False
        self.clear()

    def clear(self) -> None:
        """Start anew; no AF is on."""
        self.on = False
        self.score = 0.0
        self.rr: deque[float] = deque(maxlen=max(WINDOWS))  # ectopic beats made good
        self._raw: deque[float] = deque(maxlen=32)
        self._dropped: deque[bool] = deque(maxlen=32)
        self._marks: deque[int] = deque(maxlen=DATED_BACK + 1)
        self._scores: deque[float] = deque(maxlen=MEAN_OF)
        self._segments: deque[Floats] = deque(maxlen=P_BEATS)
        self._odd: list[float] = []
        self._first = -1
        self._entropy = self._coherence = 0.0

    def beat(self, beat: SeenBeat, before: Floats | None) -> AfChange | None:
        """The next beat, and the signal before its QRS, (leads, n), None where it is not to be had."""
        if self._first < 0:
            self._first = beat.sample
        self._marks.append(beat.sample)
        self._take(beat)
        if not beat.foreign and before is not None:
            self._segments.append(without_trend(before))
        if len(self.rr) < WINDOWS[0]:
            return None
        self._scores.append(self._score())
        self.score = sum(self._scores) / len(self._scores)
        if self.on and self.score < OFF:
            self.on = False
            return AfChange(on=False, sample=self._marks[0])
        if not self.on and self.score > ON:
            self.on = True
            begun = len(self.rr) == WINDOWS[0]
            return AfChange(on=True, sample=self._first if begun else self._marks[0])
        return None

    @property
    def numbers(self) -> Numbers:
        """Evidence."""
        return (
            ("af_score", self.score, ""),
            ("sample_entropy", self._entropy, ""),
            ("p_coherence", self._coherence, ""),
        )

    def _take(self, beat: SeenBeat) -> None:
        """Put the interval before a beat into the series, ectopic beats made good."""
        if beat.rr_s is None:
            self._odd = []
            return
        self._raw.append(beat.rr_s)
        if len(self._odd) <= 2:  # more are no single beat: how many does not matter
            self._odd.append(beat.rr_s)
        if beat.foreign:
            self._dropped.append(True)
            return
        if len(self._odd) <= 2:
            self.rr.append(sum(self._odd) / len(self._odd))
        self._dropped.append(len(self._odd) > 2)
        self._odd = []

    def _score(self) -> float:
        measured = features(np.array(self.rr))
        n = len(measured)
        z = (measured - self._means[:n]) / self._deviations[:n] * WEIGHTS
        z = np.add.reduce(z, axis=1) + CONSTANT
        self._entropy = float(measured[-1, 0])
        share = SHARES[:n]
        score = min(max(float(np.add.reduce(share * z) / np.add.reduce(share)), -LIMIT), LIMIT)
        if len(self._segments) == P_BEATS:
            self._coherence = coherence(np.array(self._segments))
            score -= 3 * max(0.0, self._coherence - 0.35)
        score -= 8 * max(0.0, sum(self._dropped) / len(self._dropped) - 0.75)
        if len(self._raw) == self._raw.maxlen:
            score -= 6 * max(0.0, repeating(np.array(self._raw)) - 0.35)
        return score
