"""What a person does at a desk, for its tests."""

from __future__ import annotations

import uuid

from daemon import audit
from daemon.control.people import PersonAct, SignIn
from daemon.model.actor import Actor
from daemon.model.permissions import Role
from daemon.store.box import ask_box

LAN = "192.168.4.7"
WORDS = "four words in a row"
CONSOLE = Actor("console (root)", None, "console (root)")


async def change(desk, verb, **given):
    with desk.at("console"):
        return await desk.signing.person(CONSOLE, PersonAct(id=str(uuid.uuid4()), verb=verb, **given))


async def add(desk, name="Nora Nurse", role=Role.NURSE, serial="", password=WORDS, pin="", *, keeps=True):
    values = {"full_name": name, "machine_serial_id": serial}
    done = await change(desk, "add", values=values, role=role, password=password, pin=pin, keeps=keeps)
    assert done.acted, done.error
    return done.person


async def enter(desk, identifier="Nora Nurse", password=WORDS, origin="127.0.0.1", held="", **given):
    with desk.at(origin, held):
        given = {"identifier": identifier, "password": password, "screen": "screen-1", **given}
        return await desk.signing.sign_in(desk.actor(held, origin), held, SignIn(**given))


async def acts_of(desk):
    await desk.signing.trail.flush()
    return [(row["act"], row["actor"], row["by"]) for row in ask_box(desk.path, audit.entries)]
