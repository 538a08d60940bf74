"""The measuring stage: beats, waves and samples in; measurements, events and conclusions out, at fixed sample numbers.

Every `EVERY_S` the last `SPAN_S` are measured; every minute the variability of five. What is decided with sample d uses what was
said by d and no sample behind it, so nothing depends on how the stream is cut. At the end of a recording all is measured
once more with what there is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg import conclude
from daemon.dsp.ecg.delineate import BeatWaves
from daemon.dsp.ecg.detect import DetectedBeat
from daemon.dsp.ecg.measures import values
from daemon.dsp.ecg.measures.breaths import Breaths
from daemon.dsp.ecg.measures.episodes import Episodes
from daemon.dsp.ecg.measures.measurement import Measurement, measure
from daemon.dsp.ecg.measures.said import Concluded, Measured, MeasureSaid, Value
from daemon.dsp.ecg.measures.telling import Telling
from daemon.dsp.ecg.measures.variation import Variation
from daemon.dsp.ecg.measures.window import Window
from daemon.dsp.ecg.rhythm.said import RhythmSaid, Said
from daemon.dsp.ecg.statements.recording import TWELVE, Recording
from daemon.dsp.ecg.statements.rhythm import FIRST_SAID
from daemon.dsp.quality import LeadQuality
from daemon.model.findings import BeatClass, Statement, Why

Millivolts = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

EVERY_S, SPAN_S = 5.0, 12.0
VARIATION_EVERY = 12  # measurements: a minute
CONCLUDE_EVERY = 2  # measurements
DARK_S = 0.1  # without any lead, a beat may have been missed
BEAT_RULE, HRV_RULE, BREATH_RULE = "median_beat/1", "hrv/1", "respiration/1"
_SAME = {BeatClass.UNKNOWN: BeatClass.NORMAL}  # where no classes are asked for
_DOMINANT = (BeatClass.NORMAL, BeatClass.PACED, BeatClass.SUPRAVENTRICULAR)
_STILL = {"VFL", "VF", "VT", "ASYS"}  # rhythms without a beat to measure
_UNSTEADY = {"AFIB", "AFL", *_STILL}
_NO_RR = {"AFIB", "AFL", "B", "T"}


class Measures:
    """Measures `leads` of a stream of `rate_hz`. Everything is told in order, before the push that brings its sample."""

    def __init__(self, rate_hz: float, leads: tuple[str, ...]) -> None:
        self._rate_hz, self._leads = rate_hz, leads
        self._every, self._span = round(EVERY_S * rate_hz), round(SPAN_S * rate_hz)
        self._dark = round(DARK_S * rate_hz)
        self._window = Window(rate_hz, leads)
        self._telling = Telling(rate_hz)
        self._episodes = Episodes(rate_hz, self._every)
        self._variation, self._breaths = Variation(rate_hz), Breaths(rate_hz)
        self._told: deque[DetectedBeat] = deque()
        self._said: deque[BeatWaves | Said] = deque()
        implied = {"III", "aVR", "aVL", "aVF"} if {"I", "II"} <= set(leads) else set()
        self._own = [row for row, lead in enumerate(leads) if lead not in implied]
        self._beats: deque[tuple[DetectedBeat, float | None]] = deque()
        self._waves: deque[BeatWaves] = deque()
        self._lost: deque[tuple[int, int]] = deque()  # where no lead could be used: first, stop
        self._labels: dict[str, int] = {}
        self._unsteady_until = -1
        self._last_beat = 0
        self._counts: Counter[BeatClass] = Counter()
        self._keys: list[str] = []
        self._before: list[str] = []
        self._next = self._every

    def beat(self, beat: DetectedBeat) -> None:
        self._told.append(beat)

    def quality(self, first: int, leads: Mapping[str, LeadQuality]) -> None:
        """The verdict on every lead, from sample `first` on."""
        self._window.quality(first, leads)

    def skip(self, n: int) -> None:
        """A gap of n samples; nothing is measured within it."""
        self._lost.append((self._window.end, self._window.end + n))
        self._window.skip(n)
        self._next = max(self._next, (self._window.end // self._every + 1) * self._every)

    def push(self, mv: Millivolts, usable: Bools, said: Sequence[BeatWaves | Said]) -> list[MeasureSaid]:
        """The next samples (leads, n) and what was said by them, in order of `due`."""
        first = self._window.end
        self._window.push(mv, usable)
        self._darken(first, usable)
        self._said.extend(said)
        found: list[MeasureSaid] = []
        while self._next <= self._window.end:
            found += self._at(self._next - 1)
            self._next += self._every
        self._window.forget()
        return found

    def finish(self, said: Sequence[BeatWaves | Said]) -> list[MeasureSaid]:
        """The recording is over, `said` was still open."""
        self._said.extend(said)
        due = self._window.end - 1
        return self._at(due, ending=True) if due >= 0 else []

    def _darken(self, first: int, usable: Bools) -> None:
        if usable.any(axis=0).all():
            return
        none = np.concatenate([[False], ~usable.any(axis=0), [False]])
        edges = np.flatnonzero(none[1:] != none[:-1]) + first
        for begin, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if self._lost and self._lost[-1][1] == begin:
                self._lost[-1] = (self._lost[-1][0], stop)
            else:
                self._lost.append((begin, stop))

    def _at(self, due: int, *, ending: bool = False) -> list[MeasureSaid]:
        """All that is due with sample `due`."""
        self._window.judge(due)
        self._take(due)
        turn = (due + 1) // self._every
        irregular = bool(_UNSTEADY & self._labels.keys())
        if irregular:
            self._unsteady_until = due
        found: list[MeasureSaid] = []
        measured = self._measure(due)
        told = self._values(measured)
        rate, since = self._breaths.rate(due, irregular=bool(_NO_RR & self._labels.keys()))
        breath = self._telling.worth(due, values.of_breathing(rate), all_of_them=ending)
        if isinstance(measured, Measurement):
            told = self._telling.worth(due, told, all_of_them=ending)
            found.append(Measured(due, measured.first, measured.last, BEAT_RULE, told))
            found += self._episodes.step(self._recording(measured), due, ending=ending)
        else:
            found.append(Measured(due, due, due, BEAT_RULE, self._telling.worth(due, told)))
        if breath:
            found.append(Measured(due, since, due, BREATH_RULE, breath))
        if turn % VARIATION_EVERY == 0 or ending:
            found.append(self._five_minutes(due))
        if set(TWELVE) <= set(self._leads) and (turn % CONCLUDE_EVERY == 0 or ending):
            found += self._conclude(due, measured, ending=ending)
        return [one for one in found if not isinstance(one, Measured) or one.values]

    def _take(self, due: int) -> None:
        """Beats, waves and rhythms that were said by sample `due`."""
        while self._said and self._said[0].due <= due:
            said = self._said.popleft()
            if isinstance(said, BeatWaves):
                self._waves.append(said)
            elif isinstance(said, RhythmSaid):
                if said.end is None:
                    self._labels[said.label] = said.onset
                else:
                    self._labels.pop(said.label, None)
                    if said.label in _UNSTEADY:
                        self._unsteady_until = max(self._unsteady_until, said.end)
        while self._told and self._told[0].due <= due:
            self._beat(self._told.popleft())
        while self._beats and self._beats[0][0].sample <= due - self._span:
            self._beats.popleft()
        while self._waves and self._waves[0].sample <= due - self._span:
            self._waves.popleft()

    def _beat(self, beat: DetectedBeat) -> None:
        sample = beat.sample
        while self._lost and self._lost[0][1] <= self._last_beat:
            self._lost.popleft()
        seen = not any(min(stop, sample) - first > self._dark for first, stop in self._lost if first < sample)
        self._last_beat = sample
        label = _SAME.get(beat.label, beat.label)
        self._counts[label] += 1
        rr_ms = self._variation.beat(sample, label, seen=seen)
        self._beats.append((beat, rr_ms))
        first, stop = sample - self._breaths.reach, sample + self._breaths.after
        if label is BeatClass.VENTRICULAR or first < self._window.first or stop > self._window.end:
            return
        self._breaths.beat(sample, self._window.strip(first, stop)[self._own], rr_ms)

    def _measure(self, due: int) -> Measurement | Why:
        """The measurement of the last seconds, or why there is none."""
        if _STILL & self._labels.keys():
            return Why.NO_RHYTHM
        void = self._window.void()
        if len(void) == len(self._leads):
            return next(iter(void.values()))
        labels = Counter(_SAME.get(beat.label, beat.label) for beat, _ in self._beats)
        dominant = max(_DOMINANT, key=lambda label: labels[label])
        chosen = {beat.sample for beat, _ in self._beats if _SAME.get(beat.label, beat.label) is dominant}
        first = max(due + 1 - self._span, self._window.first)
        measured = measure(
            self._window.strip(first, due + 1),
            first,
            [one for one in self._waves if one.sample in chosen and one.sample >= first],
            self._intervals(dominant),
            self._leads,
            void,
            self._rate_hz,
            paced=dominant is BeatClass.PACED,
        )
        if measured is not None:
            return measured
        return Why.LEARNING if due + 1 - self._window.first < self._span else Why.NO_RHYTHM

    def _intervals(self, dominant: BeatClass) -> list[tuple[float, bool]]:
        """RR of the window's beats, and whether both of its beats are of the dominant origin.

        In fibrillation an early beat has no class of its own: atrial ones count as the rhythm's where many are.
        """
        labels = [_SAME.get(beat.label, beat.label) for beat, _ in self._beats]
        early = labels.count(BeatClass.SUPRAVENTRICULAR)
        own = {dominant} | ({BeatClass.SUPRAVENTRICULAR} if 4 * early >= len(labels) else set())
        return [
            (rr, label in own and (k == 0 or labels[k - 1] in own))
            for k, (label, (_, rr)) in enumerate(zip(labels, self._beats, strict=True))
            if rr is not None
        ]

    def _values(self, measured: Measurement | Why) -> tuple[Value, ...]:
        if isinstance(measured, Measurement):
            return values.of_measurement(measured, self._leads, self._window.score)
        return values.of_none(measured, self._leads, self._window.void())

    def _recording(self, measured: Measurement) -> Recording:
        rhythm = next((label for label in FIRST_SAID if label in self._labels), "")
        within = Counter(beat.label for beat, _ in self._beats)
        return Recording(
            measured,
            rhythm,
            within[BeatClass.VENTRICULAR],
            within[BeatClass.SUPRAVENTRICULAR],
            len(self._beats),
        )

    def _five_minutes(self, due: int) -> Measured:
        found, since = self._variation.over_five_minutes(due)
        if self._unsteady_until >= since:
            found = Why.IRREGULAR
        return Measured(due, since, due, HRV_RULE, values.of_variation(found))

    def _conclude(self, due: int, measured: Measurement | Why, *, ending: bool) -> Iterator[Concluded]:
        """Statements that are others than said before, and that the measurement before had too: no flicker."""
        if isinstance(measured, Measurement):
            statements: list[Statement] = conclude.conclude(self._recording(measured))
            first, last = measured.first, measured.last
        else:
            statements, first, last = conclude.not_assessable(measured), due, due
        keys = [statement.key for statement in statements]
        steady, self._before = keys == self._before, keys
        if ending or (keys != self._keys and (steady or not self._keys)):
            self._keys = keys
            yield Concluded(due, first, last, conclude.RULE, tuple(statements))
