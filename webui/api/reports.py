"""Reports: the list, one of them, and its PDF."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from pydantic import Field

from daemon.control.reports import FILE, ID, Kind, ReportsWanted, ReportTold, SeenGiven, State, StatementMade
from daemon.model.scopes import Scope
from webui.api.paging import Page, Paged, cursor_of, text_in
from webui.api.patients import Patient, patient
from webui.api.problems import NotAnswered
from webui.api.routes import Call, Model, Route
from webui.api.sources import sources

_ID, _FILE = re.compile(ID), re.compile(FILE)
_PLACE = re.compile(r"\d{1,19}\.\d{1,18}")


class Report(Model):
    """A report. `replaced_by`: the one that was confirmed or amended from it; `gone`: its file was given up to make room."""

    id: str
    session: str
    bed: str
    kind: Kind
    state: State
    made_at: str
    about_at: str
    by: str
    automatic: bool
    patient: Patient | None
    pages: int
    size_bytes: int
    sha256: str
    statements: tuple[StatementMade, ...] = Field(description="As the box made them, with their criteria")
    edited: tuple[str, ...] | None = Field(description="As a clinician left them; null: as they were made")
    confirmed_by: str
    confirmed_at: str | None
    amends: str | None
    replaced_by: str | None
    gone: bool


class Reports(Page):
    reports: tuple[Report, ...]
    total: int


class ReportsQuery(Paged):
    """By session, bed, kind, state. `current`: without those that others have replaced."""

    session: str = Field("", max_length=100)
    bed: str = Field("", max_length=64)
    kind: Kind | None = None
    state: State | None = None
    current: bool = True


async def reports(call: Call) -> Reports:
    """Newest first."""
    asked: ReportsQuery = call.query
    before = text_in(asked.cursor) if asked.cursor else ""
    if before and not _PLACE.fullmatch(before):
        raise NotAnswered("parameters", "not a cursor of this list", "cursor")
    wanted: dict[str, Any] = {"kind": asked.kind or "", "state": asked.state or "", "current": asked.current}
    told = await sources(call).reports.told(
        ReportsWanted(bed=asked.bed, session=asked.session, before=before, most=asked.limit, **wanted)
    )
    return Reports(
        reports=tuple(_told(call, one) for one in told.reports),
        total=told.total,
        next=cursor_of(told.next) if told.next else None,
    )


async def report(call: Call) -> Report:
    """By its id."""
    return _told(call, await _found(call))


async def pdf(call: Call) -> web.StreamResponse:
    """Its file, as it was made: it names the patient. That it was fetched is in the audit."""
    one = await _found(call)
    file = _file(sources(call).reports_folder, one)
    headers = {
        hdrs.CONTENT_TYPE: "application/pdf",
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{one.file}"',
        hdrs.CACHE_CONTROL: "private, no-cache",
        hdrs.ETAG: f'"{one.sha256}"',
    }
    if any(tag.value == one.sha256 for tag in call.request.if_none_match or ()):
        return web.Response(status=304, headers={hdrs.ETAG: f'"{one.sha256}"'})
    await sources(call).reports.seen(
        SeenGiven(report=one.id, actor=f"machine {call.caller.name}", how="exported")
    )
    return web.FileResponse(file, headers=headers)


async def _found(call: Call) -> ReportTold:
    identity = call.parts["id"]
    if not _ID.fullmatch(identity):
        raise NotAnswered("not_found", "there is no such report", "id")
    page = await sources(call).reports.told(ReportsWanted(find=identity, current=False, most=5))
    for one in page.reports:
        if one.id == identity:
            return one
    raise NotAnswered("not_found", "there is no such report", "id")


def _file(folder: Path, one: ReportTold) -> Path:
    """Where it lies. Raises `NotAnswered` where it does not any more."""
    file = folder / one.file
    if one.gone or not _FILE.fullmatch(one.file) or not file.is_file():
        raise NotAnswered("not_found", "the report's file is not on the box any more", "id")
    return file


def _told(call: Call, one: ReportTold) -> Report:
    known = {name: getattr(one, name) for name in ("patient_id", "full_name", "age", "gender")}
    return Report(
        id=one.id,
        session=one.session,
        bed=one.bed,
        kind=one.kind,
        state=one.state,
        made_at=one.made_at,
        about_at=one.about_at,
        by=one.actor,
        automatic=one.automatic,
        patient=patient(call, known if one.patient_id else None),
        pages=one.pages,
        size_bytes=one.size,
        sha256=one.sha256,
        statements=one.made,
        edited=one.edited,
        confirmed_by=one.confirmed_by,
        confirmed_at=one.confirmed_at,
        amends=one.amends,
        replaced_by=one.replaced_by,
        gone=one.gone,
    )


ROUTES = (
    Route(
        "GET",
        "/reports",
        (Scope.READ_REPORTS,),
        reports,
        "Reports, newest first",
        Reports,
        ReportsQuery,
        problems=("box_silent",),
    ),
    Route(
        "GET",
        "/reports/{id}",
        (Scope.READ_REPORTS,),
        report,
        "A report",
        Report,
        problems=("not_found", "box_silent"),
    ),
    Route(
        "GET",
        "/reports/{id}/pdf",
        (Scope.READ_REPORTS, Scope.READ_PATIENTS),
        pdf,
        "A report's file",
        None,
        media="application/pdf",
        problems=("not_found", "box_silent"),
    ),
)
