"""Intervals beat by beat, as medians of the last beats: one odd beat does not move them, and a change shows within seconds."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import fmean, pstdev

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.measure import QTC, Intervals, intervals, over_beats
from daemon.model.findings import Why

MEASURED_BEATS = 16
STEADY = 0.12  # spread of RR by its mean up to which QT may be corrected from few beats
BEATS_WHEN_IRREGULAR = 10
LAST, CHANGED = 4, 0.15  # beats; QT follows the rate within a minute or two, not within four beats


class BeatIntervals:
    """PR, QRS, QT and the corrected QTs, ms."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._recent: deque[tuple[Intervals, float | None]] = deque(maxlen=MEASURED_BEATS)
        self._last_beat: int | None = None

    def skip(self) -> None:
        """A gap: the interval over it is no RR."""
        self._last_beat = None

    def beat(self, sample: int, marks: LeadMarks) -> dict[str, tuple[float | None, Why | None]]:
        """The next beat, with its marks over all leads: every interval, or why there is none."""
        rr_ms = None if self._last_beat is None else 1000 * (sample - self._last_beat) / self._rate_hz
        self._last_beat = sample
        self._recent.append((intervals(marks, self._rate_hz), rr_ms))
        each = [one for one, _ in self._recent]
        missing = Why.LEARNING if len(self._recent) < MEASURED_BEATS else Why.NO_WAVE
        medians = {
            "pr_interval": over_beats(one.pr_ms for one in each),
            "qrs_duration": over_beats(one.qrs_ms for one in each),
            "qt_interval": over_beats(one.qt_ms for one in each),
        }
        found: dict[str, tuple[float | None, Why | None]] = {
            name: (None, missing) if median is None else (median.value, None)
            for name, median in medians.items()
        }
        qt, _ = found["qt_interval"]
        rrs = [rr for _, rr in self._recent if rr is not None]
        why = missing if qt is None or not rrs else None if steady(rrs) else Why.IRREGULAR
        for name, corrected in QTC.items():
            value = corrected(qt, sum(rrs) / len(rrs)) if qt is not None and why is None else None
            found[name] = (value, why)
        return found


def steady(rr_ms: list[float]) -> bool:
    """Whether a QT may be corrected by the mean of these intervals: not of a few that differ, nor while the rate changes."""
    mean = fmean(rr_ms)
    if len(rr_ms) < BEATS_WHEN_IRREGULAR and pstdev(rr_ms, mean) > STEADY * mean:
        return False
    jumps = sum(abs(b - a) > STEADY * mean for a, b in pairwise(rr_ms))
    irregular = jumps > len(rr_ms) / 4
    return irregular or abs(fmean(rr_ms[-LAST:]) - mean) <= CHANGED * mean
