"""All leads at 125 Hz, whatever the rate they come with, the same to the last bit however the stream is cut.

A low-pass of 30 Hz (Hann-windowed sinc of 80 ms) at the input's rate, read at k / 125 s, between two samples by a straight
line. As in `front`, samples and kernel are whole numbers so small that every sum is exact, and so no order of adding shows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring, overlapping

Floats = npt.NDArray[np.float64]

RATE_HZ = 125.0
CUTOFF_HZ = 30.0
REACH_S = 0.040
SAMPLE_UNITS, SAMPLE_LIMIT = 2.0**12, 2.0**21  # of 1 mV
KERNEL_UNITS = 2.0**20


def low_pass(rate_hz: float) -> Floats:
    """Whole-numbered kernel of sum KERNEL_UNITS; its middle tap takes what rounding left over."""
    half = round(REACH_S * rate_hz)
    at = np.arange(-half, half + 1) / rate_hz
    kernel: Floats = np.sinc(2 * CUTOFF_HZ * at) * (0.5 + 0.5 * np.cos(np.pi * at / (REACH_S + 1 / rate_hz)))
    kernel = np.rint(kernel / kernel.sum() * KERNEL_UNITS)
    kernel[half] += KERNEL_UNITS - kernel.sum()
    return kernel


class Inner:
    """Resamples `leads` signals. `lost` says where a sample was held because the lead could not be used."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        self._step = rate_hz / RATE_HZ
        self._kernel = low_pass(rate_hz)
        self._reach = len(self._kernel) // 2
        self._x = Ring(leads, 4096)
        self._lost = Ring(leads, 4096)
        self._held = np.zeros((leads, 1))
        self._begun = False
        self._next = 0

    def needed(self, inner: int) -> int:
        """The last input sample that inner sample `inner` is made of."""
        return int(inner * self._step) + 1 + self._reach

    def outer(self, inner: int) -> int:
        """The input sample at inner sample `inner`."""
        return round(inner * self._step)

    def inner(self, outer: int) -> int:
        """The inner sample nearest to an input sample."""
        return round(outer / self._step)

    def push(
        self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Take input (leads, n); give the inner samples (leads, m) in mV that it completes, and whether each is lost."""
        usable = usable & np.isfinite(mv)
        x = self._hold(mv, usable)
        if not self._begun and x.shape[1]:
            self._begun = True
            self._x.begin(-self._reach, np.repeat(x[:, :1], self._reach, axis=1))
            self._lost.begin(-self._reach, np.zeros((len(x), self._reach)))
        self._x.append(x)
        self._lost.append((~usable).astype(np.float64))
        stop = self._next
        while self.needed(stop) < self._x.end:
            stop = max(int((self._x.end - 2 - self._reach) / self._step), stop) + 1
        at = np.arange(self._next, stop) * self._step
        low = at.astype(np.int64)
        self._next = stop
        out = self._read(low, at - low)
        keep = int(stop * self._step) - self._reach
        self._x.forget(keep)
        self._lost.forget(keep)
        return out

    def _hold(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> Floats:
        """Samples in whole units; where a lead is unusable, its last usable value."""
        x = mv.astype(np.float64) * SAMPLE_UNITS
        if not usable.all():
            x = np.concatenate([self._held, np.where(usable, x, 0.0)], axis=1)
            source = np.where(usable, np.arange(1, x.shape[1]), 0)
            x = np.take_along_axis(x, np.maximum.accumulate(source, axis=1), axis=1)
        x = np.rint(np.minimum(np.maximum(x, -SAMPLE_LIMIT), SAMPLE_LIMIT))
        if x.shape[1]:
            self._held = x[:, -1:].copy()
        return x

    def _read(
        self, low: npt.NDArray[np.int64], share: npt.NDArray[np.floating]
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The low-passed signal `share` of the way from input sample `low` to the next."""
        if not len(low):
            return np.zeros((self._x.rows, 0)), np.zeros((self._x.rows, 0), dtype=np.bool_)
        first = int(low[0])
        x = self._x.view(first - self._reach, int(low[-1]) + 2 + self._reach)
        windows = overlapping(x, len(self._kernel))
        y: Floats = np.ascontiguousarray(windows[:, low - first]) @ self._kernel
        if share.any():
            after = np.ascontiguousarray(windows[:, low - first + 1]) @ self._kernel
            y += share * (after - y)
        lost = self._lost.view(first, int(low[-1]) + 2)
        return y / (KERNEL_UNITS * SAMPLE_UNITS), lost[:, low - first] > 0
