"""Falls of oxygen saturation and their index, from one value a second.

ODI3 and ODI4 count falls of at least 3 and 4 points below the baseline per hour of valid signal. Baseline: the mean of the last
120 valid seconds outside of falls. A fall begins when saturation leaves the baseline by more than a point and ends when it
is back within a point of it; it counts when it lasts 10 to 120 s. What stays low for longer is a new level, and the baseline
is learned anew. A valid second is one with a value that no artefact rule throws out: below 50 or above 100 %, a perfusion
below what a sensor can see, or a jump of more than 4 points within a second that the next five seconds do not keep.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

POSSIBLE = (50.0, 100.0)
LEAST_PERFUSION = 0.1  # %
JUMP, KEPT_S = 4.0, 5
BASELINE_S, LEAST_BASELINE_S = 120, 30
LEFT = 1.0  # points below the baseline from which a fall counts as begun
DEPTHS = (3.0, 4.0)
LEAST_S, LONGEST_S = 10, 120


@dataclass(frozen=True, slots=True)
class Fall:
    """A desaturation over the seconds `first` .. `last`, from `baseline` to `lowest` %."""

    first: int
    last: int
    baseline: float
    lowest: float

    @property
    def depth(self) -> float:
        """In whole points, as oximeters tell saturation."""
        return round(self.baseline) - self.lowest


class Artefacts:
    """Passes a value on, or None where it cannot be the patient's."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._jumped: list[float] = []

    def step(self, spo2: float | None, perfusion: float | None) -> float | None:
        """The next second."""
        possible = spo2 is not None and POSSIBLE[0] <= spo2 <= POSSIBLE[1]
        if not possible or (perfusion is not None and perfusion < LEAST_PERFUSION):
            self._last, self._jumped = None, []
            return None
        assert spo2 is not None
        if self._last is None or abs(spo2 - self._last) <= JUMP:
            self._last, self._jumped = spo2, []
            return spo2
        if self._jumped and abs(spo2 - self._jumped[-1]) > JUMP:
            self._jumped = []
        self._jumped.append(spo2)
        if len(self._jumped) < KEPT_S:
            return None
        self._last, self._jumped = spo2, []
        return spo2


class Desaturations:
    """Takes one value a second (None: not valid), by the second's number."""

    def __init__(self) -> None:
        self._calm: deque[float] = deque(maxlen=BASELINE_S)
        self._since: int | None = None
        self._lowest = 0.0
        self._last = 0
        self._falling: list[float] = []
        self.valid_s = 0
        self.below_s = dict.fromkeys((90, 88), 0)
        self.counts = dict.fromkeys(DEPTHS, 0)
        self.lowest: float | None = None

    @property
    def baseline(self) -> float | None:
        """Mean of calm seconds; None where there are too few."""
        return sum(self._calm) / len(self._calm) if len(self._calm) >= LEAST_BASELINE_S else None

    def step(self, second: int, spo2: float | None) -> Fall | None:
        """The next second; the fall that it ends."""
        if spo2 is None:
            if self._since is not None and second - self._last > LEAST_S:
                self._since = None  # how it ended was not seen
            return None
        self.valid_s += 1
        self.lowest = spo2 if self.lowest is None else min(self.lowest, spo2)
        for level in self.below_s:
            self.below_s[level] += spo2 < level
        baseline = self.baseline
        if baseline is None or (self._since is None and spo2 >= baseline - LEFT):
            self._calm.append(spo2)
            return None
        if self._since is None:
            self._since, self._lowest, self._falling = second, spo2, []
        if spo2 >= baseline - LEFT:
            return self._over(baseline)
        self._last = second
        self._lowest = min(self._lowest, spo2)
        self._falling.append(spo2)
        if second - self._since >= LONGEST_S:
            self._calm.clear()
            self._calm.extend(self._falling[-BASELINE_S:])
            self._since = None
        return None

    def index(self, depth: float) -> float | None:
        """Falls of at least so many points in an hour of valid signal; None under ten minutes of it."""
        return None if self.valid_s < 600 else 3600 * self.counts[depth] / self.valid_s

    def _over(self, baseline: float) -> Fall | None:
        first, self._since = self._since, None
        assert first is not None
        fall = Fall(first, self._last, baseline, self._lowest)
        if fall.last - first + 1 < LEAST_S or fall.depth < DEPTHS[0]:
            self._calm.extend(self._falling)
            return None
        for depth in DEPTHS:
            self.counts[depth] += fall.depth >= depth
        return fall
