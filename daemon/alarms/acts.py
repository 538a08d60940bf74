"""What a person can do to alarms: one function a verb. Everything is signed with who did it, from which screen.

Values of a Command are text; "screen" says where it was done. What cannot be done is refused with a reason, as a Change
of kind REFUSED that carries the Command's id; a Change with that id and any other kind means that it was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from daemon.alarms.limits import ON, Refusal
from daemon.alarms.observed import SECOND_NS
from daemon.alarms.pauses import AUDIO_PAUSE_S
from daemon.alarms.phases import THERE, Stimulus
from daemon.model.alarms import Change, ChangeKind, Phase, Priority, Values
from daemon.model.signals import Command

if TYPE_CHECKING:
    from daemon.alarms.engine import AlarmEngine

TEST_S = 10.0
Act = Callable[["AlarmEngine", Command, Mapping[str, str]], list[Change]]


def obey(engine: AlarmEngine, command: Command) -> list[Change]:
    """Carry out a Command whose verb is one of VERBS."""
    return VERBS[command.verb](engine, command, dict(command.values))


def signed(change: Change, by: Command) -> Change:
    """The change with the name of whoever did it."""
    screen = dict(by.values).get("screen", "")
    return replace(change, command=by.id, actor=by.actor, screen=screen)


def _done(
    engine: AlarmEngine,
    command: Command,
    kind: ChangeKind,
    row: str = "",
    text: str = "",
    values: Values = (),
    seconds: float | None = None,
    reason: str = "",
) -> Change:
    change = Change(
        kind, command.t_ns, engine.seen.now_ns, row, text=text, values=values, seconds=seconds, reason=reason
    )
    return signed(change, command)


def _refused(engine: AlarmEngine, command: Command, refusal: Refusal) -> list[Change]:
    return [_done(engine, command, ChangeKind.REFUSED, text=refusal.text, values=refusal.values)]


def _acknowledge(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    """The alarms that are there now, or those named ("occurrences", by commas). Late or twice is no error."""
    named = {name for name in values.get("occurrences", "").split(",") if name}
    chosen = [entry for entry in engine.listed if not named or entry.occurrence in named]
    changes = [change for entry in chosen for change in engine.move(entry, Stimulus.ACKNOWLEDGE, command)]
    return changes or [_done(engine, command, ChangeKind.ACKNOWLEDGED, reason="nothing")]


def _reset(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    """Takes away what is latched: alarms whose condition is gone, and nothing else."""
    del values
    changes = [c for entry in engine.listed for c in engine.move(entry, Stimulus.RESET, command, "reset")]
    return [*changes, _done(engine, command, ChangeKind.RESET)]


def _pause(
    engine: AlarmEngine, command: Command, values: Mapping[str, str], kind: ChangeKind
) -> list[Change]:
    """AUDIO PAUSED or ALARM PAUSED for what is there now; of one "row", else of all; "seconds" up to 180, else 120."""
    row, now_ns = values.get("row", ""), engine.seen.now_ns
    seconds = _number(values.get("seconds", str(AUDIO_PAUSE_S)))
    if row and row not in engine.entries:
        return _refused(engine, command, Refusal("alarm.refused.unknown", (("name", row),)))
    why = "alarm.refused.too_long" if seconds is None else ""
    seconds = seconds or 0.0
    why = why or engine.pauses.refusal(kind, row, seconds, command.actor, now_ns)
    if why:
        return _refused(engine, command, Refusal(why))
    there = [
        (e.occurrence, e.priority) for e in engine.listed if e.phase in THERE and row in {"", e.row.name}
    ]
    engine.pauses.begin(kind, row, seconds, there, command.actor, values.get("screen", ""), now_ns)
    return [_done(engine, command, kind, row, seconds=seconds)]


def _audio_pause(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _pause(engine, command, values, ChangeKind.AUDIO_PAUSED)


def _alarm_pause(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _pause(engine, command, values, ChangeKind.ALARM_PAUSED)


def _cancel(
    engine: AlarmEngine, command: Command, values: Mapping[str, str], kind: ChangeKind
) -> list[Change]:
    """Ends a pause before its time. None to end is no error: it has ended by itself."""
    row = values.get("row", "")
    engine.pauses.end(kind, row, engine.seen.now_ns)
    return [_done(engine, command, ChangeKind.PAUSE_ENDED, row, reason=kind)]


def _audio_pause_cancel(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _cancel(engine, command, values, ChangeKind.AUDIO_PAUSED)


def _alarm_pause_cancel(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _cancel(engine, command, values, ChangeKind.ALARM_PAUSED)


def _alarm_off(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _set(engine, command, [(values.get("row", ""), ON, False)])


def _alarm_on(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    return _set(engine, command, [(values.get("row", ""), ON, True)])


def _limits(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    """Limits: "<row>.<key>" -> number, "default" for the ward's; all are set, or none."""
    asked: list[tuple[str, str, float | bool]] = []
    for name, text in values.items():
        if name == "screen":
            continue
        row, _, key = name.partition(".")
        value: float | bool | None
        if text == "default":
            try:
                value = engine.limits.default(row, key)
            except KeyError:
                value = None
        elif key == ON:
            value = {"true": True, "false": False}.get(text)
        else:
            value = _number(text)
        if value is None:
            return _refused(engine, command, Refusal("alarm.refused.unknown", (("name", f"{name} {text}"),)))
        asked.append((row, key, value))
    return _set(engine, command, asked)


