"""What a session comes to, computed by SQL from what is stored of its bed and time: the summary of the seeds."""

from __future__ import annotations

import sqlite3
from typing import Any

from daemon.model.arrhythmias import ARRHYTHMIAS, BY_BEAT, BY_EVENT, BY_RHYTHM
from daemon.model.findings import Grade
from daemon.model.signals import Nanos
from daemon.store.places import around

BEATS_OF_A_RATE = 8
"""The lowest and the highest heart rate are those of this many beats in a row: one early beat is no rate."""

_BEATS = f"""
    SELECT count(*), count(rr_ms), sum(rr_ms), max(mean_ms), min(mean_ms) FROM (
        SELECT rr_ms, CASE WHEN count(rr_ms) OVER last = {BEATS_OF_A_RATE} THEN avg(rr_ms) OVER last END AS mean_ms
        FROM beats WHERE place >= ? AND place < ? AND t_ns >= ? AND t_ns < ?
        WINDOW last AS (ORDER BY place ROWS {BEATS_OF_A_RATE - 1} PRECEDING))"""  # noqa: S608 - a number of ours

_GRADES = """
    SELECT grade, sum(until_ns - from_ns) AS for_ns FROM (
        SELECT body ->> '$.grade' AS grade, max(t_ns, ?3) AS from_ns,
               coalesce(lead(t_ns) OVER (ORDER BY t_ns, id), ?4) AS until_ns
        FROM events WHERE boot = ?2 AND bed = ?1 AND kind = 'quality' AND body ->> '$.lead' = 'global' AND t_ns < ?4
            AND t_ns >= coalesce((SELECT t_ns FROM events WHERE boot = ?2 AND t_ns <= ?3 AND t_ns > ?3 - 86400000000000
                AND bed = ?1 AND kind = 'quality' AND body ->> '$.lead' = 'global' ORDER BY t_ns DESC, id DESC LIMIT 1), ?3))
    WHERE until_ns > from_ns GROUP BY grade ORDER BY for_ns DESC LIMIT 1"""


def summary_of(
    db: sqlite3.Connection, bed: int, boot: int, began_ns: Nanos, ended_ns: Nanos
) -> dict[str, Any]:
    """The summary of a bed (its row) from `began_ns` to `ended_ns` of a boot (its row), as in box.session_end/1.

    Heart rates are those of the beats' own distances: pauses of the signal do not count. signal_quality is the grade of all
    leads together that held for most of the time, "off" where none was ever said.
    """
    beats = with_rr = 0
    sum_ms, longest_ms, shortest_ms = 0.0, list[float](), list[float]()
    codes: set[str] = set()
    for low, high in _places(db, bed, boot, began_ns, ended_ns):
        within = (low, high, began_ns, ended_ns)
        n, n_rr, total_ms, slow_ms, fast_ms = db.execute(_BEATS, within).fetchone()
        beats, with_rr, sum_ms = beats + n, with_rr + n_rr, sum_ms + (total_ms or 0.0)
        longest_ms += [slow_ms] if slow_ms else []
        shortest_ms += [fast_ms] if fast_ms else []
        labels = "SELECT DISTINCT label FROM beats WHERE place >= ? AND place < ? AND t_ns >= ? AND t_ns < ?"
        codes |= {BY_BEAT[label] for (label,) in db.execute(labels, within) if label in BY_BEAT}
    codes |= _arrhythmias(db, bed, boot, began_ns, ended_ns)
    grade = db.execute(_GRADES, (bed, boot, began_ns, ended_ns)).fetchone()
    return {
        "duration_seconds": round((ended_ns - began_ns) / 1e9, 3),
        "total_heartbeats": beats,
        "average_heart_rate_bpm": round(60_000 * with_rr / sum_ms, 1) if sum_ms else None,
        "min_heart_rate_bpm": round(60_000 / max(longest_ms), 1) if longest_ms else None,
        "max_heart_rate_bpm": round(60_000 / min(shortest_ms), 1) if shortest_ms else None,
        "arrhythmias_detected": [code for code in ARRHYTHMIAS if code in codes],
        "signal_quality": grade[0] if grade else Grade.OFF.value,
    }


def _places(
    db: sqlite3.Connection, bed: int, boot: int, began_ns: Nanos, ended_ns: Nanos
) -> list[tuple[int, int]]:
    """The places of a bed's beats in the span, with some to spare, segment by segment."""
    segments = db.execute(
        "SELECT id FROM segments WHERE boot = ? AND bed = ? AND began_ns < ? AND coalesce(ended_ns >= ?, 1)",
        (boot, bed, ended_ns, began_ns),
    ).fetchall()
    return [around(db, segment, began_ns, ended_ns) for (segment,) in segments]


def _arrhythmias(db: sqlite3.Connection, bed: int, boot: int, began_ns: Nanos, ended_ns: Nanos) -> set[str]:
    """Codes of the rhythms and events that were said."""
    said = db.execute(
        "SELECT DISTINCT kind, coalesce(body ->> '$.label', body ->> '$.name') FROM events"
        " WHERE boot = ? AND t_ns >= ? AND t_ns < ? AND bed = ? AND kind IN ('rhythm', 'event')",
        (boot, began_ns, ended_ns, bed),
    )
    known = {"rhythm": BY_RHYTHM, "event": BY_EVENT}
    return {known[kind][name] for kind, name in said if name in known[kind]}
