"""`vitald user`: people who may sign in, from the box's own command line; also how an administrator's account is unlocked."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.people import MOST_TOLD, PeopleClient, PersonAct, PersonActed, PersonTold
from daemon.model.permissions import PEOPLE, Role

T = TypeVar("T")

_LINE = "{id:<36} {name:<28} {role:<11} {serial:<18} {state}"
LARGEST_IMPORT = 40_000


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    listed = _act(acts, "list", "who may sign in")
    listed.add_argument("--find", default="", help="name or machine serial id holds this")
    listed.add_argument("--role", default="", choices=("", *PEOPLE), help="in this role only")
    add = _act(acts, "add", "a new person")
    add.add_argument("name", help="full name")
    add.add_argument("role", choices=PEOPLE)
    for field in ("age", "gender", "address", "phone"):
        add.add_argument(f"--{field}", default="")
    add.add_argument("--serial", default="", help="machine serial id")
    role = _act(acts, "role", "another role")
    role.add_argument("person", help="id, full name or machine serial id")
    role.add_argument("role", choices=PEOPLE)
    for verb, about in (
        ("reset", "another password"),
        ("unlock", "wrong passwords so far count no more"),
        ("remove", "may sign in no more; the audit keeps the name"),
        ("restore", "may sign in again"),
    ):
        _act(acts, verb, about).add_argument("person", help="id, full name or machine serial id")
    for sub in (add, acts.choices["reset"]):
        sub.add_argument("--password", action="store_true", help="ask for one, instead of making one up")
        sub.add_argument("--password-stdin", action="store_true", help="the first line of standard input")
    taken = _act(acts, "import", "the people of a users.json of the earlier application")
    taken.add_argument("file", type=Path)
    taken.add_argument(
        "--role", default=Role.VIEWER, choices=PEOPLE, help="of those who have none (default viewer)"
    )


def _act(
    acts: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    sub = acts.add_parser(name, help=about)
    add_config(sub)
    sub.add_argument("--json", action="store_true", help="the answer as JSON")
    return sub


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    try:
        if options.act == "list":
            return _list(config, options)
        if options.act == "import":
            return _import(config, options)
        return _change(config, options)
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL
    except NotPermitted as error:
        raise BadInput(str(error)) from None


class _Listed(BaseModel):
    people: tuple[PersonTold, ...]


def _list(config: Config, options: argparse.Namespace) -> int:
    people = _all(config, options.find, options.role)
    if options.json:
        print(_Listed(people=tuple(people)).model_dump_json(indent=2))
        return WELL
    print(_LINE.format(id="id", name="full name", role="role", serial="machine serial", state="state"))
    for one in people:
        print(
            _LINE.format(
                id=one.person,
                name=one.full_name,
                role=one.role,
                serial=one.machine_serial_id or "-",
                state=_state(one),
            ).rstrip()
        )
    return WELL


def _state(one: PersonTold) -> str:
    known = {"deactivated": not one.active, "locked": one.locked, "must choose a password": one.must_change}
    return ", ".join(word for word, is_so in known.items() if is_so) or "active"


def _change(config: Config, options: argparse.Namespace) -> int:
    verb, identity = options.act, str(uuid.uuid4())
    if verb == "add":
        values = {field: getattr(options, field) for field in ("age", "gender", "address", "phone")}
        values |= {"full_name": options.name, "machine_serial_id": options.serial}
        act = PersonAct(
            id=identity, verb="add", values=values, role=options.role, password=_password(options)
        )
    else:
        person = _person(config, options.person)
        password = _password(options) if verb == "reset" else ""
        verbs = {"remove": "deactivate", "restore": "activate"}
        role = options.role if verb == "role" else ""
        act = PersonAct(
            id=identity, verb=verbs.get(verb, verb), person=person.person, role=role, password=password
        )
    done = _asked(config, lambda client: client.person(act))
    if not done.acted:
        raise BadInput(done.error)
    _tell(options, done)
    return WELL


def _tell(options: argparse.Namespace, done: PersonActed) -> None:
    if options.json:
        print(done.model_dump_json(indent=2, exclude={"wait_s", "came", "refused", "error"}))
        return
    print(f"{done.person}: {_DONE[options.act]}")
    if done.password:
        print(f"password, shown this once: {done.password}")


_DONE = {
    "add": "added",
    "role": "role changed, signed out",
    "reset": "password reset, signed out",
    "unlock": "unlocked",
    "remove": "deactivated, signed out",
    "restore": "active again",
}


def _import(config: Config, options: argparse.Namespace) -> int:
    try:
        text = options.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{options.file}: {error}") from None
    if len(text) > LARGEST_IMPORT:
        raise BadInput(f"{options.file}: more than {LARGEST_IMPORT} characters: import it in parts")
    act = PersonAct(id=str(uuid.uuid4()), verb="import", role=options.role, text=text)
    done = _asked(config, lambda client: client.person(act))
    if options.json:
        print(done.model_dump_json(indent=2, include={"acted", "error", "came", "refused"}))
    if not done.acted:
        raise BadInput(done.error)
    if not options.json:
        print(f"{done.came} people came in")
        for line in done.refused:
            print(f"not {line}")
    return NOT_WELL if done.refused else WELL


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not options.password:
        return ""
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise BadInput("these are two passwords")
    return password


def _person(config: Config, asked: str) -> PersonTold:
    """Who is meant. Raises `BadInput` where it is nobody, or several."""
    known = _all(config, "", "")
    found = [p for p in known if p.person == asked] or [
        p for p in known if asked.casefold() in {p.full_name.casefold(), p.machine_serial_id.casefold()}
    ]
    if not found:
        raise BadInput(f"there is nobody called {asked}")
    if len(found) > 1:
        ids = ", ".join(p.person for p in found)
        raise BadInput(f"several people are called {asked}; say which id: {ids}")
    return found[0]


def _all(config: Config, find: str, role: str) -> list[PersonTold]:
    async def pages(client: PeopleClient) -> list[PersonTold]:
        people: list[PersonTold] = []
        while True:
            told = await client.people(find, role, offset=len(people), most=MOST_TOLD)
            people += told.people
            if len(people) >= told.total or not told.people:
                return people

    return _asked(config, pages)


def _asked(config: Config, question: Callable[[PeopleClient], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with PeopleClient(config.box.socket) as client:
            return await question(client)

    return asyncio.run(ask())
