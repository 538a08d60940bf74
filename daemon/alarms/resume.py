"""What an engine needs to go on after a short restart of the process, as a dictionary that JSON can hold.

What was active sounds again and stands until it can be judged; what was acknowledged stays so; a pause lasts no longer than was
left of it. After more than half a minute, or another boot, everything is judged anew.
"""

from __future__ import annotations

from typing import Any

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.observed import SECOND_NS
from daemon.alarms.occurrence import Entry
from daemon.alarms.phases import LISTED
from daemon.model.alarms import Change, ChangeKind, Pause, Phase, Priority
from daemon.model.signals import Nanos

LONGEST_S = 30.0
_KEPT = (
    "occurrence",
    "true_ns",
    "onset_ns",
    "active_ns",
    "over_ns",
    "reminded_ns",
    "worst",
    "acknowledged_ns",
    "acknowledged_by",
)


def saved(engine: AlarmEngine) -> dict[str, Any]:
    """The state as of the last Tick; the limits are kept apart (`Limits.as_dict`)."""
    return {
        "boot": engine.boot,
        "t_ns": engine.seen.now_ns,
        "number": engine.number,
        "alarms": [
            {"row": e.row.name, "instance": e.instance, "phase": e.phase, "priority": e.priority}
            | {name: getattr(e, name) for name in _KEPT}
            for e in engine.listed
        ],
        "pauses": [
            {
                "kind": p.kind,
                "row": p.row,
                "until_ns": p.until_ns,
                "since_ns": p.since_ns,
                "actor": p.actor,
                "screen": p.screen,
                "ranks": ranks,
            }
            for p, ranks in engine.pauses.saved()
        ],
        "switched": {row: list(by) for row, by in engine.switched.items()},
        "valid": sorted(engine.seen.valid),
        "streamed": sorted(engine.seen.streamed),
    }


def resume(engine: AlarmEngine, state: dict[str, Any], now_ns: Nanos) -> bool:
    """Put a fresh engine of the same boot where the last one stood. False when all is to be judged anew."""
    if state["boot"] != engine.boot:
        return False
    engine.number = max(engine.number, state["number"])
    if not 0 <= now_ns - state["t_ns"] <= LONGEST_S * SECOND_NS:
        return False
    for alarm in state["alarms"]:
        of_row, phase = engine.entries.get(alarm["row"]), Phase(alarm["phase"])
        if of_row is None or phase not in LISTED:
            continue
        row = next(row for row in engine.table if row.name == alarm["row"])
        entry = of_row[alarm["instance"]] = Entry(row, alarm["instance"], phase)
        entry.priority = Priority(alarm["priority"])
        entry.was_true = phase in {Phase.ACTIVE, Phase.ACKNOWLEDGED}
        for name in _KEPT:
            setattr(entry, name, alarm[name])
    engine.pauses.restore(
        (
            Pause(ChangeKind(p["kind"]), p["row"], p["until_ns"], p["since_ns"], p["actor"], p["screen"]),
            p["ranks"],
        )
        for p in state["pauses"]
    )
    engine.switched.update({row: (actor, since) for row, (actor, since) in state["switched"].items()})
    engine.seen.valid.update(state["valid"])
    engine.seen.streamed.update(state["streamed"])
    return True


def told(state: dict[str, Any], kind: ChangeKind, now_ns: Nanos) -> list[Change]:
    """For the log: what became of the alarms of a state. What ENDED so and is still there begins anew.

    What RESUMED says when it began: the process may have died before that was on the disk.
    """
    resumed = kind is ChangeKind.RESUMED
    return [
        Change(
            kind,
            alarm["onset_ns"] if resumed else now_ns,
            now_ns,
            alarm["row"],
            alarm["instance"],
            alarm["occurrence"],
            Priority(alarm["priority"]),
            f"alarm.{alarm['row']}",
            value=alarm["worst"],
            true_ns=alarm["true_ns"] if resumed else None,
            reason="restart",
        )
        for alarm in state["alarms"]
    ]
