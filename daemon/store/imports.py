"""What was recorded elsewhere, at its own time: sessions of a device's card, written beside the live recording.

A device's imports have a boot of their own, `import:<serial number>`, in which a time is UTC in nanoseconds; so they take no part in
what this box saw, and every question by boot and time works for them as for anything else. Whatever is written twice is there
once: segments and sessions are named after what they hold. A session's row comes last, so that what a crash has cut short
is no session yet, and the next import of the card completes it.

The clouds are told of a session when its row is written (imports_told.py), and retention counts and gives up what it gives up of
the live recording. Nothing of it goes into the log of alarms.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from daemon.model.signals import GapCause, Nanos, Stream
from daemon.store import codec
from daemon.store.imports_told import Told, tell_beginning, tell_day, tell_end, tell_mark, tell_recorded
from daemon.store.places import place_of
from daemon.store.sending import as_json
from daemon.store.usage import CHUNK_BYTES, METRIC_BYTES, Class, change

T = TypeVar("T")

PREFIX = "import:"
"""Of the boots of imports."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose recording it is: the device's serial number, its kind, what it calls itself, and the bed it is kept at."""

    device: str
    kind: str
    title: str
    firmware: str
    bed: str

    @property
    def boot(self) -> str:
        return PREFIX + self.device


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stream of one session. `segment` is its UUID; the session is from `session_ns` to `until_ns`.

    `chunk_n` samples are a whole chunk, and chunks begin at its multiples.
    """

    segment: str
    stream: Stream
    began_ns: Nanos
    ended_ns: Nanos
    chunk_n: int
    session_ns: Nanos
    until_ns: Nanos


@dataclass(frozen=True, slots=True)
class Coded:
    """Samples `first` .. `first + n - 1`, coded as store/codec.py does."""

    first: int
    n: int
    t0_ns: Nanos
    period_ns: float
    error_ns: float
    crc32: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Hole:
    """Samples that the device recorded and that cannot be believed."""

    first: int
    count: int
    t0_ns: Nanos


@dataclass(frozen=True, slots=True)
class Mark:
    """What the device noticed by itself, at `t_ns` for `duration_s` (0: it did not say)."""

    t_ns: Nanos
    name: str
    text: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the device's."""

    name: str
    unit: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Imported:
    """A session that is complete: its samples are there. `segment` is that of its first stream; `patient` as JSON."""

    uuid: str
    segment: str
    began_ns: Nanos
    ended_ns: Nanos
    actor: str
    patient: str | None
    marks: tuple[Mark, ...]
    summary: Mapping[str, Any]


class BadImport(ValueError):
    """What was handed in cannot be stored."""


def write_samples(
    db: sqlite3.Connection, owner: Owner, stretch: Stretch, chunks: Sequence[Coded], holes: Sequence[Hole]
) -> int:
    """Samples of a stretch; how many chunks were not there yet. Raises `BadImport` for those that cannot be decoded."""
    for chunk in chunks:
        try:
            codec.decode(chunk.data, len(stretch.stream.channels), chunk.n, chunk.crc32)
        except codec.Damaged as error:
            raise BadImport(f"samples from {chunk.first} on: {error}") from None

    def write() -> int:
        segment = _segment(db, owner, stretch)
        added = 0
        for c in chunks:
            fit = (c.t0_ns, c.period_ns, c.error_ns, c.t0_ns + round(c.n * c.period_ns))
            row = (place_of(segment, c.first), c.n, *fit, c.crc32, codec.CODEC, c.data)
            sql = "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            if db.execute(sql, row).rowcount:
                added += 1
                change(db, Class.WAVEFORM, len(c.data) + CHUNK_BYTES)
        for hole in holes:
            known = (hole.count, hole.t0_ns, hole.t0_ns, GapCause.NOISE, False)
            sql = "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?)"
            db.execute(sql, (place_of(segment, hole.first), *known))
        return added

    return _whole(db, write)


