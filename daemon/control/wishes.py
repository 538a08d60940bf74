"""What clouds wish for devices, over the control socket: the forwarder hands wishes in, a person at the bed decides.

`POST /wishes` takes a `Wished` and answers a `WishTold`: what has become of it so far; the same wish again changes nothing and
answers anew. `GET /proposals?bed=` answers a `ProposalsTold`, `POST /proposals` takes a `ProposalAct` and answers a
`ProposalActed`; an act that is sent again under the same id acts once.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import permitted_verb
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk


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
    """A person at the bed agrees to a proposal, or does not. `actor` is who (the daemon says so, whatever was sent), `screen` where."""

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
        self._once: ActsOnce[ProposalActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/wishes", self._hear)
        app.router.add_get("/proposals", self._list)
        app.router.add_post("/proposals", self._act)

    async def _hear(self, request: web.Request) -> web.Response:
        try:
            wished = Wished.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return await told_from_disk(self._wishes.hear(wished))

    async def _list(self, request: web.Request) -> web.Response:
        return await told_from_disk(self._wishes.proposals(request.query.get("bed", "")))

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = ProposalAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(ProposalActed(id="", acted=False, error=first_fault(error)), 400)
        act = act.model_copy(update={"actor": permitted_verb(request, act.verb).name})
        return await told_from_disk(self._once.answer(act.id, act.verb, lambda: self._wishes.act(act)))


class WishClient(SocketClient):
    """The other end (control/asking.py)."""

    WITHIN_S = 15.0  # a device may take some seconds to do what was accepted

    async def hear(self, wished: Wished) -> WishTold:
        """Hand a wish in; what has become of it."""
        return await self._ask("POST", "/wishes", WishTold, wished)

    async def proposals(self, bed: str) -> ProposalsTold:
        """What is wished of the devices at a bed."""
        return await self._ask("GET", "/proposals", ProposalsTold, query={"bed": bed})

    async def act(self, act: ProposalAct) -> ProposalActed:
        """Accept or refuse a proposal."""
        return await self._ask("POST", "/proposals", ProposalActed, act)
