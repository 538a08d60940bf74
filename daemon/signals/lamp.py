"""The alarm lamp: colour and flash rate of the worst condition (IEC 60601-1-8, 6.3.2.2). The pattern is pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.model.alarms import Priority
from daemon.model.signals import Nanos
from daemon.signals.output import Output

PERIOD_NS: Mapping[Priority, Nanos] = MappingProxyType(
    {Priority.HIGH: 500_000_000, Priority.MEDIUM: 1_600_000_000}
)
"""2 Hz (1.4 to 2.8) and 0.625 Hz (0.4 to 0.8); low is steady."""

DUTY = 0.5
"""Share of a period that is lit: 20 to 60 %."""


def lit(shown: Priority | None, now_ns: Nanos) -> Priority | None:
    """The colour that is lit at `now_ns`, None = dark."""
    if shown is None or shown not in PERIOD_NS:
        return shown
    period_ns = PERIOD_NS[shown]
    return shown if now_ns % period_ns < DUTY * period_ns else None


class Lamp:
    """A lamp with an output for each colour that is wired."""

    def __init__(self, colours: Mapping[Priority, Output]) -> None:
        self._colours = colours

    def show(self, shown: Priority | None, now_ns: Nanos, *, well: bool) -> None:  # noqa: ARG002 - the relay's
        """Set the outputs for this moment. Raises OSError."""
        now_lit = lit(shown, now_ns)
        for priority, output in self._colours.items():
            output.set(on=priority is now_lit)

    def release(self) -> None:
        """Dark: nobody watches any more."""
        for output in self._colours.values():
            output.close()
