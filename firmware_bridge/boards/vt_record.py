"""The settings record of VT-30 and VT-60: `*,<R|S>,<DDMMYY>,<HHMM>,<MODE>,<sections>,<serial>,#`.

Names and orders are those of the vendor's own program; the cloud's parser calls some of the fields otherwise, wrongly.
Times of inspiration travel as tenths of a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

LONGEST = 400  # bytes; the longest record of the vendor's program has 262
LEGACY = "legacy record"  # start and end times and bare numbers: an older form, not read
MALFORMED = "malformed record"

MODES = ("MANUALMODE", "AUTOMODE", "CPAPMODE", "S_MODE", "T_MODE", "ST_MODE", "VAPS_MODE")
FAMILIES = ("GHI", "ABCDEF")


class Field(NamedTuple):
    """One number of a section: its name, its range, and how many of what travels make one of its unit."""

    name: str
    low: float
    high: float
    scale: float = 1.0
    codes: tuple[str, ...] = ()


def _pressure(name: str, high: float) -> Field:
    return Field(f"{name}_cm_h2o", 4.0, high)


MASK = Field("mask", 1, 3, codes=("", "nasal", "pillow", "full face"))
SWITCH = ("off", "on")
CPAP_MOST, BILEVEL_MOST = 20.0, 30.0
_TI = (Field("ti_min_s", 0.2, 3.0, 10.0), Field("ti_max_s", 0.2, 3.0, 10.0))
_TRIGGER = (Field("sensitivity", 1, 10), Field("rise_ms", 0, 1000), MASK)
_BILEVEL = (
    _pressure("ipap", BILEVEL_MOST),
    _pressure("epap", BILEVEL_MOST),
    _pressure("start_epap", BILEVEL_MOST),
)
_COMMON = (
    Field("ramp_min", 0, 45),
    Field("humidifier", 0, 5),
    Field("tube", 1, 3, codes=("", "standard", "slimline", "heated")),
    Field("i_mode", 0, 1, codes=SWITCH),
    Field("leak_alert", 0, 1, codes=SWITCH),
    Field("gender", 1, 3, codes=("", "male", "female", "other")),
    Field("sleep_mode", 0, 1, codes=SWITCH),
)
SECTIONS: Mapping[str, tuple[str, tuple[Field, ...]]] = {
    "G": ("manual", (_pressure("start_pressure", CPAP_MOST), MASK)),
    "H": ("auto", (*(_pressure(f"{name}_pressure", CPAP_MOST) for name in ("start", "min", "max")), MASK)),
    "I": ("", _COMMON),
    "A": ("cpap", (_pressure("start_pressure", CPAP_MOST), MASK)),
    "B": ("s", (*_BILEVEL, *_TI, *_TRIGGER)),
    "C": ("t", (*_BILEVEL, Field("rate_per_min", 4, 40), *_TI, *_TRIGGER)),
    "D": ("st", (*_BILEVEL, Field("backup_rate_per_min", 4, 40), *_TI, *_TRIGGER)),
    "E": (
        "vaps",
        (
            *(_pressure(name, BILEVEL_MOST) for name in ("max_ipap", "min_ipap", "epap")),
            *(Field("rate_per_min", 4, 40), *_TI, *_TRIGGER),
            *(Field("height_cm", 50, 250), Field("tidal_volume_ml", 100, 2500)),
        ),
    ),
    "F": ("", _COMMON),
}
# Pairs within a section of which the first must not be above the second.
ORDERS = (
    ("min_pressure_cm_h2o", "max_pressure_cm_h2o"),
    ("start_pressure_cm_h2o", "max_pressure_cm_h2o"),
    ("epap_cm_h2o", "ipap_cm_h2o"),
    ("min_ipap_cm_h2o", "max_ipap_cm_h2o"),
    ("epap_cm_h2o", "min_ipap_cm_h2o"),
    ("ti_min_s", "ti_max_s"),
)


_NAMED: Mapping[str, tuple[str, ...]] = {
    section: tuple(f"{prefix}_{field.name}" if prefix else field.name for field in fields)
    for section, (prefix, fields) in SECTIONS.items()
}
# Section -> places of such pairs.
_PAIRS: Mapping[str, list[tuple[int, int]]] = {
    section: [(names.index(low), names.index(high)) for low, high in ORDERS if low in names and high in names]
    for section, (_, fields) in SECTIONS.items()
    for names in ([field.name for field in fields],)
}
# Setting name -> (sections that carry it, place in them).
NAMES: Mapping[str, tuple[str, int]] = {
    name: ("FI" if section in "FI" else section, place)
    for section, names in _NAMED.items()
    for place, name in enumerate(names)
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `sections` has the numbers as they stand on the line, before any scale; dates are kept as text."""

    kind: str
    date: str
    time: str
    mode: str
    sections: Mapping[str, tuple[float, ...]]
    serial: str = ""
    suffix: str = ""

    @property
    def complete(self) -> bool:
        """All sections of its family are there."""
        return "".join(self.sections) in FAMILIES


