"""Ids of the rows that others refer to (beds, devices, streams, rules ...): found or inserted once, then remembered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


class Known:
    """Of one connection; to be made anew after a transaction that was rolled back."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[tuple[object, ...], int] = {}

    def find(
        self,
        table: str,
        names: Sequence[str],
        key: tuple[object, ...],
        insert: str = "",
        more: tuple[object, ...] = (),
        *,
        keep: bool = True,
    ) -> int:
        """The id of the row of `table` with this unique key, inserted where there is none.

        `insert` and `more`: the statement and further values, where the key alone is not the row. Without `keep` it is
        looked up every time.
        """
        known = self._ids.get((table, *key))
        if known is not None:
            return known
        where = " AND ".join(f"{name} = ?" for name in names)
        select = f"SELECT id FROM {table} WHERE {where}"  # noqa: S608 - names of ours, values are bound
        found = self._db.execute(select, key).fetchone()
        if found is None:
            marks = ", ".join("?" * len(key))
            insert = insert or f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - as above
            found = (self._db.execute(insert, key + more).lastrowid,)
        row = int(found[0])
        if keep:
            self._ids[table, *key] = row
        return row

    def run(self, bed: int, boot: int, began_ns: int) -> int:
        """The bed's run by this process, begun now where there is none."""
        key = ("runs", bed)
        if key not in self._ids:
            found = self._db.execute(
                "SELECT id FROM runs WHERE bed = ? AND ended_ns IS NULL", (bed,)
            ).fetchone()
            if found is None:
                sql = "INSERT INTO runs (bed, boot, began_ns) VALUES (?, ?, ?)"
                found = (self._db.execute(sql, (bed, boot, began_ns)).lastrowid,)
            self._ids[key] = int(found[0])
        return self._ids[key]
