"""Who may ask the API: a good token with the scopes that the route needs, at no more than so many requests a second.

Everything under /api/v1 is let in here and nowhere else; a browser's cookie opens nothing here, and a token nothing elsewhere.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.tokens import TokenClient, TokenKnown
from webui.access import MACHINES
from webui.api import problems
from webui.api.routes import CALLER, DIGEST, Route

KNOWN_S: Final = 2.0
"""So long the daemon's word on a token is believed: one that was revoked opens nothing after it."""

MOST_KNOWN: Final = 1000
PER_SECOND, AT_ONCE = 20.0, 60.0
"""Requests of one token: so many a second, and so many together."""

WRONG_PER_SECOND, WRONG_AT_ONCE = 1.0, 20.0
"""Requests of one address with a token that is none."""

log = logging.getLogger(__name__)


class Buckets:
    """A bucket of tickets for each name: filled with `rate` a second, up to `most`. The names longest unheard are forgotten."""

    def __init__(self, rate: float, most: float, clock: Callable[[], float]) -> None:
        self._rate, self._most, self._clock = rate, most, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str) -> float:
        """0 where there is a ticket, which is taken; else how long until there is one."""
        now = self._clock()
        held, at = self._held.pop(name, (self._most, now))
        held = min(self._most, held + (now - at) * self._rate)
        taken = held >= 1.0
        self._held[name] = (held - 1.0 if taken else held, now)
        while len(self._held) > MOST_KNOWN:
            self._held.popitem(last=False)
        return 0.0 if taken else (1.0 - held) / self._rate


class Door:
    """Knows tokens by the daemon's word."""

    def __init__(self, client: TokenClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, TokenKnown]] = OrderedDict()
        self.good = Buckets(PER_SECOND, AT_ONCE, clock)
        self.wrong = Buckets(WRONG_PER_SECOND, WRONG_AT_ONCE, clock)

    async def whose(self, digest: str) -> TokenKnown:
        """Whose token that is. Raises `NotAnswering`."""
        now = self._clock()
        at, known = self._known.get(digest, (0.0, None))
        if known is not None and now - at < KNOWN_S:
            return known
        known = await self._client.check(digest)
        self._known[digest] = (now, known)
        self._known.move_to_end(digest)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return known


DOOR = web.AppKey("api_door", Door)


def said_as_problems() -> Middleware:
    """A middleware, the outermost: what the guards behind it refuse under /api/v1 is a problem too."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if not request.path.startswith(MACHINES):
                raise
            return problems.of_status(error)

    return middleware


def guard(routes: tuple[Route, ...]) -> Middleware:
    """A middleware that lets a machine in where its token is good for the route."""
    table: Mapping[tuple[str, str], Route] = {(route.method, route.address): route for route in routes}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None or not resource.canonical.startswith(MACHINES):
            return await handler(request)
        method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
        route = table.get((method, resource.canonical))
        if route is None:
            log.error("no route of the API: %s %s: refused", method, resource.canonical)
            return problems.response("forbidden")
        refused = await _refused(request, route)
        return refused if refused is not None else await handler(request)

    return middleware


async def _refused(request: web.Request, route: Route) -> web.Response | None:
    """Why not; None: come in."""
    door, address = request.app[DOOR], request.remote or ""
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        return problems.response("no_token", "send Authorization: Bearer TOKEN")
    digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    try:
        known = await door.whose(digest)
    except (NotAnswering, NotPermitted):
        return problems.response("box_silent")
    if not known.known:
        wait_s = door.wrong.wait_s(address)
        return problems.response("too_many", wait_s=wait_s) if wait_s else problems.response("no_token")
    if wait_s := door.good.wait_s(known.id):
        return problems.response("too_many", f"{PER_SECOND:g} a second", wait_s=wait_s)
    if lacking := [scope for scope in route.scopes if scope not in known.scopes]:
        return problems.response("forbidden", f"the token lacks {', '.join(lacking)}")
    request[CALLER], request[DIGEST] = known, digest
    return None
