"""The key of everything that belongs to a sample: its segment and its number in one integer (schema/0001.sql)."""

from __future__ import annotations

import sqlite3

from daemon.model.signals import Nanos

PLACES = 2**40
"""Sample numbers of a segment: place = segment's key * PLACES + sample number."""


def place_of(segment: int, sample: int) -> int:
    """The place of a sample. A sample number may be numpy's, whose own arithmetic would overflow."""
    return segment * PLACES + int(sample)


def span(segment: int) -> tuple[int, int]:
    """The first place of a segment, and the first beyond it."""
    return segment * PLACES, (segment + 1) * PLACES


def stored_until(db: sqlite3.Connection, segment: int) -> Nanos:
    """The time directly after the last sample or gap of a segment; its beginning where it has neither."""
    began_ns, rate_hz = db.execute(
        "SELECT began_ns, rate_hz FROM segments JOIN streams ON streams.id = stream WHERE segments.id = ?",
        (segment,),
    ).fetchone()
    ends: list[Nanos] = [began_ns]
    last = "WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"
    for n, t0_ns, period_ns in db.execute(f"SELECT n, t0_ns, period_ns FROM chunks {last}", span(segment)):  # noqa: S608 - no input
        ends.append(t0_ns + round(n * period_ns))
    for count, t0_ns in db.execute(f"SELECT count, t0_ns FROM gaps {last}", span(segment)):  # noqa: S608 - no input
        ends.append(t0_ns + round(count * 1e9 / rate_hz))
    return max(ends)


def seek(db: sqlite3.Connection, segment: int, t_ns: Nanos, table: str = "chunks") -> int:
    """The place of the last chunk (or gap) of a segment that begins at or before `t_ns`; of the first where none does."""
    low, high = span(segment)
    probe = f"SELECT place, t0_ns FROM {table} WHERE place >= ? AND place < ? ORDER BY place"  # noqa: S608 - no input
    row = db.execute(f"{probe} DESC LIMIT 1", (low, high)).fetchone()
    last = row[0] if row else low
    found = low
    while low <= last:  # times grow with places: halve
        middle = (low + last) // 2
        row = db.execute(f"{probe} LIMIT 1", (middle, high)).fetchone()
        if row is not None and row[1] <= t_ns:
            found, low = row[0], row[0] + 1
        else:
            last = middle - 1
    return found


def around(db: sqlite3.Connection, segment: int, t0_ns: Nanos, t1_ns: Nanos) -> tuple[int, int]:
    """Places low .. high (exclusive) of a segment that hold everything from `t0_ns` to `t1_ns`, and no more than is next to it.

    What is at neither a chunk nor beyond the last one yet is within too: a beat may be stored before its samples.
    """
    low, high = span(segment)
    first, last = seek(db, segment, t0_ns), seek(db, segment, t1_ns)
    before = "SELECT place FROM chunks WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"
    after = "SELECT place, n FROM chunks WHERE place > ? AND place < ? ORDER BY place LIMIT 1"
    begin = db.execute(before, (low, first)).fetchone()
    end = db.execute(after, (last, high)).fetchone()
    return (begin[0] if begin else low), (end[0] + end[1] if end else high)
