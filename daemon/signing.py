"""The desk: signing in, accounts and the audit as the control socket asks for them. What it does is in people/ and audit.py.

Acts on accounts are done one at a time. Set-up is open until somebody has an account: at the bed's own screen, or with a code that
only the console knows; a few wrong codes make another.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from daemon import audit, config
from daemon.audit import Entry, Filter
from daemon.control.people import (
    MOST_TOLD,
    AccountAct,
    AuditRow,
    AuditTold,
    BoxSettings,
    ChainTold,
    Face,
    FacesTold,
    Note,
    PeopleTold,
    PersonAct,
    PersonActed,
    PersonTold,
    SetUp,
    SetUpTold,
    SignIn,
    SignInTold,
    WhoTold,
)
from daemon.model.actor import Actor, acts
from daemon.model.permissions import Role
from daemon.model.signals import Command
from daemon.people.accounts import Accounts, Changed
from daemon.people.entrance import Entered, Entrance, Several, TooSoon, Tried
from daemon.people.passwords import Busy, Passwords
from daemon.people.person import Person, Refused, folded
from daemon.people.roster import Roster
from daemon.people.signings import Spans
from daemon.people.trail import Trail
from daemon.store.box import BoxFile, ask_box
from daemon.words import say

CODES = 5
"""Wrong set-up codes before another is made."""

RESTORED_WITHIN_S = 3.0

log = logging.getLogger(__name__)


class Box(Protocol):
    """What is set with the first account (daemon/first_start.py)."""

    async def restore(self) -> None:
        """Take in what first settings have left."""

    def check(self, asked: BoxSettings) -> str:
        """Why not, in words."""

    def put(self, asked: BoxSettings) -> str:
        """`SignInTold.next`."""

    def answer(self) -> tuple[str, ...]:
        """What has become of a stick, in lines."""


class Signing:
    """`now` is CLOCK_BOOTTIME, `utc` UTC in ns and whether it can be believed; `path` is box.db's, for questions beside `file`."""

    def __init__(
        self,
        file: BoxFile,
        path: Path,
        boot: str,
        *,
        now: Callable[[], int],
        utc: Callable[[], tuple[int, bool]],
        spans: Spans | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._path = path
        self._utc = utc
        self._passwords = passwords or Passwords()
        self.trail = Trail(file)
        self._roster = Roster(file, boot, utc)
        self.entrance = Entrance(self._roster, self._passwords, self.trail, boot, now, spans)
        self._accounts = Accounts(self._roster, self.entrance, self._passwords, now, utc)
        self._turn = asyncio.Lock()
        self._code, self._wrong_codes = _new_code(), 0
        self.box: Box | None = None
        """Who sets what the first set-up says of the box; None = nothing can be set there."""

    async def restore(self) -> None:
        """At the start. Where box.db cannot be read nobody can sign in, and the bed goes on: it is logged."""
        try:
            async with asyncio.timeout(RESTORED_WITHIN_S):
                self.entrance.restore(*await self._roster.restore())
        except (sqlite3.Error, OSError, ValueError, TimeoutError) as error:
            log.error("people: box.db cannot be read, nobody can sign in: %s", error)  # noqa: TRY400 - a state of the disk
            return
        if self.box is not None:
            await self.box.restore()
        if not self._roster.people:
            log.warning("nobody has an account yet: open /setup on the pages; set-up code %s", self._code)

    async def run(self) -> None:
        """Write the audit, and try again what could not be read at the start, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.trail.run(), name="audit")
            while not self._roster.is_known:
                await asyncio.sleep(RESTORED_WITHIN_S)
                await self.restore()

    async def close(self) -> None:
        """At the end: what waits is written, if the disk takes it."""
        await self.trail.flush()
        self._passwords.close()

    # --- who, in, out ------------------------------------------------------------------------------------

    def who(self, by: Actor) -> WhoTold:
        person = self._roster.people.get(by.person)
        return WhoTold(
            name=by.name,
            role=by.role or "console",
            person=by.person,
            must_change=by.must_change,
            has_pin=person is not None and bool(person.pin),
            set_up=bool(self._roster.people) or not self._roster.is_known,
        )

    async def sign_in(self, by: Actor, held: str, given: SignIn) -> SignInTold:
        tried = Tried(
            given.pin or given.password, given.identifier, given.other, given.person, given.screen, held
        )
        try:
            if given.pin:
                entered = await self.entrance.enter_pin(tried)
            else:
                entered = await self.entrance.sign_in(tried)
        except Several as several:
            which = tuple(_face(p) for p in several.people) if by.bedside else ()
            return SignInTold(several=True, which=which, error=say("sign_in.several"))
        except (Refused, TooSoon, Busy) as error:
            text, wait_s = _reason(error)
            return SignInTold(error=text, wait_s=wait_s)
        return _entered(entered)

    async def sign_out(self, held: str) -> None:
        await self.entrance.sign_out(held)

    def faces(self, screen: str) -> FacesTold:
        return FacesTold(people=tuple(_face(p) for p in self.entrance.at_screen(screen)) if screen else ())

    def setup(self, by: Actor) -> SetUpTold:
        needed = self._roster.is_known and not self._roster.people
        told = self.box.answer() if needed and self.box is not None else ()
        return SetUpTold(needed=needed, code=self._code if needed and by.role is None else "", told=told)

    async def set_up(self, by: Actor, given: SetUp) -> SignInTold:
        async with self._turn:
            if not (by.bedside or by.role is None or self._is_code(given.code)):
                return SignInTold(error=say("setup.code_wrong"))
            box = given.box if self.box is not None else None
            if (
                box is not None
                and self.box is not None
                and (wrong := await asyncio.to_thread(self.box.check, box))
            ):
                return SignInTold(error=wrong)
            try:
                made = await self._accounts.first(given.person, given.password)
            except (Refused, Busy) as error:
                return SignInTold(error=_reason(error)[0])
            self._code = _new_code()
            entered = _entered(await self.entrance.enter(made.person, Tried("", screen=given.screen)))
            if box is None or self.box is None:
                return entered
            with acts(replace(by, name=made.person.full_name, role=made.person.role, person=made.person.id)):
                return entered.model_copy(update={"next": await asyncio.to_thread(self.box.put, box)})

    async def take_first(self, given: Mapping[str, str], role: str, *, hashed: str, code: str) -> None:
        """Somebody whom first settings name: with the hash of a password, or a code that is changed at once. Raises `Refused`, `Busy`."""
        if hashed:
            await self._accounts.add_hashed(given, role, hashed)
        else:
            await self._accounts.add(given, role, code)

    def _is_code(self, given: str) -> bool:
        plain = given.replace("-", "").replace(" ", "").upper()
        if secrets.compare_digest(plain.encode(), self._code.replace("-", "").encode()):
            return True
        self._wrong_codes += 1
        if self._wrong_codes >= CODES:
            self._code, self._wrong_codes = _new_code(), 0
            log.warning("set-up: %d wrong codes; the code is now %s", CODES, self._code)
        return False

    # --- accounts ----------------------------------------------------------------------------------------

    def people(self, find: str, role: str, offset: int, most: int) -> PeopleTold:
        asked = folded(find)
        found = [
            p
            for p in sorted(self._roster.people.values(), key=lambda p: (folded(p.full_name), p.id))
            if (asked in folded(p.full_name) or asked in folded(p.machine_serial_id)) and role in {"", p.role}
        ]
        page = found[offset : offset + most]
        return PeopleTold(people=tuple(self._person_told(p) for p in page), total=len(found))

    async def person(self, by: Actor, act: PersonAct) -> PersonActed:
        async with self._turn:
            try:
                if act.verb == "import":
                    came, refused = await self._accounts.take_in(act.text, act.role or Role.VIEWER)
                    return PersonActed(acted=True, came=came, refused=tuple(_said(line) for line in refused))
                changed = await self._change(by, act)
            except (Refused, Busy) as error:
                return PersonActed(acted=False, error=_reason(error)[0])
        return PersonActed(acted=True, person=changed.person.id, password=changed.password)

    async def _change(self, by: Actor, act: PersonAct) -> Changed:
        accounts = self._accounts
        match act.verb:
            case "add":
                if (act.pin or act.keeps) and by.role is not None:
                    raise Refused("access.refused")
                return await accounts.add(
                    act.values, act.role, act.password, act.id, pin=act.pin, keeps=act.keeps
                )
            case "edit":
                return await accounts.edit(act.person, act.values, act.id)
            case "role":
                return await accounts.set_role(act.person, act.role, act.id)
            case "reset":
                return await accounts.reset(act.person, act.password, act.id)
            case "unlock":
                return await accounts.unlock(act.person, act.id)
            case _:
                return await accounts.set_active(act.person, act.id, active=act.verb == "activate")

    async def account(self, by: Actor, held: str, act: AccountAct) -> PersonActed:
        async with self._turn:
            try:
                if act.verb == "password":
                    await self._accounts.change_password(by, held, act.password, act.new)
                else:
                    await self._accounts.set_pin(by, act.password, act.new)
            except (Refused, TooSoon, Busy) as error:
                text, wait_s = _reason(error)
                return PersonActed(acted=False, error=text, wait_s=wait_s)
        return PersonActed(acted=True, person=by.person)

    def _person_told(self, p: Person) -> PersonTold:
        return PersonTold(
            person=p.id,
            full_name=p.full_name,
            age=p.age,
            gender=p.gender,
            address=p.address,
            phone=p.phone,
            machine_serial_id=p.machine_serial_id,
            role=p.role,
            active=p.active,
            locked=p.locked,
            must_change=p.must_change,
            has_pin=bool(p.pin),
            registered_ms=p.registered_utc_ns // 1_000_000,
        )

    def acted(self, command: Command, subject: str, decided: asyncio.Future[str] | None) -> None:
        """An act on alarms or a screen is in the audit as soon as it is decided; the act itself waits for nothing."""
        utc_ns, is_set = self._utc()
        entry = Entry(
            command.id,
            utc_ns,
            is_set,
            command.actor,
            command.verb,
            command.bed,
            subject,
            dict(command.values),
        )
        if decided is None:
            self.trail.offer(entry)
        else:
            decided.add_done_callback(lambda answer: self.trail.offer(_decided(entry, answer)))

    # --- the audit ---------------------------------------------------------------------------------------

    async def audit(self, query: dict[str, str]) -> AuditTold:
        """Raises sqlite3.Error, OSError."""
        await self.trail.flush()
        number = {name: int(query[name]) for name in ("from", "to", "before", "most") if query.get(name)}
        most = min(max(number.get("most", 50), 1), MOST_TOLD)
        wanted = Filter(
            query.get("actor", ""),
            query.get("act", ""),
            query.get("bed", ""),
            query.get("subject", ""),
            number["from"] * 1_000_000 if "from" in number else None,
            number["to"] * 1_000_000 if "to" in number else None,
        )
        before = number.get("before")
        found = await asyncio.to_thread(
            ask_box, self._path, lambda db: audit.found(db, wanted, before=before, most=most + 1)
        )
        more = found[most - 1][0] if len(found) > most else None
        return AuditTold(rows=tuple(_row(n, entry) for n, entry in found[:most]), before=more)

    async def chain(self) -> ChainTold:
        """Raises sqlite3.Error, OSError."""
        await self.trail.flush()
        broken, rows = await asyncio.to_thread(ask_box, self._path, audit.walked)
        return ChainTold(whole=broken is None, rows=rows, broken_at=broken)

    def note(self, by: Actor, note: Note) -> None:
        utc_ns, is_set = self._utc()
        self.trail.offer(Entry(note.id, utc_ns, is_set, by.name, note.act, note.bed, note.subject, note.body))


def spans_of(said: config.SignIn) -> Spans:
    """How long sign-ins last, as configured."""
    return Spans(said.shift_h * 3600.0, said.idle_min * 60.0, said.bedside_idle_min * 60.0)


def _decided(entry: Entry, answer: asyncio.Future[str]) -> Entry:
    if answer.cancelled():
        return replace(entry, body={**entry.body, "refused": "no answer"})
    refused = str(answer.exception() or answer.result())
    return replace(entry, body={**entry.body, "refused": refused}) if refused else entry


def _new_code() -> str:
    """Eight letters and digits that are not taken for each other: 40 bits."""
    letters = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _entered(entered: Entered) -> SignInTold:
    person = entered.person
    return SignInTold(held=entered.held, name=person.full_name, must_change=person.must_change)


def _face(person: Person) -> Face:
    return Face(
        person=person.id,
        full_name=person.full_name,
        role=person.role,
        machine_serial_id=person.machine_serial_id,
    )


def _reason(error: Refused | TooSoon | Busy) -> tuple[str, float]:
    """In words, and how long to wait."""
    match error:
        case Refused():
            return say(error.key, **error.values), 0.0
        case TooSoon(wait_s=wait_s):
            seconds = int(wait_s) + 1
            return say("sign_in.wait", seconds=str(seconds)), float(seconds)
    return say("sign_in.busy"), 1.0


def _said(line: str) -> str:
    name, _, key = line.partition("\t")
    return f"{name or '?'}: {say(key)}"


def _row(number: int, entry: Entry) -> AuditRow:
    return AuditRow(
        number=number,
        utc_ms=entry.utc_ns // 1_000_000,
        clock="set" if entry.clock_is_set else "unset",
        actor=entry.actor,
        role=entry.by.get("role", ""),
        origin=entry.by.get("origin", ""),
        act=entry.act,
        bed=entry.bed,
        subject=entry.subject,
        body=dict(entry.body),
    )
