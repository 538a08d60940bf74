"""Reports, as the processes tell each other of them.

The worker makes the files: `POST /reports` takes a `ReportAsked` and answers a `ReportJob`, `GET /reports` says how far the jobs
are (`JobsTold`), `DELETE /reports?job=` ends one. The daemon keeps the rows: `POST /reports` takes a `ReportGiven` of the worker,
`POST /reports/uploads` an `UploadsGiven` of the forwarder, `POST /reports/seen` and `POST /reports/gone`; `GET /reports` answers
`ReportsTold`, a page with filters, newest first; `GET /reports/{id}` a `ReportTold`.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.asking import SocketClient, first_fault, told, told_from_disk
from daemon.control.confirming import Comparing, ConfirmRoutes

Kind = Literal["ecg", "session", "night", "oxygen"]
KINDS: tuple[Kind, ...] = ("ecg", "session", "night", "oxygen")
State = Literal["preliminary", "confirmed", "amended"]
STATES: tuple[State, ...] = ("preliminary", "confirmed", "amended")
Layout = Literal["3x4+1", "6x2", "12x1"]
PaperName = Literal["A4", "Letter"]
ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
FILE = r"^[a-z]+_report_[0-9a-f-]{36}\.pdf$"

MOST = 200
"""Reports on one page."""

MOST_LINES, LONGEST_LINE = 60, 500
"""Of the text of a confirmed report."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signing(_Message):
    """A clinician confirms the report `of`, with its statements as they shall stand; None = as they were made."""

    of: str = Field(pattern=ID)
    lines: tuple[str, ...] | None = Field(None, max_length=MOST_LINES)


class ReportAsked(_Message):
    """A report of a session, made as `actor` asks for it.

    Of an ECG: `at_ms` is where its page begins (UTC, 0 = the box chooses), `mode` "" and `mains_hz` None take what a
    diagnostic page should have; `rhythm` is the lead of the long strip. `paper` "" takes the configured one. `by` is the role, origin
    and person of `actor`, for the audit.
    """

    session: str = Field(min_length=1, max_length=100)
    kind: Kind
    actor: str = Field("", max_length=200)
    by: dict[str, str] = Field(default_factory=dict, max_length=3)
    automatic: bool = False
    paper: PaperName | Literal[""] = ""
    at_ms: float = Field(0, ge=0)
    layout: Layout = "3x4+1"
    cabrera: bool = False
    simultaneous: bool = False
    speed_mm_s: Literal["25", "50", "12.5"] = "25"
    gain_mm_mv: Literal["5", "10", "20"] = "10"
    rhythm: str = Field("II", max_length=8)
    grid: bool = True
    mode: Literal["diagnostic", "monitor", "st"] = "diagnostic"
    mains_hz: Literal[0, 50, 60] | None = None
    signing: Signing | None = None


class StatementMade(_Message):
    """A statement as it was made: its key, its sentence, and the criteria that fired, in words."""

    key: str
    text: str
    criteria: tuple[str, ...] = ()


class ReportGiven(_Message):
    """A report that lies in the reports folder, for its row. `amends`: the report in whose place it is.

    `made` are the statements as made by the box, `edited` the lines as a clinician left them (None: as they were made).
    """

    id: str = Field(pattern=ID)
    session: str
    bed: str
    device: str = ""
    kind: Kind
    state: State
    made_utc_ns: int
    about_utc_ns: int
    actor: str
    by: dict[str, str] = Field(default_factory=dict, max_length=3)
    automatic: bool
    patient: dict[str, Any] | None
    file: str = Field(pattern=FILE)
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    pages: int = Field(ge=1)
    samples_sha256: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    made: tuple[StatementMade, ...] = ()
    edited: tuple[str, ...] | None = None
    confirmed_by: str = ""
    confirmed_utc_ns: int | None = None
    amends: str | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)
    summary: dict[str, Any] = Field(default_factory=dict)
    conclusion: str = ""


