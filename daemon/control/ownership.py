"""Whose devices are, over the control socket.

`GET /ownership?device=` answers an `OwnershipTold`: of one device with all that was, without `device` what stands of all.
`POST /ownership` takes an `OwnershipAct` and answers an `OwnershipActed`.
"""

from __future__ import annotations

from typing import Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import actor_of, permitted
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk
from daemon.model.actor import Actor
from daemon.model.permissions import May

OwnershipVerb = Literal["claim", "confirm", "transfer", "release", "withdraw"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimTold(_Message):
    """A claim (daemon/store/ownership.py: Claim). Times are UTC in ms, null = not yet."""

    device: str
    owner: str
    state: Literal["claimed", "owned", "over"]
    claimed_ms: int
    claimed_by: str
    proof: Literal["", "device", "person"]
    confirmed_ms: int | None
    confirmed_by: str
    ended: Literal["", "released", "transferred", "withdrawn", "replaced"]
    ended_ms: int | None
    ended_by: str


class OwnershipTold(_Message):
    """Claims; `here`: the serial numbers of the devices that answer at the box now."""

    claims: tuple[ClaimTold, ...] = ()
    here: tuple[str, ...] = ()


class OwnershipAct(_Message):
    """`owner`: of claim and transfer, whose the device is to be. `on_screen`: a person confirms for a device that is not here.

    `token`: SHA-256 of the token of a machine in whose name it is; "" = in that of whoever is signed in.
    """

    id: str = Field(min_length=8, max_length=64)
    verb: OwnershipVerb
    device: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
    owner: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f]*$")
    on_screen: bool = False
    token: str = Field("", pattern=r"^([0-9a-f]{64})?$", repr=False)


class OwnershipActed(_Message):
    """Done, or not with the reason in words; how the device stands now: who owns it, who claims it."""

    id: str
    acted: bool
    error: str = ""
    owned: ClaimTold | None = None
    claimed: ClaimTold | None = None


class Ownership(Protocol):
    """What the routes ask of the daemon (daemon/ownership.py)."""

    async def told(self, device: str) -> OwnershipTold: ...

    async def machine(self, digest: str) -> Actor | None: ...

    async def act(self, by: Actor, act: OwnershipAct) -> OwnershipActed: ...


class OwnershipRoutes:
    """The routes, for `Server`."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._once: ActsOnce[OwnershipActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/ownership", self._told)
        app.router.add_post("/ownership", self._act)

    async def _told(self, request: web.Request) -> web.Response:
        return await told_from_disk(self._ownership.told(request.query.get("device", "")))

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = OwnershipAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(OwnershipActed(id="", acted=False, error=first_fault(error)), 400)
        if not act.token:
            by: Actor | None = permitted(request, May.SET_DEVICES)
        elif (by := await self._ownership.machine(act.token)) is None:
            raise web.HTTPForbidden
        else:
            by = Actor(by.name, by.role, actor_of(request).origin, by.person)
        assert by is not None
        actor = by
        return await told_from_disk(
            self._once.answer(act.id, act.verb, lambda: self._ownership.act(actor, act))
        )


class OwnershipClient(SocketClient):
    """The other end (control/asking.py)."""

    async def told(self, device: str = "") -> OwnershipTold:
        """What stands of all devices, or all that was of one."""
        return await self._ask("GET", "/ownership", OwnershipTold, query={"device": device})

    async def act(self, act: OwnershipAct) -> OwnershipActed:
        """One step."""
        return await self._ask("POST", "/ownership", OwnershipActed, act)
