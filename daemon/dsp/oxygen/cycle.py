"""The swing between two sieve beds: how long a half cycle takes, how far pressure swings, and whether both halves are alike.

Valves turn from one bed to the other every few seconds. With the pressures of both beds, which go against each other, it is
their difference that changes sign at each turn; a single pressure (the feed, the tank) rises and falls once a half cycle. Two
pressures that do not go against each other are not both beds: the first one alone is read. A turn is a crossing of the middle of the
last 20 s by 15 % of their swing, so that noise turns nothing. The swing that was usual in the first `LEARNED` half cycles is
what the compressor is held to: 100 % is as it was then. Halves that differ show a valve that leaks or sticks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SPAN_S = 20.0
MARGIN = 0.15
LEAST_SWING_KPA = 5.0
LEAST_SHARE = 0.25  # of the usual swing: what is left between two beds that do not change places is noise, and turns nothing
TOLD_S, AGAINST = 15.0, -0.3  # until it can be told whether there are two beds; their correlation, at most
LEARNED, USUAL = 30, 10  # half cycles
WEAK_PCT, WELL_PCT = 80.0, 90.0
UNEVEN_PCT, EVEN_PCT = 20.0, 12.0
STOPPED = 3.0  # usual half cycles without a turn


@dataclass(frozen=True, slots=True)
class Turn:
    """The valves turned at mean `at`: `half_s` after the time before, over a swing of `swing_kpa`."""

    at: int
    half_s: float
    swing_kpa: float


class Cycle:
    """Takes one or two pressures in kPa, `hz` values a second."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._past: deque[Floats] = deque()
        self._held = 0
        self._halves: deque[float] = deque(maxlen=USUAL)
        self._swings: deque[float] = deque(maxlen=USUAL)
        self._learning: list[float] = []
        self._learned: float | None = None
        self.begin()

    def begin(self) -> None:
        """What comes next does not join what was before; what was learned stays."""
        self._past.clear()
        self._held = 0
        self._paired: bool | None = None  # None: not known yet
        self._high: bool | None = None
        self._turned: int | None = None
        self._halves.clear()
        self._swings.clear()

    def push(self, at: int, pressures: Floats) -> list[Turn]:
        """The next values (1 or 2, n), from mean `at` on; the turns in them."""
        self._past.append(pressures)
        self._held += pressures.shape[1]
        while self._held - self._past[0].shape[1] >= SPAN_S * self._hz:
            self._held -= self._past.popleft().shape[1]
        if self._paired is None:
            self._paired = self._against()
            if self._paired is None:
                return []
        series = [self._of(part) for part in self._past]
        low, high = min(float(x.min()) for x in series), max(float(x.max()) for x in series)
        swing, middle = high - low, (high + low) / 2
        usual = self._learned or (median(self._swings) if self._swings else 0.0)
        if swing < max(LEAST_SWING_KPA, LEAST_SHARE * usual):
            self._high = None
            return []
        found: list[Turn] = []
        for k, x in enumerate(series[-1].tolist()):
            if self._high is None:
                self._high = x > middle
            elif (x < middle - MARGIN * swing) if self._high else (x > middle + MARGIN * swing):
                self._high = not self._high
                if self._high or self._paired:
                    found += self._turn(at + k, swing)
        return found

    def _of(self, pressures: Floats) -> Floats:
        series: Floats = pressures[0] - pressures[1] if self._paired else pressures[0]
        return series

    def _against(self) -> bool | None:
        """Whether two pressures go against each other; None as long as it cannot be told."""
        if self._past[0].shape[0] == 1:
            return False
        if self._held < TOLD_S * self._hz:
            return None
        one, other = np.concatenate(list(self._past), axis=1)
        if min(one.max() - one.min(), other.max() - other.min()) < LEAST_SWING_KPA:
            return False if one.max() - one.min() >= 4 * LEAST_SWING_KPA else None
        one, other = one - one.mean(), other - other.mean()
        return bool((one * other).mean() < AGAINST * np.sqrt((one * one).mean() * (other * other).mean()))

    def _turn(self, at: int, swing: float) -> list[Turn]:
        before, self._turned = self._turned, at
        if before is None:
            return []
        half_s = (at - before) / self._hz
        if half_s > SPAN_S:
            self._halves.clear()
            return []
        self._halves.append(half_s)
        self._swings.append(swing)
        if self._learned is None:
            self._learning.append(swing)
            if len(self._learning) >= LEARNED:
                self._learned = median(self._learning[LEARNED // 2 :])
        return [Turn(at, half_s, swing)]

    def health_pct(self) -> float | None:
        """The swing now against what it was; None until that is known."""
        if self._learned is None or len(self._swings) < USUAL:
            return None
        return 100 * median(self._swings) / self._learned

    def asymmetry_pct(self) -> float | None:
        """How far alternate halves differ, of a whole cycle; None where too few are known."""
        if not self._paired or len(self._halves) < USUAL:
            return None
        halves = list(self._halves)
        one, other = median(halves[::2]), median(halves[1::2])
        return 100 * abs(one - other) / (one + other)

    def stopped(self, now: int) -> bool:
        """Whether the valves should have turned long ago."""
        if self._turned is None or len(self._halves) < 3:
            return False
        return now - self._turned > STOPPED * median(self._halves) * self._hz
