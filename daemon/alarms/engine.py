"""The alarm engine of one bed: items and findings in, changes out, and at any time the picture for screen and sound.

It decides at Ticks only, in this order: what people asked for (they answered to what they saw at the Tick before), pauses that
are over, then every row of the table from top to bottom. So an acknowledgement can never take in an alarm that begins
with it, and a row knows of all that stand above it on the ladder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from daemon.alarms import acts
from daemon.alarms.conditions import NO, OTHERS, Verdict, Verdicts
from daemon.alarms.limits import DELAY, Limits, Settings
from daemon.alarms.needs import NEVER, Needs, needs_of
from daemon.alarms.observed import ARMED, SECOND_NS, Observed
from daemon.alarms.occurrence import Entry, in_order
from daemon.alarms.pauses import Pauses
from daemon.alarms.phases import AT_REST, LISTED, THERE, Stimulus, after
from daemon.alarms.rows import UNTIL_SEEN, Row
from daemon.alarms.table import TABLE
from daemon.alarms.withdrawing import withdraw
from daemon.model.alarms import AlarmPicture, Change, ChangeKind, Phase, Priority, SwitchedOff
from daemon.model.findings import Finding
from daemon.model.signals import Command, Item, Nanos, Tick

FROZEN_S = 10.0
"""So long may a delay wait for a source that has gone bad; then the condition is taken as not found."""

LATCHED = LISTED - THERE
REMINDERS_S = {Priority.HIGH: 180.0, Priority.MEDIUM: 600.0, Priority.LOW: 600.0}
OFF_REMINDER_S = 600.0
LATCHED_ACKNOWLEDGED_S = 1800.0
PULSE_TOTAL_S = (
    9.0  # asystole waits for the pulse until so long after its onset, and no longer than its row says
)
PULSE_QUALITY, PULSE_BPM = 0.5, 20.0
PULSE_FASTER = 1.1  # times the limit: a pulse that speaks against a slow heart
MOST_COMMANDS = 256


class AlarmEngine:
    """One bed. `boot` and `first` make the ids of occurrences: "<boot>:<number>", numbers rising from `first`."""

    def __init__(
        self, limits: Limits, *, boot: str = "", first: int = 1, table: Sequence[Row] = TABLE
    ) -> None:
        self.limits = limits
        self.table = tuple(table)
        self.seen = Observed()
        self.pauses = Pauses()
        self.entries: dict[str, dict[str, Entry]] = {row.name: {} for row in self.table}
        self.switched: dict[str, tuple[str, Nanos]] = {}
        self._above = _coverers(self.table)
        self.boot, self.number = boot, first
        self._commands: deque[Command] = deque(maxlen=MOST_COMMANDS)
        self._needs = [needs_of(row.condition) for row in self.table]
        self._readers = _readers(self.table, self._needs)
        self._ripe_of = [None if needs is None else needs.ripe_ns for needs in self._needs]
        self._always = frozenset(place for place, needs in enumerate(self._needs) if needs is None)
        self._all = frozenset(range(len(self.table)))
        self._busy = self._all  # rows to be judged at the next Tick whatever comes
        self._ripe_ns = [NEVER] * len(self.table)
        self._next_ripe_ns: Nanos = NEVER
        self._tick_ns: Nanos | None = None
        self._off_reminded_ns: Nanos = 0

    def adopt(self, preset: Settings, *, pinned: bool) -> None:
        """The ward's limits are others now (`Limits.adopt`)."""
        self.limits.adopt(preset, pinned=pinned)
        self._busy = self._all

    def step(self, item: Item, findings: Sequence[Finding] = ()) -> list[Change]:
        """Take one item with what analysis said of it. Changes come at Ticks only."""
        self.seen.collect(item, findings)
        if isinstance(item, Command) and item.verb in acts.VERBS:
            self._commands.append(item)
        return self._tick(item.t_ns) if isinstance(item, Tick) else []

    def _tick(self, t_ns: Nanos) -> list[Change]:
        elapsed_ns = 0 if self._tick_ns is None else max(t_ns - self._tick_ns, 0)
        self._tick_ns = t_ns
        self.seen.advance(t_ns)
        changes = withdraw(self) if self.seen.withdrawn else []
        if self._commands:
            self._busy = self._all  # what people did may matter to any row
        while self._commands:
            changes += acts.obey(self, self._commands.popleft())
        for pause in self.pauses.expire(t_ns):
            changes.append(Change(ChangeKind.PAUSE_ENDED, t_ns, t_ns, pause.row, reason=pause.kind))
        places = self._due(t_ns)
        for place in places:
            row = self.table[place]
            if not self.limits.is_on(row.name):
                changes += self._off(row)
                continue
            for entry, verdict in self._verdicts(row):
                changes += self._judge(entry, verdict, elapsed_ns)
        if places:
            self._rest(places)
        if self.limits.switched_off:
            changes += self._remind_of_off()
        else:
            self._off_reminded_ns = t_ns
        return changes

    def _due(self, t_ns: Nanos) -> list[int]:
        """Places in the table of the rows to be judged now, from top to bottom; for all others nothing can have changed."""
        touched = self.seen.touched
        if not touched and not self._busy and t_ns < self._next_ripe_ns:
            return []
        due = self._busy.union(*(self._readers[read] for read in touched if read in self._readers))
        touched.clear()
        if t_ns >= self._next_ripe_ns:
            due |= {place for place, ripe_ns in enumerate(self._ripe_ns) if t_ns >= ripe_ns}
        return sorted(due)

    def _rest(self, judged: Sequence[int]) -> None:
        """After a Tick: which rows are to be judged at the next one, and until when the others can rest."""
        busy = set(self._always)
        for place in judged:
            row, ripe_ns = self.table[place], self._ripe_of[place]
            armed = self.armed(row) and self.limits.is_on(row.name)
            for entry in self.entries[row.name].values():
                if entry.phase not in AT_REST or (armed and entry.verdict.holds):
                    busy.add(place)
            if ripe_ns is not None:
                self._ripe_ns[place] = ripe_ns(self.seen, self.limits.of(row.name)) if armed else NEVER
        self._next_ripe_ns = min(self._ripe_ns)
        self._busy = frozenset(busy)

    def armed(self, row: Row) -> bool:
        return not row.arms_with or row.arms_with in self.seen.valid

    def _verdicts(self, row: Row) -> Iterable[tuple[Entry, Verdict]]:
        """The verdict on each instance of a row, those that stand and are not named any more among them."""
        known = self.entries[row.name]
        verdicts = row.condition.judge(
            self.seen, self.limits.of(row.name), lambda i: i in known and known[i].was_true
        )
        if len(known) == 1 and known.keys() == verdicts.keys():  # most rows have a single instance
            return zip(known.values(), verdicts.values(), strict=True)
        return self._by_instance(row, verdicts)

    def _by_instance(self, row: Row, verdicts: Verdicts) -> Iterator[tuple[Entry, Verdict]]:
        known = self.entries[row.name]
        for instance, verdict in verdicts.items():
            if instance == OTHERS:
                continue
            if instance not in known:
                known[instance] = Entry(row, instance)
            yield known[instance], verdict
        for instance in [instance for instance in known if instance not in verdicts]:
            yield known[instance], verdicts.get(OTHERS, NO)
            if known[instance].phase in {Phase.INACTIVE, Phase.DISARMED}:
                del known[instance]

    def _off(self, row: Row) -> list[Change]:
        """A row that is off is not judged."""
        changes: list[Change] = []
        for entry in self.entries[row.name].values():
            changes += self._move(entry, Stimulus.SWITCH_OFF, reason="off")
            entry.forget()
        return changes

    @property
    def listed(self) -> list[Entry]:
        """Alarms that are on the list, in the order of the table."""
        return [e for of_row in self.entries.values() for e in of_row.values() if e.phase in LISTED]

    def _judge(self, entry: Entry, verdict: Verdict, elapsed_ns: Nanos) -> list[Change]:
        """Move one alarm by one Tick."""
        row, now_ns = entry.row, self.seen.now_ns
        entry.see(verdict, elapsed_ns, now_ns)
        if entry.phase is Phase.INACTIVE and not verdict.holds:
            return []
        changes = self._move(entry, Stimulus.SWITCH_ON) if entry.phase is Phase.OFF else []
        if entry.phase is Phase.DISARMED:
            if not self.armed(row):
                entry.forget()
                return changes
            if verdict.holds is None:
                return changes
            changes += self._move(entry, Stimulus.ARM)
        if entry.phase in THERE:
            was, entry.covered_by = entry.covered_by, self._covering(entry)
            if entry.covered_by and not was:
                changes.append(self._change(ChangeKind.COVERED, entry, entry.covered_by))
            changes += self._stands(entry, now_ns)
        else:
            changes += self._may_begin(entry, now_ns)
        return changes

    def _may_begin(self, entry: Entry, now_ns: Nanos) -> list[Change]:
        """An alarm that is not there: it begins, goes on waiting, or was not to be; its latched picture may go."""
        changes: list[Change] = []
        if entry.verdict.holds:
            held = self._held_by_pulse(entry)
            due = entry.true_ns_for >= self.limits.delay_s(entry.row.name) * SECOND_NS
            changes += self._move(entry, Stimulus.PERSIST if due and not held else Stimulus.ONSET)
            if held:
                entry.held_back = "pulse"
        elif entry.phase is Phase.DELAYING and entry.verdict.holds is False:
            changes += self._move(entry, Stimulus.CLEAR, reason=entry.held_back or "delay")
        elif entry.phase is Phase.DELAYING and entry.unknown_ns_for > FROZEN_S * SECOND_NS:
            changes += self._move(entry, Stimulus.GAP, reason="signal")
        if entry.phase in LATCHED:
            latched_s = entry.row.latch_s if entry.phase is Phase.LATCHED else LATCHED_ACKNOWLEDGED_S
            if now_ns - entry.over_ns >= latched_s * SECOND_NS:
                changes += self._move(entry, Stimulus.EXPIRE)
        return changes

    def _stands(self, entry: Entry, now_ns: Nanos) -> list[Change]:
        """An alarm that is there: it ends, rises, or is recalled to mind. What cannot be told leaves it as it is."""
        row = entry.row
        over = entry.false_ns_for >= row.off_s * SECOND_NS or entry.covered_by
        if entry.verdict.holds is False and over:
            latching = row.latch_s > 0 and not self._counts_as_seen(entry)
            return self._move(entry, Stimulus.CLEAR_LATCHING if latching else Stimulus.CLEAR)
        changes: list[Change] = []
        for after_s, priority in row.escalates:
            if now_ns - entry.active_ns >= after_s * SECOND_NS and priority.rank > entry.priority.rank:
                entry.priority = priority
                entry.covered_by = self._covering(entry)
                changes.append(self._change(ChangeKind.ESCALATED, entry))
                changes += self._move(entry, Stimulus.RISE)
        if (
            entry.phase is Phase.ACKNOWLEDGED
            and now_ns - entry.reminded_ns >= REMINDERS_S[entry.priority] * SECOND_NS
        ):
            entry.reminded_ns = now_ns
            changes += self._move(entry, Stimulus.REMIND)
            changes.append(self._change(ChangeKind.REMINDED, entry))
        return changes

    def _counts_as_seen(self, entry: Entry) -> bool:
        """A timed picture is not for one who has acknowledged it."""
        return entry.phase is Phase.ACKNOWLEDGED and entry.row.latch_s != UNTIL_SEEN

    def _move(
        self, entry: Entry, stimulus: Stimulus, reason: str = "", by: Command | None = None
    ) -> list[Change]:
        """Let the table say the next phase, and say what that means."""
        was, now_ns = entry.phase, self.seen.now_ns
        entry.phase = phase = after(was, stimulus)
        if phase is was:
            return []
        if was in THERE and phase not in THERE:
            entry.forget()
        if phase is Phase.ACTIVE and was is not Phase.ACKNOWLEDGED:
            ended = [self._change(ChangeKind.ENDED, entry, "again")] if was in LISTED else []
            entry.begin(f"{self.boot}:{self.number}", now_ns)
            self.number += 1
            entry.covered_by = self._covering(entry)
            return [*ended, self._change(ChangeKind.BEGAN, entry)]
        if phase is Phase.ACTIVE:  # its priority rose: nobody has acknowledged that
            entry.acknowledged_ns, entry.acknowledged_by = None, ""
            return []
        if phase is Phase.ACKNOWLEDGED and by is not None:
            entry.acknowledge(by.actor, now_ns)
            return [self._change(ChangeKind.ACKNOWLEDGED, entry, by=by)]
        if phase in {Phase.LATCHED, Phase.LATCHED_ACKNOWLEDGED}:
            entry.over_ns = now_ns
            return [self._change(ChangeKind.LATCHED, entry)]
        changes: list[Change] = []
        if was in LISTED and phase not in LISTED:
            acknowledged = stimulus is Stimulus.ACKNOWLEDGE
            kind = ChangeKind.ACKNOWLEDGED if acknowledged else ChangeKind.ENDED
            changes = [self._change(kind, entry, reason, by)]
            entry.end()
        elif was is Phase.DELAYING and phase is Phase.INACTIVE:
            changes = [self._change(ChangeKind.NEAR_MISS, entry, reason)]
        if was is Phase.DELAYING:
            entry.forget()
        return changes

    def move(self, entry: Entry, stimulus: Stimulus, by: Command | None, reason: str = "") -> list[Change]:
        """What a person did to one alarm; without `by`, what followed from it."""
        return self._move(entry, stimulus, reason, by)

    def _change(self, kind: ChangeKind, entry: Entry, reason: str = "", by: Command | None = None) -> Change:
        name = entry.row.name
        limits = (*self.limits.of(name).items(), (DELAY, self.limits.delay_s(name)))
        change = replace(entry.change(kind, self.seen.now_ns, reason), limits=limits)
        if kind is ChangeKind.BEGAN and entry.row.group == "cardiac":
            pulse = self._pulse()
            if pulse is not None:
                change = replace(change, values=(*change.values, ("pulse", pulse)))
        return change if by is None else acts.signed(change, by)

    # The ladder, the pulse, signals.

    def _covering(self, entry: Entry) -> str:
        """The row that speaks for this one; "" for none.

        What is of high priority is covered only by what is itself heard at high priority: never by an alarm that somebody has
        acknowledged or paused, for then nothing would sound for it.
        """
        for name in self._above.get(entry.row.name, ()):
            for other in self.entries[name].values():
                # While it waits to end it speaks for what is over as well, so that a step down is not a chain of alarms.
                speaks = other.phase in THERE and (other.verdict.holds or entry.verdict.holds is False)
                if not speaks or other.priority.rank < entry.priority.rank:
                    continue
                if entry.priority is not Priority.HIGH or self.sounds(other):
                    return name
        return ""

    def _held_by_pulse(self, entry: Entry) -> bool:
        """Whether a good pulse makes this alarm wait a little longer: it may delay, never take away."""
        hold_s = entry.row.pulse_hold_s
        if not hold_s:
            return False
        slowest = self.limits.of(entry.row.name).get(entry.row.pulse_over, 0.0)
        pulse = self._pulse()
        if pulse is None or pulse <= PULSE_FASTER * slowest:
            return False
        since_true = entry.true_ns_for < hold_s * SECOND_NS
        return since_true and self.seen.age_s(entry.onset_ns) < PULSE_TOTAL_S

    def _pulse(self) -> float | None:
        """The rate of a pulse that can be trusted, /min."""
        pulse = self.seen.value("pulse_rate")
        if pulse is None or pulse.value is None or pulse.quality < PULSE_QUALITY or pulse.value < PULSE_BPM:
            return None
        return pulse.value

    def sounds(self, entry: Entry) -> bool:
        """Whether this alarm is one of those that are heard."""
        return (
            entry.phase is Phase.ACTIVE
            and entry.row.sound
            and not entry.covered_by
            and not self._paused(entry, ChangeKind.AUDIO_PAUSED)
            and not self._paused(entry, ChangeKind.ALARM_PAUSED)
        )

    def _paused(self, entry: Entry, kind: ChangeKind) -> bool:
        return self.pauses.holds(kind, entry.row.name, entry.occurrence, entry.priority)

    def _remind_of_off(self) -> list[Change]:
        """Every ten minutes, rows that a person has switched off: an alarm that is off by forgetting has hurt patients."""
        now_ns, off = self.seen.now_ns, self.limits.switched_off
        if now_ns - self._off_reminded_ns < OFF_REMINDER_S * SECOND_NS:
            return []
        self._off_reminded_ns = now_ns
        return [Change(ChangeKind.REMINDED, now_ns, now_ns, row, reason="off") for row in off]

    def picture(self) -> AlarmPicture:
        """How things stand as of the last Tick."""
        listed = self.listed
        heard = [entry for entry in listed if self.sounds(entry)]
        shown = in_order([entry for entry in listed if not self._paused(entry, ChangeKind.ALARM_PAUSED)])
        loudest = max(heard, key=lambda e: (e.priority.rank, e.active_ns), default=None)
        unarmed = [row.name for row in self.table if not self.armed(row) and self.limits.is_on(row.name)]
        return AlarmPicture(
            self.seen.now_ns,
            None if loudest is None else loudest.priority,
            "" if loudest is None else loudest.row.group,
            tuple(
                entry.alarm(
                    sounds=self.sounds(entry), flashes=entry.phase is Phase.ACTIVE and not entry.covered_by
                )
                for entry in shown
            ),
            self.pauses.on,
            tuple(SwitchedOff(row, *self.switched.get(row, ("", 0))) for row in self.limits.switched_off),
            tuple(unarmed),
            self.limits.differing,
        )


def _readers(table: Sequence[Row], needs: Sequence[Needs | None]) -> dict[str, frozenset[int]]:
    """What is taken in -> places of the rows that read it, or are armed with it."""
    readers: dict[str, set[int]] = {}
    for place, (row, of_row) in enumerate(zip(table, needs, strict=True)):
        for read in (of_row.reads if of_row else frozenset()) | ({ARMED} if row.arms_with else set()):
            readers.setdefault(read, set()).add(place)
    return {read: frozenset(places) for read, places in readers.items()}


def _coverers(table: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Row name -> the rows that may cover it, worst first."""
    return {row.name: tuple(other.name for other in table if row.name in other.covers) for row in table}
