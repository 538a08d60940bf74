"""Patients and sessions over the control socket: who is here, what is recorded, and the acts on both.

`POST /sessions` takes a `SessionAct` and answers a `SessionActed`; `GET /sessions?bed=&patient=&most=` answers `SessionsTold`,
`GET /patients?find=` a `PatientsTold`. An act that is sent again under the same id acts once.
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

from daemon.control.client import ANSWER_WITHIN_S, NotAnswering

ACTS_REMEMBERED = 1000
MOST_SESSIONS = 1000

T = TypeVar("T", bound=BaseModel)


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SessionVerb = Literal["admit", "discharge", "start", "end"]


class SessionAct(_Message):
    """Admit a patient to a bed or discharge who is there; start a session now, or end it (the next begins by itself).

    Of "admit", `patient` is what is known of the patient (daemon/patients.py: FIELDS). `actor` is who acts, `screen` where.
    """

    id: str = Field(min_length=8, max_length=64)
    bed: str
    verb: SessionVerb
    patient: dict[str, str] = Field(default_factory=dict)
    actor: str = Field("", max_length=100)
    screen: str = Field("", max_length=100)


class SessionActed(_Message):
    """Done (`acted`), or refused with the reason in words. `saved`: it is on the disk. `session`: what is recorded now."""

    id: str
    acted: bool
    error: str = ""
    saved: bool = False
    session: str = ""
    patient_id: str = ""


class SessionTold(_Message):
    """A session. Times are UTC, RFC 3339 with milliseconds; `clock` "unset": they are guesses. `ended_at` null: it goes on."""

    session_id: str
    session_uuid: str
    bed: str
    started_at: str
    ended_at: str | None
    clock: Literal["set", "unset"]
    ended_by: str
    automatic: bool
    actor: str
    patient_id: str | None
    full_name: str | None
    device_serial: str
    sampling_rate_hz: float | None
    summary: dict[str, Any] | None
    source: Literal["live", "import"] = "live"


class SessionsTold(_Message):
    """The newest sessions, newest first."""

    sessions: tuple[SessionTold, ...] = ()


class PatientTold(_Message):
    """A patient, with the age of today. `bed` "" and `admitted_at` null: not here now."""

    patient_id: str
    full_name: str
    birth_date: str | None
    age: int | None
    gender: str
    address: str
    phone: str
    registration_date: str
    bed: str = ""
    admitted_at: str | None = None


class PatientsTold(_Message):
    """Who is here, by bed; with `find`, patients whose name or id holds that text too."""

    patients: tuple[PatientTold, ...] = ()


class Sessions(Protocol):
    """What the routes ask of the daemon (daemon/sessions.py)."""

    async def act(self, act: SessionAct) -> SessionActed: ...

    async def sessions(self, bed: str | None, patient: str | None, most: int) -> SessionsTold: ...

    async def patients(self, find: str) -> PatientsTold: ...


class SessionRoutes:
    """The routes, for `Server`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._done: OrderedDict[str, asyncio.Task[SessionActed]] = OrderedDict()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/sessions", self._act)
        app.router.add_get("/sessions", self._list)
        app.router.add_get("/patients", self._patients)

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = SessionAct.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            refused = SessionActed(id="", acted=False, error=f"{where}: {first['msg']}")
            return web.json_response(text=refused.model_dump_json(), status=400)
        if act.id not in self._done:
            self._done[act.id] = asyncio.create_task(self._sessions.act(act), name=f"control: {act.verb}")
            while len(self._done) > ACTS_REMEMBERED:
                self._done.popitem(last=False)
        return await _answer(asyncio.shield(self._done[act.id]))

    async def _list(self, request: web.Request) -> web.Response:
        bed, patient = request.query.get("bed"), request.query.get("patient")
        most = request.query.get("most", "50")
        if not most.isdecimal() or not 0 < int(most) <= MOST_SESSIONS:
            raise web.HTTPBadRequest(text=f"most is a number from 1 to {MOST_SESSIONS}")
        return await _answer(self._sessions.sessions(bed, patient, int(most)))

    async def _patients(self, request: web.Request) -> web.Response:
        return await _answer(self._sessions.patients(request.query.get("find", "")))


async def _answer(answer: Awaitable[BaseModel]) -> web.Response:
    try:
        return web.json_response(text=(await answer).model_dump_json())
    except (sqlite3.Error, OSError) as error:
        raise web.HTTPServiceUnavailable(text=f"the disk does not answer: {error}") from None


class SessionClient:
    """The other end, as an asynchronous context manager. Everything raises `NotAnswering` where the daemon does not."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(path=str(self._socket))
        timeout = aiohttp.ClientTimeout(total=2 * ANSWER_WITHIN_S)
        self._session = aiohttp.ClientSession("http://vitald", connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def act(self, act: SessionAct) -> SessionActed:
        """Hand in an act; the answer says whether it was done."""
        return await self._ask("POST", "/sessions", SessionActed, act.model_dump_json(), {})

    async def sessions(
        self, *, bed: str | None = None, patient: str | None = None, most: int = 50
    ) -> SessionsTold:
        """The newest sessions, of a bed, of a patient (an id), or all."""
        asked = {"bed": bed, "patient": patient, "most": str(most)}
        return await self._ask(
            "GET", "/sessions", SessionsTold, None, {k: v for k, v in asked.items() if v is not None}
        )

    async def patients(self, find: str = "") -> PatientsTold:
        """Who is here, and who is found."""
        return await self._ask("GET", "/patients", PatientsTold, None, {"find": find})

    async def _ask(self, method: str, path: str, kind: type[T], body: str | None, query: dict[str, str]) -> T:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            async with self._session.request(
                method, path, data=body, headers=headers, params=query
            ) as response:
                if response.status not in {200, 400}:
                    raise NotAnswering(await response.text())
                return kind.model_validate_json(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise NotAnswering("the daemon's answer is of another version") from error
