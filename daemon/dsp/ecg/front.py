"""The front end of the QRS detector: four filtered signals a lead, the same to the last bit however the stream is cut.

Samples and kernels are rounded to binary fractions so small that no error shows, and so few bits that every sum of products
is exact in float64. An exact sum does not depend on its order: not on the length of a block, the BLAS or the processor.

With G(s) a Gaussian of standard deviation s cut at 3 s, box a moving mean of 20 ms (its first null is 50 Hz mains, and 60 Hz
passes at under 2 %), and ' the derivative in time:

    d  = x * (G(5.5 ms) * box)'           slope, mV/s, strongest near 20 Hz
    e  = moving mean over 90 ms of |d|    envelope, mV/s
    h  = the same of |x * (G(2 ms) * box)' - d|    fine slope, mV/s: how sharp a wave is
    z  = x * (G(6 ms) - G(30 ms))         shape band, mV, about 4 to 22 Hz
    lo = x * G(16 ms)                     slow shape, mV
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring, overlapping

Floats = npt.NDArray[np.float64]

MIN_RATE_HZ = 125.0
AT_ONCE = 16  # outputs of a correlation worked out together: their windows are mostly the same samples
MAX_INNER_RATE_HZ = 250.0

SLOPE_SD_S, FINE_SD_S, BOX_S = 0.0055, 0.002, 0.020
ENVELOPE_HALF_S = 0.045
SHAPE_SD_S, BASE_SD_S, SLOW_SD_S = 0.006, 0.030, 0.016

# Bits: |x| < 2^21 units, sums of |kernel| < 2^22 units, so products sum to less than 2^43 units; a slope below 2^38 units
# summed over less than 2^12 samples stays below 2^50. float64 holds integers to 2^53.
SAMPLE_UNITS = 2.0**12  # of 1 mV
SAMPLE_LIMIT = 2.0**21
SLOPE_UNITS, SHAPE_UNITS = 2.0**14, 2.0**20  # of 1/s and of 1
SLOPE_LIMIT = 2.0**38

# A lead is blind where more than this much of the time around a sample is unusable: an R wave cut off by the
# converter's rail, or a packet lost, is bridged by holding the last value.
BLIND_BACK_S, BRIDGED_S = 0.110, 0.040


@dataclass(frozen=True, slots=True)
class Filtered:
    """A stretch of filtered signals, each (leads, n) at the inner rate, from inner sample `first` on."""

    first: int
    envelope: Floats
    fine: Floats
    shape: Floats
    slow: Floats
    blind: npt.NDArray[np.bool_]


def gauss(sd_s: float, at_s: Floats) -> Floats:
    """A Gaussian of standard deviation `sd_s` at the times `at_s`, of unit sum."""
    g: Floats = np.exp(-0.5 * (at_s / sd_s) ** 2)
    g /= g.sum()
    return g


def slope_kernel(sd_s: float, at_s: Floats) -> Floats:
    """Derivative of a Gaussian smoothed by `BOX_S`, for a correlation: 1 mV/s in gives 1 mV/s out."""
    half = BOX_S / 2
    k: Floats = np.exp(-0.5 * ((at_s - half) / sd_s) ** 2) - np.exp(-0.5 * ((at_s + half) / sd_s) ** 2)
    k /= (k * at_s).sum()
    return k


def taps(reach_s: float, rate_hz: float) -> Floats:
    """Times of a centred kernel's taps, s."""
    half = round(reach_s * rate_hz)
    return np.arange(-half, half + 1) / rate_hz


def kernels(rate_hz: float) -> tuple[Floats, Floats]:
    """Slope kernels (taps, 2: d, fine) and shape kernels (taps, 2: z, lo) in whole units."""
    at = taps(3 * SLOPE_SD_S + BOX_S / 2, rate_hz)
    d = slope_kernel(SLOPE_SD_S, at)
    fine = slope_kernel(max(FINE_SD_S, 0.45 / rate_hz), at) - d
    slopes = np.rint(np.stack([d, fine], axis=1) * SLOPE_UNITS)
    at = taps(3 * BASE_SD_S, rate_hz)
    narrow = np.where(np.abs(at) <= 3 * SHAPE_SD_S, gauss(SHAPE_SD_S, at), 0.0)
    slow = np.where(np.abs(at) <= 3 * SLOW_SD_S, gauss(SLOW_SD_S, at), 0.0)
    shapes = np.rint(np.stack([narrow - gauss(BASE_SD_S, at), slow], axis=1) * SHAPE_UNITS)
    shapes[len(at) // 2] += np.array([0.0, SHAPE_UNITS]) - shapes.sum(
        axis=0
    )  # no trace of the electrodes' offset
    return slopes, shapes


def shifted(pair: Floats, step: int) -> Floats:
    """A kernel pair (taps, 2) for AT_ONCE outputs `step` samples apart: (samples, 2 AT_ONCE), so that samples @ it are these."""
    many = np.zeros((len(pair) + (AT_ONCE - 1) * step, AT_ONCE, 2))
    for k in range(AT_ONCE):
        many[k * step : k * step + len(pair), k] = pair
    return many.reshape(len(many), -1)


