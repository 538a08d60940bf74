"""What `vitald doctor` can find: the one table of findings and of the checks that make them. Words are daemon/words/en_appliance.py's.

`docs/technician.md` is made from the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from daemon.words import say


class Grade(StrEnum):
    """How bad it is. FAIL: monitoring, alarms or recording are not what they should be. WARN: they will not be for long."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


_FAIL, _WARN = Grade.FAIL, Grade.WARN

CHECKS: tuple[str, ...] = (
    "configuration",
    "files",
    "disk",
    "clock",
    "machine",
    "daemon",
    "processes",
    "ports",
    "sound",
    "store",
    "network",
    "destinations",
    "certificates",
    "memory",
    "heat",
    "supply",
    "units",
    "update",
)
"""Names of the checks, in their order; the number of a check is its place, from 1 on."""

FINDINGS = MappingProxyType(
    {
        "configuration.bad": _FAIL,
        "configuration.destination": _FAIL,
        "files.too_open": _FAIL,
        "files.not_ours": _FAIL,
        "disk.missing": _FAIL,
        "disk.full": _FAIL,
        "disk.low": _WARN,
        "disk.inodes": _FAIL,
        "disk.read_only": _FAIL,
        "disk.not_kept": _FAIL,
        "disk.fails": _FAIL,
        "disk.slow": _WARN,
        "clock.never_set": _FAIL,
        "clock.not_synchronised": _WARN,
        "machine.no_id": _WARN,
        "daemon.silent": _FAIL,
        "daemon.no_ticks": _FAIL,
        "daemon.behind": _FAIL,
        "daemon.dropped": _WARN,
        "daemon.says": _WARN,
        "processes.silent": _FAIL,
        "processes.old": _WARN,
        "ports.missing": _FAIL,
        "ports.denied": _FAIL,
        "ports.busy": _FAIL,
        "ports.silent": _FAIL,
        "ports.stalled": _FAIL,
        "ports.unread": _FAIL,
        "ports.alike": _WARN,
        "sound.silent": _FAIL,
        "sound.speaker": _FAIL,
        "sound.self_test": _FAIL,
        "sound.outputs": _WARN,
        "store.missing": _FAIL,
        "store.damaged": _FAIL,
        "store.not_writing": _FAIL,
        "store.moved_aside": _WARN,
        "network.down": _WARN,
        "destinations.name": _FAIL,
        "destinations.unreachable": _FAIL,
        "destinations.tls": _FAIL,
        "destinations.refused": _FAIL,
        "destinations.waiting": _WARN,
        "destinations.quarantine": _WARN,
        "certificates.expired": _FAIL,
        "certificates.ends": _WARN,
        "certificates.unreadable": _FAIL,
        "memory.low": _WARN,
        "memory.pressure": _WARN,
        "heat.high": _WARN,
        "heat.throttled": _WARN,
        "supply.low": _FAIL,
        "supply.was_low": _WARN,
        "supply.mains": _WARN,
        "units.failed": _FAIL,
        "units.stopped": _FAIL,
        "update.unreadable": _FAIL,
        "update.no_good_slot": _FAIL,
        "update.returned": _WARN,
        "update.broken_off": _WARN,
        "update.slot_bad": _WARN,
        "update.restart": _WARN,
        "update.waiting": _WARN,
    }
)
"""Id of a finding ("check.what") -> how bad it is. Its words: "doctor.<id>", and "doctor.<id>.do" for what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not as it should be. `values` fill the places of its words."""

    id: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def grade(self) -> Grade:
        return FINDINGS[self.id]

    @property
    def meaning(self) -> str:
        """One line: what it is, and what it means."""
        return say(f"doctor.{self.id}", **self.values)

    @property
    def remedy(self) -> str:
        """One line: what to do."""
        return say(f"doctor.{self.id}.do", **self.values)


def found(identity: str, **values: object) -> Finding:
    """A finding. KeyError for an id that is not in the table."""
    FINDINGS[identity]
    return Finding(identity, {name: str(value) for name, value in values.items()})


def number(check: str) -> int:
    """The number of a check, from 1 on."""
    return CHECKS.index(check) + 1
