"""Accounts at a box: the seeds' users, passwords that are refused, set-up, a disk that fails, and the audit of it all."""

from __future__ import annotations

import json
import sqlite3

import bcrypt
import pytest

from daemon import audit
from daemon.control.people import AccountAct, SetUp
from daemon.model.permissions import May, Role
from daemon.store.box import ask_box
from tests.daemon.people._desk import CONSOLE, LAN, WORDS, acts_of, add, change, enter

# --- accounts --------------------------------------------------------------------------------------------


async def test_the_seeds_users_come_in_with_their_bcrypt_hashes_which_are_made_anew_at_the_next_sign_in(desk):
    hashed = bcrypt.hashpw(b"old password", bcrypt.gensalt(4)).decode()
    users = [
        {"full_name": "John Doe", "age": 45, "gender": "Male", "phone": "+1", "address": "1 Main St",
         "password": hashed, "device_serial": "ECG-12345"},
        {"full_name": "Plain Text", "password": "old password"},
        {"full_name": ""},
    ]  # fmt: skip
    done = await change(desk, "import", text=json.dumps({"users": users}))
    assert (done.came, len(done.refused)) == (2, 1)
    (john,) = desk.signing.people("john", "", 0, 10).people
    assert (john.age, john.machine_serial_id, john.role) == (45, "ECG-12345", "viewer")

    assert not (await enter(desk, "Plain Text", "old password")).held
    assert (await enter(desk, "ECG-12345", "old password")).held
    await desk.again()
    stored = ask_box(desk.path, lambda db: dict(db.execute("SELECT full_name, password FROM people")))
    assert stored["John Doe"].startswith("$argon2id$")
    assert (await enter(desk, "ECG-12345", "old password")).held


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "12 characters"),
        ("password1234", "first that anybody tries"),
        ("qwertyuiop123", "first that anybody tries"),
        ("aaaaaaaaaaaaaaa", "first that anybody tries"),
        ("nora nurse 12345", "own name"),
        ("x" * 300, "at most"),
    ],
)
async def test_passwords_that_anybody_guesses_are_refused(desk, password, why):
    values = {"full_name": "Nora Nurse"}
    done = await change(desk, "add", values=values, role="nurse", password=password)
    assert not done.acted
    assert why in done.error


async def test_who_got_a_password_from_somebody_else_must_choose_one_before_anything_else(desk):
    await add(desk, keeps=False)
    told = await enter(desk, origin=LAN)
    by = desk.actor(told.held, LAN)
    assert told.must_change
    assert not by.may(May.WATCH)

    with desk.at(LAN, told.held):
        act = AccountAct(verb="password", password=WORDS, new="my very own words")
        assert (await desk.signing.account(by, told.held, act)).acted
    assert desk.actor(told.held, LAN).may(May.WATCH)
    assert (await enter(desk, password="my very own words")).held


async def test_a_reset_signs_out_and_a_role_too_and_a_deactivated_person_cannot_come_back(desk):
    await add(desk, "Anna Admin", Role.ADMIN)
    person = await add(desk)
    told = await enter(desk)
    await change(desk, "role", person=person, role="viewer")
    assert desk.actor(told.held).role is Role.SCREEN
    reset = await change(desk, "reset", person=person)
    assert len(reset.password) == 19
    assert not (await enter(desk)).held
    desk.wait(5)
    assert (await enter(desk, password=reset.password)).must_change
    await change(desk, "deactivate", person=person)
    assert not (await enter(desk, password=reset.password)).held


@pytest.mark.parametrize("verb", ["deactivate", "role"])
async def test_the_last_administrator_stays(desk, verb):
    person = await add(desk, "Anna Admin", Role.ADMIN)
    done = await change(desk, verb, person=person, role="nurse")
    assert "last administrator" in done.error
    await add(desk, "Other Admin", Role.ADMIN)
    assert (await change(desk, verb, person=person, role="nurse")).acted


async def test_the_same_name_and_serial_twice_is_refused(desk):
    await add(desk, serial="ECG-1")
    values = {"full_name": "nora  nurse", "machine_serial_id": "ecg-1"}
    assert "already" in (await change(desk, "add", values=values, role="nurse", password=WORDS)).error


