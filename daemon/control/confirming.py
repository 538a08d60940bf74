"""Before a report is confirmed: two identifiers of the patient, compared by the daemon, in the name of whoever has signed in.

`POST /reports/{id}/identifiers` takes an `IdentifiersGiven` and answers `Compared`. Without one that fits the daemon takes no
confirmed report from anybody (daemon/reporting.py).
"""

from __future__ import annotations

from typing import Annotated, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import permitted
from daemon.control.asking import SocketClient, first_fault, told, told_from_disk
from daemon.model.actor import Actor
from daemon.model.identity import Kind
from daemon.model.permissions import May


class IdentifiersGiven(BaseModel):
    """What was taken from the patient or the wristband."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identifiers: dict[Kind, Annotated[str, Field(max_length=200)]] = Field(max_length=3)


class Compared(BaseModel):
    """`refused`: in words why the report cannot be confirmed, "" = the identifiers are this patient's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refused: str = ""


class Comparing(Protocol):
    """What the route asks of the daemon."""

    async def compared(self, report: str, given: IdentifiersGiven, actor: Actor) -> Compared: ...


class ConfirmRoutes:
    """The route, for `Server`."""

    def __init__(self, comparing: Comparing) -> None:
        self._comparing = comparing

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/reports/{id}/identifiers", self._compared)

    async def _compared(self, request: web.Request) -> web.Response:
        actor = permitted(request, May.CONFIRM)
        try:
            given = IdentifiersGiven.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Compared(refused=first_fault(error)), 400)
        return await told_from_disk(self._comparing.compared(request.match_info["id"], given, actor))


class ConfirmClient(SocketClient):
    """The daemon's other end (control/asking.py)."""

    async def compare(self, report: str, given: IdentifiersGiven) -> Compared:
        """Have two identifiers compared with those of the report's patient."""
        return await self._ask("POST", f"/reports/{report}/identifiers", Compared, given)
