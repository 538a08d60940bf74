"""All rhythm rules over one stream of ECG: a beat as soon as it is known, the signal every half second, at fixed samples.

What is said of a beat is due with the last sample that it needed, its own or those behind it that its shape is taken from.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.rhythm.arrest import Arrest
from daemon.dsp.ecg.rhythm.base import BaseRhythm
from daemon.dsp.ecg.rhythm.beats import AFTER, BEFORE, LAG, P_FROM, P_TO, REACH, Beats
from daemon.dsp.ecg.rhythm.conduction import Conduction
from daemon.dsp.ecg.rhythm.ectopy import Ectopics
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.pwaves import SeenWaves
from daemon.dsp.ecg.rhythm.runs import FastRuns
from daemon.dsp.ecg.rhythm.said import Said
from daemon.dsp.ecg.rhythm.sight import Sight, View
from daemon.dsp.ecg.rhythm.sustained import Sustained
from daemon.dsp.ecg.rhythm.table import RhythmTable
from daemon.dsp.ecg.rhythm.window import WINDOW

__all__ = ["RhythmWatch"]

Bools = npt.NDArray[np.bool_]

GAP_S = 12.0  # a longer one changes nothing more
PIECE_S = 6.0


@dataclass(frozen=True, slots=True)
class _Told:
    """A beat as the owner told it."""

    sample: int
    due: int
    label: str
    rr_ok: bool


class RhythmWatch:
    """Watches `leads` signals of `rate_hz` (>= 125 Hz; ValueError below it, or without leads)."""

    def __init__(self, rate_hz: float, leads: tuple[str, ...], table: RhythmTable) -> None:
        if rate_hz < RATE_HZ or not leads:
            raise ValueError(f"rhythm needs a lead, and at least {RATE_HZ:g} Hz")
        self._table, self._rate_hz, self._leads = table, rate_hz, leads
        self._offset = 0
        self._told: deque[_Told] = deque()
        self._told_waves: deque[SeenWaves] = deque()
        self._owed: list[Said] = []
        self._taken = 0  # the sample with which the last beat was taken
        self._ventricular, self._runs, self._block, self._base = Track(), Track(), Track(), Track()
        self._pause = Track()
        self._begin()

    def _begin(self) -> None:
        """Everything as at a start, but what has been said and what is on."""
        self._sight = Sight(self._rate_hz, self._leads)
        self._beats = Beats(len(self._leads))
        self._arrest = Arrest(self._rate_hz, self._ventricular, self._pause, self._table.window)
        self._rhythm = BaseRhythm(self._base, self._table)
        self._ectopics = Ectopics(self._rate_hz, self._runs)
        self._fast = FastRuns(self._table.run)
        self._conduction = Conduction(self._rate_hz, self._block)
        self._sustained = Sustained(self._rate_hz)
        self._last_sample: int | None = None

    def beat(self, sample: int, label: str = "", *, due: int, rr_ok: bool = True) -> None:
        """A beat, before the push that brings sample `due` (when it was decided); in order of `due`.

        `label` is its class (N S V F / or "" and "Q" when unknown); `rr_ok`: the interval before it was all seen.
        """
        self._told.append(_Told(sample, due, label, rr_ok))

    def waves(self, sample: int, marks: LeadMarks | None, *, due: int) -> None:
        """The marks over all leads of the beat at `sample`, told like the beat, in order of `due`: blocks are read from them."""
        self._told_waves.append(SeenWaves(sample, due, marks))

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[Said]:
        """Take the next samples, mV (leads, n), and whether each can be used; what is said by then, in order of `due`."""
        said, self._owed = self._owed, []
        piece = max(1, round(PIECE_S * self._rate_hz))
        for first in range(0, mv.shape[1], piece):
            for view in self._sight.push(mv[:, first : first + piece], usable[:, first : first + piece]):
                said += self._known(view.due + self._offset)
                said += self._decide(view)
            said += self._known(self._offset + self._sight.samples - 1)
            self._sight.forget()
        return said

    def skip(self, n: int) -> None:
        """A gap of n samples. After a long one everything starts anew; what it ends is said with the next push."""
        fed = min(n, round(GAP_S * self._rate_hz))
        shape = (len(self._leads), fed)
        self._owed = self.push(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_))
        if n > fed:
            self._owed += self.close()
            self._offset += self._sight.samples + n - fed
            self._begin()

    def close(self) -> list[Said]:
        """The stream is over: what is on ends with its last sample."""
        last = self._offset + self._sight.samples - 1
        return [said for track in (*self._tracks, self._pause) for said in track.end(last, last)]

    @property
    def _tracks(self) -> tuple[Track, ...]:
        return self._ventricular, self._runs, self._block, self._base

    @property
    def _atria_beat(self) -> bool:
        """Whether the atria beat as one, so that P waves mean something."""
        return self._base.label not in {"AFIB", "AFL"}

    def _known(self, by: int) -> list[Said]:
        """Take the beats that are known with sample `by`, in the order in which they were told."""
        said: list[Said] = []
        while self._told:
            told = self._told[0]
            seen = self._sight.inner.needed(self._sight.inner.inner(told.sample - self._offset) + REACH)
            due = max(told.due, seen + self._offset, self._taken)
            if due > by:
                break
            self._taken = due
            said += self._take(self._told.popleft(), due)
        return said

    def _decide(self, view: View) -> list[Said]:
        due = view.due + self._offset
        said = self._arrest.step(view, self._beats, self._sight.inner.outer(view.now) + self._offset, due)
        while self._told_waves and self._told_waves[0].due <= due:
            waves = self._told_waves.popleft()
            if not self._ventricular.open:
                own = any(b.sample == waves.sample and not b.foreign for b in reversed(self._beats.seen))
                found = self._conduction.beat(waves, self._sight, self._offset, due, own=own)
                said += found if self._atria_beat else []
        if self._ventricular.open:
            for track in self._tracks[1:]:
                said += track.end(self._ventricular.open.onset, due)
            self._conduction.clear()
            self._rhythm.interrupt(due)
        else:
            said += self._rhythm.step(
                view, self._beats, self._sight.inner.outer(view.now + 1 - WINDOW) + self._offset, due
            )
            said += self._fast.step(view, self._sight, self._beats, self._offset, due)
            said += self._conduction.step(due, known=self._atria_beat)
        said += self._ectopics.step(due)
        said += self._sustained.step((self._ventricular, self._runs), due)
        return said

    def _take(self, told: _Told, due: int) -> list[Said]:
        """A beat whose time has come."""
        sample = told.sample - self._offset
        at = self._sight.inner.inner(sample)
        first = at - max(BEFORE + LAG, P_FROM)
        if first < self._sight.first or (self._last_sample is not None and sample <= self._last_sample):
            return []
        x, usable = self._sight.stretch(first, at + AFTER + LAG)
        rr_s = None
        if (
            told.rr_ok
            and self._last_sample is not None
            and self._sight.saw(self._sight.inner.inner(self._last_sample), at)
        ):
            rr_s = (sample - self._last_sample) / self._rate_hz
        self._last_sample = sample
        beat = self._beats.add(at, told.sample, told.label, rr_s, x[:, at - BEFORE - LAG - first :], usable)
        said = self._arrest.beat(beat, self._beats, self._sight, self._offset, due)
        if self._ventricular.open:
            return said
        start = at - P_FROM - first
        before = (x * usable[:, None])[:, start : start + P_FROM - P_TO] if usable.any() else None
        said += self._rhythm.beat(beat, before, due)
        said += self._ectopics.beat(beat, due)
        self._rhythm.follow(self._ectopics.gemini)
        return said
