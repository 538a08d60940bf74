"""The recent past of a few signals, by absolute sample number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def overlapping(x: Floats, width: int) -> Floats:
    """Every stretch of `width` samples of x (..., n), to be read only: (..., n - width + 1, width).

    As numpy's sliding_window_view, at a tenth of its cost for a beat's few samples.
    """
    x = np.ascontiguousarray(x)
    shape = (*x.shape[:-1], x.shape[-1] - width + 1, width)
    every: Floats = np.ndarray(shape, x.dtype, x, strides=(*x.strides, x.itemsize))
    every.flags.writeable = False
    return every


class Ring:
    """Rows of samples `begin` .. `end` - 1; what is forgotten gives its room to what comes."""

    def __init__(self, rows: int, room: int) -> None:
        self.rows = rows
        self._data = np.zeros((rows, room))
        self._origin = 0  # sample number of column 0
        self.first = 0
        self.end = 0

    def begin(self, first: int, values: Floats) -> None:
        """Start (again) at sample `first` with `values` (rows, n)."""
        self._origin = self.first = self.end = first
        self.append(values)

    def append(self, values: Floats | npt.NDArray[np.bool_]) -> None:
        """Add (rows, n) samples at the end."""
        n = values.shape[1]
        if self.end + n - self._origin > self._data.shape[1]:
            kept = self.end - self.first
            data = (
                self._data if kept + n <= self._data.shape[1] // 2 else np.zeros((self.rows, 2 * (kept + n)))
            )
            data[:, :kept] = self._data[:, self.first - self._origin : self.end - self._origin].copy()
            self._data, self._origin = data, self.first
        at = self.end - self._origin
        self._data[:, at : at + n] = values
        self.end += n

    def forget(self, before: int) -> None:
        """Let go of samples before number `before`."""
        self.first = min(max(self.first, before), self.end)

    def view(self, first: int, stop: int) -> Floats:
        """Samples first .. stop - 1 (rows, stop - first), without copying; they must be held."""
        assert self.first <= first <= stop <= self.end, f"{first}..{stop} of {self.first}..{self.end}"
        return self._data[:, first - self._origin : stop - self._origin]

    def at(self, sample: int) -> Floats:
        """One sample (rows,), as `view`."""
        assert self.first <= sample < self.end, f"{sample} of {self.first}..{self.end}"
        return self._data[:, sample - self._origin]
