"""Who is at the other end of a request, and what a browser holds so that it can be told.

A browser holds 256 random bits; the daemon alone knows whose sign-in they are, and is asked anew after two seconds.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from daemon.config import Config
from daemon.control.acting import Browser, serves
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.people import PeopleClient, WhoTold
from daemon.model.actor import BEDSIDE, REMOTE, Actor
from daemon.model.permissions import May, Role, may
from daemon.words import say

KNOWN_S = 2.0
"""So long an answer of the daemon is believed: who has signed out, or been signed out, has no rights after it."""

ANSWERED_WITHIN_S = 2.0
MOST_KNOWN = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who acts: `name` "" and `person` "" where nobody has signed in; `bedside`: at the box's own screen.

    `known` False: the daemon did not say whose the browser's sign-in is.
    """

    name: str
    role: Role
    person: str = ""
    bedside: bool = False
    must_change: bool = False
    has_pin: bool = False
    known: bool = True
    origin: str = ""

    @property
    def by(self) -> dict[str, str]:
        """Role, origin and person, as the audit has them beside the name."""
        return Actor(self.actor, self.role, self.origin, self.person).by

    @property
    def actor(self) -> str:
        """A name for a log: the person's, or the screen's."""
        return self.name or (BEDSIDE if self.bedside else REMOTE)

    @property
    def initials(self) -> str:
        """For narrow screens."""
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

    def may(self, what: May | str) -> bool:
        """Whether it is permitted. Who must change a password first may do what a browser may with nobody signed in."""
        role = Role.NOBODY if self.must_change else self.role
        return may(role, May(what), at_bedside=self.bedside)


SIGNED_IN = web.RequestKey("signed_in", SignedIn)
_PEOPLE = web.AppKey("people", PeopleClient)


def who(request: web.Request) -> SignedIn:
    """Who acts, as the guard has found."""
    return request[SIGNED_IN]


def asked_of(app: web.Application) -> Asked:
    """Who says whose a sign-in is."""
    return app[_ASKED]


def people_of(request: web.Request) -> PeopleClient:
    """The way to the daemon's people, in the name of this browser."""
    return request.app[_PEOPLE]


def install(app: web.Application, config: Config) -> None:
    """Give the application its way to the daemon's people."""

    async def client(app: web.Application) -> AsyncIterator[None]:
        async with PeopleClient(config.box.socket) as people:
            app[_PEOPLE] = people
            app[_ASKED] = Asked(people)
            yield

    app.cleanup_ctx.append(client)


class Asked:
    """Asks the daemon who somebody is, and remembers it for two seconds."""

    def __init__(self, people: PeopleClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._people = people
        self._clock = clock
        self._known: OrderedDict[Browser, tuple[float, WhoTold]] = OrderedDict()

    async def signed_in(self, browser: Browser) -> SignedIn:
        """Who it is. A browser that holds nothing is nobody, without a question."""
        if not browser.held:
            return _nobody(browser)
        told = await self._told(browser)
        if told is None:
            return _nobody(browser, known=False)
        role = Role(told.role)
        if not told.person:
            return _nobody(browser)
        return SignedIn(
            told.name,
            role,
            told.person,
            browser.bedside,
            must_change=told.must_change,
            has_pin=told.has_pin,
            origin=browser.origin,
        )

    def forget(self, held: str) -> None:
        """A browser has signed in or out."""
        for browser in [b for b in self._known if b.held == held]:
            del self._known[browser]

    async def _told(self, browser: Browser) -> WhoTold | None:
        now = self._clock()
        asked_at, told = self._known.get(browser, (0.0, None))
        if told is not None and now - asked_at < KNOWN_S:
            return told
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                with serves(browser):
                    told = await self._people.who()
        except (NotAnswering, NotPermitted, TimeoutError) as error:
            log.debug("who is it: the box does not answer: %s", error)
            return None
        self._known[browser] = (now, told)
        self._known.move_to_end(browser)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return told


_ASKED = web.AppKey("asked", Asked)


def browser_of(request: web.Request) -> Browser:
    """What is known of the browser without asking anybody."""
    acts = request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}
    opens = not acts and not request.path.startswith(("/api/", "/live"))
    origin = request.remote or ""
    return Browser(held(request), origin, at_bedside(origin), active=acts or opens)


def at_bedside(address: str) -> bool:
    """Whether a browser runs on the box itself: its own screen."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


# --- what a browser holds ------------------------------------------------------------------------------------


def _named(request: web.Request, name: str) -> str:
    """Under TLS a cookie's name itself forbids that another host or page has set it."""
    return f"__Host-{name}" if request.secure else name


def held(request: web.Request) -> str:
    """What the browser holds of a sign-in."""
    return request.cookies.get(_named(request, "vitald"), "")[:100]


def screen_held(request: web.Request) -> str:
    """What the browser holds of its own, as a screen at which PINs may count."""
    return request.cookies.get(_named(request, "vitald-screen"), "")[:100]


def hold(request: web.Request, response: web.Response, secret: str, screen: str) -> None:
    """Give the browser its sign-in to hold, and the screen its own."""
    for name, value in (("vitald", secret), ("vitald-screen", screen)):
        if value:
            response.set_cookie(
                _named(request, name),
                value,
                path="/",
                httponly=True,
                secure=request.secure,
                samesite="Strict",
            )
    request.app[_ASKED].forget(held(request))


def let_go(request: web.Request, response: web.Response) -> None:
    """The browser holds no sign-in any more."""
    response.del_cookie(
        _named(request, "vitald"), path="/", httponly=True, secure=request.secure, samesite="Strict"
    )
    request.app[_ASKED].forget(held(request))


def refused(request: web.Request) -> web.Response:
    """An act or a question that is not permitted, in JSON: 401 where somebody could sign in, else 403."""
    signed = who(request)
    if signed.person and not signed.must_change:
        return web.json_response({"error": say("access.refused")}, status=403)
    return web.json_response({"error": say("access.sign_in_first")}, status=401)


def _nobody(browser: Browser, *, known: bool = True) -> SignedIn:
    role = Role.SCREEN if browser.bedside else Role.NOBODY
    return SignedIn("", role, bedside=browser.bedside, known=known)
