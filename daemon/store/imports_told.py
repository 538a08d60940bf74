"""What the clouds are told of an imported session, in the transaction that writes its row: so it is told once, and whole.

Its beginning, its samples, a minute's numbers each, the device's own marks, and its end, as of a live session; at its own time, in
the boot of the import. Newest goes first, so a whole card waits behind what is being measured now.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos
from daemon.store import codec
from daemon.store.places import PLACES
from daemon.store.sending import send, send_chunk
from daemon.store.sessions import told_of
from daemon.store.streams import channels_of
from daemon.store.usage import MESSAGE_BYTES, Class, change

_Floats = npt.NDArray[np.float64]
_Times = npt.NDArray[np.int64]

MINUTE_NS: Nanos = 60_000_000_000

NUMBERS: Mapping[str, tuple[str, Mapping[str, tuple[str, float]]]] = {
    "therapy": (
        "cpap.metrics/1",
        {
            "pressure_cm_h2o": ("mask_pressure", 1.0),
            "respiratory_rate_per_min": ("respiration_rate", 1.0),
            "leak_rate_lpm": ("leak", 60.0),
        },
    ),
    "oximetry": ("oximeter.metrics/1", {"spo2_pct": ("spo2", 1.0), "pulse_bpm": ("pulse_rate", 1.0)}),
}
"""Stream -> the message of its numbers: field -> channel and what it is multiplied with (a leak comes in L/s)."""


class Told(NamedTuple):
    """An imported session: names and rows of what was written of it. Of one that has grown, what is new is from `since_ns` on."""

    boot: int
    name: str
    uuid: str
    device: str
    firmware: str
    began_ns: Nanos
    ended_ns: Nanos
    since_ns: Nanos


class _Chunk(NamedTuple):
    place: int
    stream: str
    channels: str
    n: int
    t0_ns: Nanos
    period_ns: float
    crc32: int
    coding: int
    data: bytes


def tell_beginning(
    db: sqlite3.Connection,
    told: Told,
    bed: str,
    patient: str | None,
    info: Mapping[str, object],
    rate_hz: float,
) -> None:
    """The session's row is there; `patient` as JSON, `info` what sessions say of the box."""
    body = {
        "session_id": told.name,
        "session_uuid": told.uuid,
        "bed": bed,
        "patient": told_of(patient),
        "device_info": {**info, "sampling_rate_hz": rate_hz},
        "automatic": False,
    }
    _send(db, told, Lane.EVENTS, "box.session_start/1", told.began_ns, body)


def tell_recorded(db: sqlite3.Connection, told: Told) -> None:
    """Its samples, and a message a minute of those that are numbers."""
    rows = db.execute(
        "SELECT place, s.name, channels, n, t0_ns, period_ns, crc32, codec, data FROM segments g"
        " JOIN streams s ON s.id = g.stream CROSS JOIN chunks c ON c.place >= g.id * ?1 AND c.place < (g.id + 1) * ?1"
        " WHERE g.run IN (SELECT id FROM runs WHERE boot = ?2 AND began_ns = ?3) AND t0_ns >= ?4 ORDER BY t0_ns, place",
        (PLACES, told.boot, told.began_ns, told.since_ns),
    )
    chunks = [_Chunk(*row) for row in rows.fetchall()]
    for chunk in chunks:
        send_chunk(db, told.boot, chunk.stream, chunk.t0_ns, told.device, told.name, chunk.place)
    for stream, (message, fields) in NUMBERS.items():
        names = [name for name, _ in fields.values()]
        for t_ns, values in _minutes([chunk for chunk in chunks if chunk.stream == stream], names):
            body = {
                field: round(of * values[name], 3) if name in values else None
                for field, (name, of) in fields.items()
            }
            if any(value is not None for value in body.values()):
                more = {"firmware": told.firmware} if message == "cpap.metrics/1" else {}
                size = _send(db, told, Lane.METRICS, message, t_ns, {**body, **more})
                change(db, Class.NUMBERS, size + MESSAGE_BYTES)


def tell_mark(
    db: sqlite3.Connection, told: Told, t_ns: Nanos, name: str, text: str, duration_s: float
) -> None:
    """What the device noticed by itself."""
    numbers = [{"name": "duration", "value": duration_s, "unit": "s"}] if duration_s else []
    _send(db, told, Lane.EVENTS, "box.event/1", t_ns, _event(name, numbers, text))


def tell_end(db: sqlite3.Connection, told: Told) -> None:
    """Last of all. One that has grown ends once more, later."""
    duration_s = round((told.ended_ns - told.began_ns) / 1e9, 3)
    body = {
        "session_id": told.name,
        "session_uuid": told.uuid,
        "ended_by": "stop",
        "summary": {"duration_seconds": duration_s},
    }
    _send(db, told, Lane.EVENTS, "box.session_end/1", told.ended_ns, body)


def tell_day(
    db: sqlite3.Connection,
    boot: int,
    device: str,
    t_ns: Nanos,
    day: str,
    figures: Iterable[tuple[str, str, float | None]],
) -> None:
    """What the device says of a whole day: (name, unit, value); one that it has no value of is left out."""
    numbers = [{"name": n, "value": value, "unit": unit} for n, unit, value in figures if value is not None]
    body = _event("therapy_day", numbers, day)
    send(db, boot, Lane.EVENTS, "box.event/1", t_ns, device, "", body)


def _send(
    db: sqlite3.Connection, told: Told, lane: Lane, message: str, t_ns: Nanos, body: Mapping[str, Any]
) -> int:
    return send(db, told.boot, lane, message, t_ns, told.device, told.name, body)


def _event(name: str, numbers: list[dict[str, object]], detail: str) -> dict[str, object]:
    return {"name": name, "numbers": numbers, "detail": detail, "evidence": None}


def _minutes(chunks: Iterable[_Chunk], names: Collection[str]) -> Iterator[tuple[Nanos, dict[str, float]]]:
    """Each minute of UTC that has samples: the time of its first, and the medians of what the device gave, by channel."""
    gathered: dict[str, list[_Floats]] = {name: [] for name in names}
    times: list[_Times] = []
    for chunk in chunks:
        channels = channels_of(chunk.channels)
        counts = codec.decode(chunk.data, len(channels), chunk.n, chunk.crc32, chunk.coding)
        times.append(chunk.t0_ns + np.rint(np.arange(chunk.n) * chunk.period_ns).astype(np.int64))
        given = {
            channel.name: np.where(
                (line >= channel.low) & (line <= channel.high), (line - channel.offset) * channel.gain, np.nan
            )
            for channel, line in zip(channels, counts, strict=True)
            if channel.name in gathered
        }
        for name, values in gathered.items():
            values.append(given.get(name, np.full(chunk.n, np.nan)))
    if not times:
        return
    at = np.concatenate(times)
    lines = {name: np.concatenate(values) for name, values in gathered.items()}
    begins = np.flatnonzero(np.diff(at // MINUTE_NS, prepend=-1)).tolist()
    for first, end in pairwise([*begins, len(at)]):
        known = {name: line[first:end][~np.isnan(line[first:end])] for name, line in lines.items()}
        yield (
            int(at[first]),
            {name: float(np.median(values)) for name, values in known.items() if len(values)},
        )
