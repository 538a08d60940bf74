"""What is said of one link: a `DeviceSeen` at once when its state changes, once a second when only counters do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from daemon.acquisition.claims import Claims, Place
from daemon.acquisition.device import Counters, Device
from daemon.model.signals import DeviceSeen, Fact, FactState, Item, LinkState, Nanos, Settable
from firmware_bridge.boards import BoardKind

FAULT = "acquisition_failed"
SAY_NS: Nanos = 1_000_000_000
_MAX_TEXT = 200

_log = logging.getLogger(__name__)


class Telling:
    """The state of a place's link, as the page shows it. `device` is set by the link while one is attached."""

    def __init__(
        self,
        place: Place,
        boards: Mapping[str, BoardKind],
        counters: Counters,
        give: Callable[[Item], None],
        now_ns: Nanos,
    ) -> None:
        self.device: Device | None = None
        self.state = LinkState.SEARCHING
        self.detail = ""
        self.port_path = place.wanted.port
        self.bed = place.bed
        self._place = place
        self._boards = boards
        self._counters = counters
        self._give = give
        self._since_ns = now_ns
        self._looked_ns: Nanos = 0
        self._said: DeviceSeen | None = None
        self._fault = ""

    @property
    def had_device(self) -> bool:
        """Whether a device was ever attached."""
        return self._said is not None and bool(self._said.device)

    @property
    def faulty(self) -> bool:
        """Whether our own code failed on this link, and has not run well since."""
        return bool(self._fault)

    def tell(self, state: LinkState, detail: str, now_ns: Nanos) -> None:
        """The link is in this state. Logged once when it changes."""
        if state is self.state and detail == self.detail:
            return
        if state is not self.state:
            log = _log.warning if state in {LinkState.LOST, LinkState.STALLED} else _log.info
            log("%s: %s on %s %s", self._place.name, state, self.port_path, detail)
            self._since_ns = now_ns
        self.state, self.detail = state, detail
        self.report(now_ns)

    def moved(self, bed: str, now_ns: Nanos) -> None:
        """The device belongs to another bed from now on; the one where it was is told that it has gone."""
        if self._said is not None:
            self._give(replace(self._said, state=LinkState.MOVED, since_ns=now_ns, t_ns=now_ns))
        self.bed, self._said = bed, None
        self.report(now_ns)

    def look(self, now_ns: Nanos, claims: Claims) -> None:
        """Report if the last time is a second ago. A device that is away goes to another bed as one that is here does."""
        if now_ns - self._looked_ns < SAY_NS:
            return
        if self.device is None and (said := self._said) is not None and said.device:
            bed = claims.bed_of(self._place, said.device)
            if bed != self.bed:
                self.moved(bed, now_ns)
                self._said = said  # what is known of it
        self.report(now_ns)

    def report(self, now_ns: Nanos) -> None:
        """Say how the device is, unless nothing has changed since it was said."""
        self._looked_ns = now_ns
        seen = self._seen(now_ns)
        if self._said is None or replace(self._said, t_ns=now_ns) != seen:
            self._said = seen
            self._give(seen)

    def failed(self, error: Exception, now_ns: Nanos) -> str:
        """A fault in our own code: logged with its traceback each time, told as a Fact once. Its text."""
        _log.error("%s: fault in the board's code; beginning again", self._place.name, exc_info=error)
        text = f"{type(error).__name__}: {error}"[:_MAX_TEXT]
        if not self._fault:
            self._give(Fact(FAULT, FactState.FAILED, now_ns, now_ns, text, self.bed))
        self._fault = text
        self.tell(LinkState.LOST, text, now_ns)
        return text

    def recovered(self, now_ns: Nanos) -> None:
        """It runs well again."""
        self._fault = ""
        self._give(Fact(FAULT, FactState.OK, now_ns, now_ns, "", self.bed))

    def _seen(self, now_ns: Nanos) -> DeviceSeen:
        """What was known of the device stays known while it is away."""
        wanted, device, said = self._place.wanted, self.device, self._said
        kind = device.board.facts.kind if device else (said.kind if said else wanted.kind)
        known = self._boards.get(kind)
        rate_hz, drift_ppm = device.measured() if device else (0.0, None)
        detail = self.detail
        if device is not None and not detail:
            settings = ", ".join(f"{name} {value}" for name, value in device.settings.items())
            detail = device.refusal or settings
        return DeviceSeen(
            bed=self.bed,
            label=wanted.label if self.bed == self._place.bed else f"{wanted.label}@{self._place.bed}",
            kind=kind,
            title=known.FACTS.title if known else "",
            device=device.name if device else (said.device if said else wanted.serial),
            firmware=device.identity.firmware if device else (said.firmware if said else ""),
            port=self.port_path,
            state=self.state,
            since_ns=self._since_ns,
            t_ns=now_ns,
            rate_hz=round(rate_hz, 3),
            drift_ppm=drift_ppm if drift_ppm is None else round(drift_ppm, 1),
            bytes_in=self._counters.bytes_in,
            bytes_damaged=self._counters.bytes_damaged,
            samples_lost=self._counters.samples_lost,
            detail=detail,
            settable=_settable(device),
            takes_firmware=device is not None and device.takes_firmware,
        )


def _settable(device: Device | None) -> tuple[Settable, ...]:
    if device is None or device.commanded is None:
        return ()
    return tuple(Settable(s.name, s.unit, s.low, s.high, s.step) for s in device.commanded.settable)