class Written(_Message):
    """Whether the row is there now; `refused` says in words why not."""

    refused: str = ""


class UploadGiven(_Message):
    """What came of sending a report's file to a destination. `remote`: its id or address there, without secrets."""

    file: str = Field(max_length=200)
    destination: str = Field(max_length=64)
    state: Literal["done", "waiting", "refused"]
    utc_ns: int
    size: int = Field(0, ge=0)
    remote: str = Field("", max_length=1000)
    tries: int = Field(1, ge=0)
    error: str = Field("", max_length=1000)


class UploadsGiven(_Message):
    """What the forwarder has to tell."""

    uploads: tuple[UploadGiven, ...] = Field(max_length=200)


class SeenGiven(_Message):
    """Somebody has opened a report to read or print it: it goes into the audit."""

    report: str = Field(pattern=ID)
    actor: str = Field("", max_length=200)
    how: Literal["opened", "exported"] = "opened"


class GoneGiven(_Message):
    """The files of these reports were given up to make room."""

    reports: tuple[str, ...] = Field(max_length=1000)


class UploadTold(_Message):
    """A row of the upload log. Times are UTC, RFC 3339."""

    report: str
    kind: Kind
    file: str
    destination: str
    state: Literal["done", "waiting", "refused"]
    at: str
    size: int
    remote: str
    tries: int
    error: str


class ReportTold(_Message):
    """A report. `replaced_by`: the one that was confirmed or amended from it; `gone`: its file was given up."""

    id: str
    session: str
    bed: str
    kind: Kind
    state: State
    made_at: str
    about_at: str
    actor: str
    automatic: bool
    patient_id: str
    full_name: str
    birth_date: str
    age: int | None
    gender: str
    file: str
    size: int
    sha256: str
    pages: int
    samples_sha256: str
    made: tuple[StatementMade, ...]
    edited: tuple[str, ...] | None
    confirmed_by: str
    confirmed_at: str | None
    amends: str | None
    replaced_by: str | None
    gone: bool
    uploads: tuple[UploadTold, ...]


class ReportsTold(_Message):
    """Reports, newest first; `next` is where the next page begins, "" = there is none. `total`: of all that fit."""

    reports: tuple[ReportTold, ...] = ()
    next: str = ""
    total: int = 0


class ReportsWanted(_Message):
    """Which reports: each field that is not empty narrows. `find` looks in names, patient ids, sessions and ids.

    `since` and `until` are days (2026-03-01, UTC). `current`: without those that others have replaced.
    """

    find: str = Field("", max_length=200)
    kind: Kind | Literal[""] = ""
    state: State | Literal[""] = ""
    bed: str = Field("", max_length=64)
    session: str = Field("", max_length=100)
    since: str = Field("", pattern=r"^(\d{4}-\d{2}-\d{2})?$")
    until: str = Field("", pattern=r"^(\d{4}-\d{2}-\d{2})?$")
    current: bool = True
    before: str = Field("", pattern=r"^(\d{1,19}\.\d{1,18})?$")
    most: int = Field(20, ge=1, le=MOST)


class UploadsTold(_Message):
    """The upload log, newest first."""

    uploads: tuple[UploadTold, ...] = ()


class ReportJob(_Message):
    """A report that is being made, or was. `progress` 0 .. 1; `refused` says in words why it was not made."""

    job: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    asked: ReportAsked
    progress: float = 0.0
    report: str = ""
    file: str = ""
    missing: int = 0
    refused: str = ""


class JobsTold(_Message):
    """The jobs, newest first; finished ones are forgotten after a while."""

    jobs: tuple[ReportJob, ...] = ()


class Reports(Comparing, Protocol):
    """What the routes ask of the daemon (daemon/reporting.py)."""

    async def given(self, given: ReportGiven) -> Written: ...

    async def uploads(self, given: UploadsGiven) -> Written: ...

    async def seen(self, given: SeenGiven) -> Written: ...

    async def gone(self, given: GoneGiven) -> Written: ...

    async def told(self, wanted: ReportsWanted) -> ReportsTold: ...

    async def one(self, report: str) -> ReportTold | None: ...

    async def log(self, most: int) -> UploadsTold: ...


