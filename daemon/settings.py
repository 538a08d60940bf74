"""How the box is set: kept in box.db, known without asking it, changed as a whole or not at all. Every change is in the audit.

What is set is told at once to whoever uses it (`changed`). A ward's default of an alarm limit is what the next patient gets: those
who are here keep theirs (daemon/alarms/limits.py: adopt).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon import audit
from daemon.alarms.limits import Limits, keys_of, range_of
from daemon.alarms.table import ROWS
from daemon.model.actor import acting
from daemon.model.settings import Level, Levels, faults, in_force
from daemon.store.box import BoxFile
from daemon.words import say

log = logging.getLogger(__name__)

FORMAT = "vitald.settings/1"
"""What a file of settings says of itself."""

WardLimits = Mapping[str, Mapping[str, float | bool]]
LevelChanges = Mapping[str, Mapping[str, str | None]]
LimitChanges = Mapping[str, Mapping[str, float | bool | None]]


class BadSetting(ValueError):
    """What was asked for cannot be; the text says why, for the person who asked."""


@dataclass(frozen=True, slots=True)
class Held:
    """All that is set: by level, and the ward's defaults of alarm limits."""

    levels: Levels = field(default_factory=dict)
    limits: WardLimits = field(default_factory=dict)

    def of(self, bed: str = "", person: str = "") -> dict[str, str]:
        """Every setting for whoever looks at a bed."""
        return in_force(self.levels, bed, person)


@dataclass(frozen=True, slots=True)
class WardLimit:
    """A default of the ward: `value` now, `factory` of the alarm table; the switch has neither range nor unit."""

    row: str
    key: str
    value: float | bool
    factory: float | bool
    low: float | None
    high: float | None
    step: float | None
    unit: str


class Settings:
    """`utc` is UTC in ns, and whether the clock can be believed; `changed` hears what was held before and what is now."""

    def __init__(
        self,
        file: BoxFile,
        beds: Collection[str],
        *,
        utc: Callable[[], tuple[int, bool]],
        changed: Callable[[Held, Held], None],
    ) -> None:
        self._file = file
        self._beds = beds
        self._utc = utc
        self._changed = changed
        self.held = Held()

    async def restore(self) -> None:
        """At the start. Never raises for a disk: what cannot be read stands at its default, and is logged."""
        try:
            held = await self._file.run(_kept)
        except (sqlite3.Error, OSError, ValueError) as error:
            log.error("settings: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            held = Held()
        bad = set(faults(held.levels))
        levels = {
            level: {n: v for n, v in said.items() if (level, n) not in bad}
            for level, said in held.levels.items()
        }
        for level, name in sorted(bad):
            log.error("settings: %s of %s is not known to this version", name, level)
        limits = held.limits if not Limits(preset=held.limits).refused else {}
        if limits != held.limits:
            log.error("settings: the ward's limits cannot be used together; those of the table are in force")
        before, self.held = self.held, Held(levels, limits)
        self._changed(before, self.held)

    async def change(self, identity: str, levels: LevelChanges, limits: LimitChanges) -> None:
        """Set what is named, None = as it comes. Raises `BadSetting`, sqlite3.Error, OSError; then nothing is changed."""
        wanted = Held(_merged(self.held.levels, levels), _merged(self.held.limits, limits))
        self._check(wanted)
        await self._keep(identity, "settings", wanted, {"levels": levels, "limits": limits})

    def exported(self) -> dict[str, Any]:
        """All of it as one document."""
        return {"format": FORMAT, "levels": self.held.levels, "limits": self.held.limits}

    async def take(self, identity: str, document: Mapping[str, Any]) -> None:
        """Put a document of `exported` in place of all that is set. Raises as `change` does."""
        if document.get("format") != FORMAT or set(document) != {"format", "levels", "limits"}:
            raise BadSetting(say("settings.refused.no_file"))
        wanted = Held(_document(document["levels"], str), _document(document["limits"], (bool, int, float)))
        self._check(wanted)
        await self._keep(identity, "settings_imported", wanted, dict(document))

    def ward_limits(self) -> tuple[WardLimit, ...]:
        """Every limit of the alarm table, as a new patient would get it."""
        now, factory = Limits(preset=self.held.limits), Limits()
        told = []
        for row in ROWS:
            for key in keys_of(row):
                span = range_of(row, key)
                low, high, step, unit = (
                    (span.low, span.high, span.step, span.unit) if span else (None, None, None, "")
                )
                told.append(
                    WardLimit(
                        row, key, now.default(row, key), factory.default(row, key), low, high, step, unit
                    )
                )
        return tuple(told)

    def _check(self, wanted: Held) -> None:
        for level, name in faults(wanted.levels):
            raise BadSetting(say("settings.refused.value", name=name, level=level))
        for level in wanted.levels:
            kind, _, key = level.partition(":")
            if kind == Level.BED and key not in self._beds:
                raise BadSetting(say("settings.refused.bed", bed=key))
        for refusal in Limits(preset=wanted.limits).refused:
            filled = {n: v if isinstance(v, str) else f"{v:g}" for n, v in refusal.values}
            whose = say(f"alarm.{filled['row']}") + ": " if "row" in filled else ""
            raise BadSetting(whose + say(refusal.text, **filled))

    async def _keep(self, identity: str, act: str, wanted: Held, body: Mapping[str, Any]) -> None:
        utc_ns, is_set = self._utc()
        actor = acting()
        entry = audit.Entry(identity, utc_ns, is_set, actor.name if actor else "console", act, body=body)

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM settings")
            db.execute("DELETE FROM ward_limits")
            said = [(lv, n, v, identity) for lv, names in wanted.levels.items() for n, v in names.items()]
            db.executemany("INSERT INTO settings VALUES (?, ?, ?, ?)", said)
            ward = [
                (r, k, json.dumps(v), identity) for r, keys in wanted.limits.items() for k, v in keys.items()
            ]
            db.executemany("INSERT INTO ward_limits VALUES (?, ?, ?, ?)", ward)
            audit.append(db, entry)

        await self._file.run(write)
        before, self.held = self.held, wanted
        self._changed(before, wanted)


def levels_of(changes: LevelChanges) -> set[str]:
    """The kinds of level that changes are about: who may make them depends on it."""
    return {level.partition(":")[0] for level in changes}


def _merged(
    held: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    merged = {key: dict(values) for key, values in held.items()}
    for key, values in changes.items():
        into = merged.setdefault(key, {})
        for name, value in values.items():
            into.pop(name, None)
            if value is not None:
                into[name] = value
    return {key: values for key, values in merged.items() if values}


def _document(given: Any, kinds: type | tuple[type, ...]) -> dict[str, dict[str, Any]]:
    """A table of tables of values. Raises `BadSetting` for what is none."""
    fits = isinstance(given, dict) and all(
        isinstance(names, dict) and all(isinstance(value, kinds) for value in names.values())
        for names in given.values()
    )
    if not fits:
        raise BadSetting(say("settings.refused.no_file"))
    return {key: dict(names) for key, names in given.items()}


def _kept(db: sqlite3.Connection) -> Held:
    levels: dict[str, dict[str, str]] = {}
    for level, name, value in db.execute("SELECT level, name, value FROM settings"):
        levels.setdefault(level, {})[name] = value
    limits: dict[str, dict[str, float | bool]] = {}
    for row, key, text in db.execute("SELECT alarm, name, value FROM ward_limits"):
        limits.setdefault(row, {})[key] = json.loads(text)
    return Held(levels, limits)
