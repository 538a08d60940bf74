"""The live hub: the latest truth about every bed, and what is happening now, for whoever is subscribed.

`publish` is a sink of the bedside: bounded, never waits, never raises. A subscriber that is late loses the oldest wave
frames (counted); of every other kind of message it gets the newest only, beats apart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from daemon.alarms.watch import Watch
from daemon.control.board import AlarmBoard
from daemon.control.known import KnownBed
from daemon.control.messages import BeatSeen, DisplayState, FactSeen, LimitsTold, State
from daemon.control.occupant import PatientState
from daemon.control.waves import encode_waves
from daemon.model.alarms import Change
from daemon.model.findings import (
    Beat,
    Conclusions,
    DisplayBlock,
    Event,
    Finding,
    Metric,
    Quality,
    Rhythm,
)
from daemon.model.signals import (
    Command,
    DeviceSeen,
    DeviceStatus,
    Fact,
    FactState,
    Item,
    Nanos,
    Reading,
    SampleBlock,
    Tick,
)

WAVES_KEPT = 80
"""Wave frames kept for a late subscriber, a bed: about 2 s of an ECG and four other streams."""

BEATS_KEPT = 32

ANALYSIS = "analysis"
"""Source of the Fact that a bed's analysis has failed (bedside.py): what it had said is no longer so."""

STATE_EVERY_NS: Nanos = 1_000_000_000
NUMBERS_EVERY_NS: Nanos = 500_000_000
"""Numbers that only move are read, not watched: a beat brings ten of them, and one message carries them all."""

SOON_NS: Nanos = 250_000_000
"""What comes or goes (a number, a rhythm, a fault, an electrode) is said with the next Tick, but no oftener than this."""

LONG_EVERY_NS: Nanos = 1_000_000_000
"""How often a long message (`MeasuredSeen`, `EventsSeen`) is sent at most, a bed."""


