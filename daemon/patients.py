"""Who is here: patients as the seeds have them, admitted to a bed and discharged from it. Every act goes into the audit.

What is here now is known without asking a file, so that a disk that fails stops nobody; box.db keeps it. The Command of an
act is in vitald.db too, and that row is the truth: at the start an act that box.db missed is made up for (`restore`).
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from daemon import audit
from daemon.model.ids import uuid7
from daemon.store.box import BoxFile
from daemon.store.sessions import Occupant

log = logging.getLogger(__name__)

FIELDS = (
    "patient_id",
    "full_name",
    "birth_date",
    "age",
    "gender",
    "address",
    "phone",
    "registration_date",
)
"""What may be said of a patient. Only `full_name` must be."""

LONGEST = 200
OLDEST = 150


class BadPatient(ValueError):
    """What was given is no patient; the text says why, for the person who gave it."""


class NotPossible(Exception):
    """An act that cannot be carried out now; the text says why."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient. Where no birth date is known `age` is what was said on `age_on`. Dates are of the calendar, text may be ""."""

    patient_id: str
    full_name: str
    birth_date: date | None
    age: int | None
    age_on: date | None
    gender: str
    address: str
    phone: str
    registration_date: date

    def age_at(self, day: date) -> int | None:
        """Years of age on a day; None where neither birth date nor age is known."""
        since, years = (self.birth_date, 0) if self.birth_date is not None else (self.age_on, self.age)
        if since is None or years is None:
            return None
        passed = day.year - since.year - ((day.month, day.day) < (since.month, since.day))
        return max(years + max(passed, 0), 0)

    def told(self, day: date) -> dict[str, Any]:
        """As `row`, with the age on that day: what the sessions of a stay go by."""
        age = self.age_at(day)
        return {**self.row(), "age": age, "age_on": None if age is None else day.isoformat()}

    def row(self) -> dict[str, Any]:
        """As box.db and the audit hold it."""
        fields = {name: getattr(self, name) for name in _NAMES}
        return {name: v.isoformat() if isinstance(v, date) else v for name, v in fields.items()}


@dataclass(frozen=True, slots=True)
class Stay:
    """A patient at a bed since `admitted_utc_ns`; `command` is the act that it came with."""

    bed: str
    patient: Patient
    admitted_utc_ns: int
    command: str


@dataclass(frozen=True, slots=True)
class Signed:
    """An act's id, who did it, and when (UTC, and whether the clock could be believed)."""

    command: str
    actor: str
    utc_ns: int
    clock_is_set: bool = True


def patient_of(given: Mapping[str, str], utc_ns: int) -> Patient:
    """A patient from what a person typed or a page sent. An id is made where none is given. Raises `BadPatient`."""
    unknown = set(given) - set(FIELDS)
    if unknown:
        raise BadPatient(f"a patient has no {min(unknown)}")
    text = {name: " ".join(given.get(name, "").split()) for name in FIELDS}
    for name, value in text.items():
        if len(value) > LONGEST:
            raise BadPatient(f"{name} is longer than {LONGEST} letters")
    if not text["full_name"]:
        raise BadPatient("a patient needs a name (full_name)")
    if text["patient_id"] and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text["patient_id"]):
        raise BadPatient("patient_id has letters, digits, '.', '_' and '-' only")
    today = datetime.fromtimestamp(max(utc_ns, 0) / 1e9, UTC).date()
    age = None
    if text["age"]:
        if not text["age"].isdecimal() or int(text["age"]) > OLDEST:
            raise BadPatient(f"age is a whole number from 0 to {OLDEST}")
        age = int(text["age"])
    born = _date("birth_date", text["birth_date"])
    if born is not None and born > today:
        raise BadPatient("birth_date is yet to come")
    registered = _date("registration_date", text["registration_date"]) or today
    identity = text["patient_id"] or uuid7(utc_ns)
    if born is not None:
        age = None
    return Patient(
        identity,
        text["full_name"],
        born,
        age,
        None if age is None else today,
        text["gender"],
        text["address"],
        text["phone"],
        registered,
    )


