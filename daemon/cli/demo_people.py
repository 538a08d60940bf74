"""People of a demo: one of each role, with passwords and PINs made up for it and printed once."""

from __future__ import annotations

import asyncio
import secrets
import sys
import uuid
from itertools import pairwise
from pathlib import Path

from daemon.control.client import NotAnswering
from daemon.control.people import PeopleClient, PersonAct, PersonActed
from daemon.model.permissions import Role

PEOPLE = {
    "Vera Viewer": Role.VIEWER,
    "Nora Nurse": Role.NURSE,
    "Clara Clinician": Role.CLINICIAN,
    "Tom Technician": Role.TECHNICIAN,
    "Anna Admin": Role.ADMIN,
}
AGAIN_S = 0.5
_LINE = "  {name:<17} {serial:<10} {role:<11} password {password}  PIN {pin}"


async def make_people(socket: Path) -> None:
    """Make them as soon as the daemon answers, and print them."""
    async with PeopleClient(socket) as client:
        while True:
            try:
                if (await client.people()).total:
                    _print(["people: those of the earlier demo (`vitald user reset` makes another password)"])
                    return
                break
            except NotAnswering:
                await asyncio.sleep(AGAIN_S)
        lines = ["people, with passwords of this demo alone:"]
        for number, (name, role) in enumerate(PEOPLE.items(), 1):
            serial, pin = f"DEMO-{number:04}", _pin()
            done = await _make(client, name, role, serial, pin)
            told = {"name": name, "serial": serial, "role": role.value, "password": done.password, "pin": pin}
            lines.append(_LINE.format(**told) if done.acted else f"  {name}: {done.error}")
    _print(lines)


async def _make(client: PeopleClient, name: str, role: Role, serial: str, pin: str) -> PersonActed:
    values = {"full_name": name, "machine_serial_id": serial}
    act = PersonAct(id=str(uuid.uuid4()), verb="add", values=values, role=role, pin=pin, keeps=True)
    return await client.person(act)


def _pin() -> str:
    """Four digits, none of them twice, that do not count up or down."""
    while True:
        digits = secrets.SystemRandom().sample("0123456789", 4)
        if len({int(b) - int(a) for a, b in pairwise(digits)}) > 1:
            return "".join(digits)


def _print(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
