"""Conditions of the heart: rates, rhythms, ectopic beats, ST. They use the same verdicts as those in conditions.py."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median

from daemon.alarms.conditions import (
    NO,
    RATE,
    UNKNOWN,
    Beyond,
    Limited,
    Verdict,
    Verdicts,
    Was,
    beyond,
    evidence,
    one,
)
from daemon.alarms.observed import SECOND_NS, Observed
from daemon.model.findings import BeatClass, Rhythm, RunCounted, Why


@dataclass(frozen=True, slots=True)
class BeatRate:
    """The rate of the last `beats` heartbeats (their median RR), or the heart rate where `beats` is 0.

    A slow heart need not beat again to be slow: an interval that is still open counts once it is longer than the limit's.
    """

    side: str
    hysteresis: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        count = int(limits["beats"]) - 1
        if count < 1:
            return Beyond(RATE, self.side, self.hysteresis, trusted=True).judge(seen, limits, was)
        rate = seen.value(RATE)
        if rate is None or seen.poor or (rate.value is None and rate.why is not Why.NO_BEATS):
            return one(UNKNOWN)
        limit = limits[self.side]
        intervals: list[float] = []
        for beat in reversed(seen.beats):
            if beat.rr_ms is None or len(intervals) == count:
                break
            intervals.insert(0, beat.rr_ms)
        if seen.beats and self.side == "below":
            open_ms = 1000 * seen.age_s(seen.beats[-1].t_ns)
            if open_ms > 60_000 / limit:
                intervals = [*intervals, open_ms][-count:]
        if len(intervals) < count:
            return one(UNKNOWN)
        first, last = seen.beats[-min(count, len(seen.beats))], seen.beats[-1]
        verdict = beyond(rate, 60_000 / median(intervals), self.side, limit, self.hysteresis, was(""))
        return one(
            Verdict(
                verdict.holds,
                last.t_ns,
                verdict.value,
                limit,
                "bpm",
                (),
                evidence(first.evidence, last.evidence),
            )
        )


def _of(rhythm: Rhythm) -> Verdict:
    return Verdict(True, rhythm.t_ns, evidence=(rhythm.evidence,))


def _organised(seen: Observed) -> Verdict:
    """What is said of a rhythm that is not going on: no while a heart rate can be had, else it cannot be told.

    Analysis also ends a rhythm when the leads come off or the signal goes bad; that is no recovery.
    """
    rate = seen.value(RATE)
    return UNKNOWN if rate is None or rate.value is None else NO


@dataclass(frozen=True, slots=True)
class InRhythm:
    """A rhythm of these labels is going on."""

    labels: frozenset[str]

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        rhythm = seen.rhythm(self.labels)
        return one(_organised(seen) if rhythm is None else _of(rhythm))


STILL = frozenset({"ASYS", "PAUSE"})
"""Analysis says a pause that goes on before it calls it asystole: how long is too long, the limit says."""


@dataclass(frozen=True, slots=True)
class Asystole:
    """No beat for `gap_s`: said by analysis, or a good signal without beats, or a flat one with all electrodes attached.

    It ends with three beats within six seconds. Never held back by the quality of the signal.
    """

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        gap_s = limits["gap_s"]
        rhythm = seen.rhythm(STILL)
        if rhythm is not None and seen.age_s(rhythm.t_ns) >= gap_s:
            return one(_of(rhythm))
        absence = seen.absent(RATE)
        if absence is not None and seen.age_s(absence.since_ns) >= gap_s:
            flat = absence.why is Why.FLAT and seen.electrodes_on
            if flat or absence.why is Why.NO_BEATS:
                return one(Verdict(True, seen.beats[-1].t_ns if seen.beats else absence.since_ns))
        recent = sum(1 for _ in takewhile(lambda beat: seen.age_s(beat.t_ns) <= 6.0, reversed(seen.beats)))
        return one(NO if recent >= 3 else UNKNOWN)


@dataclass(frozen=True, slots=True)
class FlatLine:
    """The ECG is flat, and the device cannot tell whether its electrodes are on: a lead that is off, or a heart at a standstill."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        metric, absence = seen.value(RATE), seen.absent(RATE)
        if metric is None:
            return one(UNKNOWN)
        if absence is not None and absence.why is Why.FLAT and not seen.electrodes:
            return one(Verdict(True, absence.since_ns))
        return one(NO)


VT, IVR = frozenset({"VT"}), frozenset({"IVR"})
COUNTED_S = 3.0
"""So long a count of a run holds."""


def _counted(seen: Observed, limits: Limited) -> RunCounted | None:
    """The run that analysis counts, where it is as long and fast as the limits want."""
    run = seen.run
    if run is None or seen.age_s(run.due_ns) > COUNTED_S:
        return None
    return run if run.beats >= limits["beats"] and run.rate_bpm >= limits["rate"] else None


