"""A person with an account on this box: the seeds' fields, a role, and what proves who it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from daemon.model.ids import uuid7
from daemon.model.permissions import PEOPLE, Role

FIELDS = ("full_name", "age", "gender", "address", "phone", "machine_serial_id")
"""What may be said of a person. Only `full_name` must be."""

LONGEST = 200
OLDEST = 150


class Refused(Exception):
    """What was asked cannot be done: a word key, and what fills its places."""

    def __init__(self, key: str, **values: str) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True)
class Person:
    """`password` and `pin` are hashes, "" = none. `age` is what was said on `age_on`. Text may be "" but the name's."""

    id: str
    full_name: str
    age: int | None
    age_on: date | None
    gender: str
    address: str
    phone: str
    machine_serial_id: str
    role: Role
    active: bool = True
    locked: bool = False
    must_change: bool = False
    password: str = ""
    pin: str = ""
    registered_utc_ns: int = 0

    def answers_to(self, identifier: str) -> bool:
        """Whether it is this person's name or machine serial id, whatever the case."""
        asked = folded(identifier)
        return bool(asked) and asked in {folded(self.full_name), folded(self.machine_serial_id)}


def folded(text: str) -> str:
    """A name as it is compared: spaces, case and the way accents are written make no difference."""
    return unicodedata.normalize("NFKC", " ".join(text.split())).casefold()


def fields_of(given: Mapping[str, str], today: date) -> dict[str, object]:
    """What was given, checked, as `Person` has it: only what was given. Raises `Refused`."""
    unknown = set(given) - set(FIELDS)
    if unknown:
        raise Refused("people.no_field", name=min(unknown))
    text = {name: " ".join(value.split()) for name, value in given.items()}
    for name, value in text.items():
        if len(value) > LONGEST or not all(c.isprintable() for c in value):
            raise Refused("people.bad_field", name=name, most=str(LONGEST))
    if "full_name" in text and not text["full_name"]:
        raise Refused("people.no_name")
    known: dict[str, object] = dict(text)
    if "age" in text:
        age = text["age"]
        if age and not (age.isdecimal() and int(age) <= OLDEST):
            raise Refused("people.bad_age", most=str(OLDEST))
        known["age"] = int(age) if age else None
        known["age_on"] = today if age else None
    return known


def person_of(given: Mapping[str, str], role: str, utc_ns: int) -> Person:
    """A new person without a password. Raises `Refused`."""
    empty = dict.fromkeys(FIELDS, "")
    known = fields_of({**empty, **given}, day_of(utc_ns))
    return Person(id=uuid7(utc_ns), role=role_of(role), registered_utc_ns=utc_ns, **known)  # type: ignore[arg-type]


def role_of(text: str) -> Role:
    """One of the roles that a person can be given. Raises `Refused`."""
    for role in PEOPLE:
        if role == text:
            return role
    raise Refused("people.no_role", roles=", ".join(PEOPLE))


def day_of(utc_ns: int) -> date:
    return datetime.fromtimestamp(max(utc_ns, 0) / 1e9, UTC).date()
