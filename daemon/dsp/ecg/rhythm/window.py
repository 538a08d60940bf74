"""Does a lead look like ventricular fibrillation, flutter or tachycardia? One score for its last four seconds.

The measures are those of the literature on VF detection (phase space, leakage, spectrum, threshold sample count) and of the
QRS marks in the window; each goes through a small fitted curve, and the score is their sum: > 0 speaks for. Absolute
amplitude is left out on purpose: a table would learn the gain of a database, and lose fine VF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.inner import RATE_HZ

Floats = npt.NDArray[np.float64]

WINDOW_S = 4.0
WINDOW = round(WINDOW_S * RATE_HZ)
BASE_HALF = round(0.27 * RATE_HZ)  # two moving means: a high-pass of 1.1 Hz
CONTEXT = 2 * BASE_HALF  # samples before the window that its base line is taken from
KNOTS = 6
WAVE = 0.12

SIGNAL_FEATURES = (
    "iso", "psr", "conc", "a2", "a3", "fdom", "fsm", "leak", "slope", "tcsc", "aclag", "acv", "kurt", "skew",
    "bwshare", "lowshare", "waves",
)  # fmt: skip
BEAT_FEATURES = ("nb", "rrcv", "cdom", "cprev")
FEATURES = SIGNAL_FEATURES + BEAT_FEATURES

_FFT = 1024
_F = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
_HANN = np.hanning(WINDOW)
_PSR_LAG = round(0.5 * RATE_HZ)
_BOXES = 40
_LAGS = (round(0.19 * RATE_HZ), round(1.2 * RATE_HZ))
_TCSC = round(3 * RATE_HZ)
_TAPER = np.minimum(
    1.0, 0.5 - 0.5 * np.cos(np.pi * np.minimum(np.arange(_TCSC), np.arange(_TCSC)[::-1]) / 31)
)
_TINY = 1e-12


def band(x: Floats) -> Floats:
    """Rows of CONTEXT + WINDOW samples, less their base line: (rows, WINDOW) of 1 to 30 Hz."""
    base = _moving_mean(_moving_mean(x))
    return (x - base)[:, CONTEXT:]


def _moving_mean(x: Floats) -> Floats:
    """Mean of BASE_HALF samples on either side, of fewer at the ends."""
    n = x.shape[1]
    total = np.zeros((len(x), n + 1))
    np.cumsum(x, axis=1, out=total[:, 1:])
    low = np.maximum(np.arange(n) - BASE_HALF, 0)
    high = np.minimum(np.arange(n) + BASE_HALF + 1, n)
    mean: Floats = (total.take(high, axis=1) - total.take(low, axis=1)) / (high - low)
    return mean


def measure(x: Floats) -> Floats:
    """SIGNAL_FEATURES (rows, 17) of band-passed windows (rows, WINDOW); each row's by itself, whatever rows are beside it."""
    sd = x.std(axis=1) + _TINY
    steps = np.abs(np.diff(x, axis=1))
    steep = np.partition(steps, int(0.98 * steps.shape[1]), axis=1)[:, int(0.98 * steps.shape[1])]
    iso = (steps < 0.07 * steep[:, None]).mean(axis=1)
    top = np.abs(x).max(axis=1) + _TINY
    spectrum = np.fft.rfft(x * _HANN, _FFT, axis=1)
    lag, regular = _autocorrelation(x)
    z = x / sd[:, None]
    return np.stack(
        [
            iso,
            _phase_space(x),
            *_spectral(np.abs(spectrum)),
            _leakage(x, steps),
            steep * RATE_HZ / sd,
            _sample_count(x),
            lag,
            regular,
            np.minimum((z**4).mean(axis=1), 30.0),
            np.abs((z**3).mean(axis=1)),
            _high_share(x),
            np.abs(_kept(x, 0.0, 8.0)).max(axis=1) / top,
            waves(x),
        ],
        axis=1,
    )


def _phase_space(x: Floats) -> Floats:
    """Share of the 40 x 40 boxes that x(t) against x(t + 0.5 s) visits (Amann 2007)."""
    low = x.min(axis=1, keepdims=True)
    span = x.max(axis=1, keepdims=True) - low + _TINY
    cell = np.minimum(((x - low) / span * _BOXES).astype(np.int64), _BOXES - 1)
    box = np.sort(cell[:, :-_PSR_LAG] * _BOXES + cell[:, _PSR_LAG:], axis=1)
    visited: Floats = ((np.diff(box, axis=1) > 0).sum(axis=1) + 1) / _BOXES**2
    return visited


