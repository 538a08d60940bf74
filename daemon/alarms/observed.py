"""What alarms are judged from: the latest of every finding and item, as of a Tick.

Findings wait until the Tick of their due time, so that a block of a minute gives the same as a minute of short ones. Memory
is bounded everywhere: of names, leads and sources beyond the limits the one that is oldest is forgotten.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from daemon.model.alarms import Priority
from daemon.model.findings import (
    Beat,
    Event,
    Finding,
    Grade,
    Metric,
    Quality,
    Rhythm,
    RunCounted,
    Why,
)
from daemon.model.signals import (
    DeviceSeen,
    DeviceStatus,
    Fact,
    Item,
    LeadState,
    LinkState,
    Nanos,
    Quantity,
    Reading,
    SampleBlock,
)

STALE_S = 3.0
"""A value older than this is no value (SETTLED: "a stale value blanks after 3 s")."""

SECOND_NS: Nanos = 1_000_000_000
MOST_WAITING = (
    1 << 16
)  # findings of the longest block, 60 s; beyond it they are taken in early, never dropped
MOST_NAMES, MOST_BEATS, MOST_EVENTS, MOST_RHYTHMS = 256, 512, 8, 8

HEART_RATE = "heart_rate"
BEATS, RHYTHMS, QUALITY, LEADS, FACTS, LINKS = "#beats", "#rhythms", "#quality", "#leads", "#facts", "#links"
STATUSES = "#statuses"
FLOW = "flow"
"""The lead of a respiration rate that was counted in the flow of the airway, not guessed from the ECG."""
ARMED = "#armed"
"""Kinds of what can be taken in, and that a number is valid for the first time; numbers and events go by their names."""


def absence_of(name: str) -> str:
    """The kind that is taken in where a number comes to have a value, none, or another reason for having none."""
    return f"{name}?"


Taken = (
    Beat
    | Metric
    | Quality
    | Rhythm
    | RunCounted
    | Event
    | Reading
    | DeviceStatus
    | Fact
    | DeviceSeen
    | LeadState
)
JUDGED = (Metric, Beat, Quality, Rhythm, RunCounted, Event)  # of the findings
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a metric has no value, and since when for this very reason."""

    why: Why
    since_ns: Nanos


@dataclass(slots=True)
class Withdrawn:
    """What is no longer to be expected here since the last Tick, as a person has taken its device to another bed."""

    names: set[str] = field(default_factory=set)
    instances: set[str] = field(default_factory=set)

    def clear(self) -> None:
        self.names.clear()
        self.instances.clear()

    def __bool__(self) -> bool:
        return bool(self.names or self.instances)


