from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import date

import pytest

from daemon import audit
from daemon.patients import (
    BadPatient,
    NotPossible,
    Patient,
    Patients,
    Signed,
    patient_from_row,
    patient_of,
)
from daemon.store.box import BoxFile, ask_box
from daemon.store.sessions import Occupant

UTC_NS = 1_736_339_696 * 10**9  # 2025-01-08
BEDS = {"1": None, "2": None}


@pytest.fixture
async def file(tmp_path):
    opened = BoxFile(tmp_path / "box.db")
    yield opened
    await opened.close()


def john(**more: str) -> Patient:
    return patient_of({"full_name": "John Doe", "patient_id": "MRN-1", **more}, UTC_NS)


def by(command: str) -> Signed:
    return Signed(command, "nurse", UTC_NS)


def test_age_is_that_of_the_day():
    """By birth date where it is known; what was said of the age grows with the years since."""
    born = john(birth_date="1980-01-09", age="12")
    assert [born.age_at(date(2025, 1, d)) for d in (8, 9)] == [44, 45]
    said = john(age="45")
    assert [said.age_at(date(y, 1, 8)) for y in (2025, 2026)] == [45, 46]
    assert said.age_at(date(2026, 1, 7)) == 45
    assert john().age_at(date(2025, 1, 8)) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "needs a name"),
        ({"full_name": "  "}, "needs a name"),
        ({"full_name": "A", "age": "-1"}, "age is a whole number"),
        ({"full_name": "A", "age": "151"}, "age is a whole number"),
        ({"full_name": "A", "birth_date": "31.12.1970"}, "birth_date is a date"),
        ({"full_name": "A", "birth_date": "2031-01-01"}, "yet to come"),
        ({"full_name": "A", "patient_id": "../x"}, "patient_id has letters"),
        ({"full_name": "A" * 201}, "longer than"),
        ({"full_name": "A", "password": "x"}, "no password"),
    ],
)
def test_what_is_no_patient_is_refused_with_the_reason(given, why):
    with pytest.raises(BadPatient, match=why):
        patient_of(given, UTC_NS)


def test_an_id_is_made_where_none_is_given():
    one, two = (patient_of({"full_name": "A"}, UTC_NS).patient_id for _ in range(2))
    assert one != two
    assert one[14] == "7"
    assert int(one.replace("-", "")[:12], 16) == UTC_NS // 10**6
    assert john().patient_id == "MRN-1"
    assert john().registration_date == date(2025, 1, 8)


def test_what_the_store_is_told_comes_back():
    patient = john(birth_date="1980-01-09", gender="Male", phone="+123", address="123 Main St")
    again = patient_from_row(json.loads(json.dumps(patient.told(date(2025, 1, 8)))))
    assert again.row() == {**patient.row(), "age": 44, "age_on": "2025-01-08"}


async def test_who_is_here_stays_over_a_restart(file, tmp_path):
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", john(age="45"), by("a-1"))
    await file.close()

    again = Patients(BoxFile(tmp_path / "box.db"))
    await again.restore({}, BEDS)
    assert {bed: stay.patient for bed, stay in again.here.items()} == {"1": john(age="45")}
    await again.record_discharge("1", by("d-1"))
    await again.restore({}, BEDS)
    assert again.here == {}
    assert [p.patient_id for p in await again.find("joHN")] == ["MRN-1"]
    await again._file.close()


async def test_a_patient_is_at_one_bed_and_a_bed_has_one_patient(file):
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", john(), by("a-1"))
    with pytest.raises(NotPossible, match="discharge first"):
        patients.admission("1", patient_of({"full_name": "Jane"}, UTC_NS))
    with pytest.raises(NotPossible, match="at bed 1"):
        patients.admission("2", john())
    patients.admission("2", patient_of({"full_name": "Jane"}, UTC_NS))
    with pytest.raises(sqlite3.IntegrityError):
        await patients.record_admission("2", john(), by("a-2"))


async def test_a_patient_who_comes_again_keeps_what_is_not_said_anew(file):
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", john(phone="+123", gender="Male"), by("a-1"))
    await patients.record_discharge("1", by("d-1"))
    await patients.record_admission("1", john(address="Elm St"), by("a-2"))
    (known,) = await patients.find("MRN-1")
    assert (known.phone, known.gender, known.address) == ("+123", "Male", "Elm St")


