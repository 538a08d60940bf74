"""What ends at a bed when a person takes a device from it to another one: the number it gave is no longer missed here.

A device that falls silent or off by itself is another thing: nothing of this is for it, and what it gave stays missed. An alarm
about the patient that latches stays on the list until somebody has seen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.alarms.needs import rests_on
from daemon.alarms.phases import THERE, Stimulus
from daemon.model.alarms import Change, Phase

if TYPE_CHECKING:
    from daemon.alarms.engine import AlarmEngine

MOVED = "moved"
"""The reason that is given."""


def withdraw(engine: AlarmEngine) -> list[Change]:
    """End what rests on what has been taken away since the last Tick."""
    seen, changes = engine.seen, list[Change]()
    for row in engine.table:
        rests = rests_on(row.condition, seen.withdrawn.names, seen.valid)
        for entry in engine.entries[row.name].values():
            if not rests and entry.instance not in seen.withdrawn.instances:
                continue
            if entry.phase in THERE:
                clearing = Stimulus.CLEAR_LATCHING if row.latch_s else Stimulus.CLEAR
                changes += engine.move(entry, clearing, None, MOVED)
            if entry.phase is Phase.DELAYING or (entry.phase is Phase.INACTIVE and not engine.armed(row)):
                changes += engine.move(entry, Stimulus.DISARM, None, MOVED)
            entry.forget()
    seen.withdrawn.clear()
    return changes
