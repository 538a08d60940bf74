"""The log of alarms as people read it, newest first, page by page; a page costs what it shows and not what is stored.

One entry is one alarm, from its beginning to its end; between them stand what people did and when the box was not there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from daemon.model.alarms import ChangeKind, Values
from daemon.model.signals import Nanos
from daemon.store.imports import PREFIX

ACTS = (
    ChangeKind.AUDIO_PAUSED,
    ChangeKind.ALARM_PAUSED,
    ChangeKind.PAUSE_ENDED,
    ChangeKind.LIMITS_SET,
    ChangeKind.RESET,
    ChangeKind.TESTED,
    ChangeKind.ADMITTED,
    ChangeKind.DISCHARGED,
)
"""Kinds of changes that are of no one alarm: what people did, and pauses that ran out."""

_BEGINNINGS = (ChangeKind.BEGAN, ChangeKind.RESUMED)
BATCH = 100
"""Entries looked at together."""

LOOKED_BACK = 10_000
"""Entries that the names of alarms and the last admission are looked for in: some days, and a tenth of a second."""

_RANKS = {"low": 1, "medium": 2, "high": 3}

_CHANGES = """
    SELECT e.boot, e.t_ns, e.id, boots.boot, bedsides.bed, segments.uuid, e.body FROM events e
    JOIN boots ON boots.id = e.boot JOIN bedsides ON bedsides.id = e.bed LEFT JOIN segments ON segments.id = e.segment
    WHERE e.kind = 'alarm' AND e.boot = ? AND bedsides.bed = ?"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: what is older than this. Text on the way to a screen and back."""

    boot: int
    t_ns: Nanos
    id: int

    def __str__(self) -> str:
        return f"{self.boot}.{self.t_ns}.{self.id}"

    @classmethod
    def of(cls, text: str) -> Place:
        """The inverse of `str`; ValueError for anything else."""
        boot, t_ns, number = text.split(".")
        return cls(int(boot), int(t_ns), int(number))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alarm that was. `onset_ns`: of what it is about; `began_ns`: the Tick that decided; `over_ns`: of the condition.

    `over_ns` None: it is not known to be over. `value` is the worst, `priority` the highest that it rose to;
    `covered_by` the alarm of the same event that spoke for it when it began.
    """

    place: Place
    boot: str
    bed: str
    occurrence: str
    row: str
    instance: str
    priority: str
    text: str
    values: Values
    value: float | None
    limit: float | None
    unit: str
    onset_ns: Nanos
    began_ns: Nanos
    over_ns: Nanos | None = None
    ended_by: str = ""
    acknowledged_ns: Nanos | None = None
    acknowledged_by: str = ""
    screen: str = ""
    covered_by: str = ""
    limits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What a person did to alarms, or a pause that ran out: a Change of one of ACTS."""

    place: Place
    boot: str
    bed: str
    kind: str
    t_ns: Nanos
    row: str
    values: Values
    actor: str
    screen: str
    seconds: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Power:
    """The box began to record this bed ("on"), was stopped ("stop"), or was gone without a word ("crash": power, or a fault)."""

    place: Place
    boot: str
    bed: str
    kind: str
    t_ns: Nanos


