"""Signing in: a full name or machine serial id with a password, or a PIN at a screen where the password was given this shift.

Whoever does not exist, has a wrong password or is locked gets the same answer after the same time. A try that comes too early
is sent away before anything is hashed.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from daemon.model.actor import BEDSIDE, REMOTE, Actor, acting, acts
from daemon.model.permissions import Role
from daemon.model.signals import Nanos
from daemon.people import rows
from daemon.people.attempts import Attempts
from daemon.people.passwords import Busy, Passwords
from daemon.people.person import Person, Refused, folded
from daemon.people.roster import Roster
from daemon.people.rows import Kept
from daemon.people.signings import Signing, Signings, Spans, digest_of
from daemon.people.trail import Trail

LOCKED_AFTER = 10
"""Wrong passwords after which an administrator's or technician's account waits for somebody to unlock it."""

LOCKING = frozenset({Role.ADMIN, Role.TECHNICIAN})
FREE_AT_AN_ADDRESS = 5
PINS = 5
ANSWER_S = 1.0
"""A refusal comes no sooner: how long hashing took does not show."""

_S = 1_000_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """A try to sign in.

    `identifier` is a full name or a machine serial id, `other` the second of the two where several people match, `person` an id
    chosen from a list. `screen` is what the browser holds of its own ("" = nothing), `held` what it holds of a sign-in.
    """

    password: str
    identifier: str = ""
    other: str = ""
    person: str = ""
    screen: str = ""
    held: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """Signed in: what the browser is to hold, and who it is."""

    held: str
    person: Person


class TooSoon(Exception):
    """Not before `wait_s` seconds have passed."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Several(Exception):
    """Several `people` answer to the name: which? Said before any password is looked at."""

    def __init__(self, people: list[Person]) -> None:
        super().__init__(len(people))
        self.people = people