# --- first set-up ----------------------------------------------------------------------------------------


async def set_up(desk, origin, code=""):
    with desk.at(origin):
        given = SetUp(code=code, person={"full_name": "Anna Admin"}, password=WORDS)
        return await desk.signing.set_up(desk.actor("", origin), given)


async def test_the_first_administrator_is_made_at_the_bed_or_with_the_code_once(desk):
    code = desk.signing.setup(CONSOLE).code
    assert desk.signing.setup(desk.actor("", LAN)).code == ""
    assert not (await set_up(desk, LAN)).held
    assert not (await set_up(desk, LAN, "AAAA-AAAA")).held
    told = await set_up(desk, LAN, code.lower())
    assert desk.actor(told.held, LAN).role is Role.ADMIN
    assert not (await set_up(desk, "127.0.0.1")).held
    assert not desk.signing.setup(CONSOLE).needed


async def test_five_wrong_codes_make_another(desk):
    code = desk.signing.setup(CONSOLE).code
    for _ in range(5):
        await set_up(desk, LAN, "AAAA-AAAA")
    assert not (await set_up(desk, LAN, code)).held
    assert (await set_up(desk, "127.0.0.1")).held


# --- trouble ---------------------------------------------------------------------------------------------


async def test_a_box_db_that_cannot_be_read_lets_nobody_in_and_does_not_ask_for_a_first_administrator(
    desk, tmp_path
):
    await add(desk)
    await desk.close()
    desk.path = tmp_path
    desk.open()
    await desk.signing.restore()

    assert desk.actor().role is Role.SCREEN
    assert not desk.signing.setup(CONSOLE).needed
    assert not (await set_up(desk, "127.0.0.1")).held
    assert not (await enter(desk)).held


async def test_a_disk_that_fails_later_lets_people_go_on(desk):
    await add(desk)

    async def fails(_work):
        raise sqlite3.OperationalError("disk I/O error")

    desk.file.run = fails
    told = await enter(desk)
    assert desk.actor(told.held).role is Role.NURSE


# --- the audit -------------------------------------------------------------------------------------------


async def test_everything_is_in_the_audit_with_who_and_whence_and_no_secret(desk):
    await add(desk, pin="2580")
    await enter(desk, password="wrong", origin=LAN)
    desk.wait(5)
    told = await enter(desk)
    with desk.at(held=told.held):
        await desk.signing.sign_out(told.held)

    rows = await acts_of(desk)
    assert [(act, by.get("role"), by.get("origin")) for act, _, by in rows] == [
        ("person_added", "console", "console (root)"),
        ("sign_in_failed", "nobody", LAN),
        ("sign_in", "nurse", "127.0.0.1"),
        ("sign_out", "nurse", "127.0.0.1"),
    ]
    raw = json.dumps(ask_box(desk.path, audit.entries))
    assert WORDS not in raw
    assert "2580" not in raw
    assert "wrong" not in raw
    assert (await desk.signing.chain()).whole


async def test_rows_are_found_by_who_what_and_when_a_page_at_a_time(desk):
    for number in range(7):
        await add(desk, f"Person {number}")
    first = await desk.signing.audit({"act": "person_added", "most": "3"})
    then = await desk.signing.audit({"act": "person_added", "most": "3", "before": str(first.before)})

    assert [row.number for row in (*first.rows, *then.rows)] == [7, 6, 5, 4, 3, 2]
    assert (await desk.signing.audit({"actor": "nobody"})).rows == ()
    assert (await desk.signing.audit({"from": str(desk.utc_ns // 10**6 + 1)})).rows == ()
    assert len((await desk.signing.audit({"subject": first.rows[0].subject})).rows) == 1


async def test_a_row_that_was_changed_is_found(desk):
    for number in range(3):
        await add(desk, f"Person {number}")
    await desk.close()
    with sqlite3.connect(desk.path) as db:
        db.execute("DROP TRIGGER audit_stays")
        db.execute("UPDATE audit SET body = replace(body, 'console', 'Nora') WHERE id = 2")
    db.close()
    desk.open()
    chain = await desk.signing.chain()
    assert (chain.whole, chain.broken_at) == (False, 2)