class Subscription:
    """One reader of the hub. `take` waits for something and returns it: the newest texts first, then beats, then waves."""

    def __init__(self, beds: int) -> None:
        self.dropped_waves = 0
        self._latest: dict[str, str] = {}
        self._beats: deque[str] = deque(maxlen=BEATS_KEPT)
        self._waves: deque[bytes] = deque(maxlen=WAVES_KEPT * max(1, beds))
        self._ready = asyncio.Event()

    def offer_latest(self, kind: str, text: str) -> None:
        """Replace what waits of this kind."""
        self._latest[kind] = text
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
        if self._latest:
            message = self._latest.pop(next(iter(self._latest)))
        elif self._beats:
            message = self._beats.popleft()
        else:
            message = self._waves.popleft()
        if not self._latest and not self._beats and not self._waves:
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
        self._beds = {
            bed: KnownBed(bed, index, name, display, len(beds))
            for index, (bed, name, display) in enumerate(beds)
        }
        self._boards: dict[str, AlarmBoard] = {}
        self._facts: dict[tuple[str, str], FactSeen] = {}
        self._utc_ms = utc_ms
        self._subscriptions: set[Subscription] = set()
        self._seq = 0
        self._now_ns: Nanos = 0
        self._said_ns: Nanos = 0
        self._wait_ns = SOON_NS  # the next state is due so long after the last one
        self._long_ns: Nanos = 0

    def watch(self, bed: str, alarms: Watch) -> None:
        """From now on the screens are told of these alarms."""
        self._boards[bed] = AlarmBoard(bed, alarms)

    def occupy(self, bed: str, patient: PatientState | None) -> None:
        """Who is at a bed now; None clears the name from the screens."""
        self._beds[bed].patient = patient
        self._due(SOON_NS)

    def subscribe(self) -> Subscription:
        subscription = Subscription(len(self._beds))
        subscription.offer_latest("state", self.state().model_dump_json())
        for name, board in self._boards.items():
            subscription.offer_latest(f"limits {name}", board.limits)
            subscription.offer_latest(f"alarms {name}", board.alarms)
        for bed in self._beds.values():
            subscription.offer_latest(f"measured {bed.bed}", bed.measured().model_dump_json())
            subscription.offer_latest(f"events {bed.bed}", bed.events().model_dump_json())
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def display(self, bed: str) -> DisplayState | None:
        """The display filters of a bed; None where there is no such bed."""
        known = self._beds.get(bed)
        return known.display if known else None

    def bed_of(self, device: str) -> str | None:
        """The bed that a device is at, by its serial number; None where it is at none."""
        return next((bed.bed for bed in self._beds.values() if bed.has(device)), None)

    def limits(self, bed: str) -> LimitsTold | None:
        """The alarm limits of a bed, and those proposed now; None where there is no such bed."""
        board = self._boards.get(bed)
        return board.told() if board else None

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

    def publish(
        self, bed: str, item: Item, findings: Sequence[Finding], changes: Sequence[Change] = ()
    ) -> None:
        """The sink: take in what happened, and tell the subscribers."""
        known = self._beds[bed]
        if isinstance(item, DeviceSeen):
            self._due(SOON_NS if known.device(item) else STATE_EVERY_NS)
        elif isinstance(item, Reading):
            self._due(SOON_NS if known.reading(item) else NUMBERS_EVERY_NS)
        elif isinstance(item, DeviceStatus):
            known.status(item)
            self._due(SOON_NS)
        elif isinstance(item, Fact):
            self._fact(item)
        elif isinstance(item, Command) and item.verb == "display":
            known.display = displayed(known.display, dict(item.values))
            self._due(SOON_NS)
        for finding in findings:
            self._finding(known, finding)
        if isinstance(item, Tick):
            self._now_ns = max(self._now_ns, item.t_ns)
            board = self._boards.get(bed)
            for kind, text in board.take(item.t_ns, changes).items() if board is not None else ():
                self._offer(f"{kind} {bed}", text)
            self._tell()
        elif isinstance(item, SampleBlock):
            self._now_ns = max(self._now_ns, item.arrived_ns)

    def _finding(self, bed: KnownBed, finding: Finding) -> None:
        match finding:
            case DisplayBlock():
                self._waves(bed, finding)
            case Beat():
                text = BeatSeen(bed=bed.bed, t_ns=finding.t_ns, label=finding.label.value).model_dump_json()
                for subscription in self._subscriptions:
                    subscription.offer_beat(text)
            case Metric():
                self._due(SOON_NS if bed.metric(finding) else NUMBERS_EVERY_NS)
            case Quality():
                bed.quality(finding)
                self._due(SOON_NS)
            case Rhythm():
                bed.rhythm(finding)
                self._due(SOON_NS)
            case Event():
                bed.event(finding)
            case Conclusions():
                bed.concluded(finding)

    def _waves(self, bed: KnownBed, block: DisplayBlock) -> None:
        announced = bed.announce_trace(block) if block.units else (bed.index, bed.announce(block))
        if announced is None:
            return
        index, is_new = announced
        if is_new:
            self._say_state()  # the page must know what the next frame holds before it comes
        if not self._subscriptions:
            return
        frame = encode_waves(index, block)
        for subscription in self._subscriptions:
            subscription.offer_waves(frame)

    def _fact(self, fact: Fact) -> None:
        key = (fact.source, fact.bed)
        if fact.state is FactState.OK:
            self._facts.pop(key, None)
        else:
            self._facts[key] = FactSeen.model_validate(fact, from_attributes=True)
            if fact.source == ANALYSIS and fact.bed in self._beds:
                self._beds[fact.bed].forget()
        self._due(SOON_NS)

    def _due(self, within_ns: Nanos) -> None:
        """The next state comes no later than this after the last one."""
        self._wait_ns = min(self._wait_ns, within_ns)

    def _tell(self) -> None:
        if self._now_ns - self._said_ns >= self._wait_ns:
            self._say_state()
        if self._now_ns - self._long_ns >= LONG_EVERY_NS:
            self._long_ns = self._now_ns
            for bed in self._beds.values():
                self._say_long(bed)

    def _say_state(self) -> None:
        self._wait_ns = STATE_EVERY_NS
        self._said_ns = self._now_ns
        if self._subscriptions:
            self._offer("state", self.state().model_dump_json())

    def _say_long(self, bed: KnownBed) -> None:
        if bed.measured_changed and self._subscriptions:
            self._offer(f"measured {bed.bed}", bed.measured().model_dump_json())
        if bed.events_changed and self._subscriptions:
            self._offer(f"events {bed.bed}", bed.events().model_dump_json())
        bed.measured_changed = bed.events_changed = False

    def _offer(self, kind: str, text: str) -> None:
        for subscription in self._subscriptions:
            subscription.offer_latest(kind, text)


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
