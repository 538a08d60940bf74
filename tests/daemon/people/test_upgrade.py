"""A box.db from before there were people opens: tests/databases holds one as the vitald of step 3 left it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from daemon import audit
from daemon.patients import Patients
from daemon.store import schema
from daemon.store.box import BoxFile, ask_box
from tests.daemon.people._desk import add, enter

DUMP = Path(__file__).parents[2] / "databases" / "box-step-3.sql"


@pytest.fixture
def of_step_3(tmp_path):
    db = sqlite3.connect(tmp_path / "box.db")
    db.execute("PRAGMA foreign_keys = 0")
    db.execute("PRAGMA auto_vacuum = 2")
    db.executescript(DUMP.read_text(encoding="utf-8"))
    db.execute(f"PRAGMA application_id = {schema.BOX_APPLICATION_ID}")
    db.execute("PRAGMA user_version = 3")
    db.close()
    return tmp_path / "box.db"


async def test_everything_of_step_3_is_there_after_the_upgrade_and_the_chain_goes_on(of_step_3):
    for _ in range(2):
        file = BoxFile(of_step_3)
        patients = Patients(file)
        await patients.restore({}, ["1"])
        await file.close()

    assert patients.here["1"].patient.full_name == "Jane Roe"
    assert ask_box(of_step_3, audit.walked) == (None, 5)
    assert [e["actor"] for e in ask_box(of_step_3, audit.entries)][0] == "nurse"
    assert ask_box(of_step_3, lambda db: db.execute("SELECT count(*) FROM proposals").fetchone()) == (1,)
    assert ask_box(of_step_3, lambda db: db.execute("SELECT count(*) FROM homes").fetchone()) == (1,)


async def test_nobody_has_an_account_then_and_the_first_can_be_made(of_step_3, desk_at):
    async with desk_at(of_step_3.parent) as desk:
        assert desk.signing.people("", "", 0, 10).total == 0
        await add(desk)
        assert (await enter(desk)).held
        assert (await desk.signing.chain()).whole
        assert (await desk.signing.chain()).rows > 5