class Patients:
    """The patients of all beds. Acts change what is `here` at once; `restore` must have been awaited before."""

    def __init__(self, file: BoxFile) -> None:
        self._file = file
        self.here: dict[str, Stay] = {}

    async def restore(
        self,
        told: Mapping[str, Occupant],
        beds: Collection[str],
        acts: Mapping[str, Signed] = MappingProxyType({}),
    ) -> None:
        """Who is here, by box.db; `told` is what vitald.db knows of each bed: an act that box.db missed is made up for.

        `acts` says by whom and when an act was done, by its id, where that is known.
        Stays at beds that are configured no more stay in the file, and are not here. Raises sqlite3.Error, OSError.
        """
        self.here = {bed: stay for bed, stay in (await self._file.run(_stays_now)).items() if bed in beds}
        for bed, occupant in told.items():
            if bed not in beds or not occupant.command or await self._knows(occupant.command):
                continue
            log.warning("patients: the act %s is in vitald.db only; made up for", occupant.command)
            by = acts.get(occupant.command, Signed(occupant.command, "", 0, clock_is_set=False))
            if occupant.patient is None:
                await self.record_discharge(bed, by)
                continue
            if bed in self.here:
                await self.record_discharge(bed, replace(by, command=f"{by.command} (before)"))
            await self.record_admission(bed, patient_from_row(json.loads(occupant.patient)), by)

    async def _knows(self, command: str) -> bool:
        return await self._file.run(lambda db: audit.knows(db, command))

    def admission(self, bed: str, patient: Patient) -> None:
        """Whether the patient can be admitted. Raises `NotPossible`."""
        if bed in self.here:
            raise NotPossible("the bed has a patient: discharge first")
        for other, stay in self.here.items():
            if stay.patient.patient_id == patient.patient_id:
                raise NotPossible(f"the patient is at bed {other}: discharge there first")

    async def record_admission(self, bed: str, patient: Patient, by: Signed) -> None:
        """The patient is at the bed. Raises sqlite3.Error, OSError where box.db could not be told."""
        self.here[bed] = Stay(bed, patient, by.utc_ns, by.command)
        row = patient.row()

        def write(db: sqlite3.Connection) -> None:
            db.execute(_NEW, row)
            db.execute(_KNOWN, row)
            db.execute(
                "INSERT INTO stays (bed, patient, admitted_utc_ns, admitted_by) VALUES (?, ?, ?, ?)",
                (bed, patient.patient_id, by.utc_ns, by.command),
            )
            audit.append(db, _entry("admit", bed, patient.patient_id, by, row))

        await self._file.run(write)

    async def record_discharge(self, bed: str, by: Signed) -> None:
        """Nobody is at the bed any more. Raises sqlite3.Error, OSError where box.db could not be told."""
        stay = self.here.pop(bed, None)

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE stays SET discharged_utc_ns = ?, discharged_by = ? WHERE bed = ? AND discharged_by IS NULL",
                (by.utc_ns, by.command, bed),
            )
            audit.append(db, _entry("discharge", bed, stay.patient.patient_id if stay else "", by, {}))

        await self._file.run(write)

    async def record_move(
        self, bed: str, to: str, left: Signed, came: Signed, body: Mapping[str, Any]
    ) -> None:
        """Who was at `bed` is at `to`: `left` and `came` are the acts there. Raises sqlite3.Error, OSError, KeyError."""
        patient = self.here.pop(bed).patient
        self.here[to] = Stay(to, patient, came.utc_ns, came.command)

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE stays SET discharged_utc_ns = ?, discharged_by = ? WHERE bed = ? AND discharged_by IS NULL",
                (left.utc_ns, left.command, bed),
            )
            db.execute(
                "INSERT INTO stays (bed, patient, admitted_utc_ns, admitted_by) VALUES (?, ?, ?, ?)",
                (to, patient.patient_id, came.utc_ns, came.command),
            )
            audit.append(db, _entry("move_away", bed, patient.patient_id, left, {"to": to}))
            audit.append(db, _entry("move", to, patient.patient_id, came, {"from": bed, **body}))

        await self._file.run(write)

    async def complete(self, acts: Iterable[tuple[Signed, str, str]]) -> None:
        """Acts (signed, verb, bed) that vitald.db has and the audit perhaps not. Raises sqlite3.Error, OSError."""
        entries = [_entry(verb, bed, "", by, {"completed": True}) for by, verb, bed in acts]
        await self._file.run(lambda db: [audit.append(db, entry) for entry in entries])

    async def record(
        self, act: str, bed: str, by: Signed, body: Mapping[str, Any], subject: str | None = None
    ) -> None:
        """Any other act, into the audit; without a subject it is of who is at the bed. Raises sqlite3.Error, OSError."""
        if subject is None:
            stay = self.here.get(bed)
            subject = stay.patient.patient_id if stay else ""
        await self._file.run(lambda db: audit.append(db, _entry(act, bed, subject, by, body)))

    async def find(self, text: str, most: int = 20) -> list[Patient]:
        """Patients whose name or id holds `text`, whatever its case."""

        def look(db: sqlite3.Connection) -> list[Patient]:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM patients WHERE instr(lower(full_name), lower(?1)) OR instr(lower(id), lower(?1))"  # noqa: S608 - names of ours
                " ORDER BY full_name, id LIMIT ?2",
                (text, most),
            )
            return [_patient(row) for row in rows]

        return await self._file.run(look)


