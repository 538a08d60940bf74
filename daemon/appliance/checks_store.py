"""Checks of `vitald doctor` on the databases: there, sound, and written to."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from daemon.appliance.findings import Finding, found
from daemon.appliance.surroundings import Surroundings
from daemon.store.connection import open_reading
from daemon.store.salvage import damaged_files

LONGEST_S = 20.0
"""The check of a large file is broken off after this: what was read until then is sound."""

STALE_S = 30.0
PROGRESS_STEPS = 100_000


def store(box: Surroundings) -> Iterator[Finding]:
    """Both files."""
    if box.config is None:
        return
    recorded, people = box.config.box.database, box.config.box.people
    if not recorded.exists():
        yield found("store.missing", path=recorded)
        return
    for path in (recorded, people):
        if path.exists():
            why = fault(path, LONGEST_S, deep=not box.quick)
            if why:
                yield found("store.damaged", path=path, why=why)
    for aside in damaged_files(recorded):
        yield found("store.moved_aside", path=aside)
    age_s = written_s_ago(recorded, box.utc_ns() / 1e9)
    if box.state is not None and age_s > STALE_S and _streams(box):
        yield found("store.not_writing", path=recorded, seconds=f"{age_s:.0f}")


def fault(path: Path, within_s: float, *, deep: bool) -> str:
    """Why a database is not sound, "" where it is, as far as could be read in the time given. Nothing is written."""
    try:
        db = open_reading(path)
    except sqlite3.OperationalError as error:
        return "" if "unable to open" in str(error) else str(error)  # not ours to read: `files` says so
    except (sqlite3.DatabaseError, OSError) as error:
        return str(error)
    until_s = time.monotonic() + within_s
    db.set_progress_handler(lambda: time.monotonic() > until_s, PROGRESS_STEPS)
    try:
        if not deep:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return ""
        said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "interrupted" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        db.close()
    return "" if said == "ok" else said.splitlines()[0]


def written_s_ago(path: Path, utc_s: float) -> float:
    """Seconds since the file or its log was last written to, by the clock."""
    times = [p.stat().st_mtime for p in (path, path.with_name(path.name + "-wal")) if p.exists()]
    return max(0.0, utc_s - max(times))


def _streams(box: Surroundings) -> bool:
    return box.state is not None and any(
        d.state == "streaming" for bed in box.state.beds for d in bed.devices
    )
