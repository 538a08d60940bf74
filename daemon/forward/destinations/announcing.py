"""Alarms for people's own programs (`webhook`, `sns`): which records, and the text of one. A message is one alarm's change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from daemon.contracts.box.v1 import CHANGES
from daemon.contracts.envelope import compact
from daemon.forward.destinations import Bounds, Sealed
from daemon.forward.destinations.place import Options, Place
from daemon.forward.destinations.sealing import JSON, envelope
from daemon.forward.record import Record
from daemon.model.outgoing import Lane

ALARM: Final = "box.alarm/1"

_RANK: Final = {"low": 0, "medium": 1, "high": 2}


class AnnouncingOptions(Options):
    """Which alarms."""

    least: Annotated[
        Literal["low", "medium", "high"], Field(description="Alarms of this priority and above")
    ] = "low"
    changes: Annotated[
        list[str], Field(description='Only these changes of an alarm ("onset", "end"); empty = all')
    ] = Field(default_factory=list)

    @field_validator("changes")
    @classmethod
    def _known(cls, changes: list[str]) -> list[str]:
        if unknown := [change for change in changes if change not in CHANGES]:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(CHANGES)}")
        return changes


class Announcing:
    """What the two have in common. One alarm a request: none waits for another, and a receiver's fault costs no other."""

    def __init__(self, options: AnnouncingOptions, place: Place) -> None:
        self.bounds = Bounds(records=1, at_once=options.at_once)
        self.place = place
        self._options = options

    def takes(self, record: Record) -> bool:
        """Alarms alone, by the options. A change without a priority (a pause, limits) is none's: it goes with "low"."""
        if record.lane is not Lane.ALARMS or record.message != ALARM:
            return False
        changes = self._options.changes
        if changes and record.body.get("change") not in changes:
            return False
        return _RANK.get(str(record.body.get("priority")), 0) >= _RANK[self._options.least]

    def gather(self, records: Sequence[Record]) -> int:
        return min(1, len(records))

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        """The envelope as JSON; the path names the record, whose key is the same for ever."""
        data = compact(envelope(key, records[0], named=self._options.named_patients).as_dict())
        return Sealed(key, records[0].lane, f"alarm/{records[0].key}", JSON, "", data)


def record_key(sealed: Sealed) -> str:
    """The key by which a receiver knows an alarm that came again."""
    return sealed.path.rpartition("/")[2]
