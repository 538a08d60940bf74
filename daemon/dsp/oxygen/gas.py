"""What a concentrator gives, and from when on it may be held to it.

A concentrator needs a minute or more before its sieve gives oxygen: start-up ends at the first 30 s at or above 85 %, at the
device's own word, or after five minutes, by which makers say it has to be ready. Until then low purity is no fault. Purity is
low below 82 % (ISO 80601-2-69) for ten seconds; flow has stopped below `NO_FLOW` after there was some. A device that was not
heard for a minute starts up anew; one whose purity falls does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.signals import Nanos

SECOND_NS: Nanos = 1_000_000_000
READY_PCT, READY_S, LONGEST_S = 85.0, 30, 300
LOW_PCT, BACK_PCT, LOW_S = 82.0, 84.0, 10
FLOWS_LPM, NO_FLOW_LPM, NO_FLOW_S = 0.5, 0.3, 10
AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that began at `onset_ns`: a name, and what it was measured by."""

    name: str
    onset_ns: Nanos
    numbers: tuple[tuple[str, float, str], ...]


class WarmUp:
    """Takes purity as it comes, in order of time."""

    def __init__(self) -> None:
        self.ready = False
        self._began_ns: Nanos | None = None
        self._above_ns: Nanos | None = None
        self._heard_ns: Nanos | None = None

    def told(self) -> None:
        """The device itself says that it is ready."""
        self.ready = True

    def step(self, t_ns: Nanos, purity: float) -> Happened | None:
        """The next value; what it ends."""
        if self._heard_ns is None or t_ns - self._heard_ns > AGAIN_S * SECOND_NS:
            self.ready, self._began_ns, self._above_ns = False, t_ns, None
        self._heard_ns = t_ns
        if purity < READY_PCT:
            self._above_ns = None
        elif self._above_ns is None:
            self._above_ns = t_ns
        began_ns = t_ns if self._began_ns is None else self._began_ns
        lasted = ("duration", (t_ns - began_ns) / SECOND_NS, "s")
        if self.ready:
            return None
        if self._above_ns is not None and t_ns - self._above_ns >= READY_S * SECOND_NS:
            self.ready = True
            return Happened("oxygen_warmed_up", began_ns, (lasted, ("o2_purity", purity, "%")))
        if t_ns - began_ns >= LONGEST_S * SECOND_NS:
            self.ready = True
            return Happened("oxygen_not_warm", began_ns, (lasted, ("o2_purity", purity, "%")))
        return None


class Level:
    """A number that has been beyond its limit for some seconds, until it is back: said once each."""

    def __init__(
        self, low: float, back: float, seconds: float, names: tuple[str, str], number: tuple[str, str]
    ) -> None:
        self._low, self._back, self._wait_ns = low, back, round(seconds * SECOND_NS)
        self._names = names
        self._number = number
        self._since_ns: Nanos | None = None
        self.beyond = False

    def step(self, t_ns: Nanos, value: float) -> Happened | None:
        """The next value."""
        turns = value >= self._back if self.beyond else value < self._low
        if not turns:
            self._since_ns = None
            return None
        if self._since_ns is None:
            self._since_ns = t_ns
        if t_ns - self._since_ns < self._wait_ns:
            return None
        self.beyond = not self.beyond
        onset_ns, self._since_ns = self._since_ns, None
        name, unit = self._number
        return Happened(self._names[0 if self.beyond else 1], onset_ns, ((name, value, unit),))

    def forget(self) -> None:
        """Nothing is held against it."""
        self._since_ns, self.beyond = None, False
