"""All who have an account, known without asking the file; what changes is written with its row of the audit in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from daemon import audit
from daemon.audit import Entry
from daemon.model.actor import acting
from daemon.model.ids import uuid7
from daemon.model.permissions import Role
from daemon.people import rows
from daemon.people.person import Person, Refused, folded
from daemon.people.rows import Kept
from daemon.store.box import BoxFile

log = logging.getLogger(__name__)


class Roster:
    """`utc` is UTC in ns, and whether the clock can be believed. `restore` comes first: until then nobody is known.

    `is_known` False: the file could not be read, and it cannot be said whether anybody has an account.
    """

    def __init__(self, file: BoxFile, boot: str, utc: Callable[[], tuple[int, bool]]) -> None:
        self._file = file
        self._boot = boot
        self._utc = utc
        self.people: dict[str, Person] = {}
        self.is_known = False

    async def restore(self) -> tuple[list[Kept], list[Kept]]:
        """Who there is; the sign-ins of this boot, and where PINs may be entered. Raises sqlite3.Error, OSError."""

        def read(db: sqlite3.Connection) -> tuple[list[Person], list[Kept], list[Kept]]:
            return rows.everybody(db), rows.sign_ins(db, self._boot), rows.enrolments(db, self._boot)

        people, sign_ins, enrolments = await self._file.run(read)
        self.people = {one.id: one for one in people}
        self.is_known = True
        return sign_ins, enrolments

    def active(self) -> list[Person]:
        """Those who may sign in, by name."""
        return sorted(
            (p for p in self.people.values() if p.active), key=lambda p: (folded(p.full_name), p.id)
        )

    def role_of(self, person: str) -> Role | None:
        """The role of one who may sign in now; None: nobody may under that id."""
        known = self.people.get(person)
        return known.role if known is not None and known.active and not known.locked else None

    def person(self, identity: str) -> Person:
        """Raises `Refused`."""
        try:
            return self.people[identity]
        except KeyError:
            raise Refused("people.gone") from None

    def check(self, changed: Person) -> None:
        """Whether a person may be so. Raises `Refused`: the same name and serial twice, or no administrator left."""
        for other in self.active():
            if changed.active and other.id != changed.id and _same(other, changed):
                raise Refused("people.twice", name=other.full_name)
        before = self.people.get(changed.id)
        others = any(_is_admin(p) for p in self.people.values() if p.id != changed.id)
        if before is not None and _is_admin(before) and not _is_admin(changed) and not others:
            raise Refused("people.last_admin")

    async def save(
        self,
        changed: Person,
        act: str,
        body: Mapping[str, Any],
        *,
        signs_out: bool = False,
        but: str = "",
        command: str = "",
    ) -> None:
        """A person is so now. Raises `Refused`, sqlite3.Error, OSError; then it is as before."""
        self.check(changed)
        entry = self.entry(act, changed, body, command)

        def write(db: sqlite3.Connection) -> None:
            rows.put(db, changed)
            if signs_out:
                rows.drop_person(db, changed.id, but)
            audit.append(db, entry)

        await self._file.run(write)
        self.people[changed.id] = changed
        self.is_known = True

    async def try_to(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Write what holds without being written, until the next start."""
        try:
            await self._file.run(work)
        except (sqlite3.Error, OSError) as error:
            log.error("people: box.db cannot be written: %s", error)  # noqa: TRY400 - a state of the disk

    def entry(self, act: str, person: Person | None, body: Mapping[str, Any], command: str = "") -> Entry:
        """A row of the audit about a person, by whoever acts."""
        utc_ns, is_set = self._utc()
        by = acting()
        subject = person.id if person is not None else ""
        said = {"full_name": person.full_name, **body} if person is not None else dict(body)
        return Entry(
            command or uuid7(utc_ns), utc_ns, is_set, by.name if by else "box", act, "", subject, said
        )


def _is_admin(person: Person) -> bool:
    return person.active and person.role is Role.ADMIN


def _same(one: Person, other: Person) -> bool:
    return (folded(one.full_name), folded(one.machine_serial_id)) == (
        folded(other.full_name),
        folded(other.machine_serial_id),
    )