_COLUMNS = "id, full_name, birth_date, age, age_on, gender, address, phone, registration_date"
_NAMES = tuple(Patient.__dataclass_fields__)
_MARKS = ", ".join(f":{name}" for name in _NAMES)
_SAID = ", ".join(f"{name} = coalesce(nullif(:{name}, ''), {name})" for name in _NAMES[1:])
_NEW = f"INSERT OR IGNORE INTO patients ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - names of ours
_KNOWN = f"UPDATE patients SET {_SAID} WHERE id = :patient_id"  # noqa: S608 - names of ours
"""What is said of a patient who has been here before replaces what was known; what is not said is kept."""


def patient_from_row(row: Mapping[str, Any]) -> Patient:
    """The patient of `Patient.row`. Raises ValueError, KeyError for what is none."""
    return _patient(tuple(row[name] for name in _NAMES))


def _patient(row: tuple[Any, ...]) -> Patient:
    identity, name, born, age, age_on, gender, address, phone, registered = row
    days = [date.fromisoformat(day) if day else None for day in (born, age_on)]
    return Patient(
        identity,
        name,
        days[0],
        age,
        days[1],
        gender or "",
        address or "",
        phone or "",
        date.fromisoformat(registered),
    )


def _stays_now(db: sqlite3.Connection) -> dict[str, Stay]:
    names = ", ".join(f"p.{name.strip()}" for name in _COLUMNS.split(","))
    rows = db.execute(
        f"SELECT bed, admitted_utc_ns, admitted_by, {names} FROM stays s JOIN patients p ON p.id = s.patient"  # noqa: S608 - names of ours
        " WHERE discharged_by IS NULL"
    )
    return {bed: Stay(bed, _patient(tuple(row)), utc_ns, command) for bed, utc_ns, command, *row in rows}


def _entry(act: str, bed: str, subject: str, by: Signed, body: Mapping[str, Any]) -> audit.Entry:
    return audit.Entry(by.command, by.utc_ns, by.clock_is_set, by.actor, act, bed, subject, body)


def _date(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadPatient(f"{name} is a date as 1970-12-31") from None
