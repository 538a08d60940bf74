"""What a night adds up to: hours of therapy, events an hour, percentiles of pressure and leak.

A night is what lies between two stretches of `APART_S` without therapy, or is a patient's from admission on; it knows no wall
clock. AHI is apnoeas and hypopnoeas by flow alone in an hour of therapy with little leak (see disturbed.py): without an oxygen
or arousal criterion it is not the AHI of a sleep laboratory. Percentiles are by time, over whole seconds of therapy.
"""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

from daemon.model.signals import Nanos

SECOND_NS: Nanos = 1_000_000_000
MINUTE_NS: Nanos = 60 * SECOND_NS
APART_S = 4 * 3600
LEAST_S, LEAST_HOUR_S = 600, 1200  # of valid therapy, until an index of the night, of the last hour, is said
PRESSURE_BIN, LEAK_BIN = 0.05, 0.25  # cmH2O, L/min
_BINS = 1000


class Percentiles:
    """Of values from 0 on, in bins of `width`; what is above the last bin counts as that."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._bins = np.zeros(_BINS, dtype=np.int64)
        self.count = 0

    def add(self, value: float) -> None:
        self._bins[min(max(int(value / self._width), 0), _BINS - 1)] += 1
        self.count += 1

    def at(self, share: float) -> float | None:
        """The value below which `share` of all lie, to half a bin; None where there are none."""
        if not self.count:
            return None
        return (int(np.searchsorted(np.cumsum(self._bins), share * self.count)) + 0.5) * self._width


class Night:
    """Counts seconds of therapy and what happened in them."""

    def __init__(self) -> None:
        self._last_ns: Nanos | None = None
        self.begin()

    def begin(self) -> None:
        """A new night, or a new patient."""
        self.therapy_s = self.valid_s = self.periodic_s = 0.0
        self.events: Counter[str] = Counter()
        self.pressure = Percentiles(PRESSURE_BIN)
        self.leak = Percentiles(LEAK_BIN)
        self._minutes: deque[tuple[int, float, int]] = deque(maxlen=61)  # minute, valid seconds, events

    def second(
        self,
        t_ns: Nanos,
        seconds: float,
        pressure: float | None,
        leak: float | None,
        *,
        valid: bool,
        periodic: bool,
    ) -> None:
        """A second of therapy. `valid`: breathing can be judged in it."""
        if self._last_ns is not None and t_ns - self._last_ns > APART_S * SECOND_NS:
            self.begin()
        self._last_ns = t_ns
        self.therapy_s += seconds
        self.periodic_s += seconds if periodic else 0.0
        if pressure is not None:
            self.pressure.add(pressure)
        if leak is not None:
            self.leak.add(leak)
        if valid:
            self.valid_s += seconds
            self._count(t_ns, seconds, 0)

    def event(self, t_ns: Nanos, name: str) -> None:
        """An apnoea or a hypopnoea that counts."""
        self.events[name] += 1
        self._count(t_ns, 0.0, 1)

    def ahi(self) -> float | None:
        """Events an hour of valid therapy; None under ten minutes of it."""
        return None if self.valid_s < LEAST_S else 3600 * self.events.total() / self.valid_s

    def ahi_of_last_hour(self, t_ns: Nanos) -> float | None:
        """The same over the last hour; None under twenty minutes of valid therapy in it."""
        kept = [m for m in self._minutes if m[0] > t_ns // MINUTE_NS - 60]
        valid = sum(seconds for _, seconds, _ in kept)
        return None if valid < LEAST_HOUR_S else 3600 * sum(events for _, _, events in kept) / valid

    def _count(self, t_ns: Nanos, seconds: float, events: int) -> None:
        minute = t_ns // MINUTE_NS
        if self._minutes and self._minutes[-1][0] == minute:
            _, before, counted = self._minutes[-1]
            self._minutes[-1] = (minute, before + seconds, counted + events)
        elif not self._minutes or minute > self._minutes[-1][0]:
            self._minutes.append((minute, seconds, events))
