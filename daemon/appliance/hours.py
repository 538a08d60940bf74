"""How long the box can go on without its clouds before anything is given up that none of them has: from quotas and measured rates.

What is given up first, and in which order, is daemon/store/retention.py's: waveforms that every receiver has, waveforms that none
may have, then numbers (thinned to one a minute). Alarms, events, beats and sessions are kept until the disk itself is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from daemon.appliance import machine
from daemon.config import Config
from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store.places import seek, span
from daemon.store.reader import Reader
from daemon.store.usage import CHUNK_BYTES, METRIC_BYTES, Class, used

MEASURED_NS: Nanos = 3600 * 10**9
EVENT_BYTES = 400
"""Of a row of events or beats, its message included."""

HOUR_NS = 3600 * 10**9


class Kind(StrEnum):
    """Kinds of data, in the order in which they are given up."""

    WAVEFORM = "waveform"
    NUMBERS = "numbers"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class Left:
    """Of one kind. `rate_bytes_h`: what it grows by; `hours` until something of it goes that no cloud has; None: it does not grow.

    `reach_hours`: how far back it goes once its room is full. `bounded_by`: quota or disk.
    """

    kind: Kind
    used_bytes: int
    room_bytes: int
    rate_bytes_h: float
    hours: float | None
    reach_hours: float | None
    bounded_by: str


def hours_left(reader: Reader, config: Config, boot: str, now_ns: Nanos) -> list[Left]:
    """Of every kind, in the order in which they are given up. Raises sqlite3.Error."""
    taken = used(reader.db)
    disk = machine.disk(config.box.data)
    mb = 1_000_000
    spare = max(0, (disk.free if disk else 0) - config.store.keep_free_mb * mb)
    began_ns = max(now_ns - MEASURED_NS, _began(reader, boot))
    span_h = max(now_ns - began_ns, 1) / HOUR_NS
    rates = {
        Kind.WAVEFORM: _waveform_bytes(reader, boot, began_ns, now_ns) / span_h,
        Kind.NUMBERS: _rows(reader, "metrics", boot, began_ns, now_ns) * METRIC_BYTES * 2 / span_h,
        Kind.ALARMS: _rows(reader, "events", boot, began_ns, now_ns) * EVENT_BYTES / span_h,
    }
    total_rate = sum(rates.values())
    quotas = {Kind.WAVEFORM: config.store.waveform_mb * mb, Kind.NUMBERS: config.store.numbers_mb * mb}
    classes = {Kind.WAVEFORM: Class.WAVEFORM, Kind.NUMBERS: Class.NUMBERS}
    waits = _unconfirmed(reader)
    told = []
    for kind, rate in rates.items():
        have = taken.get(classes[kind], 0) if kind in classes else 0
        # The disk is shared: when it fills, it fills at the rate of all.
        of_disk = have + spare * (rate / total_rate if total_rate else 1.0)
        quota = quotas.get(kind, 1 << 62)
        room = int(min(quota, of_disk))
        unsent = have * waits[kind]
        hours = max(0.0, room - unsent) / rate if rate > 0 else None
        reach = room / rate if rate > 0 else None
        told.append(Left(kind, have, room, rate, hours, reach, "quota" if quota <= of_disk else "disk"))
    return told


def next_to_go(left: list[Left]) -> Kind | None:
    """What would go first: the kind with the fewest hours, the less dear one where two are alike."""
    growing = [one for one in left if one.hours is not None]
    return min(growing, key=lambda one: one.hours or 0.0).kind if growing else None


def _began(reader: Reader, boot: str) -> Nanos:
    row = reader.db.execute(
        "SELECT max(r.began_ns) FROM runs r JOIN boots b ON b.id = r.boot WHERE b.boot = ?", (boot,)
    ).fetchone()
    return int(row[0] or 0)


def _waveform_bytes(reader: Reader, boot: str, began_ns: Nanos, now_ns: Nanos) -> int:
    """Of all chunks of the span."""
    total = 0
    for segment in reader.segments(boot, began_ns, now_ns):
        low = seek(reader.db, segment.key, began_ns)
        rows = reader.db.execute(
            "SELECT count(*), sum(length(data)) FROM chunks WHERE place >= ? AND place < ?",
            (low, span(segment.key)[1]),
        ).fetchone()
        total += rows[0] * CHUNK_BYTES + (rows[1] or 0)
    return total


def _rows(reader: Reader, of: str, boot: str, began_ns: Nanos, now_ns: Nanos) -> int:
    sql = f"SELECT count(*) FROM {of} m JOIN boots b ON b.id = m.boot WHERE b.boot = ? AND t_ns >= ? AND t_ns < ?"  # noqa: S608 - no input
    return int(reader.db.execute(sql, (boot, began_ns, now_ns)).fetchone()[0])


def _unconfirmed(reader: Reader) -> dict[Kind, float]:
    """The share of each kind that no cloud has confirmed, by the numbers of its messages."""
    confirmed = {Lane(lane): seq for lane, seq in reader.db.execute("SELECT lane, seq FROM confirmed")}
    # Messages of all lanes are numbered together, a second's after the other: their numbers tell time well enough.
    first, last = reader.db.execute("SELECT min(seq), max(seq) FROM outbox").fetchone()
    lanes = {Kind.WAVEFORM: Lane.WAVEFORM, Kind.NUMBERS: Lane.METRICS, Kind.ALARMS: Lane.ALARMS}
    if first is None:
        return dict.fromkeys(lanes, 0.0)
    return {
        kind: min(1.0, max(0, last - max(confirmed.get(lane, 0), first - 1)) / (last - first + 1))
        for kind, lane in lanes.items()
    }
