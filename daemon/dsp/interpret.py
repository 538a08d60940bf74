"""What is read from the beats of a segment: the waves of each one, the intervals, the rhythm, what is measured and concluded.

Samples are the segment's. What a push lets be said comes out of it with the last sample that it needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.delineate import BeatWaves, Delineator, WavesTable
from daemon.dsp.ecg.detect import DetectedBeat
from daemon.dsp.ecg.fibrillating import Atria
from daemon.dsp.ecg.measures.per_beat import BeatIntervals
from daemon.dsp.ecg.measures.said import Concluded, Measured
from daemon.dsp.ecg.measures.stage import Measures
from daemon.dsp.ecg.rhythm.said import EventSaid, RhythmSaid, RunSaid, Said
from daemon.dsp.ecg.rhythm.table import RhythmTable
from daemon.dsp.ecg.rhythm.watch import RhythmWatch
from daemon.dsp.filters import Mask
from daemon.dsp.quality import LeadQuality
from daemon.model.findings import (
    Conclusions,
    Event,
    Evidence,
    Finding,
    Metric,
    Rhythm,
    RunCounted,
    Waves,
    Why,
)
from daemon.model.signals import Nanos
from daemon.units import OBSERVABLES

WAVES_RULE = "waves/1"

Millivolts = npt.NDArray[np.float32]
Interpreted = BeatWaves | Said | Measured | Concluded


@dataclass(frozen=True, slots=True)
class Tables:
    """The learned numbers of waves and rhythm."""

    waves: WavesTable
    rhythm: RhythmTable


class Interpretation:
    """Waves and measurements of `leads` and rhythm of `watched` leads. `segment` names the samples in the evidence."""

    def __init__(
        self, segment: str, rate_hz: float, leads: tuple[str, ...], watched: tuple[str, ...], tables: Tables
    ) -> None:
        self._segment = segment
        self._delineator = Delineator(rate_hz, leads, tables.waves)
        self._watch = RhythmWatch(rate_hz, watched, tables.rhythm)
        self._atria = Atria()
        self._measures = Measures(rate_hz, leads)
        self._intervals = BeatIntervals(rate_hz)

    def beat(self, beat: DetectedBeat) -> None:
        """A beat, before the push that brings the sample it was due with."""
        self._delineator.beat(beat.sample, beat.due)
        self._watch.beat(beat.sample, beat.label.value, due=beat.due)
        self._measures.beat(beat)

    def quality(self, first: int, leads: Mapping[str, LeadQuality]) -> None:
        """The verdict on every lead from sample `first` on, before the push that brings it."""
        self._measures.quality(first, leads)

    def skip(self, n: int) -> None:
        """A gap of n samples."""
        self._delineator.skip(n)
        self._watch.skip(n)
        self._measures.skip(n)
        self._intervals.skip()

    def push(
        self, mv: Millivolts, usable: Mask, watched: Millivolts, watched_usable: Mask
    ) -> list[Interpreted]:
        """The next samples of the leads and of the watched ones; what they let be said, in order of `due`."""
        marked = self._delineator.push(mv, usable)
        for one in marked:
            self._watch.waves(one.sample, one.marks.get("global"), due=one.due)
        found: list[BeatWaves | Said] = [*marked, *self._watch.push(watched, watched_usable)]
        found = [self._atria.step(one) for one in sorted(found, key=_due)]
        return sorted([*found, *self._measures.push(mv, usable, found)], key=_due)

    def finish(self) -> list[Interpreted]:
        """The stream is over: what is still open."""
        found: list[BeatWaves | Said] = [*self._delineator.finish(), *self._watch.close()]
        found = [self._atria.step(one) for one in sorted(found, key=_due)]
        return sorted([*found, *self._measures.finish(found)], key=_due)

    def findings(self, said: Interpreted, due_ns: Nanos, time_of: Callable[[float], Nanos]) -> list[Finding]:
        """What was said, as findings; `time_of` gives the time of a sample number."""
        match said:
            case BeatWaves():
                return self._waves(said, due_ns, time_of)
            case RhythmSaid():
                last = said.due if said.end is None else said.end
                evidence = Evidence(self._segment, said.onset, last, said.rule)
                end_ns = None if said.end is None else time_of(said.end)
                return [Rhythm(time_of(said.onset), due_ns, end_ns, said.label, evidence)]
            case RunSaid():
                evidence = Evidence(self._segment, said.onset, said.due, said.rule)
                return [RunCounted(time_of(said.onset), due_ns, said.beats, said.bpm, evidence)]
            case EventSaid():
                evidence = Evidence(self._segment, said.first, said.last, said.rule)
                return [Event(time_of(said.at), due_ns, said.name, said.numbers, evidence, said.detail)]
            case Measured():
                return self._measured(said, due_ns, time_of(said.last))
            case Concluded():
                evidence = Evidence(self._segment, said.first, said.last, said.rule)
                return [Conclusions(time_of(said.last), due_ns, said.statements, evidence)]

    def _measured(self, said: Measured, due_ns: Nanos, t_ns: Nanos) -> list[Finding]:
        evidence = Evidence(self._segment, said.first, said.last, said.rule)
        return [
            Metric(
                t_ns,
                due_ns,
                one.name,
                one.value,
                OBSERVABLES[one.name].unit,
                one.why,
                one.lead,
                one.score,
                None if one.value is None else evidence,
            )
            for one in said.values
        ]

    def _waves(self, said: BeatWaves, due_ns: Nanos, time_of: Callable[[float], Nanos]) -> list[Finding]:
        t_ns = time_of(said.sample)
        found: list[Finding] = []
        for lead, marks in said.marks.items():
            places = marks.places
            known = [place for place in places if place is not None] or [float(said.sample)]
            evidence = Evidence(self._segment, int(min(known)), int(max(known)), WAVES_RULE)
            p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off = (
                None if at is None else time_of(at) for at in places
            )
            times = p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off
            found.append(Waves(t_ns, due_ns, lead, *times, marks.p_state.value, evidence))
        if "global" in said.marks:
            evidence = Evidence(self._segment, said.sample, said.due, WAVES_RULE)
            each = self._intervals.beat(said.sample, said.marks["global"])
            if said.fibrillates:  # at once, whatever the beats before it had
                each["pr_interval"] = (None, Why.NO_WAVE)
            for name, (value, why) in each.items():
                source = None if value is None else evidence
                found.append(Metric(t_ns, due_ns, name, value, "ms", why, "global", 1.0, source))
        return found


def _due(said: Interpreted) -> int:
    return said.due
