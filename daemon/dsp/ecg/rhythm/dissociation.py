"""Third-degree block, suspected: P waves in step with each other, QRS in step with each other and slower, not one with the other.

A period is tried as a clock face: times that keep it all point one way, and the length of their mean vector is near 1;
times that know nothing of it point everywhere (circular statistics, Mardia and Jupp 2000).
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.pwaves import Diastole
from daemon.dsp.ecg.rhythm.said import Numbers

RULE = "dissociation/1"
BEATS, SLOWER_THAN_S, REGULAR = 8, 0.92, 0.07
PP_S = np.geomspace(0.40, 1.10, 400)
P_FASTER = 0.87  # P-P is shorter than this share of RR
IN_STEP, APART = 0.90, 0.45
SEEN_SHARE = 0.5  # of the P waves expected: the rest is hidden in QRS and T


class Dissociation:
    """Beat by beat."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.on = False
        self.numbers: Numbers = ()
        self._marks: deque[int] = deque(maxlen=BEATS)
        self._qrs: deque[float] = deque(maxlen=BEATS)
        self._rr: deque[float] = deque(maxlen=BEATS)
        self._p: deque[float] = deque(maxlen=4 * BEATS)

    @property
    def since(self) -> int:
        """The oldest beat that is counted."""
        return self._marks[0]

    def beat(self, diastole: Diastole) -> None:
        """The next beat."""
        self._marks.append(diastole.sample)
        self._qrs.append(diastole.qrs_s)
        self._rr.append(diastole.rr_s)
        self._p += diastole.blocked
        if diastole.p_s is not None:
            self._p.append(diastole.p_s)
        while self._p and self._p[0] < self._qrs[0] - self._rr[0]:
            self._p.popleft()
        self.on = len(self._qrs) == BEATS and self._independent()

    def _independent(self) -> bool:
        if len(self._p) < BEATS:
            return False
        rr = np.array(self._rr)
        mean = float(np.add.reduce(rr)) / BEATS
        if mean < SLOWER_THAN_S or float(rr.std()) > REGULAR * mean:
            return False
        p, qrs = np.array(self._p), np.array(self._qrs)
        periods = PP_S[P_FASTER * mean > PP_S]
        together = in_step(p, periods)
        best = int(together.argmax())
        locked = float(in_step(qrs, periods[best : best + 1])[0])
        seen = len(p) * float(periods[best]) / (float(qrs[-1] - qrs[0]) + mean)
        self.numbers = (
            ("p_p", float(periods[best]), "s"),
            ("r_r", mean, "s"),
            ("p_in_step", float(together[best]), ""),
            ("qrs_in_step", locked, ""),
        )
        return bool(together[best] >= IN_STEP and locked <= APART and seen >= SEEN_SHARE)


def in_step(times_s: npt.NDArray[np.float64], periods_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Length 0 .. 1 of the mean vector of `times_s` on the clock of each of `periods_s`."""
    length: npt.NDArray[np.float64] = np.abs(
        np.exp(2j * np.pi * times_s[None, :] / periods_s[:, None]).mean(axis=1)
    )
    return length
