"""Machines' tokens over the control socket.

`GET /tokens` answers a `TokensTold`, `POST /tokens` takes a `TokenAct` and answers a `TokenActed`; both are an administrator's.
`POST /tokens/check` takes a `TokenCheck` of the web process and answers a `TokenKnown`.
"""

from __future__ import annotations

from typing import Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import permitted
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk
from daemon.model.actor import Actor
from daemon.model.permissions import May
from daemon.model.scopes import Scope

MOST_DAYS = 3660


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenTold(_Message):
    """A token, without what it is. Times are UTC in ms, null = never. `state` "expired" is judged by the clock of now."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    state: Literal["good", "expired", "revoked"]
    made_ms: int
    made_by: str
    expires_ms: int | None
    used_ms: int | None
    revoked_ms: int | None
    revoked_by: str


class TokensTold(_Message):
    """A page of all that ever were, newest first; `total` of those that fit."""

    tokens: tuple[TokenTold, ...] = ()
    total: int = 0


class TokenAct(_Message):
    """Make a token (`name`, `scopes`, `days` of life, 0 = for ever), or revoke `token` (its id)."""

    id: str = Field(min_length=8, max_length=64)
    verb: Literal["create", "revoke"]
    token: str = Field("", max_length=64)
    name: str = Field("", max_length=100)
    scopes: tuple[Scope, ...] = ()
    days: int = Field(0, ge=0, le=MOST_DAYS)


class TokenActed(_Message):
    """Done, or not with the reason in words. `secret`: the new token, told this once and kept nowhere."""

    acted: bool
    error: str = ""
    token: str = ""
    secret: str = Field("", repr=False)


class TokenCheck(_Message):
    """The SHA-256, in hex, of what a machine has shown."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)


class TokenKnown(_Message):
    """Whose it is and what it is good for; not `known`: it is none of ours, or over."""

    known: bool
    id: str = ""
    name: str = ""
    scopes: tuple[Scope, ...] = ()


class Tokens(Protocol):
    """What the routes ask of the daemon (daemon/tokens.py)."""

    async def told(self, find: str, state: str, offset: int, most: int) -> TokensTold: ...

    async def act(self, by: Actor, act: TokenAct) -> TokenActed: ...

    async def check(self, digest: str) -> TokenKnown: ...


class TokenRoutes:
    """The routes, for `Server`."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._once: ActsOnce[TokenActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/tokens", self._list)
        app.router.add_post("/tokens", self._act)
        app.router.add_post("/tokens/check", self._check)

    async def _list(self, request: web.Request) -> web.Response:
        permitted(request, May.MANAGE_PEOPLE)
        asked = request.query
        try:
            offset, most = int(asked.get("offset", "0")), int(asked.get("most", "100"))
        except ValueError:
            raise web.HTTPBadRequest from None
        answer = self._tokens.told(
            asked.get("find", ""), asked.get("state", ""), offset, min(max(most, 1), 200)
        )
        return await told_from_disk(answer)

    async def _act(self, request: web.Request) -> web.Response:
        by = permitted(request, May.MANAGE_PEOPLE)
        try:
            act = TokenAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(TokenActed(acted=False, error=first_fault(error)), 400)
        return await told_from_disk(self._once.answer(act.id, act.verb, lambda: self._tokens.act(by, act)))

    async def _check(self, request: web.Request) -> web.Response:
        try:
            asked = TokenCheck.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return await told_from_disk(self._tokens.check(asked.digest))


class TokenClient(SocketClient):
    """The other end (control/asking.py)."""

    async def tokens(
        self, find: str = "", state: str = "", *, offset: int = 0, most: int = 100
    ) -> TokensTold:
        """A page of those whose name holds `find`, of a state or of all."""
        query = {"find": find, "state": state, "offset": str(offset), "most": str(most)}
        return await self._ask("GET", "/tokens", TokensTold, query=query)

    async def act(self, act: TokenAct) -> TokenActed:
        """Make or revoke a token."""
        return await self._ask("POST", "/tokens", TokenActed, act)

    async def check(self, digest: str) -> TokenKnown:
        """Whose a token is."""
        return await self._ask("POST", "/tokens/check", TokenKnown, TokenCheck(digest=digest))
