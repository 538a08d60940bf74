"""Second-degree block, suspected: the sinus node's P comes when it is due, and no QRS follows.

A P that comes early is a blocked ectopic beat and no block: so the P waves of an interval must stand evenly, and as far
apart as those of the beats around. In 2:1 block there are none around; then several intervals in a row must look alike.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import median

from daemon.dsp.ecg.rhythm.pwaves import Diastole
from daemon.dsp.ecg.rhythm.said import Numbers

RULE = "dropped/1"
PP_S = (0.40, 1.40)
EVEN, AS_AROUND = 0.10, 0.15  # of the P-P interval
AROUND = 3  # P-P of conducted beats that must be known
ALIKE_TWO_TO_ONE = 0.85
IN_A_ROW = 4
SUSPECTED, WITHIN_S = 2, 60.0  # dropped beats that make a suspicion
GOING_ON, GONE_S = 3, 30.0


class Dropped:
    """Beat by beat."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.on = False
        self.numbers: Numbers = ()
        self._pp: deque[float] = deque(maxlen=8)
        self._row = 0
        self._dropped: deque[tuple[int, float]] = deque(maxlen=GOING_ON)

    @property
    def since(self) -> int:
        """The first of the dropped beats that are counted."""
        return self._dropped[0][0]

    @property
    def last(self) -> int:
        """The beat after the last dropped one."""
        return self._dropped[-1][0]

    def beat(self, diastole: Diastole) -> bool:
        """The next beat; whether a beat was dropped before it that makes a suspicion."""
        pp = self._spacing(diastole)
        found = pp is not None and self._is_drop(diastole, pp)
        if found:
            self._dropped.append((diastole.sample, diastole.qrs_s))
            self.numbers = _numbers(diastole, pp or 0.0, len(self._dropped))
        now = diastole.qrs_s
        recent = [at for _, at in self._dropped if now - at <= WITHIN_S]
        if self.on:
            self.on = now - self._dropped[-1][1] <= GONE_S
        else:
            self.on = len([at for at in recent if now - at <= GONE_S]) >= GOING_ON
        return found and len(recent) >= SUSPECTED

    def _spacing(self, d: Diastole) -> float | None:
        """Mean P-P within the interval where all its P waves are known and even; learns that of conducted beats."""
        if not d.own or d.p_s is None or d.p_before_s is None:
            self._row = 0
            return None
        p = [d.p_before_s, *d.blocked, d.p_s]
        mean = (p[-1] - p[0]) / (len(p) - 1)
        even = all(abs(b - a - mean) <= EVEN * mean for a, b in pairwise(p))
        if len(p) == 2:
            self._row = 0
            if PP_S[0] <= mean <= PP_S[1]:
                self._pp.append(mean)
            return None
        return mean if even and PP_S[0] <= mean <= PP_S[1] else None

    def _is_drop(self, d: Diastole, pp: float) -> bool:
        self._row = self._row + 1 if d.alike >= ALIKE_TWO_TO_ONE else 0
        if self._row >= IN_A_ROW:
            self._pp.clear()
            return True
        return len(self._pp) >= AROUND and abs(pp - median(self._pp)) <= AS_AROUND * pp


def _numbers(d: Diastole, pp: float, dropped: int) -> Numbers:
    return (
        ("dropped", float(dropped), ""),
        ("p_p", pp, "s"),
        ("pr_before", d.pr_before_ms or 0.0, "ms"),
        ("pr_after", d.pr_ms or 0.0, "ms"),
        ("p_alike", d.alike, ""),
    )
