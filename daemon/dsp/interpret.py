"""What is read from the beats of a segment: the waves of each one, the intervals between them, the rhythm, events.

Samples are the segment's. What a push lets be said comes out of it with the last sample that it needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.delineate import BeatWaves, Delineator, LeadMarks, WavesTable
from daemon.dsp.ecg.detect import DetectedBeat
from daemon.dsp.ecg.measure import QTC, intervals, over_beats
from daemon.dsp.ecg.rhythm.said import EventSaid, RhythmSaid, Said
from daemon.dsp.ecg.rhythm.table import RhythmTable
from daemon.dsp.ecg.rhythm.watch import RhythmWatch
from daemon.dsp.filters import Mask
from daemon.model.findings import Event, Evidence, Finding, Metric, Rhythm, Waves, Why
from daemon.model.signals import Nanos

WAVES_RULE = "waves/1"
MEASURED_BEATS = 16
"""Intervals are medians over so many beats: one odd beat does not move them, and a change shows within seconds."""

_MARKS = [
    field.name
    for field in fields(LeadMarks)
    if field.name.count("_") == 1 and not field.name.startswith("p_s")
]

Millivolts = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tables:
    """The learned numbers of waves and rhythm."""

    waves: WavesTable
    rhythm: RhythmTable


class Interpretation:
    """Waves of `leads` and rhythm of `watched` leads. `segment` names the samples in the evidence."""

    def __init__(
        self, segment: str, rate_hz: float, leads: tuple[str, ...], watched: tuple[str, ...], tables: Tables
    ) -> None:
        self._segment = segment
        self._rate_hz = rate_hz
        self._delineator = Delineator(rate_hz, leads, tables.waves)
        self._watch = RhythmWatch(rate_hz, watched, tables.rhythm)
        self._recent: deque[tuple[LeadMarks, float | None]] = deque(maxlen=MEASURED_BEATS)
        self._last_beat: int | None = None

    def beat(self, beat: DetectedBeat) -> None:
        """A beat, before the push that brings the sample it was due with."""
        self._delineator.beat(beat.sample, beat.due)
        self._watch.beat(beat.sample, beat.label.value, due=beat.due)

    def skip(self, n: int) -> None:
        """A gap of n samples."""
        self._delineator.skip(n)
        self._watch.skip(n)
        self._last_beat = None

    def push(
        self, mv: Millivolts, usable: Mask, watched: Millivolts, watched_usable: Mask
    ) -> list[BeatWaves | Said]:
        """The next samples of the leads and of the watched ones; what they let be said, in order of `due`."""
        found: list[BeatWaves | Said] = [
            *self._delineator.push(mv, usable),
            *self._watch.push(watched, watched_usable),
        ]
        return sorted(found, key=lambda one: one.due)

    def finish(self) -> list[BeatWaves | Said]:
        """The stream is over: what is still open."""
        found: list[BeatWaves | Said] = [*self._delineator.finish(), *self._watch.close()]
        return sorted(found, key=lambda one: one.due)

    def findings(
        self, said: BeatWaves | Said, due_ns: Nanos, time_of: Callable[[float], Nanos]
    ) -> list[Finding]:
        """What was said, as findings; `time_of` gives the time of a sample number."""
        if isinstance(said, BeatWaves):
            return self._waves(said, due_ns, time_of)
        if isinstance(said, RhythmSaid):
            last = said.due if said.end is None else said.end
            evidence = Evidence(self._segment, said.onset, last, said.rule)
            end_ns = None if said.end is None else time_of(said.end)
            return [Rhythm(time_of(said.onset), due_ns, end_ns, said.label, evidence)]
        assert isinstance(said, EventSaid)
        evidence = Evidence(self._segment, said.first, said.last, said.rule)
        return [Event(time_of(said.at), due_ns, said.name, said.numbers, evidence)]

    def _waves(self, said: BeatWaves, due_ns: Nanos, time_of: Callable[[float], Nanos]) -> list[Finding]:
        t_ns = time_of(said.sample)
        found: list[Finding] = []
        for lead, marks in said.marks.items():
            places = {name: getattr(marks, name) for name in _MARKS}
            known = [place for place in places.values() if place is not None] or [float(said.sample)]
            evidence = Evidence(self._segment, int(min(known)), int(max(known)), WAVES_RULE)
            times = {f"{name}_ns": None if at is None else time_of(at) for name, at in places.items()}
            found.append(Waves(t_ns, due_ns, lead, **times, p_state=marks.p_state.value, evidence=evidence))
        if "global" in said.marks:
            found += self._intervals(said, said.marks["global"], t_ns, due_ns)
        return found

    def _intervals(self, said: BeatWaves, marks: LeadMarks, t_ns: Nanos, due_ns: Nanos) -> list[Finding]:
        """Medians of the last beats; QT corrected by the mean RR of the same beats."""
        rr_ms = None if self._last_beat is None else 1000 * (said.sample - self._last_beat) / self._rate_hz
        self._last_beat = said.sample
        self._recent.append((marks, rr_ms))
        each = [intervals(one, self._rate_hz) for one, _ in self._recent]
        values = {
            "pr_interval": over_beats(one.pr_ms for one in each),
            "qrs_duration": over_beats(one.qrs_ms for one in each),
            "qt_interval": over_beats(one.qt_ms for one in each),
        }
        evidence = Evidence(self._segment, said.sample, said.due, WAVES_RULE)
        numbers = {name: value.value if value else None for name, value in values.items()}
        rrs = [rr for _, rr in self._recent if rr is not None]
        qt = numbers["qt_interval"]
        for name, corrected in QTC.items():
            numbers[name] = corrected(qt, sum(rrs) / len(rrs)) if qt is not None and rrs else None
        return [
            Metric(
                t_ns,
                due_ns,
                name,
                value,
                "ms",
                None
                if value is not None
                else Why.LEARNING
                if len(self._recent) < MEASURED_BEATS
                else Why.NO_WAVE,
                "global",
                1.0,
                evidence if value is not None else None,
            )
            for name, value in numbers.items()
        ]
