"""New firmware for devices, over the control socket: the forwarder tells of jobs, a technician decides.

`POST /firmware` takes a `FirmwareWished` and answers a `FirmwareTold`; the same again changes nothing and answers anew.
`GET /firmware` answers a `FirmwaresTold`; `POST /firmware/act` takes a `FirmwareAct` and answers a `FirmwareActed`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import permitted
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk
from daemon.model.permissions import May


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Device = Annotated[str, Field(min_length=1, max_length=100)]


class FirmwareWished(_Message):
    """What a cloud wants a device to run. `job` "" withdraws what it wanted. `failed`: why its file could not be brought here."""

    origin: str = Field(min_length=1, max_length=100)
    device: Device
    job: str = Field("", max_length=100)
    version: str = Field("", max_length=16)
    size: int = Field(0, ge=0)
    sha256: Sha256 | Literal[""] = ""
    staged: bool = False
    failed: str = Field("", max_length=200)


class FirmwareTold(_Message):
    """How a job stands. `state` is one of daemon/store/firmware.py, `percent` how much of it the device has."""

    origin: str
    device: str
    bed: str
    job: str
    version: str
    running: str
    size: int
    sha256: str
    state: str
    percent: int
    reason: str
    since_ms: int
    decided_by: str


class FirmwaresTold(_Message):
    """All jobs, by device."""

    jobs: tuple[FirmwareTold, ...] = ()


class FirmwareAct(_Message):
    """A technician's word on a job; "bring" makes one of a file that is in the staging folder already."""

    id: str = Field(min_length=8, max_length=64)
    verb: Literal["accept", "refuse", "bring"]
    device: Device
    origin: str = Field("", max_length=100)
    version: str = Field("", max_length=16)
    sha256: Sha256 | Literal[""] = ""


class FirmwareActed(_Message):
    """Done (`acted`), or not, with the reason in words."""

    id: str
    acted: bool
    error: str = ""


class Firmwares(Protocol):
    """What the routes ask of the daemon (daemon/devices/firmware.py)."""

    async def hear(self, wished: FirmwareWished) -> FirmwareTold: ...

    def told(self) -> FirmwaresTold: ...

    async def act(self, act: FirmwareAct, actor: str) -> FirmwareActed: ...


class FirmwareRoutes:
    """The routes, for `Server`."""

    def __init__(self, firmwares: Firmwares) -> None:
        self._firmwares = firmwares
        self._once: ActsOnce[FirmwareActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/firmware", self._hear)
        app.router.add_get("/firmware", self._list)
        app.router.add_post("/firmware/act", self._act)

    async def _hear(self, request: web.Request) -> web.Response:
        try:
            wished = FirmwareWished.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return await told_from_disk(self._firmwares.hear(wished))

    async def _list(self, request: web.Request) -> web.Response:
        permitted(request, May.SEE_DEVICES)
        return told(self._firmwares.told())

    async def _act(self, request: web.Request) -> web.Response:
        by = permitted(request, May.SERVICE)
        try:
            act = FirmwareAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(FirmwareActed(id="", acted=False, error=first_fault(error)), 400)
        return await told_from_disk(
            self._once.answer(act.id, act.verb, lambda: self._firmwares.act(act, by.name))
        )


class FirmwareClient(SocketClient):
    """The other end (control/asking.py)."""

    async def hear(self, wished: FirmwareWished) -> FirmwareTold:
        """Hand a job in; how it stands."""
        return await self._ask("POST", "/firmware", FirmwareTold, wished)

    async def jobs(self) -> FirmwaresTold:
        """All of them."""
        return await self._ask("GET", "/firmware", FirmwaresTold)

    async def act(self, act: FirmwareAct) -> FirmwareActed:
        """Accept, refuse, bring."""
        return await self._ask("POST", "/firmware/act", FirmwareActed, act)
