"""What a condition is judged from, and from when on time alone may make it true: the rows that a Tick can leave alone.

A row whose alarms are at rest is judged again when something came that it reads, or when it is ripe. A kind of condition
that is not named here is judged at every Tick: to forget one costs time and no alarm. The tests judge every row at every Tick
beside it and want the same changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from daemon.alarms import conditions as when
from daemon.alarms import devices, heart
from daemon.alarms.conditions import RATE, Condition, Limited
from daemon.alarms.observed import (
    BEATS,
    FACTS,
    LEADS,
    LINKS,
    QUALITY,
    RHYTHMS,
    SECOND_NS,
    STALE_S,
    STATUSES,
    Observed,
    absence_of,
)
from daemon.model.signals import Nanos

EARLY_NS: Nanos = 1_000_000
"""Conditions compare seconds as floats: a row is looked at a little early rather than late."""

NEVER: Nanos = 1 << 62

Ripe = Callable[[Observed, Limited], Nanos]


@dataclass(frozen=True, slots=True)
class Needs:
    """`reads`: names of numbers and events, and the kinds named in observed.py, that may make it true from not being so.

    What only tells "no" from "cannot be told" is not among them: to an alarm at rest both are the same. `ripe_ns`: when time
    alone may make it true.
    """

    reads: frozenset[str]
    ripe_ns: Ripe | None = None  # time alone does nothing to most


def needs_of(condition: Condition) -> Needs | None:
    """What a condition needs; None: to be judged at every Tick."""
    match condition:
        case when.Beyond(metric=metric, unless=unless, setting=setting, grace=grace, also=also):
            reads = frozenset(
                {metric, absence_of(unless) if unless else "", setting, grace, also, QUALITY} - {""}
            )
            return Needs(reads, _other_stale(unless, metric)) if unless else Needs(reads)
        case when.Happened(event=event):
            return Needs(frozenset({event}))
        case when.Absent(metric=metric):
            return Needs(frozenset({absence_of(metric), QUALITY, LEADS}))
        case when.Missing(metric=metric, stale_s=stale_s):
            return Needs(frozenset({absence_of(metric)}), _stale(metric, stale_s, 0))
        case when.ElectrodesOff():
            return Needs(frozenset({QUALITY, LEADS}))
        case when.Failed() | when.OtherFailed():
            return Needs(frozenset({FACTS}), _failed_for_long)
        case when.EcgLost():
            return Needs(frozenset({LINKS, absence_of(RATE)}))
        case when.Tested():  # begins with a Command, after which every row is judged
            return Needs(frozenset())
        case when.LinkLost():
            return Needs(frozenset({LINKS}))
        case devices.EachBeyond(metrics=metrics):
            return Needs(frozenset(metrics))
        case devices.SaysAlarm():
            return Needs(frozenset({STATUSES}))
        case devices.Together(effect=effect, cause=cause):
            parts = [needs_of(effect), needs_of(cause)]
            return Needs(frozenset().union(*(part.reads for part in parts if part is not None)))
    return _of_the_heart(condition)


def rests_on(condition: Condition, names: Collection[str], valid: Collection[str]) -> bool:
    """Whether a row has nothing left to be judged from once nobody is expected to give the numbers `names`; `valid` are the others.

    A row with an instance for each device does not rest on a name: another device may give the same.
    """
    match condition:
        case when.Beyond(metric=metric, also=also):
            own = {metric, also} - {""}
            return not own.isdisjoint(names) and own.isdisjoint(valid)
        case devices.Together(effect=effect, cause=cause):
            return any(rests_on(part, names, valid) for part in (effect, cause))
        case devices.EachBeyond():
            return False
    kinds = {*names, *map(absence_of, names)} | ({BEATS, RHYTHMS, LEADS} if RATE in names else set())
    needs = needs_of(condition)
    return needs is not None and not needs.reads.isdisjoint(kinds)


def _of_the_heart(condition: Condition) -> Needs | None:
    match condition:
        case heart.BeatRate(side=side):
            reads = frozenset({BEATS, QUALITY, RATE})
            return Needs(reads, _interval_open) if side == "below" else Needs(reads)
        case heart.InRhythm():
            return Needs(frozenset({RHYTHMS}))
        case heart.Asystole():
            return Needs(frozenset({RHYTHMS, absence_of(RATE), LEADS}), _without_beats)
        case heart.FlatLine():
            return Needs(frozenset({absence_of(RATE), LEADS}))
        case heart.VentricularTachycardia() | heart.VentricularRhythm():
            return Needs(frozenset({RHYTHMS, BEATS}))
        case heart.VentricularBeats():
            return Needs(frozenset({BEATS}))
        case heart.FibrillationBegan() | heart.FibrillationEnded():
            return Needs(frozenset({RHYTHMS}), _fibrillated_for)
        case heart.Neighbours(metric=metric):
            return Needs(frozenset({metric, QUALITY}))
    return None


def _after(t_ns: Nanos, seconds: float) -> Nanos:
    return t_ns + round(seconds * SECOND_NS) - EARLY_NS


def _next_of(moments: Iterable[Nanos], seen: Observed) -> Nanos:
    """The first of these moments that lies ahead: at one that is over the row was judged, and time makes nothing new of it."""
    return min((ripe_ns for ripe_ns in moments if ripe_ns + 2 * EARLY_NS > seen.now_ns), default=NEVER)


def _stale(metric: str, stale_s: float, unknown_ns: Nanos) -> Ripe:
    """Once nothing has been said of a number for so long; `unknown_ns` where nothing ever was."""

    def ripe_ns(seen: Observed, limits: Limited) -> Nanos:
        del limits
        known = seen.last(metric)
        return unknown_ns if known is None else _after(known.due_ns, stale_s)

    return ripe_ns


def _other_stale(other: str, metric: str) -> Ripe:
    """Once nothing has been said of another number, in whose place this one is judged."""
    stale = _stale(other, STALE_S, NEVER)
    return lambda seen, limits: _next_of([stale(seen, limits)] if seen.last(metric) else [], seen)


def _failed_for_long(seen: Observed, limits: Limited) -> Nanos:
    hours = limits.get("after_h", 0.0)
    return _next_of((_after(fact.since_ns, 3600 * hours) for fact in seen.facts.values() if hours), seen)


def _interval_open(seen: Observed, limits: Limited) -> Nanos:
    """Once the interval that is still open is longer than that of the limit."""
    return _after(seen.beats[-1].t_ns, 60 / limits["below"]) if seen.beats else NEVER


def _without_beats(seen: Observed, limits: Limited) -> Nanos:
    begun = [rhythm.t_ns for rhythm in seen.rhythms.values() if rhythm.label in heart.STILL]
    absence = seen.absent(RATE)
    begun += [] if absence is None else [absence.since_ns]
    return _next_of((_after(t_ns, limits["gap_s"]) for t_ns in begun), seen)


def _fibrillated_for(seen: Observed, limits: Limited) -> Nanos:
    begun = [rhythm.t_ns for rhythm in seen.rhythms.values() if rhythm.label in heart.AF]
    ended = seen.ended.get("AFIB")
    begun += [] if ended is None or ended.end_ns is None else [ended.end_ns]
    return _next_of((_after(t_ns, limits["after_s"]) for t_ns in begun), seen)
