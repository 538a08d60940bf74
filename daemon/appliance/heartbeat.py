"""Whether the way of a sample has been gone to its end since it was last asked: what the watchdog is fed by.

A Tick must have come out of `push` of every bed, and the read loop of the acquisition thread and of every open port must have
gone round, bytes or none. A silent device withholds nothing; a loop that stands still does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from daemon.model.signals import Nanos


class Round(Protocol):
    """How often a read loop has gone round (acquisition/ports.py)."""

    @property
    def count(self) -> int: ...


class Heartbeat:
    """`ticked` at every Tick that has come out of all beds; `proved` asks, and begins anew where it is."""

    def __init__(self) -> None:
        self.tick_ns: Nanos = 0
        self._proved_ns: Nanos = 0
        self._rounds: dict[str, int] = {}

    def ticked(self, t_ns: Nanos) -> None:
        """A Tick has come out of `push` of every bed."""
        self.tick_ns = t_ns

    def proved(self, rounds: Mapping[str, Round]) -> bool:
        """Whether all have moved since it was last True. A port that has just been opened counts from its first round on."""
        now = {name: round_.count for name, round_ in rounds.items()}
        moved = "" in now and all(self._rounds.get(name) != count for name, count in now.items())
        if self.tick_ns <= self._proved_ns or not moved:
            return False
        self._proved_ns, self._rounds = self.tick_ns, now
        return True
