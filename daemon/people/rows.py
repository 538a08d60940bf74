"""People, their sign-ins and where they may enter a PIN, as rows of box.db. Every function works within its caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date

from daemon.model.permissions import Role
from daemon.model.signals import Nanos
from daemon.people.person import Person

_COLUMNS = tuple(Person.__dataclass_fields__)
_MARKS = ", ".join("?" for _ in _COLUMNS)


@dataclass(frozen=True, slots=True)
class Kept:
    """A sign-in, or where a person may enter a PIN (`digest` ""), of one boot."""

    person: str
    screen: str
    began_ns: Nanos
    digest: str = ""


def everybody(db: sqlite3.Connection) -> list[Person]:
    """All who ever had an account."""
    return [_person(row) for row in db.execute(f"SELECT {', '.join(_COLUMNS)} FROM people")]  # noqa: S608 - names of ours


def put(db: sqlite3.Connection, person: Person) -> None:
    """A new person, or what is known of one now."""
    values = [getattr(person, name) for name in _COLUMNS]
    row = [v.isoformat() if isinstance(v, date) else int(v) if isinstance(v, bool) else v for v in values]
    said = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    db.execute(
        f"INSERT INTO people ({', '.join(_COLUMNS)}) VALUES ({_MARKS}) ON CONFLICT (id) DO UPDATE SET {said}",  # noqa: S608 - names of ours
        row,
    )


def sign_ins(db: sqlite3.Connection, boot: str) -> list[Kept]:
    """Sign-ins of this boot; those of others go."""
    db.execute("DELETE FROM sign_ins WHERE boot <> ?", (boot,))
    rows = db.execute("SELECT person, screen, began_ns, digest FROM sign_ins")
    return [Kept(*row) for row in rows]


def keep_sign_in(db: sqlite3.Connection, boot: str, kept: Kept) -> None:
    db.execute(
        "INSERT OR REPLACE INTO sign_ins (digest, person, screen, boot, began_ns) VALUES (?, ?, ?, ?, ?)",
        (kept.digest, kept.person, kept.screen, boot, kept.began_ns),
    )


def drop_sign_in(db: sqlite3.Connection, digest: str) -> None:
    db.execute("DELETE FROM sign_ins WHERE digest = ?", (digest,))


def drop_person(db: sqlite3.Connection, person: str, but: str = "") -> None:
    """A person is signed in nowhere, but for one sign-in, and may enter a PIN nowhere."""
    db.execute("DELETE FROM sign_ins WHERE person = ? AND digest <> ?", (person, but))
    db.execute("DELETE FROM enrolments WHERE person = ?", (person,))


def enrolments(db: sqlite3.Connection, boot: str) -> list[Kept]:
    """Where people may enter a PIN since the last start; those of other boots go."""
    db.execute("DELETE FROM enrolments WHERE boot <> ?", (boot,))
    return [Kept(*row) for row in db.execute("SELECT person, screen, began_ns FROM enrolments")]


def enrol(db: sqlite3.Connection, boot: str, kept: Kept) -> None:
    db.execute(
        "INSERT OR REPLACE INTO enrolments (person, screen, boot, began_ns) VALUES (?, ?, ?, ?)",
        (kept.person, kept.screen, boot, kept.began_ns),
    )


def drop_enrolment(db: sqlite3.Connection, person: str, screen: str) -> None:
    db.execute("DELETE FROM enrolments WHERE person = ? AND screen = ?", (person, screen))


def _person(row: tuple[object, ...]) -> Person:
    known = dict(zip(_COLUMNS, row, strict=True))
    known["role"] = Role(str(known["role"]))
    known["age_on"] = date.fromisoformat(str(known["age_on"])) if known["age_on"] else None
    known |= {name: bool(known[name]) for name in ("active", "locked", "must_change")}
    return Person(**known)  # type: ignore[arg-type]
