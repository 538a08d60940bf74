"""Reports as the store keeps them: a row for each file, and what became of it at every destination.

A row is written once. Confirming and amending make new rows that name the old ones; only that a file is gone is said later.
The message that tells of a report (box.report/1) is in the transaction of its row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store.reader import Reader
from daemon.store.sending import as_json, send

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report, with the fields of its row (schema/0004.sql)."""

    uuid: str
    session: str
    bed: str
    kind: str
    state: str
    made_utc_ns: int
    about_utc_ns: int
    actor: str
    automatic: bool
    patient: Mapping[str, Any] | None
    file: str
    size: int
    sha256: str
    pages: int
    samples_sha256: str
    options: Mapping[str, Any]
    made: Sequence[Mapping[str, Any]]
    edited: Sequence[str] | None
    confirmed_by: str
    confirmed_utc_ns: int | None
    amends: str | None


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A row as it is found: `place` orders rows, `replaced_by` is the report that amends it."""

    row: ReportRow
    place: str
    gone_utc_ns: int | None
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class UploadRow:
    """The newest word on one report at one destination."""

    file: str
    destination: str
    state: str
    utc_ns: int
    size: int
    remote: str
    tries: int
    error: str
    report: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """box.report/1, told in the name of a device at a time of a boot (its name)."""

    boot: str
    t_ns: Nanos
    device: str
    body: Mapping[str, object]


class NotTaken(Exception):
    """The row cannot be written; the text says why."""


def write_report(db: sqlite3.Connection, row: ReportRow, message: Message | None) -> bool:
    """A transaction of its own: the row and its message. False where the row is there already. Raises `NotTaken`."""
    return _transaction(db, lambda: _write(db, row, message))


def _write(db: sqlite3.Connection, row: ReportRow, message: Message | None) -> bool:
    if db.execute("SELECT 1 FROM reports WHERE uuid = ?", (row.uuid,)).fetchone():
        return False
    bed = db.execute("SELECT id FROM bedsides WHERE bed = ?", (row.bed,)).fetchone()
    if bed is None:
        raise NotTaken(f"there is no bed {row.bed}")
    if row.amends is not None:
        if db.execute("SELECT 1 FROM reports WHERE uuid = ?", (row.amends,)).fetchone() is None:
            raise NotTaken("there is no such report to confirm")
        if db.execute("SELECT 1 FROM reports WHERE amends = ?", (row.amends,)).fetchone():
            raise NotTaken("the report has been confirmed or amended meanwhile")
    values = (
        row.uuid,
        row.session,
        bed[0],
        row.kind,
        row.state,
        row.made_utc_ns,
        row.about_utc_ns,
        row.actor,
        int(row.automatic),
        None if row.patient is None else as_json(dict(row.patient)),
        row.file,
        row.size,
        row.sha256,
        row.pages,
        row.samples_sha256,
        as_json(dict(row.options)),
        as_json([dict(one) for one in row.made]),
        None if row.edited is None else as_json(list(row.edited)),
        row.confirmed_by,
        row.confirmed_utc_ns,
        row.amends,
    )
    db.execute(f"INSERT INTO reports VALUES (NULL, {', '.join('?' * len(values))}, NULL)", values)  # noqa: S608 - no input
    if message is not None:
        boot = db.execute("SELECT id FROM boots WHERE boot = ?", (message.boot,)).fetchone()
        if boot is None:
            raise NotTaken("nothing has been recorded since the box started")
        told = (message.t_ns, message.device, row.session, message.body)
        send(db, boot[0], Lane.REPORTS, "box.report/1", *told)
    return True


def write_uploads(db: sqlite3.Connection, uploads: Sequence[UploadRow]) -> int:
    """What came of sending; what is not of a report that is known is left out. How many were taken."""

    def write() -> int:
        taken = 0
        for one in uploads:
            taken += db.execute(
                "INSERT INTO uploads SELECT id, ?, ?, ?, ?, ?, ?, ? FROM reports WHERE file = ? ON CONFLICT (report, destination)"
                " DO UPDATE SET state = excluded.state, utc_ns = excluded.utc_ns, size = excluded.size, remote = excluded.remote,"
                " tries = excluded.tries, error = excluded.error WHERE uploads.state <> 'done' OR excluded.state = 'done'",
                (
                    one.destination,
                    one.state,
                    one.utc_ns,
                    one.size,
                    one.remote,
                    one.tries,
                    one.error,
                    one.file,
                ),
            ).rowcount
        return taken

    return _transaction(db, write)


def write_gone(db: sqlite3.Connection, uuids: Sequence[str], utc_ns: int) -> int:
    """Their files are no longer there."""
    sql = "UPDATE reports SET gone_utc_ns = ? WHERE uuid = ? AND gone_utc_ns IS NULL"
    return _transaction(db, lambda: sum(db.execute(sql, (utc_ns, one)).rowcount for one in uuids))


def _transaction(db: sqlite3.Connection, work: Callable[[], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


# --- questions -------------------------------------------------------------------------------------------------

_ROWS = """
    SELECT r.uuid, r.session, bedsides.bed, r.kind, r.state, r.made_utc_ns, r.about_utc_ns, r.actor, r.automatic, r.patient,
           r.file, r.size, r.sha256, r.pages, r.samples_sha256, r.options, r.made, r.edited, r.confirmed_by, r.confirmed_utc_ns,
           r.amends, r.made_utc_ns || '.' || r.id, r.gone_utc_ns, n.uuid
    FROM reports r JOIN bedsides ON bedsides.id = r.bed LEFT JOIN reports n ON n.amends = r.uuid"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reports; "" and None narrow nothing. `current`: without those that another has replaced."""

    find: str = ""
    kind: str = ""
    state: str = ""
    bed: str = ""
    session: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    current: bool = False
    before: str = ""
    most: int = 20


