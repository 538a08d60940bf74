"""Reading a table of a damaged file: every row that can be had, in the order of its key, past pages that cannot be read."""

from __future__ import annotations

import sqlite3
from typing import Any

FARTHEST = 2**62


def rows_after(
    db: sqlite3.Connection, table: str, key: str, after: int, most: int
) -> tuple[list[tuple[Any, ...]], int | None]:
    """At most `most` rows with a key above `after`, and the key to go on from; None: there is nothing beyond."""
    sql = f"SELECT {key}, * FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?"  # noqa: S608 - names of ours
    while most:
        try:
            rows = db.execute(sql, (after, most)).fetchall()
        except sqlite3.DatabaseError:
            most //= 2  # the rows before the damage, then one by one up to it
            continue
        return rows, rows[-1][0] if rows else None
    beyond = _beyond(db, sql, after)
    return [], beyond


def _beyond(db: sqlite3.Connection, sql: str, after: int) -> int | None:
    """The lowest key from which on rows can be read again; None where that is nowhere."""
    step = 1
    while not _readable(db, sql, after + step):
        step *= 2
        if step > FARTHEST:
            return None
    bad, good = after + step // 2, after + step
    while good - bad > 1:
        middle = (bad + good) // 2
        if _readable(db, sql, middle):
            good = middle
        else:
            bad = middle
    return good


def _readable(db: sqlite3.Connection, sql: str, after: int) -> bool:
    try:
        db.execute(sql, (min(after, FARTHEST), 1)).fetchall()
    except sqlite3.DatabaseError:
        return False
    return True