async def test_an_act_that_box_db_missed_is_made_up_for_and_only_once(file):
    """vitald.db has the Command; the power went before box.db had its row."""
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", patient_of({"full_name": "Jane"}, UTC_NS), by("a-0"))
    told = {
        "1": Occupant(json.dumps(john(age="45").told(date(2025, 1, 8))), "a-1"),
        "2": Occupant(None, "d-9"),
    }
    for _ in range(2):
        patients = Patients(file)
        await patients.restore(told, BEDS)
        assert {b: s.patient.patient_id for b, s in patients.here.items()} == {"1": "MRN-1"}
    newer = {"1": Occupant(None, "a-0")}  # vitald.db is the older one: box.db knows its act
    await patients.restore(newer, BEDS)
    assert "1" in patients.here
    rows = await file.run(lambda db: db.execute("SELECT command FROM audit ORDER BY id").fetchall())
    assert [c for (c,) in rows] == ["a-0", "a-1 (before)", "a-1", "d-9"]


async def test_a_damaged_box_db_costs_itself_and_stops_nobody(tmp_path):
    path, aside = tmp_path / "box.db", []
    path.write_bytes(b"no database" * 1000)
    file = BoxFile(path, aside.append)
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", john(), by("a-1"))
    assert [p.name for p in aside] == ["box.db.damaged-1"]
    await file.close()
    assert ask_box(path, lambda db: db.execute("SELECT count(*) FROM stays").fetchone()) == (1,)


async def test_a_disk_that_fails_is_tried_again(tmp_path):
    folder = tmp_path / "away"
    file = BoxFile(folder / "box.db")
    patients = Patients(file)
    with pytest.raises((sqlite3.Error, OSError)):
        await patients.record_admission("1", john(), by("a-1"))
    assert patients.here["1"].patient.patient_id == "MRN-1"  # known without the file
    folder.mkdir()
    await patients.record_discharge("1", by("d-1"))
    await file.close()


# --- audit -----------------------------------------------------------------------------------------------


async def test_every_act_is_in_the_audit_once_and_the_chain_is_whole(file):
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await patients.record_admission("1", john(age="45"), by("a-1"))
    await patients.record("session_end", "1", by("e-1"), {"screen": "here"})
    await patients.record("session_end", "1", by("e-1"), {"screen": "here"})
    await patients.record_discharge("1", by("d-1"))
    said = await file.run(audit.entries)
    assert [(e["act"], e["subject"], e["actor"]) for e in said] == [
        ("admit", "MRN-1", "nurse"), ("session_end", "MRN-1", "nurse"), ("discharge", "MRN-1", "nurse")
    ]  # fmt: skip
    assert said[0]["body"]["age"] == 45
    assert await file.run(audit.broken_at) is None


@pytest.mark.parametrize(
    ("harm", "at"),
    [
        ("UPDATE audit SET actor = 'somebody' WHERE id = 3", 3),
        ("UPDATE audit SET utc_ns = utc_ns + 1 WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 2", 2),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE id = 4) WHERE id = 5", 5),
    ],
)
async def test_what_was_changed_later_shows(file, harm, at):
    for i in range(6):
        await file.run(lambda db, i=i: audit.append(db, audit.Entry(f"c{i}", i, True, "nurse", "limits")))
    with pytest.raises(sqlite3.IntegrityError, match="audit is never"):
        await file.run(lambda db: db.execute(harm))
    assert await file.run(audit.broken_at) is None

    def forge(db: sqlite3.Connection) -> int | None:
        db.execute("DROP TRIGGER audit_stays")
        db.execute("DROP TRIGGER audit_is_kept")
        db.execute(harm)
        return audit.broken_at(db)

    assert await file.run(forge) == at


async def test_acts_at_once_are_all_kept(file):
    patients = Patients(file)
    await patients.restore({}, BEDS)
    await asyncio.gather(*(patients.record("test", "1", by(f"t-{i}"), {}) for i in range(50)))
    assert len(await file.run(audit.entries)) == 50
    assert await file.run(audit.broken_at) is None