def reports(reader: Reader, wanted: Wanted) -> tuple[list[StoredReport], int]:
    """At most `most` of them, the newest first, and how many there are in all (`before` does not count)."""
    where, values = _condition(wanted)
    total = reader.db.execute(f"SELECT count(*) FROM ({_ROWS} WHERE {where})", values).fetchone()[0]  # noqa: S608 - no input
    if wanted.before:
        made, number = wanted.before.split(".")
        where, values = f"{where} AND (r.made_utc_ns, r.id) < (?, ?)", [*values, int(made), int(number)]
    rows = reader.db.execute(
        f"{_ROWS} WHERE {where} ORDER BY r.made_utc_ns DESC, r.id DESC LIMIT ?", (*values, wanted.most)
    )
    return [_stored(row) for row in rows], total


def _condition(wanted: Wanted) -> tuple[str, list[object]]:
    where: list[str] = ["1"]
    values: list[object] = []
    for column, value in (
        ("r.kind", wanted.kind),
        ("r.state", wanted.state),
        ("bedsides.bed", wanted.bed),
        ("r.session", wanted.session),
    ):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    if wanted.find:
        names = ("r.patient ->> '$.full_name'", "r.patient ->> '$.patient_id'", "r.session", "r.uuid")
        where.append(
            "(" + " OR ".join(f"instr(lower(coalesce({name}, '')), lower(?))" for name in names) + ")"
        )
        values += [wanted.find] * len(names)
    if wanted.since_ns is not None:
        where.append("r.made_utc_ns >= ?")
        values.append(wanted.since_ns)
    if wanted.until_ns is not None:
        where.append("r.made_utc_ns < ?")
        values.append(wanted.until_ns)
    if wanted.current:
        where.append("n.uuid IS NULL")
    return " AND ".join(where), values


def report(reader: Reader, uuid: str) -> StoredReport | None:
    """The report with an id; None where there is none."""
    row = reader.db.execute(f"{_ROWS} WHERE r.uuid = ?", (uuid,)).fetchone()
    return _stored(row) if row else None


def uploads(reader: Reader, uuid: str = "", most: int = 200) -> list[UploadRow]:
    """The newest rows of the upload log, of one report or of all."""
    rows = reader.db.execute(
        "SELECT r.file, u.destination, u.state, u.utc_ns, u.size, u.remote, u.tries, u.error, r.uuid, r.kind FROM uploads u"
        " JOIN reports r ON r.id = u.report WHERE ?1 = '' OR r.uuid = ?1 ORDER BY u.utc_ns DESC LIMIT ?2",
        (uuid, most),
    )
    return [UploadRow(*row) for row in rows]


def oldest_files(reader: Reader, destinations: Sequence[str]) -> list[tuple[str, str, int, bool]]:
    """Reports whose files are here, the oldest first: id, file, size, and whether every destination has it."""
    rows = reader.db.execute(
        "SELECT uuid, file, size, (SELECT count(*) FROM uploads u WHERE u.report = r.id AND u.state = 'done' AND u.destination IN"
        " (SELECT value FROM json_each(?1))) = json_array_length(?1) FROM reports r WHERE gone_utc_ns IS NULL"
        " ORDER BY made_utc_ns, id",
        (json.dumps(list(destinations)),),
    )
    return [(uuid, file, size, bool(everywhere)) for uuid, file, size, everywhere in rows]


def without_report(reader: Reader, kind: str, since_utc_ns: int, shortest_ns: int) -> list[str]:
    """Names of live sessions that ended since then and have no report of that kind yet, the oldest first."""
    rows = reader.db.execute(
        "SELECT s.name FROM sessions s JOIN boots ON boots.id = s.boot LEFT JOIN clock_offsets o ON o.id ="
        " (SELECT max(id) FROM clock_offsets WHERE boot = s.boot) WHERE s.ended_ns IS NOT NULL AND s.summary IS NOT NULL"
        " AND boots.boot NOT LIKE 'import:%' AND s.ended_ns + coalesce(o.utc_offset_ns, 0) >= ? AND s.ended_ns - s.began_ns > ?"
        " AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.session = s.name AND r.kind = ?) ORDER BY s.id",
        (since_utc_ns, shortest_ns, kind),
    )
    return [name for (name,) in rows]


def _stored(row: tuple[Any, ...]) -> StoredReport:
    *fields, place, gone_ns, replaced_by = row
    told = dict(zip(ReportRow.__dataclass_fields__, fields, strict=True))
    for name in ("patient", "options", "made", "edited"):
        told[name] = None if told[name] is None else json.loads(told[name])
    told["automatic"] = bool(told["automatic"])
    return StoredReport(ReportRow(**told), place, gone_ns, replaced_by)