Entry = Occurrence | Done | Power


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and where the next page begins; None where there is none."""

    entries: tuple[Entry, ...]
    next: Place | None


class AlarmLog:
    """Questions about the alarms of one bed (reader.py)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def page(
        self,
        bed: str,
        *,
        before: Place | None = None,
        since: Place | None = None,
        priority: str = "",
        row: str = "",
        most: int = 50,
    ) -> Page:
        """At most `most` entries between two places, over all boots.

        With `priority` or `row` of these alarms alone; the box's own entries stay.
        """
        last = 2**62 if before is None else before.boot
        boots = self._db.execute("SELECT id FROM boots WHERE id <= ? ORDER BY id DESC", (last,))
        found: list[Entry] = []
        for (boot,) in boots.fetchall():
            start = before if before is not None and before.boot == boot else Place(boot, 2**62, 2**62)
            found += _entries(self._db, bed, start, priority, row, most + 1 - len(found))
            kept = [entry for entry in found if since is None or _order(entry.place) >= _order(since)]
            if len(kept) < len(found):
                return Page(tuple(kept[:most]), kept[most - 1].place if len(kept) > most else None)
            if len(found) > most:
                return Page(tuple(found[:most]), found[most - 1].place)
        return Page(tuple(found), None)

    def patient_since(self, bed: str) -> Place | None:
        """Where the log of the present patient begins: with the last admission or discharge; None where there was none.

        Found among the last `LOOKED_BACK` entries of all beds.
        """
        found = self._db.execute(
            "SELECT e.boot, e.t_ns, e.id FROM (SELECT * FROM events WHERE kind = 'alarm'"
            " ORDER BY boot DESC, t_ns DESC LIMIT ?) e JOIN bedsides ON bedsides.id = e.bed"
            " WHERE bedsides.bed = ? AND body ->> '$.kind' IN (?, ?) ORDER BY e.boot DESC, e.t_ns DESC, e.id DESC",
            (LOOKED_BACK, bed, ChangeKind.ADMITTED, ChangeKind.DISCHARGED),
        ).fetchone()
        return None if found is None else Place(*found)

    def between(self, bed: str, boot: str, t0_ns: Nanos, t1_ns: Nanos) -> list[Occurrence]:
        """All alarms that began in a span of one boot, oldest first; what became of them later is told too."""
        found = self._db.execute("SELECT id FROM boots WHERE boot = ?", (boot,)).fetchone()
        if found is None:
            return []
        lines = self._db.execute(
            f"{_CHANGES} AND e.t_ns >= ? AND e.t_ns < ? AND body ->> '$.kind' = ? ORDER BY e.t_ns, e.id",
            (found[0], bed, t0_ns, t1_ns, ChangeKind.BEGAN),
        )
        return _followed(self._db, [_begun(line) for line in lines])

    def rows(self, bed: str) -> list[str]:
        """Rows of the alarm table that alarmed in the last `LOOKED_BACK` entries of the log of all beds."""
        found = self._db.execute(
            "SELECT DISTINCT body ->> '$.row' FROM (SELECT * FROM events WHERE kind = 'alarm'"
            " ORDER BY boot DESC, t_ns DESC LIMIT ?) e JOIN bedsides ON bedsides.id = e.bed"
            " WHERE bedsides.bed = ? AND body ->> '$.kind' = ?",
            (LOOKED_BACK, bed, ChangeKind.BEGAN),
        )
        return sorted(row for (row,) in found)

    def runs(self, bed: str) -> list[tuple[str, Nanos, Nanos | None]]:
        """Boot, begin and end of every stretch that a process recorded, oldest first; no end: it goes on.

        What was imported is none: nobody watched over it here.
        """
        return self._db.execute(
            "SELECT boots.boot, s.began_ns, s.ended_ns FROM runs s JOIN boots ON boots.id = s.boot"
            " JOIN bedsides ON bedsides.id = s.bed WHERE bedsides.bed = ? AND boots.boot NOT LIKE ? ORDER BY s.id",
            (bed, f"{PREFIX}%"),
        ).fetchall()


def _entries(
    db: sqlite3.Connection, bed: str, start: Place, priority: str, row: str, most: int
) -> list[Entry]:
    """At most `most` entries of one boot before `start`, newest first."""
    said: list[Entry] = []
    at = start
    while len(said) < most:
        batch = _batch(db, bed, at, row, alarms_alone=bool(priority or row))
        if not batch:
            break
        said += [e for e in batch if not isinstance(e, Occurrence) or priority in {"", e.priority}]
        at = batch[-1].place
    del said[most:]
    merged = sorted([*said, *_power(db, bed, start)], key=_key, reverse=True)
    if len(said) == most:  # what is older than the last of them is for the next page
        merged = [entry for entry in merged if _key(entry) >= _key(said[-1])]
    return merged[:most]


def _batch(
    db: sqlite3.Connection, bed: str, before: Place, row: str, *, alarms_alone: bool
) -> list[Occurrence | Done]:
    """The next entries before a place, newest first; none where there are no more."""
    kinds = _BEGINNINGS if alarms_alone else (*_BEGINNINGS, *ACTS)
    lines = db.execute(
        f"{_CHANGES} AND (e.t_ns, e.id) < (?, ?) AND body ->> '$.kind' IN (SELECT value FROM json_each(?))"  # noqa: S608 - no input
        " AND coalesce(body ->> '$.row' = nullif(?, ''), 1) ORDER BY e.t_ns DESC, e.id DESC LIMIT ?",
        (before.boot, bed, before.t_ns, before.id, json.dumps(kinds), row, BATCH),
    ).fetchall()
    said: list[Occurrence | Done] = []
    for line in lines:
        kind = json.loads(line[6])["kind"]
        if kind == ChangeKind.BEGAN or (kind == ChangeKind.RESUMED and not _has_begun(db, line)):
            said.append(_begun(line))
        elif kind != ChangeKind.RESUMED:
            said.append(_done(line))
    if not said and lines:  # beginnings that are told elsewhere: go on behind them
        return _batch(db, bed, Place(*lines[-1][:3]), row, alarms_alone=alarms_alone)
    alarms = {one.place: one for one in _followed(db, [e for e in said if isinstance(e, Occurrence)])}
    return [alarms.get(entry.place, entry) for entry in said]


