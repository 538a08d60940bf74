"""The live hub: the latest truth about every bed, and what is happening now, for whoever is subscribed.

`publish` is a sink of the bedside: bounded, never waits, never raises. A subscriber that is late loses the oldest wave
frames (counted); of states it gets the newest only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daemon.control.messages import (
    BeatSeen,
    BedState,
    DeviceState,
    DisplayState,
    FactSeen,
    MetricState,
    QualityState,
    State,
    WaveState,
    encode_waves,
)
from daemon.model.findings import Beat, DisplayBlock, Finding, Metric, Quality
from daemon.model.signals import (
    Command,
    DeviceSeen,
    Fact,
    FactState,
    Item,
    Nanos,
    SampleBlock,
    Tick,
)

WAVES_KEPT = 50
"""Wave frames kept for a late subscriber, a bed: about 2 s."""

BEATS_KEPT = 32

STATE_EVERY_NS: Nanos = 1_000_000_000


@dataclass(slots=True)
class _Bed:
    """What is known of a bed, as it goes into the next state."""

    bed: str
    index: int
    name: str
    display: DisplayState
    waves: WaveState | None = None
    metrics: dict[str, MetricState] = field(default_factory=dict)
    quality: dict[str, QualityState] = field(default_factory=dict)
    devices: dict[str, DeviceState] = field(default_factory=dict)

    def state(self) -> BedState:
        return BedState(
            bed=self.bed,
            index=self.index,
            name=self.name,
            display=self.display,
            waves=self.waves,
            metrics=dict(self.metrics),
            quality=dict(self.quality),
            devices=tuple(self.devices.values()),
        )


class Subscription:
    """One reader of the hub. `take` waits for something and returns it: newest state first, then beats, then waves."""

    def __init__(self, beds: int) -> None:
        self.dropped_waves = 0
        self._state: str | None = None
        self._beats: deque[str] = deque(maxlen=BEATS_KEPT)
        self._waves: deque[bytes] = deque(maxlen=WAVES_KEPT * max(1, beds))
        self._ready = asyncio.Event()

    def offer_state(self, text: str) -> None:
        self._state = text
        self._ready.set()

    def offer_beat(self, text: str) -> None:
        self._beats.append(text)
        self._ready.set()

    def offer_waves(self, frame: bytes) -> None:
        if len(self._waves) == self._waves.maxlen:
            self.dropped_waves += 1
        self._waves.append(frame)
        self._ready.set()

    async def take(self) -> str | bytes:
        await self._ready.wait()
        message: str | bytes
        if self._state is not None:
            message, self._state = self._state, None
        elif self._beats:
            message = self._beats.popleft()
        else:
            message = self._waves.popleft()
        if not self._beats and not self._waves:  # a state, if there was one, is what was just taken
            self._ready.clear()
        return message


class LiveHub:
    """All beds' latest state. `utc_ms` reads the wall clock, for people; nothing is decided by it."""

    def __init__(
        self,
        *,
        boot: str,
        version: str,
        box: str,
        demo: bool,
        beds: Sequence[tuple[str, str, DisplayState]],
        utc_ms: Callable[[], int],
    ) -> None:
        self._boot, self._version, self._box, self._demo = boot, version, box, demo
        self._beds = {bed: _Bed(bed, index, name, display) for index, (bed, name, display) in enumerate(beds)}
        self._facts: dict[tuple[str, str], FactSeen] = {}
        self._utc_ms = utc_ms
        self._subscriptions: set[Subscription] = set()
        self._seq = 0
        self._now_ns: Nanos = 0
        self._said_ns: Nanos = 0
        self._changed = True

    def subscribe(self) -> Subscription:
        subscription = Subscription(len(self._beds))
        subscription.offer_state(self.state().model_dump_json())
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def display(self, bed: str) -> DisplayState | None:
        """The display filters of a bed; None where there is no such bed."""
        known = self._beds.get(bed)
        return known.display if known else None

    def state(self) -> State:
        self._seq += 1
        return State(
            seq=self._seq,
            boot=self._boot,
            version=self._version,
            box=self._box,
            demo=self._demo,
            now_ns=self._now_ns,
            utc_ms=self._utc_ms(),
            beds=tuple(bed.state() for bed in self._beds.values()),
            facts=tuple(self._facts.values()),
        )

    def publish(self, bed: str, item: Item, findings: Sequence[Finding]) -> None:
        """The sink: take in what happened, and tell the subscribers."""
        known = self._beds[bed]
        if isinstance(item, DeviceSeen):
            self._device(known, item)
        elif isinstance(item, Fact):
            self._fact(item)
        elif isinstance(item, Command) and item.verb == "display":
            known.display = displayed(known.display, dict(item.values))
            self._changed = True
        for finding in findings:
            self._finding(known, finding)
        if isinstance(item, Tick):
            self._now_ns = max(self._now_ns, item.t_ns)
            self._tell()
        elif isinstance(item, SampleBlock):
            self._now_ns = max(self._now_ns, item.arrived_ns)

    def _finding(self, bed: _Bed, finding: Finding) -> None:
        match finding:
            case DisplayBlock():
                self._waves(bed, finding)
            case Beat():
                text = BeatSeen(bed=bed.bed, t_ns=finding.t_ns, label=finding.label.value).model_dump_json()
                for subscription in self._subscriptions:
                    subscription.offer_beat(text)
            case Metric():
                bed.metrics[finding.name] = MetricState.model_validate(finding, from_attributes=True)
                self._changed = True
            case Quality():
                bed.quality[finding.lead] = QualityState.model_validate(finding, from_attributes=True)
                self._changed = True

    def _waves(self, bed: _Bed, block: DisplayBlock) -> None:
        stream = block.segment.stream
        now = bed.waves
        if (
            now is None
            or now.segment != block.segment.id
            or now.chain != block.chain
            or now.leads != block.leads
        ):
            bed.waves = WaveState(
                leads=block.leads, rate_hz=stream.rate_hz, chain=block.chain, segment=block.segment.id
            )
            self._changed = True
            self._say_state()  # the page must know what the next frame holds before it comes
        frame = encode_waves(bed.index, block)
        for subscription in self._subscriptions:
            subscription.offer_waves(frame)

    def _device(self, bed: _Bed, seen: DeviceSeen) -> None:
        bed.devices[seen.label] = DeviceState.model_validate(seen, from_attributes=True)
        self._changed = True

    def _fact(self, fact: Fact) -> None:
        key = (fact.source, fact.bed)
        if fact.state is FactState.OK:
            self._facts.pop(key, None)
        else:
            self._facts[key] = FactSeen.model_validate(fact, from_attributes=True)
        self._changed = True

    def _tell(self) -> None:
        if self._changed or self._now_ns - self._said_ns >= STATE_EVERY_NS:
            self._say_state()

    def _say_state(self) -> None:
        self._changed = False
        self._said_ns = self._now_ns
        if not self._subscriptions:
            return
        text = self.state().model_dump_json()
        for subscription in self._subscriptions:
            subscription.offer_state(text)


def displayed(display: DisplayState, values: dict[str, str]) -> DisplayState:
    """The display filters after an operator's act; ValueError (pydantic's) names a value that is not possible."""
    changed: dict[str, object] = dict(values)
    if "mains_hz" in changed:
        changed["mains_hz"] = int(values["mains_hz"])
    if "cleaning" in changed:
        if values["cleaning"] not in {"true", "false"}:
            raise ValueError("cleaning must be true or false")
        changed["cleaning"] = values["cleaning"] == "true"
    return DisplayState.model_validate({**display.model_dump(), **changed})
