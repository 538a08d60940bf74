"""From atria to ventricles: long PR, P waves that no QRS follows, P and QRS that know nothing of each other.

First-degree block is said as a rhythm beside the others (BI). Second and third degree are suspicions of a machine: an event
with its numbers, and a rhythm (BII, BIII) while they go on. Blocked P waves are looked for with the patient's own P as
template, between the end of T and the next P.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.rhythm import dissociation, dropped, long_pr
from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.pwaves import AFTER, BEFORE, WIDTH, Diastole, Found, PTemplate, SeenWaves
from daemon.dsp.ecg.rhythm.said import EventSaid, Numbers, Said
from daemon.dsp.ecg.rhythm.sight import Sight

LONGEST_RR_S = 4.0
AFTER_QRS_S = 0.40  # where a T that has no end in sight is over
BEFORE_P_S, BEFORE_QRS_S = 0.04, 0.04
AGAIN_S = 60.0  # an event is not said again before


@dataclass(frozen=True, slots=True)
class _Waves:
    """A beat with its marks, in input samples."""

    sample: int
    marks: LeadMarks
    own: bool


class Conduction:
    """Beat by beat, as their waves come; says it on `track`."""

    def __init__(self, rate_hz: float, track: Track) -> None:
        self._rate_hz, self._track = rate_hz, track
        self._template = PTemplate()
        self._long = long_pr.LongPr()
        self._dropped = dropped.Dropped()
        self._apart = dissociation.Dissociation()
        self._last: _Waves | None = None
        self._not_before: dict[str, int] = {}

    def clear(self) -> None:
        """Start anew: beats were missed. The P wave that was learnt stays."""
        self._last = None
        for rule in (self._long, self._dropped, self._apart):
            rule.clear()

    def beat(self, seen: SeenWaves, sight: Sight, offset: int, due: int, *, own: bool) -> list[Said]:
        """The waves of the next beat; `own`: it came by the heart's own conduction. `offset`: the sight's first input sample."""
        before = self._last
        self._last = waves = _Waves(seen.sample, seen.marks or LeadMarks(), own)
        if own and waves.marks.p_peak is not None:
            self._learn(waves.marks.p_peak - offset, sight)
        if before is None:
            return []
        diastole = self._between(before, waves, sight, offset)
        if diastole is None:
            self.clear()
            self._last = waves
            return []
        self._long.beat(diastole)
        self._apart.beat(diastole)
        at = before.sample, waves.sample
        if self._dropped.beat(diastole) and not self._apart.on:
            return self._event("av_block_2", *at, due, self._dropped.numbers, dropped.RULE)
        if self._apart.on:
            at = self._apart.since, waves.sample
            return self._event("av_block_3", *at, due, self._apart.numbers, dissociation.RULE)
        return []

    def step(self, due: int, *, known: bool) -> list[Said]:
        """A decision: what goes on. `known`: the atria beat as one, so that P waves mean something."""
        if known and self._apart.on:
            return self._track.begin("BIII", self._apart.since, due, self._apart.numbers, dissociation.RULE)
        if known and self._dropped.on:
            return self._track.begin("BII", self._dropped.since, due, self._dropped.numbers, dropped.RULE)
        if known and self._long.on:
            return self._track.begin("BI", self._long.since, due, self._long.numbers, long_pr.RULE)
        return self._track.end(due if self._last is None else self._last.sample, due)

    def _learn(self, p_peak: float, sight: Sight) -> None:
        at = sight.inner.inner(round(p_peak))
        if at - BEFORE >= sight.first and at + AFTER < sight.end:
            x, usable = sight.stretch(at - BEFORE, at + AFTER + 1)
            self._template.learn(x * usable[:, None])

    def _between(self, before: _Waves, waves: _Waves, sight: Sight, offset: int) -> Diastole | None:
        """What lies between two beats; None where it was not all seen."""
        rate_hz = self._rate_hz
        rr_s = (waves.sample - before.sample) / rate_hz
        first = sight.inner.inner(before.sample - offset)
        last = sight.inner.inner(waves.sample - offset)
        if not 0 < rr_s <= LONGEST_RR_S or first < sight.first or not sight.saw(first, last):
            return None
        found = self._search(before, waves, sight, offset)
        return Diastole(
            waves.sample,
            waves.sample / rate_hz,
            rr_s,
            _seconds(before.marks.p_peak, rate_hz),
            _seconds(waves.marks.p_peak, rate_hz),
            _pr_ms(before.marks, rate_hz),
            _pr_ms(waves.marks, rate_hz),
            tuple((sight.inner.outer(one.at) + offset) / rate_hz for one in found),
            min((one.alike for one in found), default=0.0),
            before.own and waves.own,
        )

    def _search(self, before: _Waves, waves: _Waves, sight: Sight, offset: int) -> list[Found]:
        """P waves between the end of T and the next beat's own P."""
        marks = waves.marks
        t_off = before.marks.t_off or before.sample + AFTER_QRS_S * self._rate_hz
        if marks.p_on is not None:
            end = marks.p_on - BEFORE_P_S * self._rate_hz
        else:
            end = (marks.qrs_on or waves.sample) - BEFORE_QRS_S * self._rate_hz
        # The P that is found may begin at the end of T: only its middle must lie between.
        first = max(sight.inner.inner(round(t_off) - offset) - BEFORE // 2, sight.first)
        stop = sight.inner.inner(round(end) - offset)
        if stop - first < WIDTH:
            return []
        x, usable = sight.stretch(first, stop)
        return self._template.find(x * usable[:, None], first)

    def _event(self, name: str, first: int, last: int, due: int, numbers: Numbers, rule: str) -> list[Said]:
        if due < self._not_before.get(name, due):
            return []
        self._not_before[name] = due + round(AGAIN_S * self._rate_hz)
        return [EventSaid(name, last, first, last, due, numbers, rule)]


def _seconds(sample: float | None, rate_hz: float) -> float | None:
    return None if sample is None else sample / rate_hz


def _pr_ms(marks: LeadMarks, rate_hz: float) -> float | None:
    if marks.p_on is None or marks.qrs_on is None:
        return None
    return 1000 * (marks.qrs_on - marks.p_on) / rate_hz
