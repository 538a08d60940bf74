"""What was recorded page by page, for whoever asks over the network: every page costs what it shows, or a stretch of time that is bounded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from daemon.model.signals import Nanos
from daemon.store.answers import StoredNumber
from daemon.store.reader import Reader
from daemon.store.recorded import RecordedSession, session

LOOKED_THROUGH_NS: Final = 6 * 3_600_000_000_000
"""A page of numbers looks through no more than this; one that finds little says where the next begins."""

_LATEST = "coalesce((SELECT utc_offset_ns FROM clock_offsets o WHERE o.boot = s.boot ORDER BY o.id DESC LIMIT 1), 0)"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span of one boot, begin <= t < end, and what makes UTC of its times. `boot_id` orders boots."""

    boot_id: int
    boot: str
    t0_ns: Nanos
    t1_ns: Nanos
    utc_offset_ns: int
    clock_is_set: bool


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number with its place (boot, time, row) and the UTC of its time, in ns."""

    place: tuple[int, Nanos, int]
    number: StoredNumber
    utc_ns: int
    clock_is_set: bool


def sessions_page(
    reader: Reader,
    *,
    bed: str | None = None,
    patient: str | None = None,
    from_utc_ns: int | None = None,
    to_utc_ns: int | None = None,
    before: tuple[int, int] | None = None,
    most: int = 50,
) -> list[tuple[RecordedSession, tuple[int, int]]]:
    """Sessions that began in from <= t < to, newest first, each with its place; `before` a place: those behind it."""
    began = f"(s.began_ns + {_LATEST})"
    rows = reader.db.execute(
        f"SELECT s.name, {began}, s.id FROM sessions s JOIN bedsides ON bedsides.id = s.bed"  # noqa: S608 - texts of ours
        " WHERE coalesce(bedsides.bed = ?1, 1) AND coalesce(patient ->> '$.patient_id' = ?2, ?2 IS NULL)"
        f" AND {began} >= coalesce(?3, {-(2**62)}) AND {began} < coalesce(?4, {2**62})"
        f" AND (?5 IS NULL OR ({began}, s.id) < (?5, ?6)) ORDER BY {began} DESC, s.id DESC LIMIT ?7",
        (bed, patient, from_utc_ns, to_utc_ns, *(before or (None, None)), most),
    ).fetchall()
    found = ((session(reader, name), (began_ns, number)) for name, began_ns, number in rows)
    return [(one, place) for one, place in found if one is not None]


def stretches(reader: Reader, from_utc_ns: int, to_utc_ns: int) -> list[Stretch]:
    """The spans of all boots that lie in from <= UTC < to, oldest boot first."""
    ids = dict(reader.db.execute("SELECT boot, id FROM boots").fetchall())
    found = []
    for boot in reader.boots():
        offset_ns = boot.utc_offset_ns or 0
        t0_ns, t1_ns = max(from_utc_ns - offset_ns, -(2**62)), min(to_utc_ns - offset_ns, 2**62)
        newest_ns = reader.newest_ns(boot.boot)
        if t0_ns <= newest_ns and t1_ns > 0:
            end_ns = min(t1_ns, newest_ns + 1)
            found.append(
                Stretch(ids[boot.boot], boot.boot, max(t0_ns, 0), end_ns, offset_ns, boot.clock_is_set)
            )
    return found


def of_session(reader: Reader, one: RecordedSession) -> Stretch:
    """The span of a session; one that goes on ends with what is stored."""
    (number,) = reader.db.execute("SELECT id FROM boots WHERE boot = ?", (one.boot,)).fetchone()
    end_ns = reader.newest_ns(one.boot) + 1 if one.ended_ns is None else one.ended_ns
    return Stretch(number, one.boot, one.began_ns, end_ns, one.utc_offset_ns, one.clock_is_set)


def numbers_page(
    reader: Reader,
    spans: Sequence[Stretch],
    *,
    bed: str,
    names: Sequence[str] = (),
    device: str | None = None,
    after: tuple[int, Nanos, int] | None = None,
    most: int = 50,
) -> tuple[list[FoundNumber], tuple[int, Nanos, int] | None]:
    """Numbers of a bed, oldest first, behind the place `after` (boot, time, row), and the place that the next page is behind.

    None: there is none. At most `most`, and no more than `LOOKED_THROUGH_NS` are looked through.
    """
    found: list[FoundNumber] = []
    left_ns = LOOKED_THROUGH_NS
    for span in spans:
        t_ns, row = span.t0_ns, -1
        if after is not None:
            if span.boot_id < after[0]:
                continue
            if span.boot_id == after[0]:
                t_ns, row = max((t_ns, row), after[1:])
        if t_ns >= span.t1_ns:
            continue
        end_ns = min(span.t1_ns, t_ns + left_ns)
        found += _numbers(reader.db, span, (t_ns, row, end_ns), bed, names, device, most + 1 - len(found))
        if len(found) > most:
            return found[:most], found[most - 1].place
        left_ns -= end_ns - t_ns
        if left_ns <= 0:
            return found, (span.boot_id, end_ns, -1)
    return found, None


def _numbers(
    db: sqlite3.Connection,
    span: Stretch,
    edges: tuple[Nanos, int, Nanos],
    bed: str,
    names: Sequence[str],
    device: str | None,
    most: int,
) -> list[FoundNumber]:
    t_ns, row, end_ns = edges
    wanted = json.dumps(list(names)) if names else None
    rows = db.execute(
        "SELECT m.id, m.t_ns, bedsides.bed, device, name, lead, unit, value, why, quality, uuid, first, last, rules.rule"
        " FROM metrics m JOIN series ON series.id = m.series JOIN bedsides ON bedsides.id = series.bed"
        " LEFT JOIN segments ON segments.id = m.segment LEFT JOIN rules ON rules.id = m.rule"
        " WHERE m.boot = ? AND m.t_ns >= ? AND (m.t_ns, m.id) > (?, ?) AND m.t_ns < ? AND bedsides.bed = ?"
        " AND coalesce(device = ?, 1) AND (? IS NULL OR name IN (SELECT value FROM json_each(?)))"
        " ORDER BY m.t_ns, m.id LIMIT ?",
        (span.boot_id, t_ns, t_ns, row, end_ns, bed, device, wanted, wanted, most),
    )
    return [
        FoundNumber(
            (span.boot_id, told[0], number),
            StoredNumber(*told),
            told[0] + span.utc_offset_ns,
            span.clock_is_set,
        )
        for number, *told in rows
    ]
