"""Conditions: is it so, is it not so, or can it not be told? Pure over what has been observed and the limits in force.

"Cannot be told" is never "no": a running delay waits, an alarm that is there stays. Each kind is a small class whose fields
stand in the table; `judge` gives a verdict for every instance ("" where there is but one). What holds for instances that it
does not name stands under OTHERS: no, unless it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daemon.alarms.observed import STALE_S, Observed
from daemon.model.alarms import Priority, Values
from daemon.model.findings import Evidence, Metric, Why
from daemon.model.signals import Fact, FactState, LinkState, Nanos

Limited = Mapping[str, float]
Was = Callable[[str], bool]
"""Whether the condition was true for this instance, so that hysteresis holds it."""

RATE = "heart_rate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` None: cannot be told. `onset_ns` is when it began in the patient or the box, where known."""

    holds: bool | None
    onset_ns: Nanos | None = None
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    values: Values = ()
    evidence: tuple[Evidence, ...] = ()


YES, NO, UNKNOWN = Verdict(True), Verdict(False), Verdict(None)
Verdicts = Mapping[str, Verdict]
OTHERS = "*"


class Condition(Protocol):
    """What the table's rows hold."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts: ...


def one(verdict: Verdict) -> Verdicts:
    """The verdict of a condition that has a single instance."""
    return {"": verdict}


def evidence(*found: Evidence | None) -> tuple[Evidence, ...]:
    """Those that there are."""
    return tuple(e for e in found if e is not None)


@dataclass(frozen=True, slots=True)
class Beyond:
    """A number `above` or `below` its limit; once beyond it, until it is back by `hysteresis`.

    `trusted`: not judged while the signal is poor. `unless`: not judged while this other metric has a value. `setting`: the
    limit is counted from this setting of the device, by `share` as a percentage of it. `key`: the limit's own name where it
    is not the side's. `also`: another number that counts where this one has no value. `grace`: not judged before this other number has become 1 (a device that warms up).
    """

    metric: str
    side: str
    hysteresis: float
    stale_s: float = STALE_S
    trusted: bool = False
    unless: str = ""
    setting: str = ""
    share: bool = False
    key: str = ""
    grace: str = ""
    also: str = ""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        other = seen.value(self.unless) if self.unless else None
        if other is not None and other.value is not None:
            return one(NO)
        metric = seen.value(self.metric, self.stale_s)
        if self.also and (metric is None or metric.value is None):
            metric = seen.value(self.also, self.stale_s)
        if metric is None or metric.value is None or (self.trusted and seen.poor):
            return one(UNKNOWN)
        limit = limits[self.key or self.side]
        if self.grace and (ready := seen.value(self.grace, 3600.0)) is not None and not ready.value:
            return one(NO)
        if self.setting:
            base = seen.value(self.setting, 3600.0)
            if base is None or base.value is None:
                return one(UNKNOWN)
            limit = base.value * limit / 100 if self.share else base.value + limit
        return one(beyond(metric, metric.value, self.side, limit, self.hysteresis, was("")))


def beyond(
    metric: Metric, value: float, side: str, limit: float, hysteresis: float, was: bool, where: str = ""
) -> Verdict:
    """Compare a value of `metric` with its limit."""
    excess = value - limit if side == "above" else limit - value
    holds = excess > -hysteresis if was else excess > 0
    values: Values = (("lead", where),) if where else ()
    return Verdict(holds, metric.t_ns, value, limit, metric.unit, values, evidence(metric.evidence))


@dataclass(frozen=True, slots=True)
class Happened:
    """An event was said within `for_s`, each of whose numbers is at least the limit named."""

    event: str
    for_s: float
    least: tuple[tuple[str, str], ...] = ()

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        for event in reversed(seen.events(self.event, self.for_s)):
            numbers = {name: (value, unit) for name, value, unit in event.numbers}
            if all(numbers.get(name, (0.0, ""))[0] >= limits[key] for name, key in self.least):
                value, unit = numbers.get(self.least[0][0], (None, "")) if self.least else (None, "")
                limit = limits[self.least[0][1]] if self.least else None
                values: Values = tuple((name, number) for name, (number, _) in numbers.items())
                return one(Verdict(True, event.t_ns, value, limit, unit, values, (event.evidence,)))
        return one(NO)


@dataclass(frozen=True, slots=True)
class Absent:
    """A metric has no value, for one of these reasons; `poor`: or the signal of all leads is poor.

    `told_off`: those of the reasons that count only where the device says that an electrode is off.
    """

    metric: str
    reasons: frozenset[Why]
    poor: bool = False
    told_off: frozenset[Why] = frozenset()

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        metric = seen.value(self.metric)
        if metric is None:
            return one(UNKNOWN)
        untold = metric.why in self.told_off and (seen.electrodes_on or not seen.electrodes)
        if metric.why in self.reasons and not untold:
            absence = seen.absent(self.metric)
            return one(Verdict(True, metric.t_ns if absence is None else absence.since_ns))
        return one(YES if self.poor and seen.poor and metric.value is not None else NO)


@dataclass(frozen=True, slots=True)
class Missing:
    """A metric has no value, whatever the reason, or nothing is said of it any more."""

    metric: str
    stale_s: float = STALE_S

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        metric = seen.value(self.metric, self.stale_s)
        return one(NO if metric is not None and metric.value is not None else YES)


@dataclass(frozen=True, slots=True)
class ElectrodesOff:
    """An electrode is off; one instance an electrode."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        if not seen.quality:
            return {OTHERS: UNKNOWN}
        off = seen.electrodes_off
        return {name: YES if name in off else NO for name in sorted(off | set(seen.electrodes))}


