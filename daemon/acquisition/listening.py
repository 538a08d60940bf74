"""Listening on a port of which nothing is known, one line setting after the other, until somebody is recognised.

Devices speak at different speeds and parities. What is heard is judged by all boards whatever the setting (a
pseudo-terminal has none); a silent port is asked only what the boards of the present setting would be asked. A port that
has spoken is never asked again before it is plugged anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from daemon.model.signals import Nanos
from firmware_bridge.boards import BoardKind
from firmware_bridge.frames import PortSettings
from firmware_bridge.probe import Probe, Verdict


class Listening:
    """One opened port that nobody is known to be at. `settings` is how the line must be set now."""

    def __init__(self, boards: Mapping[str, BoardKind], *, ask: bool) -> None:
        self._boards = boards
        self._ask = ask
        lines = (
            replace(kind.FACTS.port, dtr=None, rts=None, close_drops_dtr=False) for kind in boards.values()
        )
        self._settings = list(dict.fromkeys(lines)) or [PortSettings(dtr=None, rts=None)]
        self._at = 0
        self.probe = self._begin()

    @property
    def settings(self) -> PortSettings:
        """Speed and parity to listen at; the modem lines stay as they are."""
        return self._settings[self._at]

    def verdict(self, now_ns: Nanos) -> Verdict | None:
        """What was found at the present setting; None while it is not known. `again` goes on from a verdict of nobody."""
        return self.probe.verdict(now_ns)

    def again(self, verdict: Verdict) -> None:
        """Nobody was recognised: the next setting."""
        self._ask = self._ask and verdict.why == "silent"
        self._at = (self._at + 1) % len(self._settings)
        self.probe = self._begin()

    def _begin(self) -> Probe:
        asked = [
            name
            for name, kind in self._boards.items()
            if self._ask and _speed(kind.FACTS.port) == _speed(self.settings)
        ]
        return Probe(self._boards, ask=asked, patient=self._at == 0)


def _speed(port: PortSettings) -> tuple[int, str]:
    return port.baud, port.parity
