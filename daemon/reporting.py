"""Keeps the rows of reports: the worker makes the files and hands in what they are; the clouds are told in the same transaction.

Who confirmed, opened or exported a report is in the audit; box.db is told after the row, which is the truth.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from daemon import audit
from daemon.contracts.registry import said
from daemon.contracts.times import instant
from daemon.control.reports import (
    GoneGiven,
    ReportGiven,
    ReportsTold,
    ReportsWanted,
    ReportTold,
    SeenGiven,
    StatementMade,
    UploadsGiven,
    UploadsTold,
    UploadTold,
    Written,
)
from daemon.model.signals import Nanos
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.store.reports import (
    Message,
    NotTaken,
    ReportRow,
    StoredReport,
    UploadRow,
    Wanted,
    report,
    reports,
    uploads,
    write_gone,
    write_report,
    write_uploads,
)
from daemon.store.sessions import TOLD
from daemon.store.writer import Writer

log = logging.getLogger(__name__)

DAY_NS = 24 * 3600 * 10**9
Upload = Literal["ready", "confirmed", "never"]


class Reporting:
    """`boot` names this boot, `now` and `utc` are its clocks; `upload` says which reports the clouds are told of."""

    def __init__(
        self,
        writer: Writer,
        people: BoxFile,
        history: History,
        *,
        boot: str,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
        upload: Upload,
    ) -> None:
        self._writer = writer
        self._people = people
        self._history = history
        self._boot = boot
        self._now = now
        self._utc = utc
        self._upload = upload

    async def given(self, given: ReportGiven) -> Written:
        """Raises sqlite3.Error, OSError where the disk does not take it now."""
        fields = given.model_dump(
            exclude={"id", "device", "metrics", "summary", "conclusion", "made", "edited"}
        )
        row = ReportRow(
            uuid=given.id,
            made=[one.model_dump() for one in given.made],
            edited=None if given.edited is None else list(given.edited),
            **fields,
        )
        message = self._message(given) if self._goes(given) else None
        try:
            new = await self._writer.aside(lambda db: write_report(db, row, message))
        except (NotTaken, sqlite3.IntegrityError) as error:
            return Written(refused=str(error))
        if new:
            act = {"preliminary": "report_made", "confirmed": "report_confirmed", "amended": "report_amended"}
            body = {
                "report": given.id,
                "kind": given.kind,
                "of": given.amends,
                "edited": given.edited is not None,
            }
            await self._audit(
                act[given.state],
                given.id,
                given.confirmed_by or given.actor,
                given.bed,
                _subject(given.patient),
                body,
            )
        return Written()

    def _goes(self, given: ReportGiven) -> bool:
        return self._upload == "ready" or (self._upload == "confirmed" and given.state != "preliminary")

    def _message(self, given: ReportGiven) -> Message:
        patient = given.patient and {name: given.patient.get(name) or None for name in TOLD}
        body = {
            "report_id": given.id,
            "filename": given.file,
            "sha256": given.sha256,
            "size_bytes": given.size,
            "kind": given.kind,
            "summary": {**given.summary, "state": given.state, "amends": given.amends, "pages": given.pages},
            "conclusion": given.conclusion,
            "metrics": given.metrics,
            "patient": patient,
        }
        return Message(self._boot, self._now(), given.device, said("box.report/1", body))

    async def uploads(self, given: UploadsGiven) -> Written:
        """Raises sqlite3.Error, OSError."""
        rows = [UploadRow(**one.model_dump()) for one in given.uploads]
        await self._writer.aside(lambda db: write_uploads(db, rows))
        return Written()

    async def seen(self, given: SeenGiven) -> Written:
        """Raises sqlite3.Error, OSError."""
        found = await self._history.ask(lambda reader: report(reader, given.report))
        if found is None:
            return Written(refused="there is no such report")
        utc_ns, _ = self._utc()
        row = found.row
        await self._audit(
            f"report_{given.how}",
            f"{given.report} {given.how} {utc_ns}",
            given.actor,
            row.bed,
            _subject(row.patient),
            {"report": given.report},
        )
        return Written()

    async def gone(self, given: GoneGiven) -> Written:
        """Raises sqlite3.Error, OSError."""
        utc_ns, _ = self._utc()
        await self._writer.aside(lambda db: write_gone(db, given.reports, utc_ns))
        return Written()

    async def told(self, wanted: ReportsWanted) -> ReportsTold:
        """Raises sqlite3.Error, OSError."""
        named = wanted.model_dump(exclude={"since", "until"})
        since = _day_ns(wanted.since) if wanted.since else None
        until = _day_ns(wanted.until) + DAY_NS if wanted.until else None
        asked = Wanted(since_ns=since, until_ns=until, **named)

        def look(reader: Any) -> ReportsTold:
            found, total = reports(reader, asked)
            told = tuple(_told(one, uploads(reader, one.row.uuid)) for one in found)
            return ReportsTold(
                reports=told, next=found[-1].place if len(found) == asked.most else "", total=total
            )

        return await self._history.ask(look)

    async def one(self, uuid: str) -> ReportTold | None:
        """Raises sqlite3.Error, OSError."""

        def look(reader: Any) -> ReportTold | None:
            found = report(reader, uuid)
            return None if found is None else _told(found, uploads(reader, uuid))

        return await self._history.ask(look)

    async def log(self, most: int) -> UploadsTold:
        """Raises sqlite3.Error, OSError."""
        found = await self._history.ask(lambda reader: uploads(reader, most=most))
        return UploadsTold(uploads=tuple(_upload_told(one) for one in found))

    async def _audit(
        self, act: str, command: str, actor: str, bed: str, subject: str, body: Mapping[str, Any]
    ) -> None:
        utc_ns, is_set = self._utc()
        entry = audit.Entry(command, utc_ns, is_set, actor, act, bed, subject, body)
        try:
            await self._people.run(lambda db: audit.append(db, entry))
        except (sqlite3.Error, OSError) as error:
            log.error("reports: box.db cannot be told of %s: %s", act, error)  # noqa: TRY400 - a state of the disk


def _subject(patient: Mapping[str, Any] | None) -> str:
    return str((patient or {}).get("patient_id") or "")


def _day_ns(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**9


def _told(found: StoredReport, sent: list[UploadRow]) -> ReportTold:
    row, patient = found.row, found.row.patient or {}
    return ReportTold(
        id=row.uuid,
        session=row.session,
        bed=row.bed,
        kind=row.kind,
        state=row.state,
        made_at=instant(row.made_utc_ns),
        about_at=instant(row.about_utc_ns),
        actor=row.actor,
        automatic=row.automatic,
        patient_id=str(patient.get("patient_id") or ""),
        full_name=str(patient.get("full_name") or ""),
        birth_date=str(patient.get("birth_date") or ""),
        age=patient.get("age"),
        gender=str(patient.get("gender") or ""),
        file=row.file,
        size=row.size,
        sha256=row.sha256,
        pages=row.pages,
        samples_sha256=row.samples_sha256,
        made=tuple(StatementMade.model_validate(one) for one in row.made),
        edited=None if row.edited is None else tuple(row.edited),
        confirmed_by=row.confirmed_by,
        confirmed_at=None if row.confirmed_utc_ns is None else instant(row.confirmed_utc_ns),
        amends=row.amends,
        replaced_by=found.replaced_by,
        gone=found.gone_utc_ns is not None,
        uploads=tuple(_upload_told(one) for one in sent),
    )


def _upload_told(one: UploadRow) -> UploadTold:
    return UploadTold(
        report=one.report,
        kind=one.kind,
        file=one.file,
        destination=one.destination,
        state=one.state,
        at=instant(one.utc_ns),
        size=one.size,
        remote=one.remote,
        tries=one.tries,
        error=one.error,
    )
