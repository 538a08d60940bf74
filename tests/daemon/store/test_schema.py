from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.store import schema
from daemon.store.connection import open_writing
from daemon.store.reader import ask
from daemon.store.schema import LATEST, ForeignStore

SECOND_STEP = """
CREATE TABLE later (id INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
INSERT INTO later (word) SELECT bed FROM bedsides;
ALTER TABLE bedsides ADD COLUMN ward TEXT NOT NULL DEFAULT '';
"""

CUT = """
import os, shutil, sys
from pathlib import Path
from daemon.store import schema
from daemon.store.connection import open_writing

old, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
schema.STEPS, schema.LATEST = (*schema.STEPS, step), schema.LATEST + 1

def die_at(number, path):
    db = open_writing(path)
    db.execute("PRAGMA synchronous = 0")  # a process dies here, not the power
    seen = 0
    def trace(sql):
        nonlocal seen
        seen += 1
        if seen == number: os._exit(9)
    db.set_trace_callback(trace)
    schema.apply(db)
    os._exit(0)

number, died = 0, True
while died:
    number += 1
    path = folder / f"{number}.db"
    if old.exists(): shutil.copy(old, path)
    child = os.fork()
    if child == 0: die_at(number, path)
    died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    for _ in range(2):
        db = open_writing(path)
        db.execute("PRAGMA synchronous = 0")
        if _ == 0:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            assert ("later" in tables) == (version == schema.LATEST), (number, version, tables)
            assert ("segments" in tables) == (version >= 1), (number, version, tables)
            assert ("alarm_states" in tables) == (version >= 2), (number, version, tables)
        schema.apply(db)
        assert db.execute("PRAGMA user_version").fetchone() == (schema.LATEST,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("SELECT ward FROM bedsides").fetchall()
        words = db.execute("SELECT word FROM later").fetchall()
        assert words == ([("7",)] if old.exists() else []), (number, words)
        db.close()
print(number)
"""


@pytest.mark.slow
@pytest.mark.parametrize("start", ["nothing", "step 1", "the latest step"])
def test_a_migration_that_dies_at_any_statement_is_done_by_the_next_start(tmp_path: Path, start, monkeypatch):
    """The process ends at its first, second ... statement, until it is through; then it is opened twice."""
    old, step, folder = tmp_path / "old.db", tmp_path / "9999.sql", tmp_path / "cut"
    folder.mkdir()
    step.write_text(SECOND_STEP)
    if start != "nothing":
        db = open_writing(old)
        with monkeypatch.context() as patched:
            if start == "step 1":
                patched.setattr(schema, "STEPS", schema.STEPS[:1])
                patched.setattr(schema, "LATEST", 1)
            schema.apply(db)
        db.execute("INSERT INTO bedsides (bed) VALUES ('7')")
        db.close()
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(old), str(folder), str(step)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > SECOND_STEP.count(";")  # every statement was once the last


def test_a_step_that_fails_leaves_the_step_before_it(path: Path, tmp_path: Path, monkeypatch):
    wrong = tmp_path / "9999.sql"
    wrong.write_text(SECOND_STEP + "SELECT no_such_column FROM later;")
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, wrong))
    monkeypatch.setattr(schema, "LATEST", LATEST + 1)
    db = open_writing(path)
    with pytest.raises(sqlite3.OperationalError, match="no_such_column"):
        schema.apply(db)
    assert not db.in_transaction
    assert db.execute("PRAGMA user_version").fetchone() == (LATEST,)
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'later'").fetchone() == (0,)
    db.close()


async def test_the_schema_is_applied_once(path, running):
    for _ in range(2):
        async with running() as writer:
            assert await writer._db.run(lambda db: db.execute("PRAGMA user_version").fetchone()) == (LATEST,)
    assert len(ask(path, lambda r: r.boots())) == 1


async def test_a_newer_store_is_not_touched(path, running):
    async with running():
        pass
    db = open_writing(path)
    db.execute(f"PRAGMA user_version = {LATEST + 1}")
    db.close()
    with pytest.raises(ForeignStore, match="update vitald"):
        async with running():
            pass
    assert not path.with_name("vitald.db.damaged-1").exists()


async def test_the_database_of_another_program_is_not_touched(path, running):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (id INTEGER)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(ForeignStore, match="another program"):
        async with running():
            pass
    assert path.read_bytes() == before
