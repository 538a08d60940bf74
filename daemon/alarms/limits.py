"""Limits of one patient over the ward's preset over the table's defaults. Pure data; whoever holds it writes it down.

A change is checked as a whole and made as a whole; what is refused is said with a word key and its numbers. Alarms of high
priority have limits, and no switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from daemon.alarms.rows import Limit
from daemon.alarms.table import ROWS
from daemon.model.alarms import Values

Settings = Mapping[str, Mapping[str, float | bool]]
"""Row name -> key of a limit, "delay_s" or "on" -> value. What JSON holds."""

DELAY, ON = "delay_s", "on"

PAIRS = (
    ("hr_low", "below", "hr_high", "above", 10.0),
    ("pulse_low", "below", "pulse_high", "above", 10.0),
    ("desat", "below", "spo2_low", "below", 1.0),
    ("spo2_low", "below", "spo2_high", "above", 2.0),
    ("o2_purity_low", "below", "o2_purity_falling", "below", 1.0),
    ("battery_empty", "below", "battery_low", "below", 5.0),
    ("qtc_long", "above", "qtc_very_long", "above", 10.0),
)
"""The first must stay below the second by so much."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change was not made: a word key and what fills it."""

    text: str
    values: Values = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One limit as the editor shows it. `differs`: from what a new patient would get."""

    row: str
    key: str
    value: float | bool
    default: float | bool
    differs: bool


def keys_of(row: str) -> tuple[str, ...]:
    """What can be set of a row. KeyError for a row that is not in the table."""
    found = ROWS[row]
    delay = (DELAY,) if found.delay.adjustable else ()
    return (*(limit.key for limit in found.limits), *delay, *((ON,) if found.may_be_off else ()))


def range_of(row: str, key: str) -> Limit | None:
    """Range, step, unit of a limit or delay; None for the switch. KeyError for what cannot be set."""
    found = ROWS[row]
    if key == DELAY and found.delay.adjustable:
        return Limit(DELAY, found.delay.seconds, found.delay.least, found.delay.most, 1.0, "s")
    if key == ON and found.may_be_off:
        return None
    return {limit.key: limit for limit in found.limits}[key]


class Limits:
    """The limits in force. `preset`: the ward's; `own`: this patient's. Of either, what the table would refuse is left out."""

    def __init__(self, preset: Settings | None = None, own: Settings | None = None) -> None:
        self.refused: list[Refusal] = []
        self._preset: dict[tuple[str, str], float | bool] = {}
        self._own: dict[tuple[str, str], float | bool] = {}
        for target, settings in ((self._preset, preset), (self._own, own)):
            for row, values in (settings or {}).items():
                for key, value in values.items():
                    refusal = self._alone(row, key, value)
                    if refusal is None:
                        target[row, key] = value
                    else:
                        self.refused.append(refusal)
        for target in (self._own, self._preset):
            crossing = self._crossing(self.value)
            while crossing is not None:
                self.refused.append(crossing)
                pair = {value for _, value in crossing.values}
                meeting = [place for place in target if place[0] in pair]
                for place in meeting:
                    del target[place]
                crossing = self._crossing(self.value) if meeting else None
        self._work_out()

    def default(self, row: str, key: str) -> float | bool:
        """What a new patient would get."""
        if (row, key) in self._preset:
            return self._preset[row, key]
        if key == ON:
            return ROWS[row].on
        limit = range_of(row, key)
        assert limit is not None
        return limit.default

    def value(self, row: str, key: str) -> float | bool:
        """What is set."""
        return self._own.get((row, key), self.default(row, key))

    def of(self, row: str) -> Mapping[str, float]:
        """The numbers in force for a row's condition: as set, and as far from another row's as the table wants."""
        return self._in_force[row]

    def delay_s(self, row: str) -> float:
        """The delay in force."""
        return self._delays[row]

    def is_on(self, row: str) -> bool:
        """Whether the alarm is on. High priority always is."""
        return row in self._on

    def all(self) -> tuple[Setting, ...]:
        """Every setting of every row, for the editor."""
        settings = []
        for row in ROWS:
            for key in keys_of(row):
                value, default = self.value(row, key), self.default(row, key)
                settings.append(Setting(row, key, value, default, value != default))
        return tuple(settings)

    @property
    def differing(self) -> tuple[str, ...]:
        """Rows with something that is not the default."""
        own = {row for (row, key), value in self._own.items() if value != self.default(row, key)}
        return tuple(row for row in ROWS if row in own)

    def refusal(self, changes: Iterable[tuple[str, str, float | bool]]) -> Refusal | None:
        """Why these changes cannot be made together; None if they can."""
        asked = {(row, key): value for row, key, value in changes}
        for (row, key), value in asked.items():
            refusal = self._alone(row, key, value)
            if refusal is not None:
                return refusal
        return self._crossing(lambda row, key: asked.get((row, key), self.value(row, key)))

    def change(self, changes: Iterable[tuple[str, str, float | bool]]) -> list[tuple[str, str, float | bool]]:
        """Make the changes; gives (row, key, old value) of each. ValueError for what `refusal` refuses."""
        changes = list(changes)
        refusal = self.refusal(changes)
        if refusal is not None:
            raise ValueError(refusal.text)
        old = [(row, key, self.value(row, key)) for row, key, _ in changes]
        for row, key, value in changes:
            if value == self.default(row, key):
                self._own.pop((row, key), None)
            else:
                self._own[row, key] = value
        self._work_out()
        return old

    def adopt(self, preset: Settings, *, pinned: bool) -> None:
        """Another preset of the ward, one that `Limits(preset)` refuses nothing of. `pinned`: nothing changes for who is here now.

        What was default and would change becomes this patient's own, so that it shows as such.
        """
        before = {place: self.value(*place) for row in ROWS for place in ((row, key) for key in keys_of(row))}
        own = dict(self._own)
        self._preset = {(row, key): value for row, values in preset.items() for key, value in values.items()}
        self._own = {place: value for place, value in own.items() if value != self.default(*place)}
        if pinned or self._crossing(self.value) is not None:
            self._own = {place: value for place, value in before.items() if value != self.default(*place)}
        self._work_out()

    def to_default(self) -> None:
        """Discharge: as for a new patient."""
        self._own.clear()
        self._work_out()

    def as_dict(self) -> dict[str, dict[str, float | bool]]:
        """This patient's own settings, to be kept; `Limits(preset, own)` reads them."""
        kept: dict[str, dict[str, float | bool]] = {}
        for (row, key), value in self._own.items():
            kept.setdefault(row, {})[key] = value
        return kept

    def proposals(self, present: Mapping[str, float]) -> list[tuple[str, str, float]]:
        """Limits proposed from present values (metric -> value), rounded to their steps. To be shown and confirmed, never applied unasked."""
        proposed = []
        for row in ROWS.values():
            for limit in row.limits:
                auto = limit.auto
                if auto is None or auto.metric not in present:
                    continue
                value = present[auto.metric] * auto.times + auto.plus
                value = min(max(value, auto.least, limit.low), auto.most, limit.high)
                proposed.append((row.name, limit.key, round(round(value / limit.step) * limit.step, 6)))
        return proposed

    def _alone(self, row: str, key: str, value: float | bool) -> Refusal | None:
        """What is wrong with one setting, whatever the others are."""
        if row not in ROWS:
            return Refusal("alarm.refused.unknown", (("name", row),))
        if key == ON and not ROWS[row].may_be_off:
            return Refusal("alarm.refused.never_off", (("row", row),))
        if key not in keys_of(row):
            return Refusal("alarm.refused.unknown", (("name", f"{row}.{key}"),))
        limit = range_of(row, key)
        if limit is None:
            return None if isinstance(value, bool) else Refusal("alarm.refused.not_a_switch", (("row", row),))
        if isinstance(value, bool) or not limit.low <= value <= limit.high:
            span: Values = (("row", row), ("low", limit.low), ("high", limit.high), ("unit", limit.unit))
            return Refusal("alarm.refused.out_of_range", span)
        return None

    @staticmethod
    def _crossing(value: Callable[[str, str], float | bool]) -> Refusal | None:
        """The first pair of limits that would come too close."""
        for low, low_key, high, high_key, apart in PAIRS:
            if float(value(high, high_key)) - float(value(low, low_key)) < apart:
                return Refusal("alarm.refused.crossing", (("row", low), ("other", high), ("apart", apart)))
        return None

    def _work_out(self) -> None:
        """What is asked at every Tick, worked out at every change. `switched_off`: rows that a new patient would have on."""
        rows = ROWS.values()
        self._in_force = {
            row.name: {limit.key: self._followed(row.name, limit) for limit in row.limits} for row in rows
        }
        for row in rows:
            self._in_force[row.name] |= {name: self._in_force[of][key] for name, of, key in row.uses}
        self._delays = {
            row.name: float(self.value(row.name, DELAY)) if row.delay.adjustable else row.delay.seconds
            for row in rows
        }
        self._on = frozenset(row.name for row in rows if not row.may_be_off or self.value(row.name, ON))
        self.switched_off = tuple(
            row.name for row in rows if row.name not in self._on and self.default(row.name, ON)
        )

    def _followed(self, row: str, limit: Limit) -> float:
        value, follows = float(self.value(row, limit.key)), limit.follows
        if follows is None:
            return value
        beyond = float(self.value(follows.row, follows.key)) + follows.by
        if follows.by > 0:
            return max(value, min(beyond, follows.cap))
        return min(value, max(beyond, follows.cap))
