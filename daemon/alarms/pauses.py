"""AUDIO PAUSED and ALARM PAUSED: what people did to signals, always with an end, a name and a screen.

A pause remembers the alarms that were there when it began. It never holds back what is worse than these, and never a new
alarm of high priority: IEC 60601-1-8 would let it, but a pause must not hide what nobody has seen (docs/alarms.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.model.alarms import ChangeKind, Pause, Priority
from daemon.model.signals import Nanos

AUDIO_PAUSE_S, LONGEST_S = 120.0, 180.0
CHAIN_S, CHAIN_BREAK_S = 600.0, 60.0
"""Sound returns within 10 min however often one person pauses it; a pause within a minute of the last one counts as its
continuation. A second person may begin anew."""

_S: Nanos = 1_000_000_000


@dataclass(slots=True)
class _Running:
    """A pause, with the ranks of the occurrences that it was made for and the highest of them."""

    pause: Pause
    ranks: dict[str, int]
    chain_from_ns: Nanos
    chain_actor: str

    def holds(self, occurrence: str, priority: Priority) -> bool:
        """Whether it holds back this occurrence at this priority."""
        known = self.ranks.get(occurrence)
        if known is not None:
            return priority.rank <= known
        if priority is Priority.HIGH:
            return False
        top = max(self.ranks.values(), default=0)
        return self.pause.kind is ChangeKind.ALARM_PAUSED or priority.rank <= top


class Pauses:
    """The pauses that are on: at most one of a kind and row."""

    def __init__(self) -> None:
        self._on: dict[tuple[ChangeKind, str], _Running] = {}
        self._last: dict[tuple[ChangeKind, str], _Running] = {}

    @property
    def on(self) -> tuple[Pause, ...]:
        """Those that are on."""
        return tuple(running.pause for running in self._on.values())

    def refusal(self, kind: ChangeKind, row: str, seconds: float, actor: str, now_ns: Nanos) -> str:
        """Why this pause cannot begin, as a word key; "" if it can."""
        if not 0 < seconds <= LONGEST_S:
            return "alarm.refused.too_long"
        last = self._chain(kind, row, now_ns)
        if (
            last is not None
            and last.chain_actor == actor
            and now_ns + seconds * _S - last.chain_from_ns > CHAIN_S * _S
        ):
            return "alarm.refused.sound_must_return"
        return ""

    def begin(
        self,
        kind: ChangeKind,
        row: str,
        seconds: float,
        there: Iterable[tuple[str, Priority]],
        actor: str,
        screen: str,
        now_ns: Nanos,
    ) -> Pause:
        """Begin a pause (or begin it anew) for the occurrences that are there."""
        last = self._chain(kind, row, now_ns)
        goes_on = last is not None and last.chain_actor == actor
        pause = Pause(kind, row, now_ns + round(seconds * _S), now_ns, actor, screen)
        running = _Running(
            pause,
            {occurrence: priority.rank for occurrence, priority in there},
            last.chain_from_ns if last is not None and goes_on else now_ns,
            actor,
        )
        self._on[kind, row] = self._last[kind, row] = running
        return pause

    def _chain(self, kind: ChangeKind, row: str, now_ns: Nanos) -> _Running | None:
        """The pause that one beginning now would continue."""
        last = self._last.get((kind, row))
        if last is None or now_ns - last.pause.until_ns > CHAIN_BREAK_S * _S:
            return None
        return last

    def end(self, kind: ChangeKind, row: str, now_ns: Nanos) -> Pause | None:
        """End a pause early. The time to come counts no more towards the chain."""
        running = self._on.pop((kind, row), None)
        if running is None:
            return None
        was = running.pause
        running.pause = Pause(was.kind, was.row, now_ns, was.since_ns, was.actor, was.screen)
        return was

    def expire(self, now_ns: Nanos) -> list[Pause]:
        """Those that are over now."""
        over = [key for key, running in self._on.items() if running.pause.until_ns <= now_ns]
        return [self._on.pop(key).pause for key in over]

    def clear(self) -> list[Pause]:
        """All are over: a new patient."""
        was = list(self.on)
        self._on.clear()
        self._last.clear()
        return was

    def restore(self, pauses: Iterable[tuple[Pause, dict[str, int]]]) -> None:
        """After a restart within the boot: go on, not longer than was left."""
        for pause, ranks in pauses:
            running = _Running(pause, dict(ranks), pause.since_ns, pause.actor)
            self._on[pause.kind, pause.row] = self._last[pause.kind, pause.row] = running

    def saved(self) -> list[tuple[Pause, dict[str, int]]]:
        """For `restore`."""
        return [(running.pause, dict(running.ranks)) for running in self._on.values()]

    def holds(self, kind: ChangeKind, row: str, occurrence: str, priority: Priority) -> bool:
        """Whether a pause of this kind holds back this alarm."""
        return any(
            running is not None and running.holds(occurrence, priority)
            for running in (self._on.get((kind, "")), self._on.get((kind, row)))
        )
