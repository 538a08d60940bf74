"""The rhythm that the beats stand in: atrial fibrillation or flutter, bi- and trigeminy, paced, sinus by its rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm import af, flutter, rates
from daemon.dsp.ecg.rhythm.beats import Beats, SeenBeat
from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.said import Said
from daemon.dsp.ecg.rhythm.sight import View
from daemon.dsp.ecg.rhythm.table import RhythmTable

Floats = npt.NDArray[np.float64]

WORD_HOLD = 8  # beats that a plain word must hold
SINUS, SINUS_HOLD = frozenset({"N", "SARRH"}), 24  # breathing comes and goes: not every breath is news
AT_ONCE = frozenset({"B", "T", "SVTA", "P"})  # words that have held when they are found


class BaseRhythm:
    """Beat by beat and decision by decision; says it on `track`."""

    def __init__(self, track: Track, table: RhythmTable) -> None:
        self._track = track
        self.af = af.AfWatch(table.af_means, table.af_deviations)
        self._flutter = flutter.FlutterWatch()
        self._rates = rates.Rates()
        self._word, self._word_beats = "", 0
        self._last: int | None = None
        self._from = 0

    def interrupt(self, due: int) -> None:
        """Up to sample `due` another rhythm was on: nothing reaches back behind it."""
        self._rates.clear()
        self._word, self._word_beats = "", 0
        self._from = due

    def beat(self, beat: SeenBeat, before: Floats | None, due: int) -> list[Said]:
        """The next beat, and the signal before its QRS, (leads, n), None where it is not to be had."""
        self._last = beat.sample
        change = self.af.beat(beat, before)
        self._rates.beat(beat)
        if change is None or self._flutter.on:
            return []
        if not change.on:
            return self._track.end(change.sample, due)
        return self._track.begin("AFIB", max(change.sample, self._from), due, self.af.numbers, af.RULE)

    def follow(self, gemini: str) -> None:
        """Let a plain word stand once it has held for some beats; after each beat."""
        word = gemini or self._rates.word
        self._word_beats = self._word_beats + 1 if word == self._word else 1
        self._word = word

    def step(self, view: View, beats: Beats, first: int, due: int) -> list[Said]:
        """A decision: flutter, else fibrillation, else the plain words; `first` is the input sample that its window begins with."""
        if self._flutter.step(view, beats, first):
            return self._track.begin(
                "AFL", max(self._flutter.since, self._from), due, self._flutter.numbers, flutter.RULE
            )
        if self.af.on:
            if self._track.label == "AFIB":
                return []
            since = due if self._last is None else max(self._last, self._from)
            return self._track.begin("AFIB", since, due, self.af.numbers, af.RULE)
        hold = SINUS_HOLD if {self._word, self._track.label} <= SINUS else WORD_HOLD
        if not self._word or (self._word_beats < hold and self._word not in AT_ONCE):
            return []
        if self._rates.bpm is None:
            return []
        numbers = (("rate", self._rates.bpm, "bpm"),)
        return self._track.begin(self._word, self._rates.since, due, numbers, rates.RULE)
