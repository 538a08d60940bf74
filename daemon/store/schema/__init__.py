"""The schemas as numbered steps of SQL, `0001.sql` onwards. A step that was ever shipped is never changed again.

`vitald.db` (what is recorded) has the steps beside this file, `box.db` (who is here, who did what) those in box/.

An update must leave the version before it able to start: who goes back must not lose a night. A step that only adds what older code
never looks at says so in a line of its own, `-- readable_by: N`: code that knows N steps may read and write the file. Without it only
code that knows the step may. What holds for a file is the highest of all its steps, and stands in it (table `readable`), because older
code has not got the newer steps to ask.
"""

from __future__ import annotations

import re
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

    def readable_by(self, number: int) -> int:
        """How many steps code must know to use a file that is at step `number`."""
        return max((_declared(step, at) for at, step in enumerate(self.steps[:number], start=1)), default=0)

    def recognise(self, db: sqlite3.Connection) -> int:
        """The step that the file is at, 0 where it is empty; beyond ours where we may use it all the same. Raises `ForeignStore`; changes nothing."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if application != self.application_id and not empty:
            raise ForeignStore("the database belongs to another program")
        if version > len(self.steps) and _needs(db, version) > len(self.steps):
            raise ForeignStore(
                f"the database has schema {version}, this vitald knows {len(self.steps)}: update vitald"
            )
        return version

    def apply(self, db: sqlite3.Connection) -> None:
        """Bring the file to the latest step; each step is one transaction with its number. A file beyond it stays. Raises `ForeignStore`."""
        version = self.recognise(db)
        for number, step in enumerate(self.steps[version:], start=version + 1):
            script = f"PRAGMA application_id = {self.application_id}; PRAGMA user_version = {number};"
            script += _noted(self.readable_by(number), number)
            try:
                db.executescript(f"BEGIN IMMEDIATE; {step.read_text(encoding='utf-8')} {script} COMMIT;")
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


def _declared(step: Path, number: int) -> int:
    """What a step says of itself; its own number where it says nothing. A step cannot promise more than that."""
    said = re.search(r"^-- readable_by: (\d+)$", step.read_text(encoding="utf-8"), re.MULTILINE)
    return min(int(said[1]), number) if said else number


def _needs(db: sqlite3.Connection, version: int) -> int:
    """How many steps a file beyond ours asks for, by its own word."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'readable'").fetchone():
        return version
    row = db.execute("SELECT by_step FROM readable WHERE at_step = ?", (version,)).fetchone()
    return int(row[0]) if row is not None else version


def _noted(needed: int, number: int) -> str:
    """SQL that puts it into the file: no table where only code that knows the last step may use it."""
    if needed == number:
        return " DROP TABLE IF EXISTS readable;"
    made = "CREATE TABLE IF NOT EXISTS readable (at_step INTEGER NOT NULL, by_step INTEGER NOT NULL) STRICT;"
    return f" {made} DELETE FROM readable; INSERT INTO readable VALUES ({number}, {needed});"  # noqa: S608 - a number of ours


STEPS = _steps(Path(__file__).parent)
LATEST = len(STEPS)

BOX = Schema(BOX_APPLICATION_ID, _steps(Path(__file__).parent / "box"))


def recording() -> Schema:
    """That of vitald.db."""
    return Schema(APPLICATION_ID, STEPS)


def apply(db: sqlite3.Connection) -> None:
    """Bring vitald.db to the latest step. Raises `ForeignStore`."""
    recording().apply(db)
