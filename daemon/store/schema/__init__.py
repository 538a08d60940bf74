"""The schema as numbered steps of SQL, `0001.sql` onwards. A step that was ever shipped is never changed again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

APPLICATION_ID = 0x76697464
"""Marks the file as ours ("vitd")."""

STEPS = tuple(sorted(Path(__file__).parent.glob("[0-9][0-9][0-9][0-9].sql")))
LATEST = len(STEPS)


class ForeignStore(Exception):
    """The file is whole and not for this version of vitald: another program's, or a newer vitald's. A person must decide."""


def recognise(db: sqlite3.Connection) -> int:
    """The step that the file is at, 0 where it is empty. Raises `ForeignStore`; changes nothing."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not empty:
        raise ForeignStore("the database belongs to another program")
    if version > LATEST:
        raise ForeignStore(f"the database has schema {version}, this vitald knows {LATEST}: update vitald")
    return version


def apply(db: sqlite3.Connection) -> None:
    """Bring the file to the latest step; each step is one transaction with its number. Raises `ForeignStore`."""
    version = recognise(db)
    for number, step in enumerate(STEPS[version:], start=version + 1):
        script = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        try:
            db.executescript(f"BEGIN IMMEDIATE; {step.read_text(encoding='utf-8')} {script} COMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
