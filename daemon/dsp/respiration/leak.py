"""Where the flow of a breath is zero: what leaves through the vent of the mask, and what leaves where it should not.

Mask vents follow an orifice law, Q = k sqrt(P); k is 9.5 to 10.5 L/min per sqrt(cmH2O) for most masks and learned here. Mean
flow over whole breaths is vent flow and unintended leak together (nothing else stays in the patient), and leak only adds: k is
the tenth percentile of (mean flow) / (mean of sqrt(P)) so far. A leak that was there from the first minute on cannot be told
from the vent, as far as it keeps k within `K_RANGE`. Where that quotient is below `REMOVED`, no mask could breathe out: the
device has taken vent and leak out of its flow already (ResMed's "respiratory flow"), and its own leak is the only one there is.

Means are taken under a Hann window, whose spectrum is nearly nothing above 2 / its length: breaths do not show in them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi, sqrt
from operator import mul

import numpy as np

LPM = 60.0  # L/s to L/min
K_TYPICAL, K_RANGE = 10.0, (6.0, 14.0)  # L/min per sqrt(cmH2O)
REMOVED = 4.0
SHARE = 0.10  # of what was seen, below which the vent alone is
LEAST_P = 3.0  # cmH2O: below it the law tells nothing
SHORT_S, LONG_S = 20, 60
EVERY_S, LEAST = 5, 24  # a value each so many seconds; so many until the curve is learned
STEADY_LPS, MOVED_LPS = 0.05, 0.1
_BIN, _BINS = 0.1, 400


def _weighted(weights: list[float], values: Iterable[float]) -> float:
    return float(sum(map(mul, weights, values)))


def _hann(n: int) -> list[float]:
    weights = [0.5 - 0.5 * cos(2 * pi * (k + 0.5) / n) for k in range(n)]
    return [w / sum(weights) for w in weights]


_SHORT = _hann(SHORT_S)
_LONG = {n: _hann(n) for n in range(1, LONG_S + 1)}


@dataclass(frozen=True, slots=True)
class Leak:
    """As of a second: `vent` is k / 60 (0: taken out by the device), `offset_lps` what the flow beyond the vent is at zero.

    `total_lpm` is all that escapes, `unintended_lpm` what the vent does not explain; None where the device took them out, or
    nothing is known yet. `learned`: k is of this mask, not of a typical one.
    """

    vent: float
    offset_lps: float
    total_lpm: float | None
    unintended_lpm: float | None
    learned: bool


class MaskCurve:
    """Takes the mean flow (L/s) and mean sqrt(P) of each second; without pressure (None) the vent stays unknown."""

    def __init__(self) -> None:
        self._seen = np.zeros(_BINS, dtype=np.int64)
        self._count = 0
        self._k: float | None = None  # None: not known yet; 0: taken out
        self._provisional: float | None = None
        self.begin()

    def begin(self) -> None:
        """What comes next does not join what was before; the mask is the same."""
        self._flow: deque[float] = deque(maxlen=SHORT_S)
        self._root: deque[float] = deque(maxlen=SHORT_S)
        self._beyond: deque[float] = deque(maxlen=LONG_S)
        self._before: deque[float] = deque(maxlen=EVERY_S)
        self._seconds = 0

    def step(self, flow_lps: float, root_p: float | None) -> Leak:
        """The next second."""
        root = 0.0 if root_p is None else root_p
        self._flow.append(flow_lps)
        self._root.append(root)
        self._seconds += 1
        whole = len(self._flow) == SHORT_S
        flow = _weighted(_SHORT, self._flow) if whole else None
        roots = _weighted(_SHORT, self._root) if whole else None
        if flow is not None and roots is not None and root_p is not None:
            self._learn(flow, roots)
        k = self._k if self._k is not None else (self._provisional or 0.0)
        self._beyond.append(flow_lps - k / LPM * root)
        removed = k == 0.0
        known = flow is not None and roots is not None and not removed
        beyond = self._offset()
        return Leak(
            k / LPM,
            beyond,
            max(flow, 0.0) * LPM if known and flow is not None else None,
            max(flow * LPM - k * roots, 0.0) if known and flow is not None and roots is not None else None,
            self._k is not None,
        )

    def _offset(self) -> float:
        """The slow mean, or the fast one where the leak has moved: then the slow one begins anew."""
        n = len(self._beyond)
        slow = _weighted(_LONG[n], self._beyond)
        if n <= SHORT_S:
            return slow
        recent = list(self._beyond)[-SHORT_S:]
        fast = _weighted(_SHORT, recent)
        if abs(fast - slow) > MOVED_LPS:
            self._beyond = deque(recent, maxlen=LONG_S)
            return fast
        return slow

    def _learn(self, flow: float, roots: float) -> None:
        """One more value of the quotient, where flow has been steady for a while."""
        self._before.append(flow)
        if self._seconds % EVERY_S or roots < sqrt(LEAST_P) or abs(flow - self._before[0]) > STEADY_LPS:
            return
        quotient = flow * LPM / roots
        if self._provisional is None:
            self._provisional = 0.0 if quotient < REMOVED else min(max(quotient, K_RANGE[0]), K_TYPICAL)
        self._seen[min(max(int(quotient / _BIN), 0), _BINS - 1)] += 1
        self._count += 1
        if self._count >= LEAST:
            below = np.cumsum(self._seen)
            middle, low = (
                (int(np.searchsorted(below, share * self._count)) + 0.5) * _BIN for share in (0.5, SHARE)
            )
            self._k = 0.0 if middle < REMOVED else min(max(low, K_RANGE[0]), K_RANGE[1])
