"""Breathing seen in the beats: each breath turns the heart and shifts the baseline, and often speeds and slows it.

One value a beat (height of the QRS, its area, the baseline before it, the RR interval) is a series that breathing samples;
brought to 4 Hz, its spectrum between 0.1 and 0.7 Hz has a peak at the breathing rate. The rate said is the median of the
series that show one clear peak and agree. Moody et al., Comput Cardiol 1985;12:113; Charlton et al., IEEE Rev Biomed Eng 2018;11:2.
It tells a rate, never an apnoea: the heart also turns when the chest moves against a closed airway.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.measure import NORMAL_SD
from daemon.model.findings import Why

Floats = npt.NDArray[np.float64]

WINDOW_S = 40.0
LEAST_S = 30.0  # covered by beats
SLOWEST_HZ, FASTEST_HZ = 0.1, 0.7
SERIES_HZ, POINTS = 4.0, 1024
PEAK_HALF_HZ = 0.035  # of a clear peak, either side: as wide as the window's own
CLEAR = 0.6  # share of the band's power that a clear peak holds
AGREE_PER_MIN = 2.0
LEAST_SERIES = 3
LEAST_THERE = 0.7  # of the beats must have a value
LEAST_SHARE = 0.5  # of the clear series that must agree


@dataclass(frozen=True, slots=True)
class Breathing:
    """Breaths per minute, and how many series showed it of how many there were."""

    rate_per_min: float
    agreeing: int
    series: int


def breathing(t_s: Floats, series: Floats) -> Breathing | Why:
    """From beats at `t_s` (n,) and their series (k, n), NaN where a beat has no such value.

    LEARNING where they cover too little, IRREGULAR where there is no one clear rhythm of breathing.
    """
    if len(t_s) < 10 or t_s[-1] - t_s[0] < LEAST_S:
        return Why.LEARNING
    rate_hz = (len(t_s) - 1) / (t_s[-1] - t_s[0])
    top_hz = min(FASTEST_HZ, rate_hz / 2)
    if top_hz < 2 * SLOWEST_HZ:
        return Why.IRREGULAR
    rates = _clear_peaks(t_s, series, top_hz)
    if len(rates) < LEAST_SERIES:
        return Why.IRREGULAR
    near = [[abs(one - other) <= AGREE_PER_MIN for other in rates] for one in rates]
    most = max(range(len(rates)), key=lambda k: sum(near[k]))
    agreeing = [rate for rate, is_near in zip(rates, near[most], strict=True) if is_near]
    if len(agreeing) < max(LEAST_SERIES, LEAST_SHARE * len(rates)):
        return Why.IRREGULAR
    return Breathing(median(agreeing), len(agreeing), len(series))


def _clear_peaks(t_s: Floats, series: Floats, top_hz: float) -> list[float]:
    """The peaks (1/min) of the spectra of those series that have a clear one."""
    grid = np.arange(t_s[0], t_s[-1], 1 / SERIES_HZ)
    there = np.isfinite(series)
    rows = there.mean(axis=1) >= LEAST_THERE
    if not rows.any():
        return []
    calm = _calm(series[rows])
    x = np.stack([np.interp(grid, t_s[ok], y[ok]) for y, ok in zip(calm, there[rows], strict=True)])
    shapes = np.vander(
        np.linspace(-1, 1, len(grid)), 3
    )  # a parabola: what drifts over the window is no breath
    x = x - (shapes @ np.linalg.lstsq(shapes, x.T, rcond=None)[0]).T
    power = np.abs(np.fft.rfft(x * np.hanning(len(grid)), POINTS, axis=1)) ** 2
    hz = np.fft.rfftfreq(POINTS, 1 / SERIES_HZ)
    band = (hz >= SLOWEST_HZ) & (hz <= top_hz)
    within = np.ascontiguousarray(power[:, band])
    peaks = (int(band.argmax()) + within.argmax(axis=1)).tolist()
    rates: list[float] = []
    for one, at, whole in zip(power, peaks, np.add.reduce(within, axis=1).tolist(), strict=True):
        if not (one[at] >= one[at - 1] and one[at] >= one[at + 1]):
            continue  # the flank of something slower or faster
        near = band & (np.abs(hz - hz[at]) <= PEAK_HALF_HZ)
        if whole > 0 and one[near].sum() >= CLEAR * whole:
            rates.append(float(60 * hz[at]))
    return rates


def _calm(y: Floats) -> Floats:
    """Values (series, n) farther than 4 deviations from the median brought back to there: a beat of another kind is no breath."""
    usual = _middles(y)
    spread = 4 * NORMAL_SD * _middles(np.abs(y - usual))
    return np.clip(y, usual - spread, usual + spread)


def _middles(y: Floats) -> Floats:
    """The median of what is there, NaN apart, in each row of (series, n): (series, 1)."""
    ordered, n = np.sort(y, axis=1), np.isfinite(y).sum(axis=1, keepdims=True)
    below, above = (np.take_along_axis(ordered, place, axis=1) for place in ((n - 1) // 2, n // 2))
    middle: Floats = (below + above) / 2
    return middle
