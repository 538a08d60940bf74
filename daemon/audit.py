"""Who did what, in rows that are only added, each bound to all before it by a hash: what was changed later shows.

The chain proves that nothing was altered within it. That its end was not cut off is proved by the rows that were forwarded.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

GENESIS = "0" * 64
"""The hash before the first row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An act: `command` is its id, `subject` whom or what it was done to (a patient's id), `body` what is worth keeping of it."""

    command: str
    utc_ns: int
    clock_is_set: bool
    actor: str
    act: str
    bed: str = ""
    subject: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


def append(db: sqlite3.Connection, entry: Entry) -> bool:
    """Add an entry within the caller's transaction. False where its command is there already: once is enough."""
    if db.execute("SELECT 1 FROM audit WHERE command = ?", (entry.command,)).fetchone():
        return False
    last = db.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone() or (0, GENESIS)
    number = last[0] + 1
    body = json.dumps(entry.body, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    clock = "set" if entry.clock_is_set else "unset"
    row = (number, entry.command, entry.utc_ns, clock, entry.actor, entry.act, entry.bed, entry.subject, body)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, _hash(last[1], row)))
    return True


def knows(db: sqlite3.Connection, command: str) -> bool:
    """Whether an act with this id is in it."""
    return db.execute("SELECT 1 FROM audit WHERE command = ?", (command,)).fetchone() is not None


def broken_at(db: sqlite3.Connection) -> int | None:
    """The number of the first row that does not follow from those before it; None: the chain is whole."""
    before, expected = GENESIS, 1
    for *row, stored in db.execute("SELECT * FROM audit ORDER BY id"):
        if row[0] != expected or stored != _hash(before, tuple(row)):
            return expected
        before, expected = stored, expected + 1
    return None


def entries(db: sqlite3.Connection, *, newest: int = 100) -> list[dict[str, Any]]:
    """The newest entries, oldest first, as JSON would hold them."""
    sql = "SELECT command, utc_ns, clock, actor, act, bed, subject, body FROM audit ORDER BY id DESC LIMIT ?"
    found = [
        Entry(command, utc_ns, clock == "set", actor, act, bed, subject, json.loads(body))
        for command, utc_ns, clock, actor, act, bed, subject, body in db.execute(sql, (newest,))
    ]
    return [asdict(entry) for entry in reversed(found)]


def _hash(before: str, row: tuple[object, ...]) -> str:
    """SHA-256 over the hash before and the row as a JSON list."""
    text = json.dumps([before, *row], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
