"""What is known of one bed for the screens: the newest of every number, the rhythms that go on, the last events. Bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from daemon.control.attached import DeviceState, StatusState, WaveState
from daemon.control.messages import (
    BedState,
    ConclusionsState,
    DisplayState,
    EventsSeen,
    EventState,
    MeasuredSeen,
    MetricState,
    QualityState,
    RhythmState,
)
from daemon.control.occupant import PatientState
from daemon.model.findings import Conclusions, DisplayBlock, Event, Metric, Quality, Rhythm
from daemon.model.signals import DeviceSeen, DeviceStatus, LinkState, Nanos, Reading

_State = TypeVar("_State", bound=BaseModel)

EVENTS_KEPT = 100
NUMBERS_KEPT, STATUSES_KEPT = 128, 64
TRACES_KEPT = 16
"""Streams of a bed that are drawn beside its ECG."""

ONE_AT_A_TIME = frozenset({"heart_rate", "rr_interval"})
"""Numbers taken from whichever lead is the best one now: one number, not one a lead."""

OF_ALL = frozenset({"", "global", "ecg"})
"""What a Metric names in place of a lead when it is not of one."""

BEFORE_ECG_NS: Nanos = 30_000_000_000
"""So long a number from a device's own stream stands before the same one from the ECG."""

OF_DEVICES = frozenset({"flow", "pleth", "oxygen", "oximeter", "cpap", "o2"})
"""What a Metric names that is measured in the stream of a device that is no ECG: it stands before the same number from an ECG."""


