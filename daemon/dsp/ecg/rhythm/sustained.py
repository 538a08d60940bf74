"""Ventricular tachycardia that has lasted: half a minute makes it sustained (ACC/AHA/ESC 2006), whichever rule has found it."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.said import EventSaid

RULE = "sustained/1"
SUSTAINED_S = 30.0


class Sustained:
    """Decision by decision; an episode that goes on under another rule goes on."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._since: int | None = None
        self._said = False

    def step(self, tracks: Iterable[Track], due: int) -> list[EventSaid]:
        """A decision, with what is on."""
        running = [track.open for track in tracks if track.open is not None and track.open.label == "VT"]
        if not running:
            self._since, self._said = None, False
            return []
        onset = min(one.onset for one in running)
        self._since = since = onset if self._since is None else min(self._since, onset)
        seconds = (due - since) / self._rate_hz
        if self._said or seconds < SUSTAINED_S:
            return []
        self._said = True
        numbers = (("duration", seconds, "s"), *running[0].numbers)
        return [EventSaid("sustained_vt", since, since, due, due, numbers, RULE)]
