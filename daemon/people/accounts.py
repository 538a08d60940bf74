"""Accounts: made and changed by an administrator, imported from the seeds' users.json, and by each person for themself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from daemon.model.actor import Actor
from daemon.model.permissions import Role
from daemon.model.signals import Nanos
from daemon.people import passwords as rules
from daemon.people.entrance import Entrance
from daemon.people.passwords import Passwords
from daemon.people.person import FIELDS, Person, Refused, day_of, fields_of, person_of, role_of
from daemon.people.roster import Roster
from daemon.people.signings import digest_of

MOST_PEOPLE = 2000
MOST_IMPORTED = 1000


@dataclass(frozen=True, slots=True)
class Changed:
    """What has become of a person. `password`: one that was made up, to be told once."""

    person: Person
    password: str = ""


class Accounts:
    """Everything raises `Refused`, `Busy` of the passwords, and sqlite3.Error, OSError where nothing could be written."""

    def __init__(
        self,
        roster: Roster,
        entrance: Entrance,
        passwords: Passwords,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self._roster = roster
        self._entrance = entrance
        self._passwords = passwords
        self._now = now
        self._utc = utc

    async def add(
        self,
        given: Mapping[str, str],
        role: str,
        password: str,
        command: str = "",
        *,
        pin: str = "",
        keeps: bool = False,
    ) -> Changed:
        """A new person. Without a password one is made up; unless it `keeps`, the person chooses another at the first sign-in."""
        made = person_of(given, role, self._utc()[0])
        if pin and (key := rules.pin_fault(pin)):
            raise Refused(key)
        made = replace(made, pin=await self._passwords.hash(pin) if pin else "")
        return await self._added(made, password, command, must_change=not keeps)

    async def add_hashed(self, given: Mapping[str, str], role: str, hashed: str) -> Changed:
        """A new person whose password is known as a hash of argon2id only."""
        made = replace(person_of(given, role, self._utc()[0]), password=hashed)
        await self._roster.save(made, "person_added", {"role": made.role, "hash": True})
        return Changed(made)

    async def first(self, given: Mapping[str, str], password: str, command: str = "") -> Changed:
        """The first administrator, with a password of their own; only where there is nobody."""
        if not self._roster.is_known:
            raise Refused("people.unknown")
        if self._roster.people:
            raise Refused("setup.done")
        if not password:
            raise Refused("password.short")
        made = person_of(given, Role.ADMIN, self._utc()[0])
        return await self._added(made, password, command, must_change=False)

    async def _added(self, made: Person, password: str, command: str, *, must_change: bool) -> Changed:
        if len(self._roster.people) >= MOST_PEOPLE:
            raise Refused("people.most", most=str(MOST_PEOPLE))
        self._roster.check(made)
        chosen = password or rules.random_password()
        if key := rules.fault(chosen, made.full_name, made.machine_serial_id):
            raise Refused(key)
        made = replace(made, password=await self._passwords.hash(chosen), must_change=must_change)
        await self._roster.save(made, "person_added", {"role": made.role}, command=command)
        return Changed(made, "" if password else chosen)

    async def edit(self, identity: str, given: Mapping[str, str], command: str = "") -> Changed:
        """What is said of a person; what is not given stays."""
        before = self._roster.person(identity)
        known = fields_of(given, day_of(self._utc()[0]))
        changed = replace(before, **known)  # type: ignore[arg-type]
        names = sorted(name for name in FIELDS if getattr(before, name) != getattr(changed, name))
        await self._roster.save(changed, "person_edited", {"fields": names}, command=command)
        return Changed(changed)

    async def set_role(self, identity: str, role: str, command: str = "") -> Changed:
        """Another role; the person is signed out."""
        before = self._roster.person(identity)
        changed = replace(before, role=role_of(role))
        body = {"from": before.role, "to": changed.role}
        await self._roster.save(changed, "person_role", body, signs_out=True, command=command)
        self._entrance.forget(identity)
        return Changed(changed)

    async def reset(self, identity: str, password: str, command: str = "") -> Changed:
        """Another password, made up where none is given; unlocked, signed out, without a PIN, to be changed at the next sign-in."""
        before = self._roster.person(identity)
        chosen = password or rules.random_password()
        if key := rules.fault(chosen, before.full_name, before.machine_serial_id):
            raise Refused(key)
        hashed = await self._passwords.hash(chosen)
        changed = replace(before, password=hashed, pin="", locked=False, must_change=True)
        await self._roster.save(changed, "password_reset", {}, signs_out=True, command=command)
        self._entrance.forget(identity)
        self._entrance.forgive(identity)
        return Changed(changed, "" if password else chosen)

    async def unlock(self, identity: str, command: str = "") -> Changed:
        """Wrong passwords so far count no more."""
        changed = replace(self._roster.person(identity), locked=False)
        await self._roster.save(changed, "account_unlocked", {}, command=command)
        self._entrance.forgive(identity)
        return Changed(changed)

    async def set_active(self, identity: str, command: str = "", *, active: bool) -> Changed:
        """Whether the person may sign in. Nobody is ever taken out: the audit speaks of them."""
        changed = replace(self._roster.person(identity), active=active)
        act = "person_activated" if active else "person_deactivated"
        await self._roster.save(changed, act, {}, signs_out=not active, command=command)
        if not active:
            self._entrance.forget(identity)
        return Changed(changed)

    # --- one's own ---------------------------------------------------------------------------------------

    async def change_password(self, by: Actor, held: str, old: str, new: str) -> Changed:
        """One's own, with the old one. All other sign-ins of the person end."""
        person = await self._proved(by, old)
        if key := rules.fault(new, person.full_name, person.machine_serial_id):
            raise Refused(key)
        if new == old:
            raise Refused("password.same")
        changed = replace(person, password=await self._passwords.hash(new), must_change=False)
        digest = digest_of(held)
        await self._roster.save(changed, "password_changed", {}, signs_out=True, but=digest)
        self._entrance.forget(person.id, digest)
        return Changed(changed)

    async def set_pin(self, by: Actor, password: str, pin: str) -> Changed:
        """One's own PIN, "" = none any more; with the password."""
        person = await self._proved(by, password)
        if pin and (key := rules.pin_fault(pin)):
            raise Refused(key)
        changed = replace(person, pin=await self._passwords.hash(pin) if pin else "")
        await self._roster.save(changed, "pin_changed" if pin else "pin_removed", {})
        return Changed(changed)

    async def _proved(self, by: Actor, password: str) -> Person:
        person = self._roster.person(by.person)
        await self._entrance.prove(person, password, "", self._now())
        return self._roster.person(by.person)

    # --- the seeds' users.json ---------------------------------------------------------------------------

    async def take_in(self, text: str, role: str) -> tuple[int, list[str]]:
        """The people of a users.json: how many came in, and of whom not with the reason's word key.

        Hashes of bcrypt are taken as they are and made anew at the next sign-in; a password in plain text is not taken at all.
        """
        came, stayed_out = 0, []
        for name, user in _users(text):
            try:
                await self._take_in(name, user, role)
                came += 1
            except Refused as refusal:
                stayed_out.append(f"{name}\t{refusal.key}")
        return came, stayed_out

    async def _take_in(self, name: str, user: Mapping[str, Any], role: str) -> None:
        given = {"full_name": name} | {
            field: _text(user, *names) for field, names in _NAMES.items() if _text(user, *names)
        }
        given["age"] = given.get("age", "") if given.get("age", "").isdecimal() else ""
        own = _text(user, "role").lower()
        made = person_of(given, own if own in {r.value for r in Role} else role, self._utc()[0])
        hashed = _text(user, "password", "password_hash", "hashed_password")
        if not rules.is_bcrypt(hashed):
            hashed = await self._passwords.hash(rules.random_password())
        made = replace(made, password=hashed)
        await self._roster.save(
            made, "person_imported", {"role": made.role, "bcrypt": rules.is_bcrypt(hashed)}
        )


