"""A route of the API: what it needs, what it is asked with, what it answers; and the way from a request to a handler and back.

The one table of them (`webui/api/table.py`) is what is served, what the guard goes by, and what the document is made from.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, ValidationError

from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.tokens import TokenKnown
from daemon.model.scopes import Scope
from webui.api import problems
from webui.api.problems import NotAnswered

BASE: Final = "/api/v1"
LONGEST_PART: Final = 200

CALLER = web.RequestKey("api_caller", TokenKnown)
DIGEST = web.RequestKey("api_digest", str)

log = logging.getLogger(__name__)


class Model(BaseModel):
    """What is answered. A field is never taken away within version 1; new ones may come."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Query(BaseModel):
    """What can be asked with; another parameter is a mistake, and said."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be answered: `parts` of its path, `query` and `body` as the route's models have them."""

    request: web.Request
    caller: TokenKnown
    parts: Mapping[str, str]
    query: Any
    body: Any

    def may(self, scope: Scope) -> bool:
        return scope in self.caller.scopes


@dataclass(frozen=True, slots=True)
class Route:
    """`scopes`: all of them are needed; none = any good token. `answer` None: no JSON (`media` says what)."""

    method: str
    path: str
    scopes: tuple[Scope, ...]
    handler: Callable[[Call], Awaitable[BaseModel | web.StreamResponse]]
    summary: str
    answer: type[BaseModel] | None
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    media: str = "application/json"
    problems: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return BASE + self.path


def install(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Add them."""
    for route in routes:
        if route.method == hdrs.METH_GET:
            app.router.add_get(route.address, _served(route), allow_head=route.media != "websocket")
        else:
            app.router.add_route(route.method, route.address, _served(route))


def _served(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        """The answer, or a problem."""
        try:
            call = await _call(route, request)
            answer = await route.handler(call)
        except NotAnswered as error:
            return problems.of_error(error)
        except NotPermitted:
            return problems.response("forbidden")
        except (NotAnswering, sqlite3.Error, OSError, TimeoutError) as error:
            log.warning("api: %s %s: no answer: %s", request.method, route.path, error)
            return problems.response("box_silent")
        return answer if isinstance(answer, web.StreamResponse) else _answered(request, answer)

    return handler


async def _call(route: Route, request: web.Request) -> Call:
    parts = dict(request.match_info)
    for name, value in parts.items():
        if not _is_text(value) or len(value) > LONGEST_PART:
            raise NotAnswered("not_found", field=name)
    asked: dict[str, str] = {}
    for name, value in request.query.items():
        if name in asked:
            raise NotAnswered("parameters", "given twice", name)
        if not _is_text(name) or not _is_text(value):
            raise NotAnswered("parameters", "no text")
        asked[name] = value
    try:
        query = route.query.model_validate(asked)
        body = route.body.model_validate_json(await request.read()) if route.body else None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise NotAnswered("parameters", str(first["msg"]), field if _is_text(field) else "") from None
    return Call(request, request[CALLER], parts, query, body)


def _is_text(value: str) -> bool:
    """Whether it can be stored and looked for: UTF-8, without control characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return value.isprintable() or value == ""


def _answered(request: web.Request, answer: BaseModel) -> web.Response:
    """JSON with its digest as entity tag; 304 for whoever has it."""
    body = answer.model_dump_json().encode()
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.ETAG: f'"{tag}"'}
    if request.method in {hdrs.METH_GET, hdrs.METH_HEAD}:
        wanted = request.if_none_match or ()
        if any(one.value in {tag, "*"} for one in wanted):
            return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)