@dataclass(frozen=True, slots=True)
class Failed:
    """A Fact of this source has failed; with a limit `after_h`, for so many hours."""

    source: str

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        fact = seen.facts.get(self.source)
        return one(UNKNOWN if fact is None else _failed(seen, fact, limits))


def _failed(seen: Observed, fact: Fact, limits: Limited) -> Verdict:
    long_enough = seen.age_s(fact.since_ns) >= 3600 * limits.get("after_h", 0.0)
    return Verdict(fact.state is FactState.FAILED and long_enough, fact.since_ns)


@dataclass(frozen=True, slots=True)
class OtherFailed:
    """A part of the box that no row names has failed: what we did not foresee is said too; one instance a part."""

    known: frozenset[str] = field(default_factory=frozenset)

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del was
        if not seen.facts:
            return {OTHERS: UNKNOWN}
        return {
            source: _failed(seen, fact, limits)
            for source, fact in seen.facts.items()
            if source not in self.known
        }


@dataclass(frozen=True, slots=True)
class EcgLost:
    """A device that brought ECG for this patient sends none, or nothing comes out of the one that does."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        links = [link for label, link in seen.links.items() if label in seen.streamed]
        ours = [link for link in links if link.device in seen.ecg_devices]
        lost = next((link for link in ours if link.state is not LinkState.STREAMING), None)
        if lost is not None:
            return one(Verdict(True, lost.since_ns, values=(("device", lost.label),)))
        absence = seen.absent(RATE)
        if absence is not None and absence.why is Why.NO_SIGNAL:
            return one(Verdict(True, absence.since_ns))
        return one(NO if ours or seen.value(RATE) is not None else UNKNOWN)


@dataclass(frozen=True, slots=True)
class LinkLost:
    """Any other device that has sent data for this patient sends none; one instance a device."""

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        if not seen.links:
            return {OTHERS: UNKNOWN}
        return {
            label: Verdict(link.state is not LinkState.STREAMING, link.since_ns)
            for label, link in seen.links.items()
            if label in seen.streamed and link.device not in seen.ecg_devices
        }


@dataclass(frozen=True, slots=True)
class Tested:
    """A test of the alarm path at this priority was asked for."""

    priority: Priority

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        until_ns = seen.tests.get(self.priority, 0)
        return one(Verdict(seen.now_ns < until_ns))