def write_session(
    db: sqlite3.Connection, owner: Owner, session: Imported, info: Mapping[str, object]
) -> bool:
    """The session's own row and its marks; False where it is there already. One that has grown since is brought up to date.

    `info` is what sessions say of the box.
    """

    def write() -> bool:
        known = db.execute("SELECT ended_ns FROM sessions WHERE uuid = ?", (session.uuid,)).fetchone()
        if known is not None and known[0] >= session.ended_ns:
            return False
        boot, bed = _boot(db, owner, session.began_ns), _id(db, "bedsides", "bed", owner.bed)
        since_ns = session.began_ns if known is None else known[0]
        if known is None:
            _insert_session(db, session, boot, bed)
        name, rate_hz = db.execute(
            "SELECT sessions.name, rate_hz FROM sessions JOIN streams ON streams.id = stream WHERE uuid = ?",
            (session.uuid,),
        ).fetchone()
        spanned = (session.began_ns, session.ended_ns, since_ns)
        told = Told(boot, name, session.uuid, owner.device, owner.firmware, *spanned)
        if known is None:
            tell_beginning(db, told, owner.bed, session.patient, info, rate_hz)
        else:
            sql = "UPDATE sessions SET ended_ns = ?, summary = ? WHERE uuid = ?"
            db.execute(sql, (session.ended_ns, as_json(session.summary), session.uuid))
        tell_recorded(db, told)
        for mark in session.marks:
            if known is None or mark.t_ns >= since_ns:
                body = {"device": owner.device, **_without_time(mark)}
                _event(db, boot, bed, mark.t_ns, "device_event", body)
                tell_mark(db, told, mark.t_ns, mark.name, mark.text, mark.duration_s)
        tell_end(db, told)
        return True

    return _whole(db, write)


def write_day(
    db: sqlite3.Connection,
    owner: Owner,
    t_ns: Nanos,
    day: str,
    body: Mapping[str, Any],
    figures: Sequence[Figure],
) -> bool:
    """What the device says of a whole day, at `t_ns`; False where just that is there already. The newest word holds."""

    def write() -> bool:
        boot, bed = _boot(db, owner, t_ns), _id(db, "bedsides", "bed", owner.bed)
        text = as_json({"device": owner.device, "day": day, **body})
        there = db.execute(
            "SELECT body FROM events WHERE boot = ? AND kind = 'therapy_day' AND body ->> '$.day' = ?"
            " ORDER BY id DESC LIMIT 1",
            (boot, day),
        ).fetchone()
        if there is not None and there[0] == text:
            return False
        sql = "INSERT INTO events (boot, t_ns, bed, kind, body) VALUES (?, ?, ?, 'therapy_day', ?)"
        db.execute(sql, (boot, t_ns, bed, text))
        for figure in figures:
            series = _series(db, bed, owner.device, figure)
            why = None if figure.value is not None else "not_given"
            sql = "INSERT INTO metrics (boot, t_ns, series, value, why, quality) VALUES (?, ?, ?, ?, ?, 1.0)"
            db.execute(sql, (boot, t_ns, series, figure.value, why))
        change(db, Class.NUMBERS, len(figures) * METRIC_BYTES)
        told = [(figure.name, figure.unit, figure.value) for figure in figures]
        tell_day(db, boot, owner.device, t_ns, day, told)
        return True

    return _whole(db, write)


def imported(db: sqlite3.Connection, device: str) -> dict[str, Nanos]:
    """UUID -> end of the sessions that were imported of a device."""
    rows = db.execute(
        "SELECT uuid, ended_ns FROM sessions WHERE boot = (SELECT id FROM boots WHERE boot = ?)",
        (PREFIX + device,),
    )
    return dict(rows.fetchall())


def _whole(db: sqlite3.Connection, write: Callable[[], T]) -> T:
    """All of it or nothing, in a transaction of its own."""
    db.execute("BEGIN IMMEDIATE")
    try:
        done = write()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return done


def _boot(db: sqlite3.Connection, owner: Owner, t_ns: Nanos) -> int:
    """The device's boot, in which UTC is the time itself."""
    found = db.execute("SELECT id FROM boots WHERE boot = ?", (owner.boot,)).fetchone()
    if found is None:
        found = (_row(db, "INSERT INTO boots (boot, began_ns) VALUES (?, ?)", (owner.boot, t_ns)),)
        sql = "INSERT INTO clock_offsets (boot, t_ns, utc_offset_ns, state) VALUES (?, ?, 0, 'set')"
        db.execute(sql, (found[0], t_ns))
    return int(found[0])


