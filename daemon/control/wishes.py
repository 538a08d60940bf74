"""What clouds wish for devices, over the control socket: the forwarder hands wishes in, a person at the bed decides.

`POST /wishes` takes a `Wished` and answers a `WishTold`: what has become of it so far; the same wish again changes nothing and
answers anew. `GET /proposals?bed=` answers a `ProposalsTold`, `POST /proposals` takes a `ProposalAct` and answers a
`ProposalActed`; an act that is sent again under the same id acts once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.client import NotAnswering

ACTS_REMEMBERED = 1000

ANSWER_WITHIN_S = 15.0
"""A device may take some seconds to do what was accepted."""

T = TypeVar("T", bound=BaseModel)


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wished(_Message):
    """What a cloud (`origin`: the destination's name) wishes of a device; `wish` is the document as it came."""

    origin: str = Field(min_length=1, max_length=100)
    device: str = Field(min_length=1, max_length=100)
    service: Literal["cpap", "oxygen"]
    version: int = Field(ge=0)
    wish: dict[str, Any]


class WishTold(_Message):
    """What the cloud is told: see `ConfigReport` (daemon/contracts/rest/v1.py). Names are the roadmap's."""

    version: int
    hash: str
    config: dict[str, Any] = Field(default_factory=dict)
    pending: dict[str, str] = Field(default_factory=dict)
    refused: dict[str, str] = Field(default_factory=dict)


class ProposalTold(_Message):
    """A setting that a cloud wishes. `present`: how it is now, null = not known. Times are UTC in milliseconds, 0 = never.

    `name` is a word key ("setting." + name). Only one whose `state` is "proposed" can be accepted or refused.
    """

    id: int
    bed: str
    device: str
    origin: str
    name: str
    value: float | bool | str
    present: float | bool | str | None
    state: Literal["staged", "proposed", "accepted", "applied", "refused", "rejected"]
    reason: str
    wished_ms: int
    decided_ms: int
    decided_by: str


class ProposalsTold(_Message):
    """Of the devices at a bed, oldest first."""

    proposals: tuple[ProposalTold, ...] = ()


class ProposalAct(_Message):
    """A person at the bed agrees to a proposal, or does not. `actor` is who, `screen` where."""

    id: str = Field(min_length=8, max_length=64)
    bed: str
    proposal: int
    verb: Literal["accept", "refuse"]
    actor: str = Field("", max_length=100)
    screen: str = Field("", max_length=100)


class ProposalActed(_Message):
    """Done (`acted`), or not, with the reason in words; `state` is the proposal's now."""

    id: str
    acted: bool
    error: str = ""
    state: str = ""


class Wishes(Protocol):
    """What the routes ask of the daemon (daemon/wishes.py)."""

    async def hear(self, wished: Wished) -> WishTold: ...

    async def proposals(self, bed: str) -> ProposalsTold: ...

    async def act(self, act: ProposalAct) -> ProposalActed: ...


class WishRoutes:
    """The routes, for `Server`."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._done: OrderedDict[str, asyncio.Task[ProposalActed]] = OrderedDict()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/wishes", self._hear)
        app.router.add_get("/proposals", self._list)
        app.router.add_post("/proposals", self._act)

    async def _hear(self, request: web.Request) -> web.Response:
        try:
            wished = Wished.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return await _answer(self._wishes.hear(wished))

    async def _list(self, request: web.Request) -> web.Response:
        return await _answer(self._wishes.proposals(request.query.get("bed", "")))

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = ProposalAct.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            refused = ProposalActed(id="", acted=False, error=f"{where}: {first['msg']}")
            return web.json_response(text=refused.model_dump_json(), status=400)
        if act.id not in self._done:
            self._done[act.id] = asyncio.create_task(self._wishes.act(act), name=f"control: {act.verb}")
            while len(self._done) > ACTS_REMEMBERED:
                self._done.popitem(last=False)
        return await _answer(asyncio.shield(self._done[act.id]))


async def _answer(answer: Awaitable[BaseModel]) -> web.Response:
    try:
        return web.json_response(text=(await answer).model_dump_json())
    except (sqlite3.Error, OSError) as error:
        raise web.HTTPServiceUnavailable(text=f"the disk does not answer: {error}") from None


class WishClient:
    """The other end, as an asynchronous context manager. Everything raises `NotAnswering` where the daemon does not."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(path=str(self._socket))
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        self._session = aiohttp.ClientSession("http://vitald", connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def hear(self, wished: Wished) -> WishTold:
        """Hand a wish in; what has become of it."""
        return await self._ask("POST", "/wishes", WishTold, wished.model_dump_json(), {})

    async def proposals(self, bed: str) -> ProposalsTold:
        """What is wished of the devices at a bed."""
        return await self._ask("GET", "/proposals", ProposalsTold, None, {"bed": bed})

    async def act(self, act: ProposalAct) -> ProposalActed:
        """Accept or refuse a proposal."""
        return await self._ask("POST", "/proposals", ProposalActed, act.model_dump_json(), {})

    async def _ask(self, method: str, path: str, kind: type[T], body: str | None, query: dict[str, str]) -> T:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            async with self._session.request(
                method, path, data=body, headers=headers, params=query
            ) as response:
                if response.status != 200:
                    raise NotAnswering(await response.text())
                return kind.model_validate_json(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise NotAnswering("the daemon's answer is of another version") from error