def _set(engine: AlarmEngine, command: Command, asked: list[tuple[str, str, float | bool]]) -> list[Change]:
    refusal = (
        engine.limits.refusal(asked) if asked else Refusal("alarm.refused.unknown", (("name", "limit"),))
    )
    if refusal is not None:
        return _refused(engine, command, refusal)
    changes = []
    for (row, key, old), (_, _, new) in zip(engine.limits.change(asked), asked, strict=True):
        if key == ON:
            engine.switched[row] = (command.actor, engine.seen.now_ns)
        values: Values = (("key", key), ("old", float(old)), ("new", float(new)))
        changes.append(_done(engine, command, ChangeKind.LIMITS_SET, row, f"alarm.{row}", values))
    return changes


def _test(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    """A marked test of the whole path at a "priority", high unless said, for "seconds" up to 10; 0 ends it."""
    try:
        priority = Priority(values.get("priority", Priority.HIGH))
    except ValueError:
        return _refused(engine, command, Refusal("alarm.refused.unknown", (("name", values["priority"]),)))
    seconds = _number(values.get("seconds", str(TEST_S)))
    if seconds is None or not 0.0 <= seconds <= TEST_S:
        return _refused(engine, command, Refusal("alarm.refused.unknown", (("name", values["seconds"]),)))
    engine.seen.tests[priority] = engine.seen.now_ns + round(seconds * SECOND_NS)
    return [_done(engine, command, ChangeKind.TESTED, f"test_{priority}", seconds=seconds)]


def _new_patient(engine: AlarmEngine, command: Command, kind: ChangeKind) -> list[Change]:
    """All anew: alarms, pauses, limits. What is still there begins again at this very Tick."""
    changes: list[Change] = []
    for of_row in engine.entries.values():
        for entry in of_row.values():
            if entry.phase is not Phase.OFF:
                changes += engine.move(entry, Stimulus.DISARM, command, kind)
    engine.pauses.clear()
    engine.limits.to_default()
    engine.switched.clear()
    engine.seen.forget_patient()
    return [*changes, _done(engine, command, kind)]


def _admit(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    del values
    return _new_patient(engine, command, ChangeKind.ADMITTED)


def _discharge(engine: AlarmEngine, command: Command, values: Mapping[str, str]) -> list[Change]:
    del values
    return _new_patient(engine, command, ChangeKind.DISCHARGED)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


VERBS: Mapping[str, Act] = MappingProxyType(
    {
        "acknowledge": _acknowledge,
        "reset": _reset,
        "audio_pause": _audio_pause,
        "audio_pause_cancel": _audio_pause_cancel,
        "alarm_pause": _alarm_pause,
        "alarm_pause_cancel": _alarm_pause_cancel,
        "alarm_off": _alarm_off,
        "alarm_on": _alarm_on,
        "limits": _limits,
        "test": _test,
        "admit": _admit,
        "discharge": _discharge,
    }
)