def _fast_enough(seen: Observed, rhythm: Rhythm, limits: Limited) -> bool:
    """Whether a tachycardia is as long and fast as the limits want: by what analysis counted, or by its beats since then.

    One found by the look of the whole signal has no beats to count.
    """
    if rhythm.evidence.rule.startswith("window") or _counted(seen, limits) is not None:
        return True
    run = [b for b in seen.beats if b.t_ns >= rhythm.t_ns - SECOND_NS // 10]
    run = [b for b in run if b.label in {BeatClass.VENTRICULAR, BeatClass.UNKNOWN}]
    if len(run) < max(limits["beats"], 2):
        return False
    return 60 * (len(run) - 1) * SECOND_NS >= limits["rate"] * (run[-1].t_ns - run[0].t_ns)


@dataclass(frozen=True, slots=True)
class VentricularTachycardia:
    """Ventricular tachycardia of at least `beats` beats and `rate`; once so, for as long as analysis says it.

    A run that is counted by its look, and is no rhythm, stands for as long as its count is fresh.
    """

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        rhythm, run = seen.rhythm(VT), _counted(seen, limits)
        if rhythm is None:
            found = None if run is None else Verdict(True, run.t_ns, evidence=(run.evidence,))
            return one(found or _organised(seen))
        return one(_of(rhythm) if was("") or _fast_enough(seen, rhythm, limits) else NO)


@dataclass(frozen=True, slots=True)
class VentricularRhythm:
    """A ventricular rhythm that is too slow, or as yet too short, to be a tachycardia."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        slow = seen.rhythm(IVR) or seen.rhythm(VT)
        if slow is None:
            return one(_organised(seen))
        since = [b for b in seen.beats if b.t_ns >= slow.t_ns - SECOND_NS // 10]
        return one(_of(slow) if len(since) >= limits["beats"] else NO)


@dataclass(frozen=True, slots=True)
class VentricularBeats:
    """More ventricular beats in the last minute than the limit."""

    hysteresis: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        beats = [
            b for b in seen.beats if b.label is BeatClass.VENTRICULAR and 0 <= seen.age_s(b.t_ns) <= 60.0
        ]
        rate = seen.value(RATE)
        if not beats:
            return one(NO if rate is not None and rate.value is not None else UNKNOWN)
        holds = len(beats) > limits["above"] - (self.hysteresis if was("") else 0)
        first, last = beats[0], beats[-1]
        shown = evidence(first.evidence, last.evidence)
        return one(Verdict(holds, first.t_ns, float(len(beats)), limits["above"], "/min", evidence=shown))


AF = frozenset({"AFIB"})
AGAIN_S = 1800.0
"""Atrial fibrillation that comes back within half an hour is no new one."""


@dataclass(frozen=True, slots=True)
class FibrillationBegan:
    """Atrial fibrillation for `after_s`, and none in the half hour before; said for `for_s`, then it is a state."""

    for_s: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        rhythm = seen.rhythm(AF)
        if rhythm is None:
            return one(_organised(seen))
        before = seen.ended.get("AFIB")
        if (
            before is not None
            and before.end_ns is not None
            and rhythm.t_ns - before.end_ns < AGAIN_S * SECOND_NS
        ):
            return one(NO)
        age_s = seen.age_s(rhythm.t_ns) - limits["after_s"]
        return one(_of(rhythm) if 0 <= age_s < self.for_s else NO)


@dataclass(frozen=True, slots=True)
class FibrillationEnded:
    """Atrial fibrillation of a minute and more has been over for `after_s`; said for `for_s`."""

    for_s: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        last = seen.ended.get("AFIB")
        if seen.rhythm(AF) is not None or last is None or last.end_ns is None:
            return one(NO)
        age_s = seen.age_s(last.end_ns) - limits["after_s"]
        lasted = last.end_ns - last.t_ns >= 60 * SECOND_NS
        return one(
            Verdict(True, last.end_ns, evidence=(last.evidence,))
            if lasted and 0 <= age_s < self.for_s
            else NO
        )


FRONTAL = ("aVL", "I", "II", "aVF", "III")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
NEIGHBOURS = tuple((a, b) for row in (FRONTAL, CHEST) for a, b in pairwise(row))
"""Leads that look at neighbouring walls: the frontal ones in Cabrera's order (aVR apart), and the chest leads."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """ST beyond its limit in two neighbouring leads at once: of each pair the lesser counts, of all pairs the worst."""

    metric: str
    side: str
    hysteresis: float
    stale_s: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        leads = seen.leads(self.metric, self.stale_s)
        held = {lead: (m, m.value) for lead, m in leads.items() if m.value is not None}
        pairs = [(held[a], held[b], a, b) for a, b in NEIGHBOURS if a in held and b in held]
        if not pairs or seen.poor:
            return one(UNKNOWN)
        sign = 1 if self.side == "above" else -1
        lesser = [(min(x, y, key=lambda found: sign * found[1]), f"{a} {b}") for x, y, a, b in pairs]
        (metric, value), where = max(lesser, key=lambda found: sign * found[0][1])
        return one(beyond(metric, value, self.side, limits[self.side], self.hysteresis, was(""), where))
