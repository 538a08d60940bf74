"""Reports: the page that lists them, asks the worker for new ones, shows their files, and takes a clinician's confirmation.

A file is not handed out before the daemon has written into the audit who asked for it. Whoever confirms is who has signed in;
what a page says of that is not looked at.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.asking import first_fault
from daemon.control.client import NotAnswering
from daemon.control.confirming import ConfirmClient, IdentifiersGiven
from daemon.control.reports import (
    KINDS,
    LONGEST_LINE,
    MOST_LINES,
    STATES,
    JobClient,
    ReportAsked,
    ReportClient,
    ReportsWanted,
    SeenGiven,
    Signing,
)
from daemon.model.permissions import May
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render
from webui.signed import who

MOST = 20
"""Reports on a page of the list."""

_DAEMON = web.AppKey("reports: daemon", ReportClient)
_CONFIRM = web.AppKey("reports: identifiers", ConfirmClient)
_WORKER = web.AppKey("reports: worker", JobClient)

log = logging.getLogger(__name__)


class Confirmation(BaseModel):
    """The statements as they shall stand; null: as they were made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: tuple[str, ...] | None = Field(None, max_length=MOST_LINES)


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.cleanup_ctx.append(_clients)
    app.router.add_get("/reports", page)
    app.router.add_get("/reports/{id}.pdf", _file)
    app.router.add_get("/api/reports", _list)
    app.router.add_post("/api/reports", _make)
    app.router.add_get("/api/reports/jobs", _jobs)
    app.router.add_delete("/api/reports/jobs", _cancel)
    app.router.add_post("/api/reports/{id}/identifiers", _compare)
    app.router.add_post("/api/reports/{id}/confirm", _confirm)
    app.router.add_get("/api/uploads", _uploads)


async def page(request: web.Request) -> web.Response:
    """GET /reports?bed=&session=: the page."""
    names = bed_names(request.app[CONFIG])
    bed, session = request.query.get("bed", ""), request.query.get("session", "")[:100]
    forward = request.app[CONFIG].forward
    sent_to = [
        name
        for name, one in forward.destinations.items()
        if forward.enabled and one.enabled and "reports" in one.lanes
    ]
    facts = {
        "page": "reports",
        "bed": bed if bed in names else "",
        "session": session,
        "most": MOST,
        "names": names,
        "destinations": sent_to,
        "may_confirm": who(request).may(May.CONFIRM),
        "longest_line": LONGEST_LINE,
        **numbers.facts(),
        **alarms.facts(),
    }
    back = f"/bed/{bed}/sessions" if bed in names else "/"
    return render(
        request,
        "reports.html",
        names=names,
        kinds=KINDS,
        states=STATES,
        back=back,
        session=session,
        facts=facts,
    )


async def _clients(app: web.Application) -> AsyncIterator[None]:
    config = app[CONFIG]
    async with (
        ReportClient(config.box.socket) as daemon,
        ConfirmClient(config.box.socket) as confirm,
        JobClient(config.work_socket) as worker,
    ):
        app[_DAEMON], app[_CONFIRM], app[_WORKER] = daemon, confirm, worker
        yield


async def _list(request: web.Request) -> web.Response:
    """GET /api/reports with the fields of a `ReportsWanted`: a `ReportsTold`."""
    try:
        wanted = ReportsWanted.model_validate({"most": MOST, **request.query})
    except ValidationError as error:
        return _refused(error)
    return await passed_on(request.app[_DAEMON].told(wanted), "reports: the box")


async def _make(request: web.Request) -> web.Response:
    """POST /api/reports: a `ReportAsked` in, a `ReportJob` out. Confirming has an address of its own."""
    try:
        asked = ReportAsked.model_validate_json(await request.read())
    except ValidationError as error:
        return _refused(error)
    asked = asked.model_copy(
        update={"actor": who(request).actor, "by": who(request).by, "automatic": False, "signing": None}
    )
    return await passed_on(request.app[_WORKER].begin(asked), "reports: the worker")


async def _jobs(request: web.Request) -> web.Response:
    """GET /api/reports/jobs: a `JobsTold`."""
    return await passed_on(request.app[_WORKER].jobs(), "reports: the worker")


async def _cancel(request: web.Request) -> web.Response:
    """DELETE /api/reports/jobs?job=: a `JobsTold`."""
    return await passed_on(
        request.app[_WORKER].cancel(request.query.get("job", "")[:64]), "reports: the worker"
    )


async def _compare(request: web.Request) -> web.Response:
    """POST /api/reports/{id}/identifiers: an `IdentifiersGiven` in, a `Compared` out. What was confirmed without it is not taken."""
    try:
        given = IdentifiersGiven.model_validate_json(await request.read())
        asked = request.app[_CONFIRM].compare(Signing(of=request.match_info["id"]).of, given)
    except ValidationError as error:
        return _refused(error)
    return await passed_on(asked, "reports: the box")


async def _confirm(request: web.Request) -> web.Response:
    """POST /api/reports/{id}/confirm: a `Confirmation` in, a `ReportJob` out."""
    try:
        given = Confirmation.model_validate_json(await request.read())
        lines = None if given.lines is None else tuple(line[:LONGEST_LINE] for line in given.lines)
        signing = Signing(of=request.match_info["id"], lines=lines)
        found = await request.app[_DAEMON].one(signing.of)
    except ValidationError as error:
        return _refused(error)
    except NotAnswering:
        return web.json_response({"error": "not_answering"}, status=503)
    person = who(request)
    # A name, and no screen: without one the desk refuses it.
    asked = ReportAsked(session=found.session, kind=found.kind, actor=person.name, signing=signing)
    return await passed_on(request.app[_WORKER].begin(asked), "reports: the worker")


async def _uploads(request: web.Request) -> web.Response:
    """GET /api/uploads: an `UploadsTold`."""
    return await passed_on(request.app[_DAEMON].log(), "reports: the box")


async def _file(request: web.Request) -> web.StreamResponse:
    """GET /reports/{id}.pdf: the file itself, to be read or printed."""
    daemon = request.app[_DAEMON]
    try:
        seen = SeenGiven(report=request.match_info["id"], actor=who(request).actor)
        found = await daemon.one(seen.report)
        written = await daemon.seen(seen)
    except ValidationError:
        raise web.HTTPNotFound from None
    except NotAnswering as error:
        log.warning("reports: the box: no answer: %s", error)
        raise web.HTTPServiceUnavailable from None
    path = request.app[CONFIG].box.data / "reports" / found.file
    if written.refused or not path.is_file():
        raise web.HTTPNotFound
    headers = {"Content-Disposition": f'inline; filename="{found.file}"', "Content-Type": "application/pdf"}
    return web.FileResponse(path, headers=headers)


def _refused(error: ValidationError) -> web.Response:
    return web.json_response({"error": first_fault(error)}, status=400)
