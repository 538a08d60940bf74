"""What the alarm engine of the bed says over a recording, as the lines of `vitald analyse`. Nobody acknowledges anything here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits, Settings
from daemon.alarms.table import CHALLENGE
from daemon.cli import BadInput
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Finding
from daemon.model.signals import TICK_NS, Item, Nanos, SampleBlock, Tick
from daemon.words import say

CHALLENGE_NAME = "challenge"
"""In place of a file: the definitions of the PhysioNet/CinC Challenge 2015."""

Line = dict[str, object]


class AlarmLines:
    """Ticks are made every 100 ms, as far as samples have come; a line is due at the Tick that decided."""

    def __init__(self, limits: Limits) -> None:
        self._engine = AlarmEngine(limits)
        self._ticked_ns: Nanos = 0
        self._on: set[str] = set()

    def push(self, item: Item, findings: Sequence[Finding]) -> list[tuple[Nanos, Line]]:
        """An item with what analysis said of it: lines with their due times, in order."""
        changes = self._engine.step(item, findings)
        if isinstance(item, SampleBlock):  # over a gap time is known only when samples come again
            while self._ticked_ns + TICK_NS <= item.arrived_ns:
                self._ticked_ns += TICK_NS
                changes += self._engine.step(Tick(self._ticked_ns))
        lines = ((change.due_ns, self._line(change)) for change in changes)
        return [(due_ns, line) for due_ns, line in lines if line is not None]

    def _line(self, change: Change) -> Line | None:
        """On when an alarm begins or rises, off when its condition is gone, whether or not its picture stays."""
        match change.kind:
            case ChangeKind.BEGAN | ChangeKind.ESCALATED:
                self._on.add(change.occurrence)
                state = "on"
            case ChangeKind.LATCHED | ChangeKind.ENDED if change.occurrence in self._on:
                self._on.discard(change.occurrence)
                state = "off"
            case _:
                return None
        instance = {"instance": change.instance} if change.instance else {}
        covered = {"covered_by": _name(change.covered_by)} if change.covered_by else {}
        return {
            "type": "alarm",
            "t": round(change.t_ns / 1e9, 4),
            "reported_at": round(change.due_ns / 1e9, 4),
            "alarm": _name(change.row),
            **instance,
            "priority": None if change.priority is None else change.priority.value,
            "state": state,
            "value": change.value,
            "limit": change.limit,
            **covered,
        }


def _name(row: str) -> str:
    return row.upper().replace("_", " ")


def limits_of(given: str | None) -> Limits:
    """Default limits, those of a JSON file ({row: {key: value}}), or a preset's by its name. Raises `BadInput`."""
    if given is None:
        return Limits()
    settings: Settings = CHALLENGE
    if given != CHALLENGE_NAME:
        try:
            settings = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{given}: {error}") from None
        if not _are_settings(settings):
            raise BadInput(f'{given}: limits look like {{"hr_high": {{"above": 140}}}}')
    limits = Limits(settings)
    if limits.refused:
        refusal = limits.refused[0]
        filled = {name: str(value) for name, value in refusal.values}
        where = f"{filled['row']}: " if "row" in filled else ""
        raise BadInput(f"{given}: {where}{say(refusal.text, **filled)}")
    return limits


def _are_settings(given: object) -> bool:
    return isinstance(given, dict) and all(
        isinstance(of_row, dict) and all(isinstance(value, bool | int | float) for value in of_row.values())
        for of_row in given.values()
    )
