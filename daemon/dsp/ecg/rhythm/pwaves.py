"""The patient's own P wave, learnt over all leads in use, and where it stands in a stretch of signal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.rhythm.af import without_trend
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.ring import overlapping

Floats = npt.NDArray[np.float64]

LEARNT, ENOUGH = 16, 5  # P waves that the template is the mean of; fewer are no template
BEFORE, AFTER = round(0.14 * RATE_HZ), round(0.08 * RATE_HZ)  # of the peak: a broad U wave must not fit
WIDTH = BEFORE + AFTER + 1
ALIKE = 0.80  # correlation with the template
SIZE = (0.5, 2.0)  # times the template
APART = round(0.20 * RATE_HZ)
_PLACES = np.arange(WIDTH)
_AT = _PLACES - (WIDTH - 1) / 2
_AT_SQUARED = _AT @ _AT
BROADER = 1.8  # what fits a P so many times broader better is a U wave, or a T

_SOURCE = BEFORE + (_PLACES - BEFORE) / BROADER


@dataclass(frozen=True, slots=True)
class SeenWaves:
    """The marks over all leads of the beat at `sample`, known with sample `due`; `marks` None: no lead could be used."""

    sample: int
    due: int
    marks: LeadMarks | None


@dataclass(frozen=True, slots=True)
class Diastole:
    """From the beat before to this one, times in s of the stream; PR in ms; None where there is no such wave.

    `blocked` are P waves between, that no QRS follows, `alike` the lowest correlation with the patient's own. `own` is
    whether both beats are of the heart's own conduction.
    """

    sample: int
    qrs_s: float
    rr_s: float
    p_before_s: float | None
    p_s: float | None
    pr_before_ms: float | None
    pr_ms: float | None
    blocked: tuple[float, ...]
    alike: float
    own: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A P wave at inner sample `at`, and its correlation with the template."""

    at: int
    alike: float


class PTemplate:
    """Learns P waves, (leads, WIDTH), BEFORE samples before their peak and AFTER behind it."""

    def __init__(self) -> None:
        self._segments: deque[Floats] = deque(maxlen=LEARNT)
        self._template: Floats | None = None
        self._broad = np.zeros(0)
        self._norm = self._broad_norm = 0.0

    def learn(self, segment: Floats) -> None:
        """A P wave that stands before its QRS."""
        self._segments.append(without_trend(segment))
        if len(self._segments) >= ENOUGH:
            self._template = np.add.reduce(np.array(self._segments)) / len(self._segments)
            self._broad = without_trend(broadened(self._template))
            self._norm, self._broad_norm = _norm(self._template), _norm(self._broad)

    def find(self, x: Floats, first: int) -> list[Found]:
        """P waves with their whole width within x (leads, n), inner samples from `first`; the best ones, APART, in order."""
        width = WIDTH
        if self._template is None or x.shape[1] < width:
            return []
        windows = overlapping(x, width)
        mean = np.add.reduce(windows, axis=2) / width
        slope = windows @ _AT / _AT_SQUARED
        # What is left of each window when mean and slope are gone: the template has neither.
        left = np.add.reduce(windows**2, axis=2) - width * mean**2 - slope**2 * _AT_SQUARED
        energy = np.sqrt(np.maximum(np.add.reduce(left), 1e-12))
        product = np.einsum("lnk,lk->n", windows, self._template)
        alike, scale = product / (energy * self._norm), product / self._norm**2
        alike[(scale < SIZE[0]) | (scale > SIZE[1])] = 0.0
        if np.maximum.reduce(alike) < ALIKE:
            return []
        broad = np.einsum("lnk,lk->n", windows, self._broad)
        alike[broad / (energy * self._broad_norm) > alike] = 0.0
        found: list[Found] = []
        high = np.flatnonzero(alike >= ALIKE)
        for k in high[np.argsort(-alike[high], kind="stable")].tolist():
            place = first + k + BEFORE
            if all(abs(place - other.at) >= APART for other in found):
                found.append(Found(place, float(alike[k])))
        return sorted(found, key=lambda one: one.at)


def broadened(template: Floats) -> Floats:
    """(leads, WIDTH), stretched BROADER times about the peak."""
    return np.array([np.interp(_SOURCE, _PLACES, row) for row in template])


def _norm(template: Floats) -> float:
    return float(np.sqrt(np.add.reduce(template**2, axis=None))) + 1e-12