def _spectral(a: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Concentration at the peak, share near it, at its second harmonic, its frequency, first moment (Barro 1989)."""
    power = np.where((_F >= 0.7) & (_F <= 30), a**2, 0.0)
    total = power.sum(axis=1) + _TINY
    searched = np.where((_F >= 1) & (_F <= 10), a, 0.0)
    peak = _F[searched.argmax(axis=1)][:, None]

    def share(low: Floats, high: Floats) -> Floats:
        within: Floats = np.where((low <= _F) & (high >= _F), power, 0.0).sum(axis=1) / total
        return within

    kept = np.where((_F < 30) & (a >= 0.05 * searched.max(axis=1, keepdims=True)), a, 0.0)
    moment = (kept * _F).sum(axis=1) / (peak[:, 0] * kept.sum(axis=1) + _TINY)
    return (
        share(peak - 0.75, peak + 0.75),
        share(0.7 * peak, 1.4 * peak),
        share(1.6 * peak, 2.4 * peak),
        peak[:, 0],
        moment,
    )


def _leakage(x: Floats, steps: Floats) -> Floats:
    """What is left of x when its own half period later is added (VF filter, Kuo and Dillman 1978)."""
    total = np.abs(x).sum(axis=1)
    half = np.clip(np.rint(np.pi * total / (steps.sum(axis=1) + _TINY)).astype(np.int64), 1, WINDOW // 2)
    later = np.arange(WINDOW)[None, :] + half[:, None]
    inside = later < WINDOW
    shifted = np.take_along_axis(x, np.minimum(later, WINDOW - 1), axis=1)
    left = np.where(inside, np.abs(x + shifted), 0.0).sum(axis=1)
    whole = np.where(inside, np.abs(x) + np.abs(shifted), 0.0).sum(axis=1)
    leak: Floats = left / (whole + _TINY)
    return leak


def _sample_count(x: Floats) -> Floats:
    """Share of 3 s over a fifth of the maximum, ends tapered (Arafat 2011)."""
    part = np.abs(x[:, -_TCSC:]) * _TAPER
    share: Floats = (part > 0.2 * part.max(axis=1, keepdims=True)).mean(axis=1)
    return share


def _autocorrelation(x: Floats) -> tuple[Floats, Floats]:
    """Lag in s of the largest autocorrelation from 0.19 to 1.2 s, and that correlation."""
    power = np.abs(np.fft.rfft(x, _FFT, axis=1)) ** 2
    r = np.fft.irfft(power, _FFT, axis=1)
    overlap = WINDOW / (WINDOW - np.arange(_LAGS[0], _LAGS[1]))
    searched = r[:, _LAGS[0] : _LAGS[1]] * overlap / (r[:, :1] + _TINY)
    best = searched.argmax(axis=1)
    return (best + _LAGS[0]) / RATE_HZ, np.take_along_axis(searched, best[:, None], axis=1)[:, 0]


def _kept(x: Floats, low_hz: float, high_hz: float) -> Floats:
    """What of x lies between two frequencies."""
    spectrum = np.fft.rfft(x, axis=1)
    f = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    return np.fft.irfft(np.where((f >= low_hz) & (f <= high_hz), spectrum, 0.0), WINDOW, axis=1)


def _high_share(x: Floats) -> Floats:
    """Share of samples over half of the maximum in 13 to 16.5 Hz: low where QRS stand out (Irusta 2012)."""
    high = np.abs(_kept(x, 13.0, 16.5))
    share: Floats = (high > 0.5 * high.max(axis=1, keepdims=True)).mean(axis=1)
    return share


def waves(x: Floats) -> Floats:
    """Waves a second: how often x rises from under -WAVE of its peak to peak to over +WAVE of it."""
    bar = WAVE * np.ptp(x, axis=1, keepdims=True)
    side = np.where(x > bar, 1, np.where(x < -bar, -1, 0))
    source = np.maximum.accumulate(np.where(side != 0, np.arange(WINDOW), 0), axis=1)
    held = np.take_along_axis(side, source, axis=1)
    rate: Floats = ((held[:, 1:] == 1) & (held[:, :-1] == -1)).sum(axis=1) / WINDOW_S
    return rate


class WindowScore:
    """The fitted curves: for each feature the values at `knots` (features, 6), straight between them, level beyond."""

    def __init__(self, knots: Floats, value: Floats, base: float, features: tuple[str, ...]) -> None:
        if features != FEATURES:
            raise ValueError("the table was fitted on other features than the window measures")
        if knots.shape != (len(features), KNOTS) or value.shape != knots.shape:
            raise ValueError("a window score needs knots and values (features, 6)")
        if (np.diff(knots, axis=1) < 0).any():
            raise ValueError("the knots of a window score must not fall")
        self.knots, self.value, self.base, self.features = knots, value, base, features

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A score from its arrays: knots, value, base, features (the names, in order). ValueError if they do not fit."""
        try:
            return cls(
                np.asarray(arrays["knots"]).astype(np.float64),
                np.asarray(arrays["value"]).astype(np.float64),
                float(np.asarray(arrays["base"]).astype(np.float64)),
                tuple(str(name) for name in np.asarray(arrays["features"])),
            )
        except KeyError as missing:
            raise ValueError(f"a window score has no {missing}") from None

    def of(self, values: Floats) -> Floats:
        """Scores (rows,) of features (rows, features)."""
        score = np.full(len(values), self.base)
        for k in range(len(self.knots)):
            score += np.interp(values[:, k], self.knots[k], self.value[k])
        return score
