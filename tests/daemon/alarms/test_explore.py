"""The engine as a machine, explored to the last state: no way of pressing keys silences a new alarm of high priority.

Two rows of the real table at a time, with conditions that are set by hand. Two states are the same when phases, verdicts,
priorities and pauses (what they were made for, whether they last long) are. How often one person may pause is tested elsewhere.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest

from daemon.alarms.conditions import Verdict
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.phases import THERE
from daemon.alarms.table import ROWS
from daemon.model.alarms import ChangeKind, Phase, Priority
from daemon.model.signals import Command, Tick

S = 1_000_000_000
KEYS = {
    "acknowledge": (),
    "reset": (),
    "admit": (),
    "alarm_off": (("row", "hr_high"),),
    "alarm_on": (("row", "hr_high"),),
}
LONG_S = 70.0  # longer than it takes to escalate, shorter than a pause


@dataclass(frozen=True)
class Flag:
    """True, false or unknown, as the engine's own set of facts by hand says."""

    name: str

    def judge(self, seen, limits, was):
        return {"": Verdict(seen.by_hand[self.name])}


def engine_of(names):
    table = tuple(
        replace(ROWS[n], condition=Flag(n), off_s=0.0, arms_with="", pulse_hold_s=0.0) for n in names
    )
    engine = AlarmEngine(Limits({"hr_high": {"delay_s": 0.0}}), table=table)
    engine.seen.by_hand = dict.fromkeys(names, False)
    return engine


class World:
    def __init__(self, engine, now=0):
        self.engine, self.now = engine, now

    def copy(self):
        """Another world in the same state; what is never changed in place is shared."""
        was, engine = self.engine, copy.copy(self.engine)
        engine.entries = {
            row: {i: copy.copy(e) for i, e in of_row.items()} for row, of_row in was.entries.items()
        }
        engine.pauses = copy.copy(was.pauses)
        engine.pauses._on = {key: copy.copy(running) for key, running in was.pauses._on.items()}
        engine.pauses._last = {}
        engine.limits = copy.copy(was.limits)
        engine.limits._own = dict(was.limits._own)
        engine.seen = copy.copy(was.seen)
        engine.seen.by_hand = dict(was.seen.by_hand)
        return World(engine, self.now)

    def tick(self, seconds=0.1):
        self.now += round(seconds * S)
        return self.engine.step(Tick(self.now))

    def do(self, stimulus):
        kind, value = stimulus
        if kind == "wait":
            return self.tick(value)
        if kind == "key":
            self.engine.step(Command("c", self.now, "1", "AK", value, KEYS.get(value, ())))
        else:
            self.engine.seen.by_hand[kind] = value
        return self.tick()

    def entries(self):
        return [e for of_row in self.engine.entries.values() for e in of_row.values()]

    def key(self):
        live = {e.occurrence: e.row.name for e in self.entries() if e.occurrence}
        pauses = tuple(
            sorted(
                (
                    p.kind,
                    p.row,
                    -(-(p.until_ns - self.now) // (60 * S)),
                    tuple(sorted((live[o], rank) for o, rank in ranks.items() if o in live)),
                    max(ranks.values(), default=0),
                )
                for p, ranks in self.engine.pauses.saved()
            )
        )
        return (
            tuple(
                (e.row.name, e.phase, e.priority, e.verdict.holds, e.was_true, e.covered_by)
                for e in self.entries()
            ),
            pauses,
            self.engine.limits.switched_off,
        )


def stimuli_of(names, pause):
    keys = [*KEYS, pause, f"{pause}_cancel"]
    if "hr_high" not in names:
        keys = [key for key in keys if key not in {"alarm_off", "alarm_on"}]
    return (
        *((name, value) for name in names for value in (True, False, None)),
        *(("key", key) for key in keys),
        ("wait", LONG_S),
        ("wait", 1800.0),
    )


def check(before, world, changes):
    """What must hold after every step."""
    stood = {e.row.name for e in before.entries() if e.phase in THERE}
    began = {c.row for c in changes if c.kind is ChangeKind.BEGAN}
    sound = world.engine.picture().sound
    for change in changes:
        new = change.kind in {ChangeKind.BEGAN, ChangeKind.ESCALATED}
        if new and change.priority is Priority.HIGH:
            assert sound is Priority.HIGH, change
    paused = {o for _, ranks in world.engine.pauses.saved() for o in ranks}
    for entry in world.entries():
        if entry.phase is Phase.ACTIVE and entry.priority is Priority.HIGH and entry.occurrence not in paused:
            assert sound is Priority.HIGH, entry
        if entry.verdict.holds and world.engine.limits.is_on(entry.row.name):
            assert entry.phase in THERE | {Phase.DELAYING}
        if entry.phase in THERE:
            assert entry.row.name in stood | began
            assert entry.verdict.holds is not False
        assert not (entry.phase is Phase.OFF and not entry.row.may_be_off)


def comes_to_rest(world, names):
    """Nothing is stuck: all conditions over, one key, and time, and nothing is left."""
    for name in names:
        world.do((name, False))
    world.do(("key", "acknowledge"))
    world.do(("key", "alarm_on"))
    world.do(("wait", 1800.0))
    world.do(("wait", 1.0))
    picture = world.engine.picture()
    return not picture.alarms and not picture.pauses and not picture.off and picture.sound is None


@pytest.mark.parametrize(
    ("names", "pause"),
    [
        (("vent_fib", "asystole"), "audio_pause"),
        (("vent_fib", "hr_high"), "alarm_pause"),
        (("no_data_ecg", "hr_high"), "audio_pause"),
    ],
)
def test_every_state_that_can_be_reached(names, pause):
    world = World(engine_of(names))
    world.tick()
    stimuli = stimuli_of(names, pause)
    seen, new, phases = {world.key()}, [world], set()
    while new:
        at = new.pop()
        phases |= {e.phase for e in at.entries()}
        for stimulus in stimuli:
            following = at.copy()
            changes = following.do(stimulus)
            check(at, following, changes)
            if following.key() not in seen:
                seen.add(following.key())
                new.append(following)
        assert comes_to_rest(at, names)
    assert {Phase.INACTIVE, Phase.ACTIVE, Phase.ACKNOWLEDGED} <= phases
    assert (Phase.OFF in phases) == ("hr_high" in names)
    assert ({Phase.LATCHED, Phase.LATCHED_ACKNOWLEDGED} <= phases) == bool(
        {"vent_fib", "asystole"} & set(names)
    )
    assert len(seen) > 100
