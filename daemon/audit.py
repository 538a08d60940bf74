"""Who did what, in rows that are only added, each bound to all before it by a hash: what was changed later shows.

The chain proves that nothing was altered within it. That its end was not cut off is proved by the rows that were forwarded.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from daemon.model.actor import acting

GENESIS = "0" * 64
"""The hash before the first row."""

PIECE, REST_S = 500, 0.001
"""Rows that are looked at without a rest."""

BY = "by"
"""Key of a row's body that holds who acted, as role, origin and person."""


_UNSAID: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """An act: `command` is its id, `subject` whom or what it was done to (a patient's id), `body` what is worth keeping of it.

    `by` is the role, origin and person of whoever acts; filled in where `actor` is who acts now (model/actor.py).
    """

    command: str
    utc_ns: int
    clock_is_set: bool
    actor: str
    act: str
    bed: str = ""
    subject: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=lambda: _UNSAID)

    def __post_init__(self) -> None:
        if self.by is not _UNSAID:
            return
        by: dict[str, str] = {}
        if (now := acting()) is not None and now.name == self.actor:
            by = now.by
        object.__setattr__(self, "by", by)


def append(db: sqlite3.Connection, entry: Entry) -> bool:
    """Add an entry within the caller's transaction. False where its command is there already: once is enough."""
    if db.execute("SELECT 1 FROM audit WHERE command = ?", (entry.command,)).fetchone():
        return False
    last = db.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone() or (0, GENESIS)
    number = last[0] + 1
    kept = {**entry.body, BY: dict(entry.by)} if entry.by else entry.body
    body = json.dumps(kept, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    clock = "set" if entry.clock_is_set else "unset"
    row = (number, entry.command, entry.utc_ns, clock, entry.actor, entry.act, entry.bed, entry.subject, body)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, _hash(last[1], row)))
    return True


def knows(db: sqlite3.Connection, command: str) -> bool:
    """Whether an act with this id is in it."""
    return db.execute("SELECT 1 FROM audit WHERE command = ?", (command,)).fetchone() is not None


def broken_at(db: sqlite3.Connection) -> int | None:
    """The number of the first row that does not follow from those before it; None: the chain is whole."""
    return walked(db)[0]


def walked(db: sqlite3.Connection) -> tuple[int | None, int]:
    """What `broken_at` says, and how many rows were looked at. On a thread of a process that has more to do it rests between pieces."""
    before, expected = GENESIS, 1
    for *row, stored in db.execute("SELECT * FROM audit ORDER BY id"):
        if row[0] != expected or stored != _hash(before, tuple(row)):
            return expected, expected
        before, expected = stored, expected + 1
        if expected % PIECE == 0:
            time.sleep(REST_S)
    return None, expected - 1


def entries(db: sqlite3.Connection, *, newest: int = 100) -> list[dict[str, Any]]:
    """The newest entries, oldest first, as JSON would hold them."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY id DESC LIMIT ?", (newest,))  # noqa: S608 - names of ours
    return [told(_entry(row)) for row in reversed(rows.fetchall())]


def told(entry: Entry) -> dict[str, Any]:
    """An entry as JSON would hold it."""
    return asdict(entry)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are asked for: "" and None leave it open. Names are parts of words, whatever their case; times are UTC."""

    actor: str = ""
    act: str = ""
    bed: str = ""
    subject: str = ""
    from_utc_ns: int | None = None
    to_utc_ns: int | None = None


def found(
    db: sqlite3.Connection, wanted: Filter, *, before: int | None = None, most: int = 100
) -> list[tuple[int, Entry]]:
    """The newest entries that fit, newest first, with their numbers; `before`: only those with smaller numbers."""
    tests = {
        "instr(lower(actor), lower(?))": wanted.actor or None,
        "instr(act, ?)": wanted.act or None,
        "bed = ?": wanted.bed or None,
        "instr(lower(subject), lower(?))": wanted.subject or None,
        "utc_ns >= ?": wanted.from_utc_ns,
        "utc_ns < ?": wanted.to_utc_ns,
        "id < ?": before,
    }
    asked = {test: value for test, value in tests.items() if value is not None}
    sql = f"SELECT id, {_COLUMNS} FROM audit WHERE {' AND '.join(asked) or 'true'} ORDER BY id DESC LIMIT ?"  # noqa: S608 - names of ours
    return [(number, _entry(row)) for number, *row in db.execute(sql, (*asked.values(), most))]


_COLUMNS = "command, utc_ns, clock, actor, act, bed, subject, body"


def _entry(row: Sequence[Any]) -> Entry:
    command, utc_ns, clock, actor, act, bed, subject, text = row
    body = json.loads(text)
    by = body.pop(BY, {})
    return Entry(command, utc_ns, clock == "set", actor, act, bed, subject, body, by)


def _hash(before: str, row: tuple[object, ...]) -> str:
    """SHA-256 over the hash before and the row as a JSON list."""
    text = json.dumps([before, *row], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
