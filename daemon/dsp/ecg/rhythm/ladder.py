"""What is said when several rules speak: one rhythm a track, its beginning at once, its end once.

The ventricular track (VFL, VT, ASYS) silences the others while it is on; short ventricular runs have a track of their own, so
that the rhythm below them goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.dsp.ecg.rhythm.said import Numbers, RhythmSaid, Said


@dataclass(frozen=True, slots=True)
class Open:
    """A rhythm that goes on."""

    label: str
    onset: int
    numbers: Numbers
    rule: str


class Track:
    """At most one rhythm at a time. One that is dated back may begin before the one that it ends was said to."""

    def __init__(self) -> None:
        self.open: Open | None = None

    @property
    def label(self) -> str:
        """What is on, "" for nothing."""
        return self.open.label if self.open else ""

    def begin(self, label: str, onset: int, due: int, numbers: Numbers, rule: str) -> list[Said]:
        """`label` from `onset` on; what was on ends there."""
        if label == self.label:
            return []
        said = self.end(onset, due)
        onset = min(max(onset, 0), due)
        self.open = Open(label, onset, numbers, rule)
        return [*said, RhythmSaid(onset, None, label, due, numbers, rule)]

    def end(self, at: int, due: int) -> list[Said]:
        """What is on ends at `at`, not before it began."""
        if self.open is None:
            return []
        was, self.open = self.open, None
        end = min(max(at, was.onset), due)
        return [RhythmSaid(was.onset, end, was.label, due, was.numbers, was.rule)]


class WindowLevel:
    """The mean score of the last decisions, with a bar to rise over and a lower one to fall under for a while."""

    ON, OFF = 1.0, 0.0
    MEAN_OF, HOLD = 6, 4  # decisions
    LIMIT = 8.0

    def __init__(self) -> None:
        self.on = False
        self.value = -self.LIMIT
        self._last = [-self.LIMIT] * self.MEAN_OF
        self._low = 0

    def step(self, score: float | None) -> bool:
        """A decision's score, None where no lead can say; whether on or off changed."""
        limited = -self.LIMIT if score is None else min(max(score, -self.LIMIT), self.LIMIT)
        self._last = [*self._last[1:], limited]
        self.value = sum(self._last) / self.MEAN_OF
        if not self.on:
            self.on, self._low = self.value > self.ON, 0
            return self.on
        self._low = self._low + 1 if self.value < self.OFF else 0
        if self._low >= self.HOLD:
            self.on = False
            return True
        return False