_HEAD = re.compile(r"\*,([RS]),(\d{1,8}),(\d{1,8}),")
_LEGACY = re.compile(r"\*,\d{6},\d{6},\d{4},\d{4},")
_NUMBER = re.compile(r"-?\d{1,4}(?:\.\d{1,2})?")
_SERIAL = re.compile(r"(\d{0,16}) ?([CB]?)")


def parsed(text: str) -> Record | str:
    """The record in `text` (from `*` to `#`), or why it is none: `LEGACY` or `MALFORMED`."""
    head = _HEAD.match(text)
    if head is None:
        return LEGACY if _LEGACY.match(text) else MALFORMED
    words = text[head.end() : -1].split(",")
    if words[-1] == "":  # the firmware puts a comma before the end, some writers do not
        words.pop()
    mode = words.pop(0) if words and words[0] in MODES else ""
    sections: dict[str, tuple[float, ...]] = {}
    while words and words[0] in SECTIONS:
        letter = words.pop(0)
        count = len(SECTIONS[letter][1])
        numbers, words = words[:count], words[count:]
        if len(numbers) < count or not all(_NUMBER.fullmatch(number) for number in numbers):
            return MALFORMED
        if sections and letter <= next(reversed(sections)):
            return MALFORMED
        sections[letter] = tuple(float(number) for number in numbers)
    serial = _SERIAL.fullmatch(words.pop(0) if words else "")
    if (
        words
        or serial is None
        or not sections
        or not any(set(sections) <= set(family) for family in FAMILIES)
    ):
        return MALFORMED
    return Record(head[1], head[2], head[3], mode, sections, serial[1], serial[2])


def settings(record: Record) -> list[tuple[str, str]]:
    """Names and values in the units that the names tell; codes as words."""
    out = [
        ("composed_by", "machine" if record.kind == "R" else "app"),
        ("date", record.date),
        ("time", record.time),
    ]
    for letter, numbers in record.sections.items():
        fields = zip(_NAMED[letter], SECTIONS[letter][1], numbers, strict=True)
        out += [(name, _value(field, number)) for name, field, number in fields]
    return out


def _value(field: Field, number: float) -> str:
    if field.codes and number.is_integer() and field.low <= number <= field.high:
        return field.codes[int(number)]
    return f"{number / field.scale:g}"


def doubts(record: Record) -> list[str]:
    """What is right in form but cannot be meant: values beyond their range, pairs in the wrong order, no date."""
    out = []
    for letter, numbers in record.sections.items():
        names, fields = _NAMED[letter], SECTIONS[letter][1]
        values = [number / field.scale for field, number in zip(fields, numbers, strict=True)]
        out += [
            f"{name} {value:g} out of range"
            for name, field, value in zip(names, fields, values, strict=True)
            if not field.low <= value <= field.high
        ]
        out += [
            f"{names[low]} above {names[high]}" for low, high in _PAIRS[letter] if values[low] > values[high]
        ]
    if not _is_date(record.date):
        out.append("date")
    if not re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", record.time):
        out.append("time")
    return out


def _is_date(text: str) -> bool:
    return bool(re.fullmatch(r"(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])\d\d", text))


def composed(record: Record, changes: Mapping[str, float], date: str, time: str) -> str:
    """`record` with `changes` (setting name -> value in its unit), as the app writes it. ValueError names what is wrong."""
    sections = dict(record.sections)
    for name, value in changes.items():
        if name not in NAMES:
            raise ValueError(f"vt_settings: no setting {name!r}")
        letters, place = NAMES[name]
        letter = next((letter for letter in letters if letter in sections), "")
        if not letter:
            raise ValueError(f"vt_settings: this machine has no setting {name!r}")
        numbers = list(sections[letter])
        numbers[place] = value * SECTIONS[letter][1][place].scale
        sections[letter] = tuple(numbers)
    changed = replace(record, kind="S", date=date, time=time, sections=sections)
    if new := [doubt for doubt in doubts(changed) if doubt not in doubts(record)]:
        raise ValueError(f"vt_settings: {new[0]}")
    return written(changed)


def written(record: Record) -> str:
    """The record as it goes over the line, with one decimal."""
    words = ["*", record.kind, record.date, record.time, *([record.mode] if record.mode else [])]
    for letter, numbers in record.sections.items():
        words += [letter, *(f"{number:.1f}" for number in numbers)]
    return ",".join([*words, *([record.serial + record.suffix] if record.serial else []), "#"])
