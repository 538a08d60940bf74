"""One alarm of one bed as it stands: its phase, its timers, and the occurrence that it is in.

Timers run on Ticks and only while the condition can be told; none of them reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.alarms.conditions import UNKNOWN, Verdict
from daemon.alarms.phases import THERE
from daemon.alarms.rows import Row
from daemon.model.alarms import Alarm, Change, ChangeKind, Phase, Priority, Values
from daemon.model.signals import Nanos


@dataclass(slots=True)
class Entry:
    """A row's alarm, or that of one of its instances."""

    row: Row
    instance: str
    phase: Phase = Phase.DISARMED
    priority: Priority = field(init=False)
    verdict: Verdict = UNKNOWN
    was_true: bool = False  # the last verdict that was one
    true_ns_for: Nanos = 0
    false_ns_for: Nanos = 0
    unknown_ns_for: Nanos = 0
    true_ns: Nanos = 0
    onset_ns: Nanos = 0
    active_ns: Nanos = 0
    over_ns: Nanos = 0
    reminded_ns: Nanos = 0
    occurrence: str = ""
    shown: Verdict = UNKNOWN  # the last verdict that was true: what is shown of the occurrence
    worst: float | None = None
    acknowledged_ns: Nanos | None = None
    acknowledged_by: str = ""
    covered_by: str = ""
    held_back: str = ""

    def __post_init__(self) -> None:
        self.priority = self.row.priority

    def see(self, verdict: Verdict, elapsed_ns: Nanos, now_ns: Nanos) -> None:
        """The verdict of this Tick, `elapsed_ns` after the last one."""
        before, self.verdict = self.verdict, verdict
        if verdict.holds is None:
            self.unknown_ns_for += elapsed_ns
            return
        self.unknown_ns_for = 0
        if verdict.holds:
            if not self.was_true:
                self.true_ns_for, self.true_ns, self.held_back = 0, now_ns, ""
                self.worst = None
                self.onset_ns = now_ns if verdict.onset_ns is None else verdict.onset_ns
            elif before.holds:
                self.true_ns_for += elapsed_ns
            self.false_ns_for = 0
            self._show(verdict)
        elif before.holds is False:
            self.false_ns_for += elapsed_ns
        self.was_true = verdict.holds or (self.was_true and self.phase in THERE)

    def _show(self, verdict: Verdict) -> None:
        self.shown = verdict
        if verdict.value is not None:
            worse = max if verdict.limit is None or verdict.value >= verdict.limit else min
            self.worst = verdict.value if self.worst is None else worse(self.worst, verdict.value)

    def begin(self, occurrence: str, now_ns: Nanos) -> None:
        """A new occurrence."""
        self.occurrence, self.active_ns = occurrence, now_ns
        self.priority = self.row.priority
        self.worst = self.shown.value
        self.acknowledged_ns, self.acknowledged_by = None, ""

    def acknowledge(self, actor: str, now_ns: Nanos) -> None:
        """Somebody has seen it."""
        self.acknowledged_ns, self.acknowledged_by, self.reminded_ns = now_ns, actor, now_ns

    def end(self) -> None:
        """The occurrence is over and off the list."""
        self.occurrence, self.priority, self.worst = "", self.row.priority, None
        self.acknowledged_ns, self.acknowledged_by, self.covered_by = None, "", ""

    def forget(self) -> None:
        """Nothing of its condition is known any more: delays begin anew."""
        self.was_true, self.true_ns_for, self.false_ns_for, self.unknown_ns_for = False, 0, 0, 0
        self.held_back = ""

    @property
    def values(self) -> Values:
        """What fills the sentence."""
        return (("instance", self.instance), *self.shown.values) if self.instance else self.shown.values

    def change(self, kind: ChangeKind, now_ns: Nanos, reason: str) -> Change:
        """What happened, with all that is known of it."""
        return Change(
            kind,
            self.onset_ns,
            now_ns,
            self.row.name,
            self.instance,
            self.occurrence,
            self.priority,
            self.row.text,
            self.values,
            self.shown.value if self.worst is None else self.worst,
            self.shown.limit,
            self.shown.unit,
            self.true_ns,
            self.shown.evidence,
            self.covered_by,
            reason=reason,
        )

    def alarm(self, *, sounds: bool, flashes: bool) -> Alarm:
        """As the screen lists it."""
        return Alarm(
            self.occurrence,
            self.row.name,
            self.instance,
            self.row.about,
            self.priority,
            self.phase,
            self.row.text,
            self.values,
            self.shown.value,
            self.worst,
            self.shown.limit,
            self.shown.unit,
            self.onset_ns,
            self.active_ns,
            sounds,
            flashes,
            self.verdict.holds is not None,
            self.covered_by,
            self.acknowledged_ns,
            self.acknowledged_by,
            self.shown.evidence,
        )


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """As a screen lists them: what is there before what is over, the worst first, of the worst the newest.

    What another row would speak for, were its sound not paused or acknowledged, stands behind it: a fibrillation before the rate
    that is counted in it. But what waits to be acknowledged is never behind what has been.
    """
    waiting = {name for entry in entries if entry.phase is Phase.ACTIVE for name in entry.row.covers}
    there = {name for entry in entries if entry.phase in THERE for name in entry.row.covers}
    return sorted(
        entries,
        key=lambda e: (
            e.phase not in THERE,
            bool(e.covered_by),
            -e.priority.rank,
            e.row.name in (waiting if e.phase is Phase.ACTIVE else there),
            -e.active_ns,
            e.row.name,
        ),
    )
