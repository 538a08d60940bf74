"""The last seconds of all leads, and where each of them cannot be trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring
from daemon.dsp.quality import LeadQuality
from daemon.model.findings import Grade, Trouble, Why

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

KEPT_S = 13.0
JUDGED_S = 1.0  # a verdict of quality is about the second before it
_WHY = {Trouble.SATURATED: Why.SATURATED, Trouble.FLAT: Why.FLAT}


class Window:
    """Millivolts of `leads`, NaN where one could not be used; bounded by `KEPT_S` and one push."""

    def __init__(self, rate_hz: float, leads: Sequence[str]) -> None:
        self._leads = tuple(leads)
        self._kept, self._judged = round(KEPT_S * rate_hz), round(JUDGED_S * rate_hz)
        self._ring = Ring(len(leads), 2 * self._kept)
        self._verdicts: deque[tuple[int, dict[str, LeadQuality]]] = deque()
        self._now: dict[str, LeadQuality] = {}
        self._bad_since: dict[str, int] = {}
        self._bad: deque[tuple[int, int, int]] = deque()  # row, first, stop

    @property
    def end(self) -> int:
        return self._ring.end

    @property
    def first(self) -> int:
        return self._ring.first

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> None:
        """The next samples, (leads, n)."""
        self._ring.append(np.where(usable & np.isfinite(mv), mv, np.nan).astype(np.float64))

    def skip(self, n: int) -> None:
        """A gap of n samples."""
        rows = len(self._leads)
        if n >= self._kept:
            self._ring.begin(self.end + n, np.zeros((rows, 0)))
        else:
            self._ring.append(np.full((rows, n), np.nan))
        self.forget()

    def quality(self, first: int, leads: Mapping[str, LeadQuality]) -> None:
        """The verdict on every lead, from sample `first` on; told before the push that brings that sample."""
        self._verdicts.append((first, dict(leads)))

    def judge(self, due: int) -> None:
        """Take in the verdicts up to sample `due`, and forget what is too old."""
        while self._verdicts and self._verdicts[0][0] <= due:
            at, self._now = self._verdicts.popleft()
            for row, lead in enumerate(self._leads):
                bad = self._why(lead) is not None
                if bad:
                    self._bad_since.setdefault(lead, max(at - self._judged, 0))
                elif lead in self._bad_since:
                    self._bad.append((row, self._bad_since.pop(lead), at))
        while self._bad and self._bad[0][2] <= due - self._kept:
            self._bad.popleft()

    def strip(self, first: int, stop: int) -> Floats:
        """Samples first .. stop - 1 (leads, n), a copy; NaN where a lead was not to be trusted."""
        mv = self._ring.view(first, stop).copy()
        for row, begin, end in self._bad:
            mv[row, max(begin - first, 0) : max(end - first, 0)] = np.nan
        return mv

    def void(self) -> dict[str, Why]:
        """Leads that cannot be measured now, and why."""
        return {lead: why for lead in self._leads if (why := self._why(lead)) is not None}

    def score(self, lead: str) -> float:
        """Quality of a lead, 0 .. 1."""
        quality = self._now.get(lead)
        return 1.0 if quality is None else quality.score

    def _why(self, lead: str) -> Why | None:
        quality = self._now.get(lead)
        if quality is None or quality.grade in {Grade.GOOD, Grade.ACCEPTABLE}:
            return None
        return Why.LEADS_OFF if quality.grade is Grade.OFF else _WHY.get(quality.trouble, Why.NOISE)

    def forget(self) -> None:
        """Let go of what is older than is ever asked for."""
        self._ring.forget(self.end - self._kept)
