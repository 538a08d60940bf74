"""Snore: the ripple above 30 Hz that a vibrating soft palate puts on the pressure at the mask.

Snoring lies at 30 to 300 Hz, so a stream below 100 Hz says nothing of it and nothing is said. The number is the RMS of the
ripple in cmH2O over the last `WINDOW_S` (ResMed's "snore" 0 .. 5 has a unit of its own and no published scale).
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SLOWEST_HZ, ABOVE_HZ = 100.0, 30.0
TAPS_S = 0.2
WINDOW_S = 5


class Snore:
    """Takes pressure as sampled, `hz` values a second, in stretches of about a second."""

    def __init__(self, hz: float) -> None:
        half = round(TAPS_S * hz / 2)
        at = np.arange(-half, half + 1)
        low = 2 * ABOVE_HZ / hz * np.sinc(2 * ABOVE_HZ / hz * at) * np.hamming(2 * half + 1)
        self._taps = -low / low.sum()
        self._taps[half] += 1.0
        self.begin()

    def begin(self) -> None:
        """What comes next does not join what was before."""
        self._tail: Floats = np.zeros(0)
        self._power: deque[float] = deque(maxlen=WINDOW_S)

    def push(self, pressure: Floats) -> float | None:
        """The next stretch (n,); RMS of the ripple in cmH2O, None in the first second."""
        held = np.concatenate([self._tail, pressure])
        self._tail = held[-(len(self._taps) - 1) :]
        if len(held) <= len(pressure):
            return None
        ripple = np.convolve(held, self._taps, mode="valid")
        self._power.append(float((ripple * ripple).mean()))
        return float(np.sqrt(sum(self._power) / len(self._power)))
