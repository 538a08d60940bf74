"""Thirty days of a bed's numbers as a trend: how long the worker takes, and how much of the span it looks at.

A generated store as the daemon writes one: nine numbers with every beat, the numbers of twelve leads once a minute (11 rows a
second, 28 million rows in 30 days). Made once in a temporary folder; making it takes a minute or two and 2 GB.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import Row
from daemon.control.review import TrendAsked
from daemon.review.trends import trend
from daemon.store import schema
from daemon.store.reader import ask

S = 1_000_000_000
DAYS, HOUR_S = 30, 3600
BEATS = 9
LEADS, BY_LEAD, OTHERS = 12, 9, 2
SHOWN = (1, 3, BEATS + 1, BEATS + 2, BEATS + LEADS * BY_LEAD + 1)
UTC_NS = 1_700_000_000 * S
SPANS_H = (1, 24, 720)
TIMES = 3


def rows() -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vitald.db"
        count = _write(path)
        yield Row("trends: rows of 30 days", count, "rows")
        end_ms = (UTC_NS + DAYS * 24 * HOUR_S * S) / 1e6
        for hours in SPANS_H:
            asked = TrendAsked(
                bed="1", from_ms=end_ms - hours * 3.6e6, to_ms=end_ms, points=1000, series=SHOWN
            )
            taken, read = [], 0.0
            for _ in range(TIMES):
                began_s = time.perf_counter()
                told = ask(path, lambda reader, asked=asked: trend(reader, asked, round(end_ms * 1e6)))  # type: ignore[misc]  # mypy takes no defaults in a lambda
                taken.append(time.perf_counter() - began_s)
                read = told.read
            note = f"{100 * read:.3g} % of the span read, {told.points} points"
            middle = statistics.median(taken)
            yield Row(f"trends: five measurements over {hours} h", middle, "s", "<= 1", middle <= 1.0, note)


def _write(path: Path) -> int:
    """The store; how many numbers are in it."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    schema.apply(db)
    end_ns = DAYS * 24 * HOUR_S * S
    db.execute("INSERT INTO boots VALUES (1, 'boot-1', 0)")
    db.execute("INSERT INTO bedsides VALUES (1, '1')")
    db.execute("INSERT INTO runs VALUES (1, 1, 1, 0, ?, 'stop')", (end_ns,))
    db.execute("INSERT INTO clock_offsets VALUES (1, 1, 0, ?, 'set')", (UTC_NS,))
    series = BEATS + LEADS * BY_LEAD + OTHERS
    db.executemany(
        "INSERT INTO series VALUES (?, 1, '', ?, '', '1')", [(k, f"n{k}") for k in range(1, series + 1)]
    )
    random = np.random.default_rng(1)
    every_second, every_minute = np.arange(1, BEATS + 1), np.arange(BEATS + 1, series + 1)
    for hour in range(DAYS * 24):
        seconds = np.repeat(np.arange(hour * HOUR_S, (hour + 1) * HOUR_S), BEATS)
        minutes = np.repeat(np.arange(hour * HOUR_S + 30, (hour + 1) * HOUR_S, 60), len(every_minute))
        times = np.concatenate([seconds, minutes])
        which = np.concatenate([np.tile(every_second, HOUR_S), np.tile(every_minute, 60)])
        order = np.argsort(times, kind="stable")
        values = random.normal(70, 5, len(times)).tolist()
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO metrics (boot, t_ns, series, value, quality, segment, first, last, rule)"
            " VALUES (1, ?, ?, ?, 1.0, 1, 123456789, 123457789, 1)",
            zip((times[order] * S).tolist(), which[order].tolist(), values, strict=True),
        )
        db.execute("COMMIT")
    (count,) = db.execute("SELECT count(*) FROM metrics").fetchone()
    db.close()
    return int(count)
