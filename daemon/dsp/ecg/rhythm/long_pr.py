"""First-degree block: a PR above 200 ms that stays."""

from __future__ import annotations

from collections import deque
from statistics import median

from daemon.dsp.ecg.rhythm.pwaves import Diastole
from daemon.dsp.ecg.rhythm.said import Numbers

RULE = "long_pr/1"
ON_MS, OFF_MS = 205.0, 195.0  # the limit is 200 (AHA/ACC/HRS 2009), with room for the marks' own error
BEATS, ENOUGH, SHARE, SPREAD_MS = 16, 8, 0.75, 40.0
LONGEST_MS = 500.0


class LongPr:
    """Beat by beat."""

    def __init__(self) -> None:
        self.on = False
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.on = False
        self._pr: deque[float | None] = deque(maxlen=BEATS)
        self._marks: deque[int] = deque(maxlen=BEATS)

    @property
    def since(self) -> int:
        """The oldest beat that is counted."""
        return self._marks[0]

    @property
    def numbers(self) -> Numbers:
        """Evidence: the median PR."""
        return (("pr", median(self._known() or [0.0]), "ms"),)

    def _known(self) -> list[float]:
        return sorted(pr for pr in self._pr if pr is not None)

    def beat(self, diastole: Diastole) -> None:
        """The next beat."""
        if not diastole.own:
            return
        pr = diastole.pr_ms
        self._pr.append(pr if pr is not None and pr < LONGEST_MS else None)
        self._marks.append(diastole.sample)
        known = self._known()
        if len(known) < ENOUGH or len(known) < SHARE * len(self._pr):
            self.on = False
            return
        middle, n = median(known), len(known)
        if self.on:
            self.on = middle >= OFF_MS
            return
        steady = known[(3 * n) // 4] - known[n // 4] <= SPREAD_MS
        self.on = middle > ON_MS and steady and known[n // 4] > OFF_MS