class Entrance:
    """`now` is CLOCK_BOOTTIME."""

    def __init__(
        self,
        roster: Roster,
        passwords: Passwords,
        trail: Trail,
        boot: str,
        now: Callable[[], Nanos],
        spans: Spans | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._roster = roster
        self._passwords = passwords
        self._trail = trail
        self._boot = boot
        self._now = now
        self._spans = spans or Spans()
        self._sleep = sleep
        self.signings = Signings(now, self._spans)
        self._accounts = Attempts(now)
        self._addresses = Attempts(now, FREE_AT_AN_ADDRESS)
        self._pins = Attempts(now, PINS)
        self._enrolled: dict[tuple[str, str], Nanos] = {}

    def restore(self, sign_ins: Iterable[Kept], enrolments: Iterable[Kept]) -> None:
        """What the last process of this boot knew."""
        now_ns = self._now()
        self.signings.restore(
            Signing(one.digest, one.person, one.screen, bool(one.screen), one.began_ns, now_ns)
            for one in sign_ins
        )
        self._enrolled = {(one.person, one.screen): one.began_ns for one in enrolments}

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor:
        """Who acts where a browser holds `held`. Asks neither a file nor a hash. A sign-in at the bed is worth nothing elsewhere."""
        signing = self.signings.find(held, self._roster.role_of, active=active)
        if signing is None or (signing.bedside and not bedside):
            return _nobody(origin, bedside=bedside)
        person = self._roster.people[signing.person]
        return Actor(
            person.full_name, person.role, origin, person.id, bedside=bedside, must_change=person.must_change
        )

    # --- with a password ---------------------------------------------------------------------------------

    async def sign_in(self, tried: Tried) -> Entered:
        """Raises `Refused`, `TooSoon`, `Several`, `Busy`."""
        began_ns = self._now()
        person = self._meant(tried)
        await self.prove(person, tried.password, tried.identifier or tried.person, began_ns)
        assert person is not None
        await self._upgrade(person, tried.password)
        return await self._enter(self._roster.people[person.id], tried, with_password=True)

    async def prove(self, person: Person | None, password: str, asked_as: str, began_ns: Nanos) -> None:
        """Whether it is the person's password. Raises `Refused`, `TooSoon`, `Busy`."""
        by = acting()
        at_bed = by is not None and by.bedside
        account = f"{'bed' if at_bed else 'elsewhere'} {person.id if person else folded(asked_as)}"
        address = by.origin if by else ""
        if wait_s := max(self._accounts.wait_s(account), self._addresses.wait_s(address)):
            raise TooSoon(wait_s)
        times = self._accounts.begun(account)
        self._addresses.begun(address)
        trusted = person if person is not None and person.active and not person.locked else None
        try:
            right = await self._passwords.verify(trusted.password if trusted else "", password)
        except Busy:
            self._accounts.withdrawn(account)
            self._addresses.withdrawn(address)
            raise
        if right and trusted is not None and trusted.password:
            self._accounts.succeeded(account)
            self._addresses.succeeded(address)
            return
        self._trail.offer(self._roster.entry("sign_in_failed", person, {"times": times}))
        if trusted is not None and trusted.role in LOCKING and times >= LOCKED_AFTER:
            await self._lock(trusted)
        await self._sleep(max(0.0, ANSWER_S - (self._now() - began_ns) / _S))
        raise Refused("sign_in.wrong")

    def _meant(self, tried: Tried) -> Person | None:
        """Who is meant; raises `Several`."""
        if tried.person:
            return self._roster.people.get(tried.person)
        found = [p for p in self._roster.active() if p.answers_to(tried.identifier)]
        if tried.other:
            found = [p for p in found if p.answers_to(tried.other)]
        if len(found) > 1:
            raise Several(found)
        return found[0] if found else None

    async def _upgrade(self, person: Person, password: str) -> None:
        """A hash of an old kind is made anew, now that the password is known."""
        if not self._passwords.outdated(person.password):
            return
        try:
            anew = replace(self._roster.people[person.id], password=await self._passwords.hash(password))
        except Busy:
            return
        self._roster.people[person.id] = anew
        await self._roster.try_to(lambda db: rows.put(db, anew))
        log.info("people: the password of %s is kept as argon2id now", person.id)

    async def _lock(self, person: Person) -> None:
        locked = replace(self._roster.people[person.id], locked=True)
        self._roster.people[person.id] = locked
        self.signings.end_all(person.id)
        self._trail.offer(self._roster.entry("account_locked", person, {}))
        await self._roster.try_to(lambda db: rows.put(db, locked))

    # --- with a PIN --------------------------------------------------------------------------------------

    def at_screen(self, screen: str) -> list[Person]:
        """Who may enter a PIN at a screen now, by name."""
        return [p for p in self._roster.active() if self._may_enter_pin(p, digest_of(screen))]

    async def enter_pin(self, tried: Tried) -> Entered:
        """Raises `Refused`, `Busy`. After five wrong ones the password is needed."""
        by, screen = acting(), digest_of(tried.screen)
        person = self._roster.people.get(tried.person)
        if by is None or not by.bedside or person is None or not self._may_enter_pin(person, screen):
            raise Refused("pin.password_needed")
        key = f"{person.id} {screen}"
        times = self._pins.begun(key)
        if times <= PINS and await self._passwords.verify(person.pin, tried.password):
            self._pins.succeeded(key)
            return await self._enter(person, tried, with_password=False)
        self._trail.offer(self._roster.entry("pin_failed", person, {"times": times}))
        if times >= PINS:
            self._enrolled.pop((person.id, screen), None)
            self._pins.succeeded(key)
            await self._roster.try_to(lambda db: rows.drop_enrolment(db, person.id, screen))
            raise Refused("pin.password_needed")
        raise Refused("pin.wrong", left=str(PINS - times))

    def _may_enter_pin(self, person: Person, screen: str) -> bool:
        since = self._enrolled.get((person.id, screen))
        fits = self._roster.role_of(person.id) is not None and bool(person.pin) and not person.must_change
        return fits and since is not None and (self._now() - since) / _S < self._spans.whole_s

    # --- in and out --------------------------------------------------------------------------------------

    async def enter(self, person: Person, tried: Tried) -> Entered:
        """Who has just been made is signed in without being asked again."""
        return await self._enter(person, tried, with_password=True)

    async def _enter(self, person: Person, tried: Tried, *, with_password: bool) -> Entered:
        by = acting()
        bedside = by is not None and by.bedside
        if tried.held:
            await self.sign_out(tried.held, quiet=True)
        screen = digest_of(tried.screen) if tried.screen and bedside else ""
        held, signing = self.signings.begin(person.id, screen, bedside=bedside)
        with acts(replace(by, name=person.full_name, role=person.role, person=person.id) if by else _box()):
            self._trail.offer(
                self._roster.entry("sign_in", person, {"with": "password" if with_password else "PIN"})
            )
        kept = Kept(person.id, screen, signing.began_ns, signing.digest)
        enrols = with_password and bool(screen)
        if enrols:
            self._enrolled[person.id, screen] = signing.began_ns

        def write(db: sqlite3.Connection) -> None:
            rows.keep_sign_in(db, self._boot, kept)
            if enrols:
                rows.enrol(db, self._boot, kept)

        await self._roster.try_to(write)
        return Entered(held, person)

    async def sign_out(self, held: str, *, quiet: bool = False) -> None:
        """What the browser holds is worth nothing any more."""
        signing = self.signings.end(held)
        if signing is None:
            return
        if not quiet:
            self._trail.offer(self._roster.entry("sign_out", self._roster.people.get(signing.person), {}))
        await self._roster.try_to(lambda db: rows.drop_sign_in(db, signing.digest))

    def forget(self, person: str, but: str = "") -> None:
        """Signed out everywhere but for one sign-in, and no PIN counts anywhere any more."""
        self.signings.end_all(person, but)
        for key in [key for key in self._enrolled if key[0] == person]:
            del self._enrolled[key]

    def forgive(self, person: str) -> None:
        """Wrong passwords so far count no more."""
        for where in ("bed", "elsewhere"):
            self._accounts.succeeded(f"{where} {person}")


def _nobody(origin: str, *, bedside: bool) -> Actor:
    return Actor(
        BEDSIDE if bedside else REMOTE, Role.SCREEN if bedside else Role.NOBODY, origin, bedside=bedside
    )


def _box() -> Actor:
    return Actor("box", None, "box")
