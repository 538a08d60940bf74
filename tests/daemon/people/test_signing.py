"""Signing in at a box: with a password, with a PIN, and never without."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from daemon.control.people import SignIn
from daemon.model.actor import BEDSIDE
from daemon.model.permissions import May, Role
from tests.daemon.people._desk import LAN, WORDS, add, change, enter

# --- in and out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["Nora Nurse", "  nora   NURSE ", "ecg-0042"])
async def test_a_full_name_or_a_serial_finds_the_person_whatever_the_case(desk, said):
    person = await add(desk, serial="ECG-0042")
    told = await enter(desk, said)
    actor = desk.actor(told.held)

    assert (actor.name, actor.role, actor.person) == ("Nora Nurse", Role.NURSE, person)
    assert actor.may(May.CARE)
    assert not actor.may(May.MANAGE_PEOPLE)


async def test_nobody_is_the_screen_at_the_bed_and_nobody_elsewhere(desk):
    assert (desk.actor().name, desk.actor().role) == (BEDSIDE, Role.SCREEN)
    assert desk.actor("", LAN).role is Role.NOBODY
    assert desk.actor("forged" * 8).role is Role.SCREEN
    assert desk.actor("forged" * 8, LAN).role is Role.NOBODY


async def test_only_the_digest_of_what_a_browser_holds_is_kept(desk):
    await add(desk)
    told = await enter(desk)
    await desk.close()

    assert len(told.held) >= 43
    assert told.held.encode() not in desk.path.read_bytes()
    assert WORDS.encode() not in desk.path.read_bytes()
    with sqlite3.connect(desk.path) as db:
        hashes = [row[0] for row in db.execute("SELECT password FROM people")]
    db.close()
    assert [h.startswith("$argon2id$") for h in hashes] == [True]


async def test_signing_out_and_signing_in_anew_end_what_was_held_before(desk):
    await add(desk)
    first = await enter(desk)
    second = await enter(desk, held=first.held)
    assert desk.actor(first.held).role is Role.SCREEN

    with desk.at(held=second.held):
        await desk.signing.sign_out(second.held)
    assert desk.actor(second.held).role is Role.SCREEN


async def test_a_sign_in_at_the_bed_opens_nothing_elsewhere(desk):
    await add(desk)
    told = await enter(desk)

    assert desk.actor(told.held, LAN).role is Role.NOBODY


@pytest.mark.parametrize(
    ("role", "origin", "idle_min", "still"),
    [
        (Role.ADMIN, LAN, 14, True),
        (Role.ADMIN, LAN, 16, False),
        (Role.TECHNICIAN, LAN, 16, False),
        (Role.NURSE, LAN, 16, True),
        (Role.NURSE, "127.0.0.1", 16, False),
        (Role.VIEWER, LAN, 11 * 60, True),
        (Role.VIEWER, LAN, 12 * 60, False),
    ],
)
async def test_a_sign_in_ends_with_the_shift_and_where_it_matters_when_nothing_is_done(
    desk, role, origin, idle_min, still
):
    await add(desk, role=role)
    told = await enter(desk, origin=origin)
    desk.wait(60 * idle_min)

    assert (desk.actor(told.held, origin, active=False).role is role) is still


async def test_what_is_done_puts_the_end_off_and_looking_does_not(desk):
    await add(desk, role=Role.ADMIN)
    told = await enter(desk, origin=LAN)
    for _ in range(4):
        desk.wait(10 * 60)
        assert desk.actor(told.held, LAN, active=True).role is Role.ADMIN
    for _ in range(3):
        desk.wait(6 * 60)
        desk.actor(told.held, LAN, active=False)
    assert desk.actor(told.held, LAN).role is Role.NOBODY


async def test_a_crash_signs_nobody_out_and_a_boot_everybody(desk):
    await add(desk)
    told = await enter(desk)
    await desk.again()
    assert desk.actor(told.held).role is Role.NURSE
    await desk.again(boot="boot-2")
    assert desk.actor(told.held).role is Role.SCREEN


# --- wrong ones ------------------------------------------------------------------------------------------


async def test_an_unknown_name_and_a_wrong_password_get_the_same_answer_after_the_same_time(desk):
    await add(desk)
    await add(desk, "Lost Locked", Role.ADMIN)
    wrong, unknown = await enter(desk, password="x"), await enter(desk, "Nobody Here", "x")

    assert wrong == unknown
    assert desk.slept == pytest.approx([1.0, 1.0])


async def test_each_wrong_password_makes_the_next_try_wait_twice_as_long_up_to_a_minute(desk):
    await add(desk)
    await enter(desk, password="wrong", origin=LAN)  # the answer itself takes the first second
    waits = []
    for _ in range(8):
        assert "do not belong" in (await enter(desk, password="wrong", origin=LAN)).error
        too_soon = await enter(desk, origin=LAN)
        assert too_soon.held == ""
        waits.append(too_soon.wait_s)
        desk.wait(too_soon.wait_s)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (await enter(desk, origin=LAN)).held


async def test_twenty_wrong_ones_at_once_are_looked_at_one_by_one(desk):
    await add(desk)
    looked = []
    verify = desk.signing.entrance._passwords.verify

    async def counting(known, password):
        looked.append(known)
        return await verify(known, password)

    desk.signing.entrance._passwords.verify = counting
    told = await asyncio.gather(*(enter(desk, password=f"wrong {n}", origin=LAN) for n in range(20)))

    assert len(looked) == 1
    assert sum(t.wait_s > 0 for t in told) == 19


async def test_wrong_tries_elsewhere_do_not_keep_a_nurse_from_the_bed(desk):
    await add(desk)
    for _ in range(4):
        await enter(desk, password="wrong", origin=LAN)
        desk.wait(60)
    assert (await enter(desk, password="wrong", origin=LAN)).wait_s == 0
    assert (await enter(desk)).held


async def test_an_administrators_account_is_locked_by_ten_and_unlocked_by_the_console(desk):
    admin = await add(desk, "Anna Admin", Role.ADMIN)
    nurse = await add(desk)
    for name in ("Anna Admin", "Nora Nurse"):
        for _ in range(10):
            await enter(desk, name, "wrong", LAN)
            desk.wait(60)
    desk.wait(60)

    assert (await enter(desk, "Nora Nurse", origin=LAN)).held, nurse
    refused = await enter(desk, "Anna Admin", origin=LAN)
    assert "do not belong" in refused.error
    assert (await change(desk, "unlock", person=admin)).acted
    assert (await enter(desk, "Anna Admin", origin=LAN)).held


async def test_several_who_answer_are_asked_which_before_a_password_is_looked_at(desk):
    one = await add(desk, "John Doe", serial="ECG-1")
    await add(desk, "John Doe", serial="ECG-2", password="another row of words")
    at_bed = await enter(desk, "John Doe", "whatever it is")
    elsewhere = await enter(desk, "John Doe", WORDS, LAN)

    assert at_bed.several
    assert {face.machine_serial_id for face in at_bed.which} == {"ECG-1", "ECG-2"}
    assert elsewhere.several
    assert elsewhere.which == ()
    assert (await enter(desk, "", WORDS, person=one)).held
    assert (await enter(desk, "John Doe", WORDS, LAN, other="ecg-1")).held
    assert desk.slept == []


# --- a PIN -----------------------------------------------------------------------------------------------


async def pin(desk, person, digits, screen="screen-1", origin="127.0.0.1"):
    with desk.at(origin):
        given = SignIn(person=person, pin=digits, screen=screen)
        return await desk.signing.sign_in(desk.actor("", origin), "", given)


async def test_a_pin_counts_at_the_screen_of_the_password_for_the_shift_and_nowhere_else(desk):
    person = await add(desk, pin="2580")
    assert not (await pin(desk, person, "2580")).held
    await enter(desk)

    assert (await pin(desk, person, "2580")).held
    assert not (await pin(desk, person, "2580", screen="screen-2")).held
    assert not (await pin(desk, person, "2580", origin=LAN)).held
    assert [face.full_name for face in desk.signing.faces("screen-1").people] == ["Nora Nurse"]
    assert desk.signing.faces("screen-2").people == ()
    desk.wait(12 * 3600)
    assert not (await pin(desk, person, "2580")).held


async def test_five_wrong_pins_and_the_password_is_needed(desk):
    person = await add(desk, pin="2580")
    await enter(desk)
    said = [(await pin(desk, person, "1111")).error for _ in range(5)]

    assert "4 tries" in said[0]
    assert "password" in said[4]
    assert not (await pin(desk, person, "2580")).held
    assert (await enter(desk)).held
    assert (await pin(desk, person, "2580")).held