def _segment(db: sqlite3.Connection, owner: Owner, stretch: Stretch) -> int:
    found = db.execute("SELECT id, ended_ns FROM segments WHERE uuid = ?", (stretch.segment,)).fetchone()
    if found is not None:
        if found[1] is None or found[1] < stretch.ended_ns:
            db.execute("UPDATE segments SET ended_ns = ? WHERE id = ?", (stretch.ended_ns, found[0]))
        return int(found[0])
    boot, bed = _boot(db, owner, stretch.session_ns), _id(db, "bedsides", "bed", owner.bed)
    device = _id(db, "devices", "device", owner.device)
    said = (owner.kind, owner.title, owner.firmware, device)
    db.execute("UPDATE devices SET kind = ?, title = ?, firmware = ? WHERE id = ? AND kind = ''", said)
    return _row(
        db,
        "INSERT INTO segments (uuid, stream, bed, boot, run, connection, began_ns, chunk_n, ended_ns, ended_by)"
        " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, 'stop')",
        (
            stretch.segment,
            _stream(db, device, stretch.stream),
            bed,
            boot,
            _run(db, bed, boot, stretch),
            stretch.began_ns,
            stretch.chunk_n,
            stretch.ended_ns,
        ),
    )


def _run(db: sqlite3.Connection, bed: int, boot: int, stretch: Stretch) -> int:
    key = (bed, boot, stretch.session_ns)
    found = db.execute("SELECT id FROM runs WHERE bed = ? AND boot = ? AND began_ns = ?", key).fetchone()
    if found is not None:
        return int(found[0])
    sql = "INSERT INTO runs (bed, boot, began_ns, ended_ns, ended_by) VALUES (?, ?, ?, ?, 'stop')"
    return _row(db, sql, (*key, stretch.until_ns))


def _stream(db: sqlite3.Connection, device: int, stream: Stream) -> int:
    channels = as_json([asdict(channel) for channel in stream.channels])
    key = (device, stream.name, stream.rate_hz, channels)
    sql = "SELECT id FROM streams WHERE device = ? AND name = ? AND rate_hz = ? AND channels = ?"
    found = db.execute(sql, key).fetchone()
    insert = "INSERT INTO streams (device, name, rate_hz, channels) VALUES (?, ?, ?, ?)"
    return int(found[0]) if found else _row(db, insert, key)


def _series(db: sqlite3.Connection, bed: int, device: str, figure: Figure) -> int:
    key = (bed, device, figure.name, figure.unit)
    where = "bed = ? AND device = ? AND name = ? AND lead = '' AND unit = ?"
    found = db.execute(f"SELECT id FROM series WHERE {where}", key).fetchone()  # noqa: S608 - names of ours
    insert = "INSERT INTO series (bed, device, name, lead, unit) VALUES (?, ?, ?, '', ?)"
    return int(found[0]) if found else _row(db, insert, key)


def _insert_session(db: sqlite3.Connection, session: Imported, boot: int, bed: int) -> None:
    stream = db.execute("SELECT stream FROM segments WHERE uuid = ?", (session.segment,)).fetchone()
    if stream is None:
        raise BadImport("a session whose samples are not there")
    sql = (
        "INSERT INTO sessions (name, uuid, bed, boot, began_ns, began_by, actor, patient, stream, ended_ns, ended_by,"
        " summary) VALUES (?, ?, ?, ?, ?, 'person', ?, ?, ?, ?, 'stop', ?)"
    )
    told = (session.actor, session.patient, stream[0], session.ended_ns, as_json(session.summary))
    db.execute(sql, (_name(db, session.began_ns), session.uuid, bed, boot, session.began_ns, *told))


def _name(db: sqlite3.Connection, began_ns: Nanos) -> str:
    """As of every session: UTC at its beginning, or the next second that is free."""
    seconds = began_ns // 1_000_000_000
    while True:
        name = f"session_{datetime.fromtimestamp(seconds, UTC):%Y%m%d_%H%M%S}"
        if db.execute("SELECT 1 FROM sessions WHERE name = ?", (name,)).fetchone() is None:
            return name
        seconds += 1


def _without_time(mark: Mark) -> dict[str, object]:
    return {"name": mark.name, "text": mark.text, "duration_s": mark.duration_s}


def _event(
    db: sqlite3.Connection, boot: int, bed: int, t_ns: Nanos, kind: str, body: Mapping[str, Any]
) -> None:
    sql = "INSERT INTO events (boot, t_ns, bed, kind, body) VALUES (?, ?, ?, ?, ?)"
    db.execute(sql, (boot, t_ns, bed, kind, as_json(body)))


def _id(db: sqlite3.Connection, table: str, name: str, value: str) -> int:
    found = db.execute(f"SELECT id FROM {table} WHERE {name} = ?", (value,)).fetchone()  # noqa: S608 - names of ours
    if found is not None:
        return int(found[0])
    return _row(db, f"INSERT INTO {table} ({name}) VALUES (?)", (value,))  # noqa: S608 - as above


def _row(db: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> int:
    return int(db.execute(sql, values).lastrowid or 0)
