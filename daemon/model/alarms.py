"""Alarms as all rooms speak of them: what they say when something changes, and how things stand now.

The words are those of IEC 60601-1-8: AUDIO PAUSED, ALARM PAUSED, ALARM OFF, ACKNOWLEDGED. Times are ns of CLOCK_BOOTTIME.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from daemon.model.findings import Evidence
from daemon.model.signals import Nanos


class Priority(StrEnum):
    """How soon a person must act: be aware, respond promptly, respond at once."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """1 (low) .. 3 (high)."""
        return _RANKS[self]


_RANKS = {Priority.LOW: 1, Priority.MEDIUM: 2, Priority.HIGH: 3}


class About(StrEnum):
    """What an alarm is about: the patient, or the equipment."""

    PATIENT = "patient"
    TECHNICAL = "technical"


class Phase(StrEnum):
    """Where one alarm stands."""

    DISARMED = "disarmed"  # its measurement has not been valid for this patient yet
    INACTIVE = "inactive"
    DELAYING = "delaying"  # the condition is there, its delay is not over
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"  # seen; the condition is still there
    LATCHED = "latched"  # the condition is gone, and nobody has acknowledged it
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"  # gone, and acknowledged while it was there
    OFF = "off"  # ALARM OFF: switched off by a person, or off by default


class ChangeKind(StrEnum):
    """What happened. The log is made of these."""

    BEGAN = "began"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"  # the condition ended, its picture stays
    ENDED = "ended"
    NEAR_MISS = "near_miss"  # the condition was there, but not for long enough, or was held back: `reason`
    REMINDED = "reminded"
    COVERED = "covered"  # a worse alarm of the same event speaks for it: `reason` names it
    AUDIO_PAUSED = "audio_paused"
    ALARM_PAUSED = "alarm_paused"
    PAUSE_ENDED = "pause_ended"
    LIMITS_SET = "limits_set"
    RESET = "reset"
    RESUMED = "resumed"  # the process began anew, and the alarm goes on
    TESTED = "tested"
    ADMITTED = "admitted"
    DISCHARGED = "discharged"
    REFUSED = "refused"  # a Command that was not carried out: `text` says why


Values = tuple[tuple[str, str | float], ...]
"""What fills the places of a sentence."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an alarm, or that a person did. `due_ns` is the Tick that decided it.

    `t_ns` is the time of what it is about: the onset of the condition in the patient or the box where that is known.
    `true_ns` is the Tick at which the condition was first judged true: `true_ns - t_ns` is the condition delay but for the
    row's own delay, `due_ns - true_ns` that one. `text` and its `.check` are word keys; `occurrence` is "" for what is no
    alarm's. `command`, `actor` and `screen` say whose act it was; `seconds` how long a pause lasts. `limits`
    are those in force for the row, with its delay.
    """

    kind: ChangeKind
    t_ns: Nanos
    due_ns: Nanos
    row: str = ""
    instance: str = ""
    occurrence: str = ""
    priority: Priority | None = None
    text: str = ""
    values: Values = ()
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    true_ns: Nanos | None = None
    evidence: tuple[Evidence, ...] = ()
    covered_by: str = ""
    command: str = ""
    actor: str = ""
    screen: str = ""
    seconds: float | None = None
    reason: str = ""
    limits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of the list on the screen. `sounds`: it is one of those that are heard; `flashes`: new and not yet seen.

    `updating` False: its source is bad or silent, and the alarm stands until it can be judged. `worst` is the value farthest
    beyond the limit since it began.
    """

    occurrence: str
    row: str
    instance: str
    about: About
    priority: Priority
    phase: Phase
    text: str
    values: Values
    value: float | None
    worst: float | None
    limit: float | None
    unit: str
    t_ns: Nanos
    active_ns: Nanos
    sounds: bool
    flashes: bool
    updating: bool
    covered_by: str = ""
    acknowledged_ns: Nanos | None = None
    acknowledged_by: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """AUDIO PAUSED or ALARM PAUSED until `until_ns`; `row` "" = all alarms."""

    kind: ChangeKind
    row: str
    until_ns: Nanos
    since_ns: Nanos
    actor: str
    screen: str


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """ALARM OFF: a row that a person has switched off; since when and by whom, where that is known."""

    row: str
    actor: str
    since_ns: Nanos


@dataclass(frozen=True, slots=True)
class AlarmPicture:
    """How things stand at Tick `t_ns`: what is heard, what is shown, and what cannot alarm.

    `sound` is the burst to be played, `group` its melody; `alarms` are the worst and newest first, those in the pause of all
    signals left out. `off` are rows that a person has switched off, `unarmed` rows whose measurement has never been valid,
    `differing` rows whose limits are not the default ones.
    """

    t_ns: Nanos
    sound: Priority | None
    group: str
    alarms: tuple[Alarm, ...]
    pauses: tuple[Pause, ...]
    off: tuple[SwitchedOff, ...]
    unarmed: tuple[str, ...]
    differing: tuple[str, ...]

    @property
    def worst(self) -> Priority | None:
        """The highest priority of the conditions that are there: colour and flashing of the banner."""
        there = [a.priority for a in self.alarms if a.phase in {Phase.ACTIVE, Phase.ACKNOWLEDGED}]
        return max(there, key=lambda p: p.rank, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "worst": self.worst}