class ReportRoutes:
    """The routes, for `Server`."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/reports", self._given)
        app.router.add_post("/reports/uploads", self._uploads)
        app.router.add_post("/reports/seen", self._seen)
        app.router.add_post("/reports/gone", self._gone)
        app.router.add_get("/reports", self._told)
        app.router.add_get("/reports/uploads", self._log)
        app.router.add_get("/reports/{id}", self._one)
        ConfirmRoutes(self._reports).add_to(app)

    async def _given(self, request: web.Request) -> web.Response:
        try:
            given = ReportGiven.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Written(refused=first_fault(error)), 400)
        return await told_from_disk(self._reports.given(given))

    async def _uploads(self, request: web.Request) -> web.Response:
        try:
            given = UploadsGiven.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Written(refused=first_fault(error)), 400)
        return await told_from_disk(self._reports.uploads(given))

    async def _seen(self, request: web.Request) -> web.Response:
        try:
            given = SeenGiven.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Written(refused=first_fault(error)), 400)
        return await told_from_disk(self._reports.seen(given))

    async def _gone(self, request: web.Request) -> web.Response:
        try:
            given = GoneGiven.model_validate_json(await request.read())
        except ValidationError as error:
            return told(Written(refused=first_fault(error)), 400)
        return await told_from_disk(self._reports.gone(given))

    async def _told(self, request: web.Request) -> web.Response:
        try:
            wanted = ReportsWanted.model_validate(dict(request.query))
        except ValidationError as error:
            raise web.HTTPBadRequest(text=first_fault(error)) from None
        return await told_from_disk(self._reports.told(wanted))

    async def _log(self, _request: web.Request) -> web.Response:
        return await told_from_disk(self._reports.log(MOST))

    async def _one(self, request: web.Request) -> web.Response:
        found = await self._reports.one(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound
        return told(found)


class ReportClient(SocketClient):
    """The daemon's end of it (control/asking.py)."""

    async def give(self, given: ReportGiven) -> Written:
        """Hand in a report's row; the same one again changes nothing."""
        return await self._ask("POST", "/reports", Written, given)

    async def uploads(self, given: UploadsGiven) -> Written:
        """Say what came of uploads."""
        return await self._ask("POST", "/reports/uploads", Written, given)

    async def seen(self, given: SeenGiven) -> Written:
        """Say who has opened a report."""
        return await self._ask("POST", "/reports/seen", Written, given)

    async def gone(self, given: GoneGiven) -> Written:
        """Say which files are gone."""
        return await self._ask("POST", "/reports/gone", Written, given)

    async def told(self, wanted: ReportsWanted) -> ReportsTold:
        """A page of reports."""
        asked = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in wanted.model_dump().items()}
        return await self._ask("GET", "/reports", ReportsTold, query=asked)

    async def one(self, report: str) -> ReportTold:
        """A report. `NotAnswering` where there is none."""
        return await self._ask("GET", f"/reports/{report}", ReportTold)

    async def log(self) -> UploadsTold:
        """The newest rows of the upload log."""
        return await self._ask("GET", "/reports/uploads", UploadsTold)


class JobClient(SocketClient):
    """The worker's end of it, on its own socket."""

    WITHIN_S = 20.0

    async def begin(self, asked: ReportAsked) -> ReportJob:
        """Ask for a report."""
        return await self._ask("POST", "/reports", ReportJob, asked)

    async def jobs(self) -> JobsTold:
        """How far they are."""
        return await self._ask("GET", "/reports", JobsTold)

    async def cancel(self, job: str) -> JobsTold:
        """End one."""
        return await self._ask("DELETE", "/reports", JobsTold, query={"job": job})