class FrontEnd:
    """Filters `leads` signals of `rate_hz`; inner sample k stands at input sample k * `step`."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        if rate_hz < MIN_RATE_HZ:
            raise ValueError(
                f"{rate_hz:g} Hz is too slow to find beats: at least {MIN_RATE_HZ:g} Hz are needed"
            )
        self.step = int(-(-rate_hz // MAX_INNER_RATE_HZ))
        self.rate_hz = rate_hz / self.step
        slopes, shapes = kernels(rate_hz)
        self._slopes, self._shapes = shifted(slopes, self.step), shifted(shapes, self.step)
        self._half = round(ENVELOPE_HALF_S * self.rate_hz)
        self._slope_reach, self._shape_reach = len(slopes) // 2, len(shapes) // 2
        self._blind_back = round(BLIND_BACK_S * rate_hz)
        self._bridged = round(BRIDGED_S * rate_hz)
        self.ahead = max(self._slope_reach + self._half * self.step, self._shape_reach)
        self._x = Ring(leads, 4096)
        self._lost = Ring(leads, 4096)
        self._held = np.zeros((leads, 1))
        # Slopes around the last inner sample; before the first one the signal is a flat line.
        self._steep = np.zeros((leads, 2, self._half))
        self._begun = False
        self._lost_until = 0  # from this sample on nothing was lost
        self._next = 0

    def push(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> Filtered:
        """Take input (leads, n), give what has become complete: inner sample k needs input up to k * step + ahead.

        A value that is no number is unusable, whatever is said of it.
        """
        usable = usable & np.isfinite(mv)
        x = self._hold(mv, usable)
        if not self._begun:
            # Before the first sample stands its own value, so that the start is no step.
            self._begun = True
            before = 2 * self.ahead + self._blind_back + self.step
            self._x.begin(-before, np.repeat(x[:, :1], before, axis=1))
            self._lost.begin(-before, np.zeros((len(x), before)))
        if not usable.all():
            self._lost_until = self._lost.end + mv.shape[1]
        self._x.append(x)
        self._lost.append(~usable)
        first = self._next
        stop = max(first, self.complete(self._x.end))
        out = self._filter(first, stop)
        self._next = stop
        kept = stop * self.step - 2 * self.ahead - self._blind_back
        self._x.forget(kept)
        self._lost.forget(kept)
        return out

    def complete(self, samples: int) -> int:
        """Inner samples that are complete with so many of the input."""
        return (samples - 1 - self.ahead) // self.step + 1

    def _hold(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> Floats:
        """Samples in whole units; where a lead is unusable, its last usable value."""
        x = mv.astype(np.float64)
        np.multiply(x, SAMPLE_UNITS, out=x)
        if not usable.all():
            x = np.concatenate([self._held, np.where(usable, x, 0.0)], axis=1)
            source = np.where(usable, np.arange(1, x.shape[1]), 0)
            x = np.take_along_axis(x, np.maximum.accumulate(source, axis=1), axis=1)
        x = np.rint(np.minimum(np.maximum(x, -SAMPLE_LIMIT), SAMPLE_LIMIT))
        self._held = x[:, -1:].copy()
        return x

    def _filter(self, first: int, stop: int) -> Filtered:
        n, half = max(stop - first, 0), self._half
        known = first + half if first else 0  # slopes before this one are held
        d = np.abs(self._correlate(self._slopes, self._slope_reach, known, stop + half if n else known))
        np.minimum(d, SLOPE_LIMIT, out=d)
        d = np.concatenate([self._steep, d], axis=2)
        width = 2 * half + 1
        self._steep = d[:, :, n : n + width - 1].copy()
        total = np.zeros((*d.shape[:2], d.shape[2] + 1))
        np.cumsum(d, axis=2, out=total[:, :, 1:])
        means = (total[:, :, width : width + n] - total[:, :, :n]) / (width * SLOPE_UNITS * SAMPLE_UNITS)
        shapes = self._correlate(self._shapes, self._shape_reach, first, stop) / (SHAPE_UNITS * SAMPLE_UNITS)
        return Filtered(first, means[:, 0], means[:, 1], shapes[:, 0], shapes[:, 1], self._blind(first, stop))

    def _correlate(self, many: Floats, reach: int, first: int, stop: int) -> Floats:
        """Correlate with the kernel pair of `many`, centred on inner samples first .. stop - 1: (leads, 2, n), exact."""
        if stop <= first:
            return np.zeros((self._x.rows, 2, 0))
        x = self._x.view(first * self.step - reach, (stop - 1) * self.step + reach + 1)
        whole, rest = divmod(stop - first, AT_ONCE)
        parts: list[Floats] = []
        if whole:
            windows = overlapping(x, len(many))
            parts.append(np.ascontiguousarray(windows[:, :: AT_ONCE * self.step][:, :whole]) @ many)
        if rest:
            last = x[:, whole * AT_ONCE * self.step :]
            parts.append(last @ many[: last.shape[1], : 2 * rest])
        pairs = [part.reshape(len(x), -1, 2) for part in parts]
        out: Floats = pairs[0] if len(pairs) == 1 else np.concatenate(pairs, axis=1)
        return out.transpose(0, 2, 1)

    def _blind(self, first: int, stop: int) -> npt.NDArray[np.bool_]:
        if stop <= first:
            return np.zeros((self._lost.rows, 0), dtype=np.bool_)
        back, ahead = self._blind_back, self.ahead
        if self._lost_until <= first * self.step - back:
            return np.zeros((self._lost.rows, stop - first), dtype=np.bool_)
        lost = self._lost.view(first * self.step - back, (stop - 1) * self.step + ahead + 1)
        total = np.cumsum(np.pad(lost, ((0, 0), (1, 0))), axis=1)
        width = back + ahead + 1
        return (total[:, width:] - total[:, :-width])[:, :: self.step] > self._bridged
