"""The daemon's side of people.py: the routes, who may ask which, and what is asked of the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.acting import actor_of, held_by, permitted, refusal
from daemon.control.asking import ActsOnce, first_fault, told, told_from_disk
from daemon.control.people import (
    MOST_TOLD,
    AccountAct,
    AuditTold,
    ChainTold,
    FacesTold,
    Note,
    PeopleTold,
    PersonAct,
    PersonActed,
    SetUp,
    SetUpTold,
    SignIn,
    SignInTold,
    WhoTold,
)
from daemon.model.actor import Actor
from daemon.model.permissions import May

M = TypeVar("M", bound=BaseModel)


class Desk(Protocol):
    """What the routes ask of the daemon (daemon/signing.py). `held` is what the browser holds of a sign-in."""

    def who(self, by: Actor) -> WhoTold: ...

    async def sign_in(self, by: Actor, held: str, given: SignIn) -> SignInTold: ...

    async def sign_out(self, held: str) -> None: ...

    def faces(self, screen: str) -> FacesTold: ...

    def setup(self, by: Actor) -> SetUpTold: ...

    async def set_up(self, by: Actor, given: SetUp) -> SignInTold: ...

    def people(self, find: str, role: str, offset: int, most: int) -> PeopleTold: ...

    async def person(self, by: Actor, act: PersonAct) -> PersonActed: ...

    async def account(self, by: Actor, held: str, act: AccountAct) -> PersonActed: ...

    async def audit(self, query: dict[str, str]) -> AuditTold: ...

    async def chain(self) -> ChainTold: ...

    def note(self, by: Actor, note: Note) -> None: ...


class PeopleRoutes:
    """The routes, for `Server`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._once: ActsOnce[PersonActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/who", self._who)
        app.router.add_post("/sign-in", self._sign_in)
        app.router.add_post("/sign-out", self._sign_out)
        app.router.add_post("/sign-in/people", self._faces)
        app.router.add_get("/setup", self._setup)
        app.router.add_post("/setup", self._set_up)
        app.router.add_get("/people", self._people)
        app.router.add_post("/people", self._person)
        app.router.add_post("/account", self._account)
        app.router.add_get("/audit", self._audit)
        app.router.add_post("/audit", self._note)
        app.router.add_get("/audit/chain", self._chain)

    async def _who(self, request: web.Request) -> web.Response:
        return told(self._desk.who(actor_of(request)))

    async def _sign_in(self, request: web.Request) -> web.Response:
        by, held = actor_of(request), held_by(request)
        return await _done(request, SignIn, lambda given: self._desk.sign_in(by, held, given))

    async def _sign_out(self, request: web.Request) -> web.Response:
        await self._desk.sign_out(held_by(request))
        return told(PersonActed(acted=True))

    async def _faces(self, request: web.Request) -> web.Response:
        given = await _given(request, SignIn)
        return told(self._desk.faces(given.screen) if actor_of(request).bedside else FacesTold())

    async def _setup(self, request: web.Request) -> web.Response:
        return told(self._desk.setup(actor_of(request)))

    async def _set_up(self, request: web.Request) -> web.Response:
        by = actor_of(request)
        return await _done(request, SetUp, lambda given: self._desk.set_up(by, given))

    async def _people(self, request: web.Request) -> web.Response:
        permitted(request, May.MANAGE_PEOPLE)
        asked = request.query
        offset = _number(asked.get("offset", "0"), 0, 1_000_000)
        most = _number(asked.get("most", "50"), 1, MOST_TOLD)
        return told(self._desk.people(asked.get("find", ""), asked.get("role", ""), offset, most))

    async def _person(self, request: web.Request) -> web.Response:
        by = permitted(request, May.MANAGE_PEOPLE)
        return await _done(
            request,
            PersonAct,
            lambda act: self._once.answer(act.id, act.verb, lambda: self._desk.person(by, act)),
        )

    async def _account(self, request: web.Request) -> web.Response:
        by, held = actor_of(request), held_by(request)
        if not by.person:
            raise refusal()
        return await _done(request, AccountAct, lambda act: self._desk.account(by, held, act))

    async def _audit(self, request: web.Request) -> web.Response:
        permitted(request, May.MANAGE_PEOPLE)
        query = dict(request.query)
        for name in ("from", "to", "before", "most"):
            if name in query:
                _number(query[name], 0, 2**53)
        return await told_from_disk(self._desk.audit(query))

    async def _chain(self, request: web.Request) -> web.Response:
        permitted(request, May.MANAGE_PEOPLE)
        return await told_from_disk(self._desk.chain())

    async def _note(self, request: web.Request) -> web.Response:
        by = actor_of(request)
        if not by.person and by.role is not None and not by.bedside:
            raise refusal()
        self._desk.note(by, await _given(request, Note))
        return told(PersonActed(acted=True))


async def _given(request: web.Request, kind: type[M]) -> M:
    """What was sent; 400 for what is none. What it held is not told: there may be a password in it."""
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=first_fault(error)) from None


async def _done(
    request: web.Request, kind: type[M], act: Callable[[M], Awaitable[BaseModel]]
) -> web.Response:
    return await told_from_disk(act(await _given(request, kind)))


def _number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise web.HTTPBadRequest(text=f"a number from {least} to {most}")
    return int(text)