_NAMES: dict[str, tuple[str, ...]] = {
    "full_name": ("full_name", "fullName", "name"),
    "age": ("age",),
    "gender": ("gender", "sex"),
    "address": ("address",),
    "phone": ("phone", "contact"),
    "machine_serial_id": ("machine_serial_id", "machine_serial", "serial_id", "device_serial"),
}
"""Field -> what it is called in files that have been seen."""


def _users(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(name, user) of a list of users, an object of users by name, or either under "users". Raises `Refused`."""
    try:
        read = json.loads(text)
    except ValueError:
        raise Refused("people.no_users") from None
    if isinstance(read, dict) and isinstance(read.get("users"), list | dict):
        read = read["users"]
    pairs = (
        [("", user) for user in read]
        if isinstance(read, list)
        else list(read.items())
        if isinstance(read, dict)
        else []
    )
    if not pairs or len(pairs) > MOST_IMPORTED or not all(isinstance(user, dict) for _, user in pairs):
        raise Refused("people.no_users")
    return [(_text(user, *_NAMES["full_name"], "username") or name, user) for name, user in pairs]


def _text(user: Mapping[str, Any], *names: str) -> str:
    """The first of these that is said, as text."""
    said = (user[n] for n in names if isinstance(user.get(n), str | int))
    return next((text for one in said if (text := str(one).strip())), "")
