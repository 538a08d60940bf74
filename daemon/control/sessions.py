"""Patients and sessions over the control socket: who is here, what is recorded, and the acts on both.

`POST /sessions` takes a `SessionAct` and answers a `SessionActed`; `GET /sessions?bed=&patient=&most=` answers `SessionsTold`,
`GET /patients?find=` a `PatientsTold`. An act that is sent again under the same id acts once.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import permitted_verb
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk

MOST_SESSIONS = 1000


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SessionVerb = Literal["admit", "discharge", "move", "start", "end"]


class SessionAct(_Message):
    """Admit a patient to a bed or discharge who is there; start a session now, or end it (the next begins by itself).

    Of "admit", `patient` is what is known of the patient (daemon/patients.py: FIELDS). `actor` is who acts (the
    daemon says so, whatever was sent), `screen` where. `unknown`: nobody knows who it is, a name is made.
    "move" brings who is there to the bed `to`; the patient's own alarm limits go along, unless `keep_limits` is false.
    """

    id: str = Field(min_length=8, max_length=64)
    bed: str
    verb: SessionVerb
    patient: dict[str, str] = Field(default_factory=dict)
    actor: str = Field("", max_length=100)
    screen: str = Field("", max_length=100)
    unknown: bool = False
    to: str = ""
    keep_limits: bool = True


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
        self._once: ActsOnce[SessionActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/sessions", self._act)
        app.router.add_get("/sessions", self._list)
        app.router.add_get("/patients", self._patients)

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = SessionAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(SessionActed(id="", acted=False, error=first_fault(error)), 400)
        act = act.model_copy(update={"actor": permitted_verb(request, act.verb).name})
        return await told_from_disk(self._once.answer(act.id, act.verb, lambda: self._sessions.act(act)))

    async def _list(self, request: web.Request) -> web.Response:
        bed, patient = request.query.get("bed"), request.query.get("patient")
        most = request.query.get("most", "50")
        if not most.isdecimal() or not 0 < int(most) <= MOST_SESSIONS:
            raise web.HTTPBadRequest(text=f"most is a number from 1 to {MOST_SESSIONS}")
        return await told_from_disk(self._sessions.sessions(bed, patient, int(most)))

    async def _patients(self, request: web.Request) -> web.Response:
        return await told_from_disk(self._sessions.patients(request.query.get("find", "")))


class SessionClient(SocketClient):
    """The other end (control/asking.py)."""

    async def act(self, act: SessionAct) -> SessionActed:
        """Hand in an act; the answer says whether it was done."""
        return await self._ask("POST", "/sessions", SessionActed, act)

    async def sessions(
        self, *, bed: str | None = None, patient: str | None = None, most: int = 50
    ) -> SessionsTold:
        """The newest sessions, of a bed, of a patient (an id), or all."""
        asked = {"bed": bed, "patient": patient, "most": str(most)}
        return await self._ask(
            "GET", "/sessions", SessionsTold, query={k: v for k, v in asked.items() if v is not None}
        )

    async def patients(self, find: str = "") -> PatientsTold:
        """Who is here, and who is found."""
        return await self._ask("GET", "/patients", PatientsTold, query={"find": find})
