"""Keeps the rows of reports: the worker makes the files and hands in what they are; the clouds are told in the same transaction.

Who confirmed, opened or exported a report is in the audit; box.db is told after the row, which is the truth. A confirmed
report is taken only where two identifiers were compared here before, in the name that stands under it.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from daemon import audit
from daemon.contracts.registry import said
from daemon.contracts.times import instant
from daemon.control.confirming import Compared, IdentifiersGiven
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
from daemon.model import identity
from daemon.model.actor import Actor
from daemon.model.signals import Nanos
from daemon.store.box import BoxFile
from daemon.store.reader import History, Reader
from daemon.store.recorded import session
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
from daemon.words import say

log = logging.getLogger(__name__)

DAY_NS = 24 * 3600 * 10**9
IDENTIFIED_FOR_NS = 1800 * 10**9
"""So long after the identifiers were compared the confirmed file may come: other reports may be made before it."""
MOST_IDENTIFIED = 200
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
        self._identified: OrderedDict[tuple[str, str], tuple[Nanos, Actor, list[str]]] = OrderedDict()

    async def given(self, given: ReportGiven) -> Written:
        """Raises sqlite3.Error, OSError where the disk does not take it now."""
        fields = given.model_dump(
            exclude={"id", "by", "device", "metrics", "summary", "conclusion", "made", "edited"}
        )
        row = ReportRow(
            uuid=given.id,
            made=[one.model_dump() for one in given.made],
            edited=None if given.edited is None else list(given.edited),
            **fields,
        )
        identified, by = self._identified_by(given)
        if given.state != "preliminary" and not identified:
            return Written(refused=say("report.not_compared"))
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
                **({"identifiers": identified} if identified else {}),
            }
            await self._audit(
                act[given.state],
                given.id,
                given.confirmed_by or given.actor,
                given.bed,
                _subject(given.patient),
                body,
                by,
            )
        return Written()

    async def compared(self, report_id: str, given: IdentifiersGiven, actor: Actor) -> Compared:
        """Whether two identifiers are those of the patient whose session it was. Raises sqlite3.Error, OSError."""

        def look(reader: Reader) -> tuple[StoredReport | None, Mapping[str, Any]]:
            found = report(reader, report_id)
            recorded = None if found is None else session(reader, found.row.session)
            return found, (recorded.patient if recorded else None) or {}

        found, patient = await self._history.ask(look)
        if found is None:
            return Compared(refused=say("report.no_report"))
        if not _subject(patient) or _subject(patient) != _subject(found.row.patient):
            return Compared(refused=say("report.not_identified"))
        if len(given.identifiers) < identity.NEEDED:
            return Compared(refused=say("identity.few"))
        if wrong := identity.wrong(given.identifiers, patient):
            body = {"report": report_id, "wrong": list(wrong)}
            act = "report_identifiers_wrong"
            name, subject = str(uuid.uuid4()), _subject(patient)
            await self._audit(act, name, actor.name, found.row.bed, subject, body, actor.by)
            return Compared(refused=say("identity.wrong", which=say(f"identity.{wrong[0]}")))
        self._identified[report_id, actor.name] = (self._now(), actor, sorted(given.identifiers))
        while len(self._identified) > MOST_IDENTIFIED:
            self._identified.popitem(last=False)
        return Compared()

    def _identified_by(self, given: ReportGiven) -> tuple[list[str], Mapping[str, str]]:
        """The kinds that were compared before this report was confirmed (none: it was not done, or too long ago), and by whom."""
        found = self._identified.get((given.amends or "", given.confirmed_by))
        if found is None or self._now() - found[0] > IDENTIFIED_FOR_NS:
            return [], given.by
        return found[2], found[1].by

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
        self,
        act: str,
        command: str,
        actor: str,
        bed: str,
        subject: str,
        body: Mapping[str, Any],
        by: Mapping[str, str] | None = None,
    ) -> None:
        utc_ns, is_set = self._utc()
        more = {} if by is None else {"by": by}
        entry = audit.Entry(command, utc_ns, is_set, actor, act, bed, subject, body, **more)
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