def _order(place: Place) -> tuple[int, Nanos, int]:
    return place.boot, place.t_ns, place.id


def _key(entry: Entry) -> tuple[Nanos, int]:
    return entry.place.t_ns, entry.place.id


def _begun(line: tuple[Any, ...]) -> Occurrence:
    boot_id, t_ns, number, boot, bed, _, text = line
    body = json.loads(text)
    return Occurrence(
        Place(boot_id, t_ns, number),
        boot,
        bed,
        body["occurrence"],
        body["row"],
        body["instance"],
        body["priority"],
        body["text"],
        tuple(body["values"].items()),
        body["value"],
        body["limit"],
        body["unit"],
        body["t_ns"],
        t_ns,
        covered_by=body["covered_by"],
        limits=tuple(body["limits"].items()),
    )


def _done(line: tuple[Any, ...]) -> Done:
    boot_id, t_ns, number, boot, bed, _, text = line
    body = json.loads(text)
    return Done(
        Place(boot_id, t_ns, number),
        boot,
        bed,
        body["kind"],
        t_ns,
        body["row"],
        tuple(body["values"].items()),
        body["actor"],
        body["screen"],
        body["seconds"],
        body["reason"],
    )


def _has_begun(db: sqlite3.Connection, line: tuple[Any, ...]) -> bool:
    """Whether the beginning of an alarm that RESUMED is in the log too: else the process died before it was written."""
    body = json.loads(line[6])
    began = db.execute(
        f"{_CHANGES} AND e.t_ns <= ? AND body ->> '$.occurrence' = ? AND body ->> '$.kind' = ?",
        (line[0], line[4], line[1], body["occurrence"], ChangeKind.BEGAN),
    )
    return began.fetchone() is not None


def _followed(db: sqlite3.Connection, begun: Sequence[Occurrence]) -> list[Occurrence]:
    """These alarms with what became of them. Reading stops where all have ended."""
    if not begun:
        return []
    held = {one.occurrence: one for one in begun}
    going_on = set(held)
    first = min(begun, key=_key)
    later = db.execute(
        f"{_CHANGES} AND (e.t_ns, e.id) > (?, ?) AND body ->> '$.occurrence' IN (SELECT value FROM json_each(?))"  # noqa: S608 - no input
        " ORDER BY e.t_ns, e.id",
        (first.place.boot, first.bed, first.place.t_ns, first.place.id, json.dumps(sorted(held))),
    )
    for line in later:
        body = json.loads(line[6])
        name = body["occurrence"]
        held[name] = _after(held[name], body, line[1])
        if body["kind"] == ChangeKind.ENDED or (
            body["kind"] == ChangeKind.ACKNOWLEDGED and held[name].over_ns is not None
        ):
            going_on.discard(name)
            if not going_on:
                break
    return [held[one.occurrence] for one in begun]


def _after(one: Occurrence, body: dict[str, Any], t_ns: Nanos) -> Occurrence:
    """An alarm after one more of its changes."""
    value = one.value if body["value"] is None else body["value"]
    match body["kind"]:
        case ChangeKind.ESCALATED:
            highest = max(one.priority, body["priority"], key=lambda p: _RANKS[p])
            return replace(one, priority=highest, value=value)
        case ChangeKind.ACKNOWLEDGED:
            who = {"acknowledged_by": body["actor"], "screen": body["screen"]}
            return (
                replace(one, acknowledged_ns=t_ns, value=value, **who) if one.acknowledged_ns is None else one
            )
        case ChangeKind.LATCHED:
            return replace(one, over_ns=t_ns, value=value)
        case ChangeKind.ENDED:
            over_ns = t_ns if one.over_ns is None else one.over_ns
            return replace(one, over_ns=over_ns, ended_by=body["reason"], value=value)
    return one


def _power(db: sqlite3.Connection, bed: str, start: Place) -> Iterable[Power]:
    """When recording of the bed began and ended in one boot, before `start`."""
    rows = db.execute(
        "SELECT boots.boot, s.began_ns, ended_ns, ended_by FROM (SELECT s.* FROM runs s JOIN bedsides b ON b.id = s.bed"
        " WHERE b.bed = ? AND s.boot = ? ORDER BY s.id) s JOIN boots ON boots.id = s.boot",
        (bed, start.boot),
    )
    for boot, began_ns, ended_ns, ended_by in rows:
        times = [("on", began_ns), *([(ended_by, ended_ns)] if ended_ns is not None else [])]
        for kind, t_ns in times:
            # Directly after the last alarm of that very moment, before the first: id 0 and the largest.
            place = Place(start.boot, t_ns, 0 if kind == "on" else 2**61)
            if (place.t_ns, place.id) < (start.t_ns, start.id):
                yield Power(place, boot, bed, kind, t_ns)
