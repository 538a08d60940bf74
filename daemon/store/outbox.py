"""The outbox as its readers see it: messages lane by lane in the order in which they were said, and samples of a place.

    ask(path, lambda reader: heads(reader))        as every question of reader.py

A message's key is made of the file's identity and the message's seq: where the identity has changed (a file that was moved
aside, or restored) seqs begin anew, and cursors of before mean nothing.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.model.outgoing import Lane
from daemon.model.signals import Channel, Nanos
from daemon.store.places import PLACES
from daemon.store.reader import Reader
from daemon.store.streams import channels_of

_END = "SELECT seq FROM outbox WHERE"

AFTER_ITS_END = 10_000
"""So many messages after the end of a session none of it comes any more."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message. UTC in nanoseconds = t_ns + utc_offset_ns by the newest knowledge; not set = no more than a guess.

    `place` is the chunk of a waveform, whose samples are asked for with `samples`; else `body` is the contract's.
    """

    seq: int
    lane: Lane
    message: str
    boot: str
    t_ns: Nanos
    utc_offset_ns: int
    clock_is_set: bool
    device: str
    session: str
    place: int | None
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Samples `first` .. `first + n - 1` of a segment, coded as stored (codec.py); `crc32` is that of the counts.

    `t0_ns` and `period_ns` are the fit of the device's clock for them.
    """

    place: int
    segment: str
    stream: str
    device: str
    first: int
    n: int
    rate_hz: float
    t0_ns: Nanos
    period_ns: float
    channels: tuple[Channel, ...]
    codec: int
    crc32: int
    coded: bytes


def identity(reader: Reader) -> uuid.UUID:
    """Names the file that these seqs are of."""
    return uuid.UUID(reader.db.execute("SELECT uuid FROM identity").fetchone()[0])


def key_of(of: uuid.UUID, seq: int) -> str:
    """The key of a message, the same for ever: UUID text."""
    return str(uuid.uuid5(of, str(seq)))


def heads(reader: Reader) -> dict[Lane, int]:
    """The highest seq of every lane; 0 where nothing was ever said, or all of it is gone."""
    return {lane: _one(reader.db, f"{_END} {_of(lane)} ORDER BY seq DESC LIMIT 1") for lane in Lane}


def tails(reader: Reader) -> dict[Lane, int]:
    """The lowest seq of every lane that is still here; 0 where none is."""
    return {lane: _one(reader.db, f"{_END} {_of(lane)} ORDER BY seq LIMIT 1") for lane in Lane}


def above(reader: Reader, after: int) -> dict[Lane, int]:
    """The highest seq of every lane that has any above `after`: quick where that is near the end, whatever lies below."""
    sql = "SELECT lane, max(seq) FROM outbox WHERE seq > ? GROUP BY lane"
    return {Lane(lane): seq for lane, seq in reader.db.execute(sql, (after,))}


def last_before(reader: Reader, utc_ns: int, head: int) -> int:
    """The highest seq, up to `head`, of what was said before a moment by the newest knowledge of the clock; seqs go with time."""
    sql = (
        "SELECT t_ns + coalesce((SELECT utc_offset_ns FROM clock_offsets o WHERE o.boot = m.boot ORDER BY id DESC), 0)"
        " FROM outbox m WHERE seq >= ? ORDER BY seq LIMIT 1"
    )
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        row = reader.db.execute(sql, (middle,)).fetchone()
        if row is not None and row[0] < utc_ns:
            low = middle
        else:
            high = middle - 1
    return low


def outgoing(reader: Reader, lane: Lane, after: int, until: int, most: int) -> list[OutboxRow]:
    """At most `most` messages of a lane with after < seq <= until, in their order."""
    return _rows(reader, f"{_of(lane)} AND seq > ? AND seq <= ?", (after, until), most)


def of_session(reader: Reader, session: str, after: int, most: int) -> list[OutboxRow]:
    """At most `most` messages of a session, of all lanes, with seq > after, in their order."""
    begin, end = (
        _one(
            reader.db,
            f"{_END} message = ? AND session = ? AND {_of(Lane.EVENTS)} LIMIT 1",
            f"box.session_{what}/1",
            session,
        )
        for what in ("start", "end")
    )
    # What was waiting for its samples when the session ended comes soon after its end.
    until = end + AFTER_ITS_END if end else 2**62
    return _rows(
        reader, "session = ? AND seq > ? AND seq <= ?", (session, max(after, begin - 1), until), most
    )


def _rows(reader: Reader, where: str, values: tuple[object, ...], most: int) -> list[OutboxRow]:
    rows = reader.db.execute(
        "SELECT seq, lane, message, boots.boot, m.t_ns, o.utc_offset_ns, o.state, device, session, place, body"  # noqa: S608 - no input
        f" FROM (SELECT * FROM outbox WHERE {where} ORDER BY seq LIMIT ?) m"
        " JOIN boots ON boots.id = m.boot LEFT JOIN clock_offsets o ON o.id ="
        " (SELECT max(id) FROM clock_offsets WHERE boot = m.boot) ORDER BY seq",
        (*values, most),
    )
    return [
        OutboxRow(
            seq,
            Lane(lane),
            message,
            boot,
            t_ns,
            offset_ns or 0,
            state == "set",
            device,
            session,
            place,
            None if body is None else json.loads(body),
        )
        for seq, lane, message, boot, t_ns, offset_ns, state, device, session, place, body in rows
    ]


def waiting(reader: Reader, lane: Lane, done: Sequence[tuple[int, int]]) -> int:
    """How many messages of a lane are in none of the spans `done` (first .. last, both inclusive, apart from each other).

    Numbers and samples are counted one by one: some tenths of a second for days of them.
    """
    count = f"SELECT count(*) FROM outbox WHERE {_of(lane)}"  # noqa: S608 - no input
    return _one(reader.db, count) - sum(_one(reader.db, f"{count} AND seq BETWEEN ? AND ?", *s) for s in done)


def samples(reader: Reader, places: Iterable[int]) -> dict[int, StoredChunk]:
    """The stored chunks at these places; one that is not here any more is left out (its loss was said in box.dropped)."""
    sql = (
        "SELECT uuid, s.name, d.device, n, rate_hz, t0_ns, period_ns, channels, codec, crc32, data FROM chunks c"
        " JOIN segments g ON g.id = ?2 JOIN streams s ON s.id = g.stream JOIN devices d ON d.id = s.device WHERE place = ?1"
    )
    found: dict[int, StoredChunk] = {}
    for place in places:
        row = reader.db.execute(sql, (place, place // PLACES)).fetchone()
        if row is None:
            continue
        segment, stream, device, n, rate_hz, t0_ns, period_ns, channels, codec, crc32, data = row
        found[place] = StoredChunk(
            place, segment, stream, device, place % PLACES, n, rate_hz, t0_ns, period_ns, channels_of(channels), codec, crc32, data
        )  # fmt: skip
    return found


def _of(lane: Lane) -> str:
    """The condition for a lane, as the index of all but the two large ones needs it."""
    return f"lane = {int(lane)}" + (
        "" if lane in {Lane.METRICS, Lane.WAVEFORM} else " AND lane NOT IN (2, 3)"
    )


def _one(db: sqlite3.Connection, sql: str, *values: int | str) -> int:
    """The one number of an answer; 0 where there is none."""
    found = db.execute(sql, values).fetchone()
    return (found[0] or 0) if found else 0
