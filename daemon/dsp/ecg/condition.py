"""The signal that the waves' net reads: any rate to 250 Hz, wander taken out, small waves made as visible as large ones.

Inner sample n stands at input sample n * rate / 250. Everything is elementwise, in a fixed order, so that no bit depends on
how many samples come at once; what comes out is rounded to the unit that the net computes in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

INNER_HZ = 250.0
BLOCK = 64  # inner samples; work is done in whole blocks, counted from sample 0
UNITS = 2.0**14  # of 1 in what the net reads and computes
HIGH_PASS_HZ = 0.4
KNEE_MV = 0.1  # asinh(y / knee) / 2: linear below it, logarithmic above
LARGEST_MV = 1e4


class Resampler:
    """Weighs input samples by a triangle of half-width 4 ms, or one sample where these are further apart.

    That is the sample itself at 250 Hz, (1 2 1)/4 of every second one at 500 Hz, linear interpolation below 250 Hz.
    """

    def __init__(self, rate_hz: float, leads: int, first: int = 0) -> None:
        """`first`: number of the inner sample to begin with."""
        self.step = rate_hz / INNER_HZ
        self._half = max(1.0, self.step)
        self._next = first
        self._begin = max(int(np.ceil(first * self.step - self._half)), 0)  # input sample of column 0
        self._x = np.zeros((leads, 0))
        self._waiting: list[Floats] = []
        self._end = self._begin

    @property
    def begin(self) -> int:
        """The first input sample that is still asked for."""
        return self._end

    def needed(self, inner: int) -> int:
        """The last input sample that inner sample `inner` needs."""
        return int(np.ceil(inner * self.step + self._half)) - 1

    def ready(self, samples: int) -> int:
        """The inner sample behind the last whole block that is complete with the first `samples` of the input."""
        stop = self._next
        while self.needed(stop + BLOCK - 1) < samples:
            stop += BLOCK
        return stop

    def push(self, mv: Floats) -> Floats:
        """Take the input samples from `begin` on, (leads, n); give what has become complete, whole blocks only."""
        self._waiting.append(mv)
        self._end += mv.shape[1]
        first, stop = self._next, self.ready(self._end)
        if stop == first:
            return np.zeros((len(mv), 0))
        x = np.concatenate([self._x, *self._waiting], axis=1)
        self._waiting = []
        out = self._weigh(x, np.arange(first, stop))
        self._next = stop
        begin = max(int(np.ceil(stop * self.step - self._half)), self._begin)
        self._x = x[:, begin - self._begin :].copy()
        self._begin = begin
        return out

    def _weigh(self, x: Floats, inner: npt.NDArray[np.int64]) -> Floats:
        out = np.zeros((len(x), len(inner)))
        at = inner * self.step
        source = np.ceil(at - self._half).astype(np.int64) + np.arange(int(2 * self._half) + 1)[:, None]
        weights = np.maximum(1.0 - np.abs(source - at) / self._half, 0.0)
        weights[source < 0] = 0.0
        columns = np.minimum(
            np.maximum(source - self._begin, 0), x.shape[1] - 1
        )  # beyond the ends the weight is 0
        total = np.zeros(len(inner))
        for weight, column in zip(weights, columns, strict=True):  # tap by tap, always in this order
            out += weight * x.take(column, axis=1)
            total += weight
        out /= total
        return out


class Conditioner:
    """First-order high-pass that begins in the first usable sample, then compression; blocks of BLOCK samples."""

    def __init__(self, leads: int) -> None:
        self._pole = float(np.exp(-2 * np.pi * HIGH_PASS_HZ / INNER_HZ))
        self._fade = self._pole ** np.arange(1, BLOCK + 1)
        self._low = np.zeros(leads)
        self._begun, self._all_begun = np.zeros(leads, dtype=np.bool_), False

    def push(self, x: Floats, usable: Bools) -> tuple[Floats, Floats]:
        """MV (leads, whole blocks) and whether a lead can be used in each block (leads, blocks).

        Gives (y, z): high-passed mV, and what the net reads, in whole units as float64; both 0 in a block that is not usable.
        """
        leads = len(x)
        blocks = np.minimum(np.maximum(x, -LARGEST_MV), LARGEST_MV).reshape(leads, -1, BLOCK)
        sums = (1 - self._pole) * blocks
        reach = 1
        while reach < BLOCK:  # running sums that fade, by doubling
            sums[:, :, reach:] = sums[:, :, reach:] + self._pole**reach * sums[:, :, :-reach]
            reach *= 2
        low = np.empty(usable.shape)  # before each block
        every: list[bool] = np.logical_and.reduce(usable).tolist()
        for k in range(blocks.shape[1]):
            if not self._all_begun:
                self._low = np.where(self._begun, self._low, blocks[:, k, 0])
            low[:, k] = self._low
            self._low = sums[:, k, -1] + self._low * self._fade[-1]
            self._begun, self._all_begun = usable[:, k], every[k]
        y = blocks - (sums + low[:, :, None] * self._fade)
        y[~usable] = 0.0
        out = y.reshape(leads, -1)
        return out, np.rint(np.arcsinh(out / KNEE_MV) * (UNITS / 2))
