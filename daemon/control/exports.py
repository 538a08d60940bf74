"""Exports: the worker makes the file, the daemon writes into the audit who takes what out of the box.

The daemon: `POST /exports` takes an `ExportAsked` and answers a `Noted`; nothing leaves before it is noted. The worker: `POST
/export` takes an `ExportAsked` and begins it, `GET /export` answers an `ExportState`, `DELETE /export` ends it, and `GET
/export/{id}` is the file, for as long as it is kept. One export is made at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Protocol

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control import acting
from daemon.control.acting import permitted
from daemon.control.asking import SocketClient, first_fault, told, told_from_disk
from daemon.control.client import NotAnswering
from daemon.model.permissions import May

Form = Literal["edf", "bdf", "wfdb", "csv", "jsonl", "dicom", "dicom-pdf", "aecg", "scp", "fhir", "hl7"]
PAGE_FORMS: tuple[Form, ...] = ("edf", "bdf", "wfdb", "csv", "jsonl", "dicom", "aecg", "scp", "fhir", "hl7")
"""Those that need nothing but the session."""

Who = Literal["named", "anonymous", "deidentify"]
LONGEST_S = 400 * 24 * 3600.0
STALLED_S = 60.0


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportAsked(_Message):
    """An export of a session (its name), seconds `start_s` to `end_s` of it (None: to its end), the patient told as `who` says.

    `demo`: also where the session is a simulator's.
    """

    id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    bed: str = Field(max_length=100)
    session: str = Field(min_length=1, max_length=100)
    form: Form
    start_s: float = Field(0.0, ge=0, le=LONGEST_S)
    end_s: float | None = Field(None, ge=0, le=LONGEST_S)
    who: Who = "named"
    demo: bool = False


class ExportState(_Message):
    """An export, or none yet. `name`, `media` and `size` are the file's when it is done; `refused` says in words why it is not."""

    state: Literal["none", "running", "done", "cancelled", "failed"] = "none"
    asked: ExportAsked | None = None
    name: str = ""
    media: str = ""
    size: int = 0
    refused: str = ""


class Noted(_Message):
    """Whether it stands in the audit; `refused` says in words why not."""

    noted: bool = False
    refused: str = ""


class Exporting(Protocol):
    """What the route asks of the daemon (daemon/exporting.py)."""

    async def note(self, asked: ExportAsked, actor: str) -> Noted: ...


class ExportRoutes:
    """The daemon's route, for `Server`."""

    def __init__(self, exporting: Exporting) -> None:
        self._exporting = exporting

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/exports", self._note)

    async def _note(self, request: web.Request) -> web.Response:
        actor = permitted(request, May.EXPORT)
        try:
            asked = ExportAsked.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Noted(refused=first_fault(error)), 400)
        return await told_from_disk(self._exporting.note(asked, actor.name))


class ExportClient(SocketClient):
    """The daemon's other end (control/asking.py)."""

    async def note(self, asked: ExportAsked) -> Noted:
        """Say what is about to leave the box."""
        return await self._ask("POST", "/exports", Noted, asked)


class ExportWorkClient(SocketClient):
    """The worker's other end."""

    async def begin(self, asked: ExportAsked) -> ExportState:
        """Begin; refused in words while another one is made."""
        return await self._ask("POST", "/export", ExportState, asked)

    async def state(self) -> ExportState:
        """How far it is."""
        return await self._ask("GET", "/export", ExportState)

    async def cancel(self) -> ExportState:
        """End it."""
        return await self._ask("DELETE", "/export", ExportState)

    @asynccontextmanager
    async def file(self, identity: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The bytes of a file that is done, as they come. Raises `NotAnswering`, where it is not there any more too."""
        limit = aiohttp.ClientTimeout(total=None, sock_read=STALLED_S)
        try:
            async with self._session.get(
                f"/export/{identity}", headers=acting.headers(), timeout=limit
            ) as response:
                if response.status != 200:
                    raise NotAnswering(f"no file: {response.status}")
                yield response.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
