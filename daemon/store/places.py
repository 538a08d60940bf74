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