@dataclass(slots=True)
class KnownBed:
    """One of `beds`. Taking something in is cheap; messages are made of it when they are sent.

    `measured_changed` and `events_changed` are taken back by whoever has sent these messages.
    """

    bed: str
    index: int
    name: str
    display: DisplayState
    beds: int = 1
    waves: WaveState | None = None
    patient: PatientState | None = None
    measured_changed: bool = False
    events_changed: bool = False
    _metrics: dict[str, Metric | MetricState] = field(default_factory=dict)
    _readings: dict[str, MetricState] = field(default_factory=dict)
    _leads: dict[str, dict[str, Metric | MetricState]] = field(default_factory=dict)
    _quality: dict[str, Quality | QualityState] = field(default_factory=dict)
    _devices: dict[str, DeviceSeen | DeviceState] = field(default_factory=dict)
    _statuses: dict[tuple[str, str], StatusState] = field(default_factory=dict)
    _rhythms: dict[str, EventState] = field(default_factory=dict)
    _events: deque[EventState] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _conclusions: Conclusions | None = None
    _counted: int = 0
    _traces: dict[str, WaveState] = field(default_factory=dict)

    def state(self) -> BedState:
        return BedState(
            bed=self.bed,
            index=self.index,
            name=self.name,
            display=self.display,
            waves=self.waves,
            traces=tuple(self._traces.values()),
            metrics={**self._readings, **_as(MetricState, self._metrics)},
            quality=_as(QualityState, self._quality),
            rhythms=tuple(RhythmState(label=one.name, since_ns=one.t_ns) for one in self._rhythms.values()),
            devices=tuple(_as(DeviceState, self._devices).values()),
            statuses=tuple(self._statuses.values()),
            patient=self.patient,
        )

    def measured(self) -> MeasuredSeen:
        concluded = self._conclusions
        return MeasuredSeen(
            bed=self.bed,
            leads={lead: _as(MetricState, numbers) for lead, numbers in self._leads.items()},
            conclusions=concluded and ConclusionsState.model_validate(concluded, from_attributes=True),
        )

    def events(self) -> EventsSeen:
        return EventsSeen(bed=self.bed, events=tuple(self._events))

    def announce(self, block: DisplayBlock) -> bool:
        """Whether the wave frames from this block on hold something else than before. A new segment forgets the old one."""
        now = self.waves
        if now is not None and (now.segment, now.chain, now.leads) == (
            block.segment.id,
            block.chain,
            block.leads,
        ):
            return False
        if now is not None and now.segment != block.segment.id:
            self.forget()
            self._quality = {lead: q for lead, q in self._quality.items() if lead in {*block.leads, "global"}}
        self.waves = _wave_state(block, self.index)
        return True

    def announce_trace(self, block: DisplayBlock) -> tuple[int, bool] | None:
        """As `announce`, of waves that are no ECG: the index of their frames, and whether they hold something else. None: one too many."""
        stream = block.segment.stream.id
        now = self._traces.get(stream)
        if now is not None and (now.segment, now.chain, now.leads) == (
            block.segment.id,
            block.chain,
            block.leads,
        ):
            return now.index, False
        if now is None:
            taken = {trace.index for trace in self._traces.values()}
            # Every bed has indices of its own: those that leave its own number when divided by the count of beds.
            free = (self.index + self.beds * k for k in range(1, TRACES_KEPT + 1))
            index = next((one for one in free if one not in taken), None)
            if index is None:
                return None
        else:
            index = now.index
        self._traces[stream] = _wave_state(block, index)
        return index, True

    def _leave(self, device: str) -> None:
        """A device with this serial number is at this bed no more: nothing of its own is shown on."""
        self._traces = {stream: trace for stream, trace in self._traces.items() if trace.device != device}
        self._readings = {name: state for name, state in self._readings.items() if state.lead != device}
        self._statuses = {key: state for key, state in self._statuses.items() if key[0] != device}

    def forget(self) -> None:
        """Analysis begins anew: rhythms are lost from sight, and what was measured is no longer so."""
        for entry in self._rhythms.values():
            self._replace(entry, entry.model_copy(update={"on": False}))
        self._rhythms.clear()
        self._metrics = {name: metric for name, metric in self._metrics.items() if name in ONE_AT_A_TIME}
        self._leads.clear()
        self._conclusions = None
        self.measured_changed = True

    def metric(self, metric: Metric) -> bool:
        """Take a number; whether it has come or gone (and not only moved) and is not of one lead."""
        if metric.name not in ONE_AT_A_TIME and metric.lead not in OF_ALL | OF_DEVICES:
            self._leads.setdefault(metric.lead, {})[metric.name] = metric
            self.measured_changed = True
            return False
        before = self._metrics.get(metric.name)
        if before is not None and _is_better(before, metric):
            return False
        self._metrics[metric.name] = metric
        return before is None or before.why != metric.why

    def reading(self, reading: Reading) -> bool:
        """Take a number of a device's own; whether it has come or gone."""
        before = self._readings.get(reading.name)
        if before is None and len(self._readings) >= NUMBERS_KEPT:
            return False
        why = reading.why or None
        self._readings[reading.name] = MetricState(
            value=reading.value, unit=reading.unit, t_ns=reading.t_ns, why=why, lead=reading.device
        )
        return before is None or before.why != why

    def status(self, status: DeviceStatus) -> None:
        key = (status.device, status.name)
        if key in self._statuses or len(self._statuses) < STATUSES_KEPT:
            self._statuses[key] = StatusState(
                device=status.device, name=status.name, text=status.text, t_ns=status.t_ns
            )

    def quality(self, quality: Quality) -> None:
        self._quality[quality.lead] = quality

    def device(self, seen: DeviceSeen) -> bool:
        """Take a device's state; whether it is another one, and not only counters that counted."""
        if seen.state is LinkState.MOVED:
            self._leave(seen.device)
            return self._devices.pop(seen.label, None) is not None
        before = self._devices.get(seen.label)
        self._devices[seen.label] = seen
        return before is None or (before.state, before.device) != (seen.state, seen.device)

    def has(self, device: str) -> bool:
        """Whether a device with this serial number is, or was last seen, here."""
        return any(seen.device == device for seen in self._devices.values())

    def concluded(self, conclusions: Conclusions) -> None:
        self._conclusions = conclusions
        self.measured_changed = True

    def event(self, event: Event) -> None:
        self._append(
            EventState(
                id=self._next(),
                kind="event",
                name=event.name,
                t_ns=event.t_ns,
                detail=event.detail,
                numbers=event.numbers,
                rule=event.evidence.rule,
                segment=event.evidence.segment,
                first=event.evidence.first,
                last=event.evidence.last,
            )
        )

    def rhythm(self, rhythm: Rhythm) -> None:
        """A rhythm that begins, or one that ends: one entry in the list."""
        open_ = self._rhythms.pop(rhythm.label, None)
        entry = EventState(
            id=self._next() if open_ is None else open_.id,
            kind="rhythm",
            name=rhythm.label,
            t_ns=rhythm.t_ns,
            end_ns=rhythm.end_ns,
            on=rhythm.end_ns is None,
            rule=rhythm.evidence.rule,
            segment=rhythm.evidence.segment,
            first=rhythm.evidence.first,
            last=rhythm.evidence.last,
        )
        if open_ is None:
            self._append(entry)
        else:
            self._replace(open_, entry)
        if entry.on:
            self._rhythms[rhythm.label] = entry

    def _next(self) -> int:
        self._counted += 1
        return self._counted

    def _append(self, entry: EventState) -> None:
        self._events.append(entry)
        self.events_changed = True

    def _replace(self, before: EventState, entry: EventState) -> None:
        """Another version of an entry, at its place where it is still kept."""
        for k, kept in enumerate(self._events):
            if kept.id == before.id:
                self._events[k] = entry
        self.events_changed = True


def _wave_state(block: DisplayBlock, index: int) -> WaveState:
    """What the frames of such blocks hold."""
    stream = block.segment.stream
    quantities = {channel.name: channel.quantity.value for channel in stream.channels}
    return WaveState(
        leads=block.leads,
        rate_hz=stream.rate_hz,
        chain=block.chain,
        segment=block.segment.id,
        index=index,
        device=stream.device,
        units=block.units,
        quantities=tuple(quantities[lead] for lead in block.leads) if block.units else (),
    )


def _is_better(before: Metric | MetricState, metric: Metric) -> bool:
    """Whether a number that was said from a device's own stream just now stands before one from the ECG."""
    from_device = before.lead in OF_DEVICES and metric.lead not in OF_DEVICES
    return from_device and before.value is not None and metric.t_ns - before.t_ns < BEFORE_ECG_NS


def _as(kind: type[_State], held: dict[str, Any]) -> dict[str, _State]:
    """What is held as messages of `kind`, each made once, when it is first sent."""
    for key, one in held.items():
        if not isinstance(one, kind):
            held[key] = kind.model_validate(one, from_attributes=True)
    return dict(held)
