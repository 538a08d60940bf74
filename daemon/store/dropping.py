"""One step of giving up: rows go, what they were stays said. Within the caller's transaction (retention.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store.places import PLACES, span
from daemon.store.sending import send
from daemon.store.usage import CHUNK_BYTES, MESSAGE_BYTES, METRIC_BYTES, Class, change

DROPPED = "dropped"
"""Cause of the gap that dropped samples become."""

NEWEST_CHUNKS = 120
"""So many chunks are never dropped: they are being written, shown and sent."""

NEWEST_NS: Nanos = 3_600_000_000_000
"""Numbers of the last hour are not thinned."""

MINUTE_NS: Nanos = 60_000_000_000
LOOKED_AT = 10
"""Rows looked at in a step, for each that it may delete."""

Kept = dict[tuple[object, ...], int]
"""The last minute of which a number was kept, by what it is: a step goes on where the last one ended."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one step gave up: `kind` "waveform" or "metrics"; so many rows and bytes."""

    kind: str
    records: int
    bytes: int


def drop_waveforms(
    db: sqlite3.Connection, boot: int, now_ns: Nanos, reason: str, most: int, after: int, confirmed: int
) -> tuple[Dropped | None, int]:
    """The oldest chunks after message `after`: their rows become a gap, their messages go. Also gives where it ended."""
    newest = db.execute(
        "SELECT seq FROM outbox WHERE lane = ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
        (Lane.WAVEFORM, NEWEST_CHUNKS),
    ).fetchone()
    rows = db.execute(
        "SELECT seq, place, boot, t_ns, device, session FROM outbox WHERE lane = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (Lane.WAVEFORM, after, newest[0] if newest else 0, most),
    ).fetchall()
    delivered = [row for row in rows if row[0] <= confirmed]
    rows = delivered or rows  # a step is of one or of the other: its record says which
    if not rows:
        return None, after
    places = [row[1] for row in rows]
    size = _delete_chunks(db, places, now_ns)
    db.executemany("DELETE FROM outbox WHERE seq = ?", [(row[0],) for row in rows])
    change(db, Class.WAVEFORM, -size)
    dropped = Dropped("waveform", len(rows), size)
    why = f"{reason}, {'every receiver has it' if delivered else 'not confirmed by every receiver'}"
    _say(db, boot, now_ns, dropped, why, [row[2:] for row in rows])
    return dropped, rows[-1][0]


def thin_messages(
    db: sqlite3.Connection,
    boot: int,
    now_ns: Nanos,
    reason: str,
    most: int,
    after: int,
    confirmed: int,
    kept: Kept,
) -> tuple[Dropped | None, int]:
    """Messages of numbers: those that every receiver has go, of the others one a minute stays."""
    found = db.execute(
        "SELECT seq, length(body), boot, t_ns, device, session, message FROM outbox WHERE lane = ? AND seq > ?"
        " AND seq < (SELECT max(seq) FROM outbox) AND NOT (boot = ? AND t_ns > ?) ORDER BY seq LIMIT ?",
        (Lane.METRICS, after, boot, now_ns - NEWEST_NS, LOOKED_AT * most),
    ).fetchall()
    rows, at = [], after
    for row in found:
        at = row[0]
        if row[0] <= confirmed or not _keeps(kept, ("message", row[2], row[4], row[6]), row[3]):
            rows.append(row)
            if len(rows) == most:
                break
    if not rows:
        return None, at
    db.executemany("DELETE FROM outbox WHERE seq = ?", [(row[0],) for row in rows])
    dropped = Dropped("metrics", len(rows), sum(row[1] + MESSAGE_BYTES for row in rows))
    change(db, Class.NUMBERS, -dropped.bytes)
    _say(db, boot, now_ns, dropped, f"{reason}, messages thinned to one a minute", [row[2:6] for row in rows])
    return dropped, at


def thin_metrics(
    db: sqlite3.Connection, boot: int, now_ns: Nanos, reason: str, most: int, after: int, kept: Kept
) -> tuple[Dropped | None, int]:
    """Stored numbers: of each one a minute stays."""
    found = db.execute(
        "SELECT m.id, m.boot, t_ns, series, series.device FROM metrics m JOIN series ON series.id = series"
        " WHERE m.id > ? AND NOT (m.boot = ? AND t_ns > ?) ORDER BY m.id LIMIT ?",
        (after, boot, now_ns - NEWEST_NS, LOOKED_AT * most),
    ).fetchall()
    rows, at = [], after
    for row in found:
        at = row[0]
        if not _keeps(kept, ("metric", row[1], row[3]), row[2]):
            rows.append(row)
            if len(rows) == most:
                break
    if not rows:
        return None, at
    db.executemany("DELETE FROM metrics WHERE id = ?", [(row[0],) for row in rows])
    dropped = Dropped("metrics", len(rows), len(rows) * METRIC_BYTES)
    change(db, Class.NUMBERS, -dropped.bytes)
    _say(
        db,
        boot,
        now_ns,
        dropped,
        f"{reason}, thinned to one a minute",
        [(r[1], r[2], r[4], "") for r in rows],
    )
    return dropped, at


