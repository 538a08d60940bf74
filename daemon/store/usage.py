"""How many bytes of the file belong to what may be given up when room is short: waveforms and numbers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from enum import StrEnum


class Class(StrEnum):
    """What is given up together. Alarms, events, beats and sessions are in no class: they stay."""

    WAVEFORM = "waveform"
    NUMBERS = "numbers"


CHUNK_BYTES, ENVELOPE_BYTES = 90, 60
"""Of a row beside its coded samples, its message in the outbox included."""

METRIC_BYTES = 90
MESSAGE_BYTES = 100
"""Of a message beside its body."""


class Usage:
    """Counts what is written; `store` puts it into the file, which is done now and then."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._more: Counter[Class] = Counter()

    def add(self, of: Class, count: int) -> None:
        self._more[of] += count

    def store(self) -> None:
        for of, count in self._more.items():
            change(self._db, of, count)
        self._more.clear()


def change(db: sqlite3.Connection, of: Class, count: int) -> None:
    """So many bytes more (or less)."""
    db.execute("UPDATE usage SET bytes = max(bytes + ?, 0) WHERE class = ?", (count, of))


def used(db: sqlite3.Connection) -> dict[Class, int]:
    """Bytes of every class, as of the last minute."""
    return {Class(of): count for of, count in db.execute("SELECT class, bytes FROM usage")}