class Observed:
    """One bed. `collect` at any time, `advance` at Ticks; between them nothing of what can be asked changes."""

    def __init__(self) -> None:
        self.now_ns: Nanos = 0
        self.beats: deque[Beat] = deque(maxlen=MOST_BEATS)
        self.rhythms: dict[tuple[str, str, int], Rhythm] = {}
        self.ended: dict[str, Rhythm] = {}
        self.run: RunCounted | None = None
        self.quality: dict[str, Quality] = {}
        self.electrodes: dict[str, bool] = {}
        self.facts: dict[str, Fact] = {}
        self.links: dict[str, DeviceSeen] = {}
        self.statuses: dict[tuple[str, str], DeviceStatus] = {}
        self.ecg_devices: dict[str, str] = {}
        self.tests: dict[Priority, Nanos] = {}
        self.touched: set[str] = set()  # what has been taken in since the last Tick that was decided
        self._latest: dict[str, Metric] = {}
        self._said: dict[str, Metric] = {}  # by a device itself
        self._by_lead: dict[tuple[str, str], Metric] = {}
        self._absent: dict[str, Absence] = {}
        self._events: dict[str, deque[Event]] = {}
        self._waiting: list[tuple[Nanos, int, Taken]] = []
        self._count = 0
        self._electrodes_of = ""
        self._device_of: dict[str, str] = {}
        self._taken_away: dict[str, str] = {}
        self.withdrawn = Withdrawn()
        self.forget_patient()

    def forget_patient(self) -> None:
        """Discharge or a new patient: what has been valid is to be valid anew. What goes on in the body goes on."""
        self.valid: set[str] = set()
        self._givers: dict[str, set[str]] = {}  # of what is valid, the devices; "" where that is not known
        self.streamed: set[str] = set()
        self.ended.clear()
        self._events.clear()
        self.since_ns: Nanos = self.now_ns

    def collect(self, item: Item, findings: Sequence[Finding]) -> None:
        """Put an item and what analysis said of it in line."""
        if isinstance(item, SampleBlock):
            stream = item.segment.stream
            if item.segment.id not in self._device_of:
                _keep(self._device_of, item.segment.id, stream.device, MOST_NAMES)
            if stream.device not in self.ecg_devices and any(
                channel.quantity is Quantity.ECG for channel in stream.channels
            ):
                _keep(self.ecg_devices, stream.device, stream.device, 8)
                self.touched.add(LINKS)
        elif isinstance(item, Reading | DeviceStatus | Fact | DeviceSeen | LeadState):
            self._wait(item.t_ns, item)
        for finding in findings:
            if isinstance(finding, JUDGED):
                self._wait(finding.due_ns, finding)

    def _wait(self, due_ns: Nanos, taken: Taken) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (due_ns, self._count, taken))
        if len(self._waiting) > MOST_WAITING:
            self._take(*heapq.heappop(self._waiting)[::2])

    def advance(self, t_ns: Nanos) -> None:
        """Time is `t_ns`: take in what is due by then, in order."""
        self.now_ns = t_ns
        while self._waiting and self._waiting[0][0] <= t_ns:
            due_ns, _, taken = heapq.heappop(self._waiting)
            self._take(due_ns, taken)
        while self.beats and self.beats[0].t_ns < t_ns - 90 * SECOND_NS:
            self.beats.popleft()
            self.touched.add(BEATS)

    def _take(self, due_ns: Nanos, taken: Taken) -> None:
        if self._taken_away and self._analysed(taken) in self._taken_away:
            return  # said late, of a device that is at another bed by now
        match taken:
            case Beat():
                self.touched.add(BEATS)
                self.beats.append(taken)
            case Metric():
                self._value(taken, self._latest, self._analysed(taken))
            case Reading():
                why = None if taken.value is not None else Why.NO_SIGNAL
                number = (taken.value, taken.unit, why, taken.device, 1.0, None)
                self._value(Metric(taken.t_ns, due_ns, taken.name, *number), self._said, taken.device)
            case Quality():
                self.touched.add(QUALITY)
                _keep(self.quality, taken.lead, taken, 32)
            case Rhythm():
                self.touched.add(RHYTHMS)
                self._rhythm(taken)
            case RunCounted():
                self.touched.add(RHYTHMS)
                self.run = taken
            case Event():
                self.touched.add(taken.name)
                _keep(self._events, taken.name, self._events.get(taken.name, deque(maxlen=MOST_EVENTS)), 64)
                self._events[taken.name].append(taken)
            case DeviceStatus():
                self.touched.add(STATUSES)
                _keep(self.statuses, (taken.device, taken.name), taken, 64)
            case Fact():
                self.touched.add(FACTS)
                _keep(self.facts, taken.source, taken, 64)
            case DeviceSeen():
                self.touched.add(LINKS)
                if taken.state is LinkState.MOVED:
                    self._withdraw(taken)
                    return
                self._taken_away.pop(taken.device, None)
                _keep(self.links, taken.label, taken, 32)
                if taken.state is LinkState.STREAMING:
                    self.streamed.add(taken.label)
            case LeadState():
                self.touched.add(LEADS)
                if self._electrodes_of != taken.segment.stream.device:
                    self._electrodes_of = taken.segment.stream.device
                    self.electrodes.clear()
                for name, on in taken.attached:
                    _keep(self.electrodes, name, on, 32)

    def _value(self, metric: Metric, numbers: dict[str, Metric], device: str) -> None:
        """A number, of our own analysis or of a device; of which one, "" where that is not known."""
        if metric.value is not None and not math.isfinite(metric.value):
            metric = replace(metric, value=None, why=Why.NO_SIGNAL)  # a broken number is no number
        name, before = metric.name, numbers.get(metric.name)
        # What was said before has lapsed when nothing was said for so long.
        lapsed = before is None or metric.due_ns - before.due_ns > STALE_S * SECOND_NS
        self.touched.add(name)
        if before is None or lapsed or before.why is not metric.why:
            self.touched.add(absence_of(name))
        _keep(numbers, name, metric, MOST_NAMES, lambda kept: kept.due_ns)
        _keep(self._by_lead, (name, metric.lead), metric, MOST_NAMES, lambda kept: kept.due_ns)
        if metric.why is not None:
            known = self._absent.get(name)
            if known is None or known.why is not metric.why or lapsed:
                _keep(self._absent, name, Absence(metric.why, metric.t_ns), MOST_NAMES)
        else:
            self._absent.pop(name, None)
            if metric.due_ns >= self.since_ns:
                self._given(metric.name, device)
            if name == HEART_RATE and metric.evidence is not None:
                self._drop_orphans(metric.evidence.segment)

    def _analysed(self, taken: Taken) -> str:
        """The device whose samples a finding was made of; "" where that is not known."""
        if not isinstance(taken, Metric | Beat | Rhythm | RunCounted | Event) or taken.evidence is None:
            return ""
        return self._device_of.get(taken.evidence.segment, "")

    def _given(self, name: str, device: str) -> None:
        """A number of this name is expected from now on, as long as one of the devices that gave it belongs to this bed."""
        if name not in self.valid and len(self.valid) >= MOST_NAMES:
            return
        if name not in self.valid:
            self.valid.add(name)
            self.touched.add(ARMED)
        self._givers.setdefault(name, set()).add(device)

    def _withdraw(self, seen: DeviceSeen) -> None:
        """A person has put a device to another bed: there it is missed from now on, and here what it alone gave is not."""
        self.links.pop(seen.label, None)
        self.streamed.discard(seen.label)
        self.statuses = {key: said for key, said in self.statuses.items() if key[0] != seen.device}
        _keep(self._taken_away, seen.device, seen.label, 32)
        self._taken_away.pop("", None)
        names = {name for name, givers in self._givers.items() if givers == {seen.device}}
        if self.ecg_devices.pop(seen.device, None) and not self.ecg_devices:
            names.add(HEART_RATE)
            self.electrodes.clear()
        if HEART_RATE in names:
            self.rhythms.clear()
            self.beats.clear()
            self.quality.clear()
        for of_name in (self._latest, self._said, self._absent):
            for name in names:
                of_name.pop(name, None)
        self._by_lead = {
            (name, lead): metric
            for (name, lead), metric in self._by_lead.items()
            if name not in names and lead != seen.device
        }
        others = {name: givers - {seen.device} for name, givers in self._givers.items()}
        self._givers = {name: givers for name, givers in others.items() if givers}
        self.valid -= names
        self.withdrawn.names |= names
        self.withdrawn.instances |= {seen.device, seen.label} - {""}
        self.touched |= {STATUSES, LEADS, QUALITY, RHYTHMS, BEATS, *names, *map(absence_of, names)}

    def _drop_orphans(self, segment: str) -> None:
        """A new segment shows a beating heart: what stood from the segment before it, whose end nobody will say, is over."""
        for key in [key for key in self.rhythms if key[1] != segment]:
            self.touched.add(RHYTHMS)
            self.ended[key[0]] = replace(self.rhythms.pop(key), end_ns=self.now_ns)

    def _rhythm(self, rhythm: Rhythm) -> None:
        key = (rhythm.label, rhythm.evidence.segment, rhythm.evidence.first)
        if rhythm.end_ns is None:
            _keep(self.rhythms, key, rhythm, MOST_RHYTHMS)
        else:
            self.rhythms.pop(key, None)
            _keep(self.ended, rhythm.label, rhythm, 32)

    # What conditions ask.

    def value(self, name: str, stale_s: float = STALE_S) -> Metric | None:
        """The newest metric of this name, with a value or the reason why there is none; None when it is stale.

        Where our analysis has no value, a device's own counts; where the flow of the airway is seen, breaths are counted there.
        """
        metric = self._fresh(self._by_lead.get((name, FLOW)) or self._latest.get(name), stale_s)
        if metric is None:
            metric = self._fresh(self._latest.get(name), stale_s)
        if metric is None or metric.value is None:
            said = self._fresh(self._said.get(name), stale_s)
            return said if metric is None or (said is not None and said.value is not None) else metric
        return metric

    def last(self, name: str) -> Metric | None:
        """The newest metric of this name, however old."""
        known = [
            metric for numbers in (self._latest, self._said) if (metric := numbers.get(name)) is not None
        ]
        return max(known, key=lambda metric: metric.due_ns, default=None)

    def leads(self, name: str, stale_s: float = STALE_S) -> dict[str, Metric]:
        """The metrics of this name that are not stale, by lead."""
        fresh = {lead: self._fresh(m, stale_s) for (n, lead), m in self._by_lead.items() if n == name}
        return {lead: metric for lead, metric in fresh.items() if metric is not None}

    def absent(self, name: str) -> Absence | None:
        """Why a metric has no value now, and since when; None when it has one, or when it is stale."""
        metric = self.value(name)
        return None if metric is None or metric.why is None else self._absent.get(name)

    def rhythm(self, labels: frozenset[str]) -> Rhythm | None:
        """The rhythm of one of these labels that is going on, the oldest of them."""
        on = [rhythm for rhythm in self.rhythms.values() if rhythm.label in labels]
        return min(on, key=lambda rhythm: rhythm.t_ns, default=None)

    def events(self, name: str, within_s: float) -> list[Event]:
        """Events of this name that were said in the last seconds."""
        return [e for e in self._events.get(name, ()) if self.age_s(e.due_ns) <= within_s]

    def age_s(self, t_ns: Nanos) -> float:
        """Seconds from then to now."""
        return (self.now_ns - t_ns) / SECOND_NS

    @property
    def poor(self) -> bool:
        """Whether all leads together are too bad to trust a rate."""
        together = self.quality.get("global")
        return together is not None and together.grade is Grade.POOR

    @property
    def electrodes_on(self) -> bool:
        """Whether the device can tell, and says that all electrodes are attached."""
        return bool(self.electrodes) and all(self.electrodes.values())

    @property
    def electrodes_off(self) -> frozenset[str]:
        """Electrodes that analysis has settled as off."""
        return frozenset(name for quality in self.quality.values() for name in quality.electrodes)

    def _fresh(self, metric: Metric | None, stale_s: float) -> Metric | None:
        return None if metric is None or self.age_s(metric.due_ns) > stale_s else metric


def _keep(held: dict[K, T], key: K, value: T, most: int, age: Callable[[T], int] | None = None) -> None:
    """Set `key`; when there are more than `most` now, forget the one that is oldest (by `age`, else longest there)."""
    held[key] = value
    if len(held) > most:
        others = [k for k in held if k != key]
        del held[min(others, key=lambda k: age(held[k])) if age else others[0]]
