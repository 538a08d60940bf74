"""A request on its way: who makes it, its body by its contract, one transaction, one answer for one key."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.contracts.envelope import compact
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import Fault
from tests.cloud.database import Connection
from tests.cloud.ingest import Way
from tests.cloud.state import STATE, State
from tests.cloud.tokens import BadToken

_Model = TypeVar("_Model", bound=BaseModel)
CODINGS = {"", "identity", "gzip", "deflate"}


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, error: str, field: str | None = None, key: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.fault = Fault(error=error, field=field, key=key)


@dataclass
class Call:
    """`user_id` "" where nobody had to sign in; `data` is the body as it came, decompressed."""

    request: web.Request
    state: State
    db: Connection
    user_id: str
    data: bytes
    afterwards: list[Coroutine[Any, Any, None]] = field(default_factory=list)  # once it is committed
    replied: Mapping[str, Any] | None = None  # what was said under this key before

    @property
    def way(self) -> Way:
        return Way(self.user_id, "rest")

    @property
    def key(self) -> str:
        """What makes this request's data the same data again; "" = nothing does."""
        return self.request.headers.get("Idempotency-Key", "")

    def part(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def body(self, model: type[_Model]) -> _Model:
        """The JSON body. Raises `Refused` 400 for what is no JSON, `BadMessage` for what is not by the contract."""
        return parsed(model, self.data)


def parsed(model: type[_Model], data: bytes) -> _Model:
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except ValueError as error:
        raise Refused(400, f"not JSON: {error}") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise BadMessage.of(error) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


Handler = Callable[[Call], Awaitable[BaseModel]]


def route(app: web.Application, method: str, path: str, handler: Handler, *, opened: bool = False) -> None:
    """Serve `path`. `opened`: nobody needs to be signed in."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await _served(request, handler, opened=opened)
        except Refused as refused:
            return _refusal(refused)
        except BadMessage as bad:
            return _refusal(Refused(422, str(bad), bad.field))
        except BadToken as bad:
            return _refusal(Refused(401, str(bad)))
        except web.HTTPRequestEntityTooLarge:
            return _refusal(Refused(413, "too large"))

    app.router.add_route(method, path, serve)


async def _served(request: web.Request, handler: Handler, *, opened: bool) -> web.StreamResponse:
    state = request.app[STATE]
    user_id = "" if opened else _user(request, state)
    coding = request.headers.get("Content-Encoding", "").lower()
    if coding not in CODINGS:
        raise Refused(415, f"coding {coding} is not taken")
    data = b"" if request.content_type.startswith("multipart/") else await request.read()
    async with state.pool.acquire() as db:
        call = Call(request, state, db, user_id, data)
        async with db.transaction():
            if request.method == "POST" and call.key and state.idempotent:
                answer = await _once(call, handler)
            else:
                answer = await _answered(call, handler)
    for after in call.afterwards:
        await after
    return answer


async def _answered(call: Call, handler: Handler) -> web.StreamResponse:
    reply = await handler(call)
    if call.request.method != "GET":
        return web.json_response(reply.model_dump(by_alias=True, exclude_none=True))
    text = compact(reply.model_dump(by_alias=True))
    etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    if call.request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.Response(body=text, content_type="application/json", headers={"ETag": etag})


async def _once(call: Call, handler: Handler) -> web.StreamResponse:
    """Carry it out, or answer as before. One at a time for one key; answer and data are committed together."""
    owner = call.user_id or "-"
    await call.db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{owner} {call.key}")
    known = await call.db.fetchrow(
        "SELECT digest, reply FROM requests WHERE user_id = $1 AND key = $2", owner, call.key
    )
    digest = hashlib.sha256(call.request.path.encode() + b"\n" + call.data).digest()
    if known is not None:
        if known["digest"] == digest:
            return web.json_response(known["reply"], headers={"Idempotency-Replayed": "true"})
        if not call.request.path.endswith("/sessions/start"):
            raise Refused(422, "the key was used for another request", "Idempotency-Key", call.key)
        # A session is started once, whoever starts it first; who comes second may know more of it.
        call.replied = known["reply"]
        return web.json_response((await handler(call)).model_dump(), headers={"Idempotency-Replayed": "true"})
    reply = await handler(call)
    told = reply.model_dump(by_alias=True, exclude_none=True)
    await call.db.execute(
        "INSERT INTO requests (user_id, key, digest, reply) VALUES ($1, $2, $3, $4)",
        owner,
        call.key,
        digest,
        told,
    )
    return web.json_response(told)


def _user(request: web.Request, state: State) -> str:
    """Who makes the request. Raises `BadToken`, `Refused` 401."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind == "Bearer":
        return state.tokens.read(token.strip(), time.time())
    key = request.headers.get("X-API-Key", "")
    if key and key in state.api_keys:
        return state.api_keys[key]
    raise Refused(401, "neither a token nor a key" if not key else "the key is not ours")


def _refusal(refused: Refused) -> web.Response:
    return web.json_response(refused.fault.model_dump(exclude_none=True), status=refused.status)
