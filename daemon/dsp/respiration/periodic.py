"""Cheyne-Stokes breathing: central events, one after another, with breathing between them that waxes and wanes.

At least three central apnoeas or hypopnoeas in a row, crescendo and decrescendo between them, and a cycle of at least 40 s
(AASM; the five events an hour over two hours that a diagnosis wants besides are the night's AHI and share of time). Central:
not an apnoea whose airway was closed. Devices call wider patterns periodic breathing (30 to 100 s a cycle).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from daemon.dsp.respiration.breaths import Breath
from daemon.dsp.respiration.disturbed import Disturbed

EVENTS = 3
CYCLE_S = (40.0, 120.0)
LEAST_BREATHS = 5  # between two events
WANING = 0.85  # first and last breaths between two events against those in the middle, at most
OBSTRUCTED = "apnoea_obstructive"


@dataclass(frozen=True, slots=True)
class Periodic:
    """Cheyne-Stokes breathing from mean `onset` on, of `cycles` of `cycle_s` on average. `end` None: it goes on."""

    onset: int
    end: int | None
    cycles: int
    cycle_s: float


class PeriodicBreathing:
    """Takes breaths and central events in order."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._between: deque[Breath] = deque(maxlen=128)
        self._chain: deque[Disturbed] = deque(maxlen=EVENTS)
        self._count = 0
        self._onset = 0

    def begin(self) -> None:
        """What comes next does not join what was before."""
        self._between.clear()
        self._chain.clear()
        self._count = 0

    @property
    def on(self) -> bool:
        """Whether it goes on now."""
        return self._count >= EVENTS

    def breath(self, breath: Breath) -> None:
        """The next breath."""
        self._between.append(breath)

    def event(self, event: Disturbed) -> Periodic | None:
        """The next event; what it makes sure of or ends."""
        central = event.name != OBSTRUCTED
        said: Periodic | None = None
        if not central or not self._joins(event):
            said = self.over()
        if central:
            if not self._chain:
                self._onset, self._count = event.onset, 0
            self._chain.append(event)
            self._count += 1
            if self._count == EVENTS:
                said = Periodic(self._onset, None, self._count - 1, self._cycle_s())
        return said

    def passed(self, now: int) -> Periodic | None:
        """Time has come to this mean: no further event joins those that are too old."""
        if self._chain and now - self._chain[-1].onset > (CYCLE_S[1] + 60) * self._hz:
            return self.over()
        return None

    def over(self) -> Periodic | None:
        """The chain ends here."""
        said = None
        if self.on:
            said = Periodic(self._onset, self._chain[-1].end, self._count - 1, self._cycle_s())
        self._chain.clear()
        self._count = 0
        return said

    def _cycle_s(self) -> float:
        return (self._chain[-1].onset - self._onset) / (self._count - 1) / self._hz

    def _joins(self, event: Disturbed) -> bool:
        """Whether breathing waxed and waned between the last event and this one, a cycle of the right length."""
        if not self._chain:
            return True
        last = self._chain[-1]
        cycle_s = (event.onset - last.onset) / self._hz
        if not CYCLE_S[0] <= cycle_s <= CYCLE_S[1]:
            return False
        between = [b.ventilation_lps for b in self._between if last.end <= b.onset and b.end <= event.onset]
        if len(between) < LEAST_BREATHS:
            return False
        third = max(len(between) // 3, 1)
        rise, fall = float(np.mean(between[:third])), float(np.mean(between[-third:]))
        middle = float(np.mean(between[third:-third]))
        return rise <= WANING * middle and fall <= WANING * middle