def _keeps(kept: Kept, what: tuple[object, ...], t_ns: Nanos) -> bool:
    """Whether this is the first of its minute."""
    minute = t_ns // MINUTE_NS
    if kept.get(what) == minute:
        return False
    kept[what] = minute
    return True


def _delete_chunks(db: sqlite3.Connection, places: Sequence[int], now_ns: Nanos) -> int:
    """Delete chunks, envelopes that hold nothing else, and gaps between them; a gap takes their place. Bytes freed."""
    size = 0
    for segment in dict.fromkeys(place // PLACES for place in places):
        of_segment = [place for place in places if place // PLACES == segment]
        low, high = span(segment)
        end = of_segment[-1]
        for place in of_segment:
            row = db.execute("SELECT n, length(data) FROM chunks WHERE place = ?", (place,)).fetchone()
            if row is not None:
                size += row[1] + CHUNK_BYTES
                end = max(end, place + row[0])
        _leave_gap(db, low, end, now_ns)
        db.execute("DELETE FROM chunks WHERE place >= ? AND place < ?", (low, end))
        chunk_n = db.execute("SELECT chunk_n FROM segments WHERE id = ?", (segment,)).fetchone()[0]
        stays = db.execute(
            "SELECT min(place) FROM chunks WHERE place >= ? AND place < ?", (low, high)
        ).fetchone()[0]
        gone = "place >= ? AND place < ? AND place + bins * ? <= ?"
        within = (low, end, chunk_n, high if stays is None else stays)
        freed = db.execute(f"SELECT sum(length(data)) FROM envelopes WHERE {gone}", within).fetchone()[0]  # noqa: S608 - no input
        db.execute(f"DELETE FROM envelopes WHERE {gone}", within)  # noqa: S608 - no input
        size += freed or 0
    return size


def _leave_gap(db: sqlite3.Connection, low: int, end: int, now_ns: Nanos) -> None:
    """One gap from the first sample of the segment that was ever stored to place `end`, over whatever is there."""
    firsts = [
        row
        for table in ("chunks", "gaps")
        for row in db.execute(
            f"SELECT place, t0_ns FROM {table} WHERE place >= ? AND place < ? ORDER BY place LIMIT 1",  # noqa: S608 - no input
            (low, end),
        )
    ]
    if not firsts:
        return
    place, t0_ns = min(firsts)
    db.execute("DELETE FROM gaps WHERE place >= ? AND place < ?", (low, end))
    db.execute("INSERT INTO gaps VALUES (?, ?, ?, ?, ?, 1)", (place, end - place, t0_ns, now_ns, DROPPED))


def _say(
    db: sqlite3.Connection,
    boot: int,
    now_ns: Nanos,
    dropped: Dropped,
    why: str,
    rows: Sequence[tuple[int, Nanos, str, str]],
) -> None:
    """box.dropped/1, one for each device; `rows` are boot, time, device and session of what went."""
    for device in dict.fromkeys(row[2] for row in rows):
        of_device = [row for row in rows if row[2] == device]
        times = [_utc(db, row[0], row[1]) for row in (of_device[0], of_device[-1])]
        body = {
            "kind": dropped.kind,
            "device": device,
            "from_at": times[0],
            "to_at": times[1],
            "records": len(of_device),
            "bytes": dropped.bytes * len(of_device) // len(rows),
            "reason": why,
        }
        send(db, boot, Lane.EVENTS, "box.dropped/1", now_ns, device, of_device[-1][3], body)


def _utc(db: sqlite3.Connection, boot: int, t_ns: Nanos) -> str:
    """A time as messages have it: RFC 3339, UTC, three decimals, by the newest knowledge of the boot's clock."""
    found = db.execute(
        "SELECT utc_offset_ns FROM clock_offsets WHERE boot = ? ORDER BY id DESC LIMIT 1", (boot,)
    ).fetchone()
    ms = (t_ns + (found[0] if found else 0)) // 1_000_000
    moment = datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
