"""What can be set on the page of settings: the one table. A value is text; whoever uses it reads it with its own type.

A setting stands at one or more levels; the nearest one that says something holds: a person's, then the bed's, then the ward's
(the whole box), then the default here. Limits of alarms are not in this table: the alarm table has them (daemon/alarms/limits.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import available_timezones

WARD = "ward"
"""The level of the whole box; a bed's is "bed:KEY", a person's "person:ID"."""

QUIETEST, LOUDEST = 40, 100
"""Volume that a ward may choose: below, an alarm of low priority would not carry to the next room (0 is 40 dB below 100)."""


class Level(StrEnum):
    WARD = "ward"
    BED = "bed"
    PERSON = "person"


def bed_level(bed: str) -> str:
    return f"{Level.BED}:{bed}"


def person_level(person: str) -> str:
    return f"{Level.PERSON}:{person}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `choices` are its values, or with none of them it is a whole number from `low` to `high`."""

    name: str
    group: str
    choices: tuple[str, ...]
    default: str
    levels: frozenset[Level]
    low: int = 0
    high: int = 0
    step: int = 1

    def takes(self, value: str) -> bool:
        """Whether `value` is one of its values."""
        if self.name == "time_zone":
            return value in {"", "UTC"} or value in zones()
        if self.choices:
            return value in self.choices
        return value.isdecimal() and self.low <= int(value) <= self.high


_ALL = frozenset(Level)
_BOX = frozenset({Level.WARD})
_NO_PERSON = frozenset({Level.WARD, Level.BED})

_TABLE = (
    Setting("layout", "waves", ("3x4", "6x2", "12x1", "1x1"), "3x4", _ALL),
    Setting("order", "waves", ("standard", "cabrera"), "standard", _ALL),
    Setting("speed", "waves", ("12.5", "25", "50"), "25", _ALL),
    Setting("slow", "waves", ("6.25", "12.5", "25"), "6.25", _ALL),
    Setting("gain", "waves", ("5", "10", "20", "auto"), "10", _ALL),
    Setting("ecg_colour", "waves", ("green", "blue", "white", "violet"), "green", _ALL),
    # What a bed shows is the same for everybody who looks at it (docs/decisions/0002).
    Setting("mode", "filters", ("monitor", "st", "diagnostic"), "", _NO_PERSON),
    Setting("mains_hz", "filters", ("0", "50", "60"), "", _NO_PERSON),
    Setting("cleaning", "filters", ("false", "true"), "", _NO_PERSON),
    Setting("volume", "sounds", (), "", _BOX, QUIETEST, LOUDEST, 5),
    Setting("melodies", "sounds", ("false", "true"), "", _BOX),
    Setting("language", "words", ("en", "de"), "en", _ALL),
    Setting("airway_pressure", "words", ("cmH2O", "hPa"), "", _ALL),
    Setting("gas_pressure", "words", ("mmHg", "kPa"), "", _ALL),
    Setting("temperature", "words", ("degC", "degF"), "", _ALL),
    Setting("time_zone", "words", (), "", _ALL),
)
SETTINGS: Mapping[str, Setting] = {one.name: one for one in _TABLE}
"""By name, in the order of the page. The default "" is what the configuration, the device (units) or the browser (times) says."""

Levels = Mapping[str, Mapping[str, str]]
"""Level -> name -> value. What JSON holds."""


def zones() -> frozenset[str]:
    """Names of time zones that people choose between: those with a place in them."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))


def in_force(levels: Levels, bed: str = "", person: str = "") -> dict[str, str]:
    """The value of every setting for whoever looks at a bed ("" = at none)."""
    order = [level for level, key in ((person_level(person), person), (bed_level(bed), bed)) if key]
    nearest = [levels.get(level, {}) for level in (*order, WARD)]
    return {
        name: next((said[name] for said in nearest if name in said), one.default)
        for name, one in SETTINGS.items()
    }


def faults(levels: Levels) -> Iterator[tuple[str, str]]:
    """Level and name of everything that the table would not take."""
    for level, said in levels.items():
        kind, _, key = level.partition(":")
        known = kind in set(Level) and (key == "") == (kind == Level.WARD)
        for name, value in said.items():
            one = SETTINGS.get(name)
            if not known or one is None or Level(kind) not in one.levels or not one.takes(value):
                yield level, name
