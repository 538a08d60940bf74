"""The schemas as numbered steps of SQL, `0001.sql` onwards. A step that was ever shipped is never changed again.

`vitald.db` (what is recorded) has the steps beside this file, `box.db` (who is here, who did what) those in box/.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

APPLICATION_ID = 0x76697464
"""Marks vitald.db as ours ("vitd")."""

BOX_APPLICATION_ID = 0x76697462
"""Marks box.db ("vitb")."""


class ForeignStore(Exception):
    """The file is whole and not for this version of vitald: another program's, or a newer vitald's. A person must decide."""


def _steps(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("[0-9][0-9][0-9][0-9].sql")))


@dataclass(frozen=True, slots=True)
class Schema:
    """The steps of one kind of file."""

    application_id: int
    steps: tuple[Path, ...]

    def recognise(self, db: sqlite3.Connection) -> int:
        """The step that the file is at, 0 where it is empty. Raises `ForeignStore`; changes nothing."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if application != self.application_id and not empty:
            raise ForeignStore("the database belongs to another program")
        if version > len(self.steps):
            raise ForeignStore(
                f"the database has schema {version}, this vitald knows {len(self.steps)}: update vitald"
            )
        return version

    def apply(self, db: sqlite3.Connection) -> None:
        """Bring the file to the latest step; each step is one transaction with its number. Raises `ForeignStore`."""
        version = self.recognise(db)
        for number, step in enumerate(self.steps[version:], start=version + 1):
            script = f"PRAGMA application_id = {self.application_id}; PRAGMA user_version = {number};"
            try:
                db.executescript(f"BEGIN IMMEDIATE; {step.read_text(encoding='utf-8')} {script} COMMIT;")
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


STEPS = _steps(Path(__file__).parent)
LATEST = len(STEPS)

BOX = Schema(BOX_APPLICATION_ID, _steps(Path(__file__).parent / "box"))


def recording() -> Schema:
    """That of vitald.db."""
    return Schema(APPLICATION_ID, STEPS)


def apply(db: sqlite3.Connection) -> None:
    """Bring vitald.db to the latest step. Raises `ForeignStore`."""
    recording().apply(db)
