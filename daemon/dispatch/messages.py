"""What the clouds are told: items, findings and changes of alarms become messages, in the words of the contracts.

Pure but for the `utc` that it is given. Everything it makes is written by the store in the transaction of what it tells of.
Numbers go once a second for every device that is there, alarms at every change, arrhythmias when they are found. Session
messages are made by the store itself (store/sessions.py), waveforms are its chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from daemon.contracts.registry import said
from daemon.contracts.times import instant
from daemon.dispatch.numbers import DeviceNumbers, EcgNumbers
from daemon.model.alarms import Change, ChangeKind
from daemon.model.arrhythmias import ARRHYTHMIAS, BY_BEAT, BY_EVENT, BY_RHYTHM
from daemon.model.findings import Beat, Event, Evidence, Finding, Metric, Quality, Rhythm
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import DeviceSeen, DeviceStatus, Fact, Item, Nanos, Reading, SampleBlock, Tick
from daemon.words import say

SECOND_NS: Nanos = 1_000_000_000

SINGLE_EVERY_NS: Nanos = 10_000_000_000
"""Single early beats of one kind are told no oftener than this; every one of them is stored."""

CHANGES = {ChangeKind.BEGAN: "onset", ChangeKind.ENDED: "end"}
"""Words of box.alarm/1 that are not ours."""


class Dispatch:
    """All beds of a box. `utc` gives UTC in ns of a time, by the best knowledge; `demo`: the patients are simulators.

    `failed` hears of an error in making a message: that message is not told, every other one is.
    """

    def __init__(
        self, utc: Callable[[Nanos], int], *, demo: bool, failed: Callable[[Exception], None]
    ) -> None:
        self._utc = utc
        self._demo = demo
        self._failed = failed
        self._beds: dict[str, _Bed] = {}
        self._facts: dict[tuple[str, str], Fact] = {}

    def push(
        self, bed: str, item: Item, findings: Sequence[Finding], changes: Sequence[Change]
    ) -> list[Outgoing]:
        """The messages about what happened; the alarms first. Never raises."""
        known = self._beds.setdefault(bed, _Bed(demo=self._demo))
        makers = [partial(self._alarm, bed, c) for c in changes if c.kind is not ChangeKind.NEAR_MISS]
        makers += [partial(known.item, item), *(partial(known.finding, finding) for finding in findings)]
        if isinstance(item, Fact):
            makers.append(partial(self._fact, item))
        if isinstance(item, Tick) and item.t_ns % SECOND_NS == 0:
            makers.append(partial(known.numbers, item.t_ns))
        out: list[Outgoing] = []
        for make in makers:
            try:
                out += make()
            except Exception as error:  # noqa: BLE001 - a fault in one message must not cost an alarm's; it is said
                self._failed(error)
        return out

    def _alarm(self, bed: str, change: Change) -> list[Outgoing]:
        filled = {name: v if isinstance(v, str) else f"{v:g}" for name, v in change.values}
        body = {
            "alarm": change.row,
            "occurrence": change.occurrence,
            "change": CHANGES.get(change.kind, change.kind.value),
            "priority": None if change.priority is None else change.priority.value,
            "text": say(change.text, **filled) if change.text else "",
            "value": _number(change.value),
            "limit": _number(change.limit),
            "unit": change.unit or None,
            "onset_at": instant(self._utc(change.t_ns)),
            "actor": change.actor,
            "bed": bed,
        }
        return [_message(change.due_ns, Lane.ALARMS, "box.alarm/1", "", body)]

    def _fact(self, fact: Fact) -> list[Outgoing]:
        if self._facts.get((fact.bed, fact.source)) == fact:
            return []  # a Fact of the whole box comes once through every bed
        self._facts[fact.bed, fact.source] = fact
        since = instant(self._utc(fact.since_ns))
        body = {"source": fact.source, "state": fact.state.value, "since": since, "detail": fact.detail}
        return [_message(fact.t_ns, Lane.EVENTS, "box.fact/1", "", body)]


class _Bed:
    """What was last said at one bed."""

    def __init__(self, *, demo: bool) -> None:
        self._ecg = EcgNumbers(demo=demo)
        self._devices = DeviceNumbers()
        self._told: dict[str, Nanos] = {}

    def item(self, item: Item) -> list[Outgoing]:
        """Takes it in; nothing is told of it by itself."""
        match item:
            case SampleBlock():
                self._ecg.samples(item)
            case DeviceSeen():
                self._ecg.device(item)
                self._devices.device(item)
            case Reading():
                self._devices.reading(item)
            case DeviceStatus():
                self._devices.status(item)
        return []

    def finding(self, finding: Finding) -> list[Outgoing]:
        match finding:
            case Metric():
                self._ecg.metric(finding)
            case Quality():
                self._ecg.quality(finding)
            case Rhythm():
                self._ecg.rhythm(finding)
                return self._rhythm(finding)
            case Beat():
                return self._beat(finding)
            case Event():
                return [self._event(finding)]
        return []

    def numbers(self, t_ns: Nanos) -> list[Outgoing]:
        told = [*self._ecg.told(t_ns), *self._devices.told(t_ns)]
        return [_message(t_ns, Lane.METRICS, *message) for message in told]

    def _beat(self, beat: Beat) -> list[Outgoing]:
        code = BY_BEAT.get(beat.label)
        if code is None or beat.late or beat.t_ns - self._told.get(code, -SINGLE_EVERY_NS) < SINGLE_EVERY_NS:
            return []
        self._told[code] = beat.t_ns
        return [self._arrhythmia(code, beat.t_ns, beat.evidence)]

    def _rhythm(self, rhythm: Rhythm) -> list[Outgoing]:
        code = BY_RHYTHM.get(rhythm.label)
        if code is None or rhythm.end_ns is not None:
            return []
        return [self._arrhythmia(code, rhythm.t_ns, rhythm.evidence)]

    def _event(self, event: Event) -> Outgoing:
        if event.name in BY_EVENT:
            return self._arrhythmia(BY_EVENT[event.name], event.t_ns, event.evidence)
        body = {
            "name": event.name,
            "numbers": [{"name": n, "value": float(v), "unit": u} for n, v, u in event.numbers],
            "detail": event.detail,
            "evidence": _where(event.evidence),
        }
        return _message(event.t_ns, Lane.EVENTS, "box.event/1", self._ecg.serial, body)

    def _arrhythmia(self, code: str, t_ns: Nanos, evidence: Evidence) -> Outgoing:
        body = {
            "type": code,
            "severity": ARRHYTHMIAS[code].severity,
            "description": say(f"arrhythmia.{code}"),
            "heart_rate_bpm": self._ecg.heart_rate,
            "lead": self._ecg.lead,
            "evidence": _where(evidence),
        }
        return _message(t_ns, Lane.EVENTS, "ecg.arrhythmia/1", self._ecg.serial, body)


def _message(t_ns: Nanos, lane: Lane, message: str, device: str, body: Mapping[str, Any]) -> Outgoing:
    return Outgoing(int(t_ns), lane, message, device, said(message, body))


def _where(evidence: Evidence) -> dict[str, Any]:
    return {
        "segment": evidence.segment,
        "first": int(evidence.first),
        "last": int(evidence.last),
        "rule": evidence.rule,
    }


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
