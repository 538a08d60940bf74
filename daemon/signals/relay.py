"""The nurse call: a relay that is held while all is well, so that a cut wire or a dead box calls too. Pure but for its output."""

from __future__ import annotations

from daemon.model.alarms import Priority
from daemon.model.signals import Nanos
from daemon.signals.output import Output

CALLS_AT_LEAST_NS: Nanos = 3_000_000_000
"""A call is held for so long: nurse-call systems miss shorter ones."""


class Relay:
    """Energised = well. Released from the first moment that is not, for at least `CALLS_AT_LEAST_NS`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._released_ns: Nanos | None = None

    def show(self, shown: Priority | None, now_ns: Nanos, *, well: bool) -> None:  # noqa: ARG002 - the lamp's
        """Set the output for this moment. Raises OSError."""
        if not well:
            self._released_ns = now_ns
        elif self._released_ns is not None and now_ns - self._released_ns >= CALLS_AT_LEAST_NS:
            self._released_ns = None
        self._output.set(on=self._released_ns is None)

    def release(self) -> None:
        """Calls: nobody watches any more."""
        self._output.close()
