"""A setting in two steps: the device is asked, echoes what it understood, and does it when that echo is confirmed.

One at a time. An unanswered request is repeated with the number it had, so that the device cannot take it for another one.
Only the settings of `OURS` are ever offered, whatever else a device may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from firmware_bridge.frames import Nanos, Reply, Setting
from firmware_bridge.vlp.messages import (
    ANSWERS,
    CONFIRM,
    PROPOSE,
    THOUSANDTHS,
    Offer,
    command,
    decimal,
    read_wish,
    wish,
)
from firmware_bridge.vlp.wire import Status

OURS: Mapping[str, str] = MappingProxyType(
    {"target_pressure": "cmH2O", "humidity_level": "1", "flow_rate": "L/min", "night_mode": "1"}
)
"""What may be set on a device, with its unit."""

REPEAT_NS: Nanos = 250_000_000
ANSWER_NS: Nanos = 2_000_000_000
"""How long each of the two answers is waited for."""


@dataclass(slots=True)
class _Step:
    """A COMMAND that waits for its ACK. `sequence` is None before it was sent."""

    payload: bytes
    begun_ns: Nanos
    sequence: int | None = None
    sent_ns: Nanos = 0


@dataclass(slots=True)
class _Wanted:
    request: str
    number: int
    name: str
    value: int
    step: _Step
    confirming: bool = False


class Asking:
    """The host's side of settings. `due` gives what to send; answers go in by `answered`."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self._wanted: _Wanted | None = None
        self._number = 0
        self._seen: set[int] = set()
        self._total: int | None = None

    @property
    def settable(self) -> tuple[Setting, ...]:
        """What the device offers of `OURS`."""
        return tuple(
            Setting(o.name, o.unit, o.low / THOUSANDTHS, o.high / THOUSANDTHS, o.step / THOUSANDTHS)
            for o in self._offers.values()
        )

    @property
    def told(self) -> bool:
        """Whether the device has said all that can be set."""
        return self._total is not None and len(self._seen) >= self._total

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """How the device says it is set."""
        return tuple((o.name, "" if o.value is None else decimal(o.value)) for o in self._offers.values())

    def offered(self, total: int, offers: tuple[Offer, ...]) -> None:
        """The device has said some of the `total` things that can be set on it, and how they are set."""
        self._total = total
        self._seen |= {o.id for o in offers}
        self._offers |= {o.name: o for o in offers if OURS.get(o.name) == o.unit}

    def begin(self, request: str, name: str, value: float, now_ns: Nanos) -> str:
        """Begin to set `name`. "" or why not: busy, unknown_setting, out_of_range."""
        if self._wanted is not None:
            return "busy"
        offer = self._offers.get(name)
        if offer is None:
            return "unknown_setting"
        # Comparisons that are false for NaN come first.
        if not offer.low <= value * THOUSANDTHS <= offer.high:
            return "out_of_range"
        whole = round(value * THOUSANDTHS)
        if abs(whole - value * THOUSANDTHS) > 1e-6 or (whole - offer.low) % offer.step:
            return "out_of_range"
        self._number = self._number % 0xFFFF + 1
        payload = command(PROPOSE, self._number, wish(name, whole))
        self._wanted = _Wanted(request, self._number, name, whole, _Step(payload, now_ns))
        return ""

    def due(self, now_ns: Nanos) -> tuple[bytes, int | None] | None:
        """(COMMAND payload to send now, the number it had when it was sent before); None = nothing."""
        step = self._wanted.step if self._wanted else None
        if step is None or (step.sequence is not None and now_ns - step.sent_ns < REPEAT_NS):
            return None
        return step.payload, step.sequence

    def sent(self, sequence: int, now_ns: Nanos) -> None:
        """What `due` gave has gone out under this number."""
        if self._wanted is not None:
            self._wanted.step.sequence, self._wanted.step.sent_ns = sequence, now_ns

    def answered(self, sequence: int, status: int, text: str, now_ns: Nanos) -> Reply | None:
        """An ACK has come; a Reply when it ends the matter."""
        wanted = self._wanted
        if wanted is None or wanted.step.sequence != sequence:
            return None
        if status != Status.OK:
            known = ANSWERS.get(Status(status), "refused") if status in set(Status) else "refused"
            return self._end(wanted, ok=False, text=text or known)
        if wanted.confirming:
            offer = self._offers.get(wanted.name)
            if offer is not None:
                self._offers[wanted.name] = replace(offer, value=wanted.value)
            return self._end(wanted, ok=True, text=decimal(wanted.value))
        if read_wish(text) != (wanted.name, wanted.value):
            return self._end(wanted, ok=False, text=f"echo_differs: {text}" if text else "echo_differs")
        wanted.confirming = True
        wanted.step = _Step(command(CONFIRM, wanted.number, wish(wanted.name, wanted.value)), now_ns)
        return None

    def lapsed(self, now_ns: Nanos) -> list[Reply]:
        """The reply for a request without an answer: what the device did is then not known."""
        wanted = self._wanted
        if wanted is None or now_ns - wanted.step.begun_ns < ANSWER_NS:
            return []
        return [self._end(wanted, ok=False, text="no_answer")]

    def restarted(self) -> list[Reply]:
        """The device has started anew: it knows nothing of what was asked."""
        self._offers, self._seen, self._total = {}, set(), None
        wanted = self._wanted
        return [] if wanted is None else [self._end(wanted, ok=False, text="device_restarted")]

    def _end(self, wanted: _Wanted, *, ok: bool, text: str) -> Reply:
        self._wanted = None
        return Reply(wanted.request, ok, text)
