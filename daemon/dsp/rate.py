"""Heart rate and RR interval from beats, and the reason where there is none.

Rate = 60 / median of the last 12 RR intervals while the rhythm is regular (most of them within 10 % of the median: one
missed or doubled beat then does no harm), else 60 / their mean: in bigeminy or atrial fibrillation a median tells the
rate of half of the beats. Fast branch: after three RR above 1.2 s in a row only the last four count, as bedside
monitors do. An RR outside 15 .. 350 /min does not count; above 4 s it also ends what was counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import fmean, median

from daemon.model.findings import Why
from daemon.model.signals import Nanos

SLOWEST_BPM, FASTEST_BPM = 15.0, 350.0
NO_SIGNAL_NS: Nanos = 2_000_000_000

_COUNTED, _AFTER_SLOWING, _ENOUGH = 12, 4, 3
_SLOW_MS = 1200.0
_REGULAR = 0.10
_LONGEST_MS, _SHORTEST_MS = 60_000.0 / SLOWEST_BPM, 60_000.0 / FASTEST_BPM
_UNUSABLE_S = 1.0
_NO_BEATS_S = (3.0, 5.0)
_LEARNING_S = 8.0
_BRIDGED_S = 0.1


@dataclass(frozen=True, slots=True)
class Rate:
    """Beats per minute over beats whose samples are first .. last; `value` None with the reason."""

    value: float | None
    why: Why | None
    lead: str = ""
    first: int = 0


class HeartRate:
    """The rate of one segment, by its sample numbers. Beats may come half a second and more behind the signal."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._intervals: deque[float] = deque(maxlen=_COUNTED)
        self._marks: deque[int] = deque(maxlen=_COUNTED + 1)
        self._lead = ""
        self._last: int | None = None
        self._void: deque[tuple[int, int]] = deque(maxlen=256)  # where no beat could be seen: [first, stop)
        self._usable_from: int | None = None
        self._reason = Why.LEARNING
        self._patience_s = _LEARNING_S
        self._bpm: float | None = None
        self._first = 0

    def signal(self, first: int, stop: int, lost: Why | None) -> None:
        """Samples first .. stop - 1 could be used (`lost` None), or could not, and why; called in order."""
        if lost is None:
            if self._usable_from is None:
                self._usable_from = first
            return
        self._reason = lost
        if self._void and self._void[-1][1] == first:
            first = self._void.pop()[0]
        self._void.append((first, stop))
        if self._seconds(first, stop) >= _UNUSABLE_S:
            self._usable_from = None
            self._forget()

    def beat(self, sample: int, lead: str, period_ms: float) -> float | None:
        """A beat with its R mark at `sample`, in order; its RR in ms, None where none before it counts."""
        before = self._last
        if before is not None and sample <= before:
            return None
        self._last, self._lead = sample, lead
        if before is None:
            self._marks.append(sample)
            return None
        interval = (sample - before) * period_ms
        blind = self._blind_between(before, sample)
        if interval > _LONGEST_MS:
            self._forget()
        self._marks.append(sample)
        if blind > _BRIDGED_S or not _SHORTEST_MS <= interval <= _LONGEST_MS:
            return None
        self._intervals.append(interval)
        self._settle()
        return interval

    def _blind_between(self, first: int, stop: int) -> float:
        """Seconds of first .. stop in which no beat could be seen; forgets what lies before `stop`."""
        blind = sum(max(min(stop, b) - max(first, a), 0) for a, b in self._void)
        while len(self._void) > 1 and self._void[0][1] <= stop:
            self._void.popleft()
        return blind / self._rate_hz

    def _forget(self) -> None:
        self._intervals.clear()
        self._marks.clear()
        self._patience_s = _LEARNING_S
        self._bpm = None

    def _settle(self) -> None:
        """What the counted intervals say, worked out once a beat."""
        if len(self._intervals) < _ENOUGH:
            return
        counted = list(self._intervals)
        middle = median(counted)
        self._patience_s = min(max(3e-3 * middle, _NO_BEATS_S[0]), _NO_BEATS_S[1])
        if min(counted[-3:]) > _SLOW_MS:
            counted = counted[-_AFTER_SLOWING:]
            middle = median(counted)
        regular = median([abs(interval - middle) for interval in counted]) <= _REGULAR * middle
        self._bpm = 60_000.0 / (middle if regular else fmean(counted))
        self._first = self._marks[max(len(self._marks) - 1 - len(counted), 0)]

    def at(self, sample: int, noisy: bool) -> Rate:
        """The rate as of `sample`; `noisy`: the signal is too poor to say that it holds no beats."""
        why = self.why(sample, noisy)
        return Rate(self._bpm, None, self._lead, self._first) if why is None else Rate(None, why)

    def why(self, sample: int, noisy: bool) -> Why | None:
        """Why there is no rate as of `sample`; None where there is one."""
        if self._usable_from is None:
            return self._reason
        if self._seconds(max(self._last or 0, self._usable_from), sample) > self._patience_s:
            return Why.NOISE if noisy else Why.NO_BEATS
        return Why.LEARNING if self._bpm is None else None

    def same_until(self) -> int:
        """A sample up to which `why` stays as it is unless a beat or a loss of signal comes, or another grade."""
        if self._usable_from is None:
            return 0
        return max(self._last or 0, self._usable_from) + int(self._patience_s * self._rate_hz)

    def _seconds(self, first: int, stop: int) -> float:
        return (stop - first) / self._rate_hz
