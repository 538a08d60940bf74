"""Rate and minute volume from the last breaths, and how long ago the last one began.

Rate = 60 / mean breath period over the last minute, at most twelve breaths. Minute volume = the expired volumes of the last
minute over its time. An interval that is still open counts once it is longer than those before: when breathing stops, both fall.
"""

from __future__ import annotations

from collections import deque

from daemon.dsp.respiration.breaths import Breath

SPAN_S, COUNTED, LEAST = 60.0, 12, 3
OPEN = 1.5  # of the mean period: then the open interval counts


class Rates:
    """Takes breaths as they end; is asked by mean number."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._last: deque[Breath] = deque(maxlen=128)

    def begin(self) -> None:
        """What comes next does not join what was before."""
        self._last.clear()

    def push(self, breath: Breath) -> None:
        """The next breath."""
        if self._last and breath.onset - self._last[-1].end > 10 * self._hz:
            self._last.clear()
        self._last.append(breath)

    def at(self, now: int) -> tuple[float, float, Breath, Breath] | None:
        """Breaths/min, L/min, and the first and last breath they are from; None where too few breaths are young enough."""
        oldest = now - SPAN_S * self._hz
        while self._last and self._last[0].onset < oldest and len(self._last) > 1:
            self._last.popleft()
        recent = [b for b in self._last if b.onset >= oldest]
        if len(recent) < LEAST:
            return None
        counted = recent[-COUNTED:]
        rate = self._per_minute(counted, now) * len(counted)
        volume = self._per_minute(recent, now) * sum(b.expired_l for b in recent)
        return rate, volume, recent[0], recent[-1]

    def since_s(self, now: int) -> float | None:
        """Seconds since the onset of the last breath that is known to have begun; None before the first."""
        return None if not self._last else (now - self._last[-1].end) / self._hz

    def _per_minute(self, breaths: list[Breath], now: int) -> float:
        """60 / (time of these breaths, with the open interval where it is long)."""
        covered = breaths[-1].end - breaths[0].onset
        mean = covered / len(breaths)
        waiting = now - breaths[-1].end
        if waiting > OPEN * mean:
            covered += waiting
        return 60.0 * self._hz / covered
