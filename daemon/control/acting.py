"""Whose act a request on the control socket is. One function says so (`Acting.actor_of_headers` by way of `middleware`).

The web process sends with every request what the browser holds of a sign-in and where it is; the daemon alone knows whose that is.
A request without these headers comes from a program on the box: the command line, "console (user)", by the socket's own word on
who is at the other end. The web's own account is never that.
"""

from __future__ import annotations

import json
import pwd
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from daemon.model.actor import BEDSIDE, REMOTE, Actor, acts
from daemon.model.permissions import VERBS, May, Role
from daemon.words import say

HELD, FROM, AT_BED, ACTIVE = "X-Vitald-Held", "X-Vitald-From", "X-Vitald-Bedside", "X-Vitald-Active"
WEB_USER = "vitald-web"
_PEER = struct.Struct("3i")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Browser:
    """What the web process says of the browser that it serves.

    What it `held` of a sign-in, its address, whether it is the bed's own screen, and whether somebody does something (and does not
    only look).
    """

    held: str
    origin: str
    bedside: bool
    active: bool = False

    def headers(self) -> dict[str, str]:
        """For a request to the daemon."""
        said = {HELD: self.held, FROM: self.origin[:_LONGEST]}
        return said | ({AT_BED: "1"} if self.bedside else {}) | ({ACTIVE: "1"} if self.active else {})


_SERVED: ContextVar[Browser | None] = ContextVar("served", default=None)


@contextmanager
def serves(browser: Browser) -> Iterator[None]:
    """Within it, and in the tasks started there, every request to the daemon is in the name of `browser`."""
    token = _SERVED.set(browser)
    try:
        yield
    finally:
        _SERVED.reset(token)


def headers() -> dict[str, str]:
    """Headers of a request to the daemon: in whose name it is; none where this process acts for itself."""
    browser = _SERVED.get()
    return {} if browser is None else browser.headers()


class Known(Protocol):
    """Who is signed in (daemon/people/entrance.py). Answers at once."""

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor: ...


class NobodyKnown:
    """Where there are no people: screens only."""

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor:  # noqa: ARG002 - as `Known`
        name, role = (BEDSIDE, Role.SCREEN) if bedside else (REMOTE, Role.NOBODY)
        return Actor(name, role, origin, bedside=bedside)


_ACTOR = web.RequestKey("actor", Actor)
_HELD = web.RequestKey("held", str)


def middleware(known: Known, user_of: Callable[[web.Request], str] | None = None) -> Middleware:
    """Says of every request who acts."""
    user = user_of or unix_user

    @web.middleware
    async def said(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers
        if FROM in given:
            held = given.get(HELD, "")
            actor = known.actor(held, given[FROM], bedside=AT_BED in given, active=ACTIVE in given)
            request[_HELD] = held
        elif (name := user(request)) == WEB_USER:
            actor = Actor(REMOTE, Role.NOBODY, "web process")
        else:
            actor = console(name)
        request[_ACTOR] = actor
        with acts(actor):
            return await handler(request)

    return said


def console(user: str) -> Actor:
    """Whoever uses the command line on the box, by the name of the unix account."""
    name = f"console ({user})"
    return Actor(name, None, name)


def actor_of(request: web.Request) -> Actor:
    """Who acts."""
    return request[_ACTOR]


def held_by(request: web.Request) -> str:
    """What the browser holds of a sign-in, "" = nothing."""
    held: str = request.get(_HELD, "")
    return held


def permitted(request: web.Request, what: May) -> Actor:
    """Who acts, where that is permitted. Raises 403 with the reason in words."""
    actor = actor_of(request)
    if not actor.may(what):
        raise refusal()
    return actor


def permitted_verb(request: web.Request, verb: str) -> Actor:
    """The same for a verb of model/permissions.py: VERBS."""
    if verb not in VERBS:
        raise refusal()
    return permitted(request, VERBS[verb])


def refusal() -> web.HTTPForbidden:
    """403, as the pages expect it."""
    return web.HTTPForbidden(
        text=json.dumps({"error": say("access.refused")}), content_type="application/json"
    )


def unix_user(request: web.Request) -> str:
    """Whose process is at the other end of the Unix socket."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None or peer.family != socket.AF_UNIX:
        return WEB_USER
    _, uid, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
