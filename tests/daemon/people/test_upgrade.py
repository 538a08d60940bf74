"""A box.db of an earlier step opens: tests/databases holds them as the vitald of that step left them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from daemon import audit
from daemon.patients import Patients
from daemon.store import schema
from daemon.store.box import BoxFile, ask_box
from tests.daemon.people._desk import add, enter

DUMPS = Path(__file__).parents[2] / "databases"


def of_step(step: int, folder: Path) -> Path:
    db = sqlite3.connect(folder / "box.db")
    db.execute("PRAGMA foreign_keys = 0")
    db.execute("PRAGMA auto_vacuum = 2")
    db.executescript((DUMPS / f"box-step-{step}.sql").read_text(encoding="utf-8"))
    db.execute(f"PRAGMA application_id = {schema.BOX_APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {step}")
    db.close()
    return folder / "box.db"


@pytest.fixture
def of_step_3(tmp_path):
    return of_step(3, tmp_path)


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


async def test_who_had_an_account_at_step_6_enters_and_nothing_of_it_is_lost(tmp_path, desk_at):
    path = of_step(6, tmp_path)
    async with desk_at(tmp_path) as desk:
        assert (await enter(desk)).held
        assert not (await enter(desk, password="not the words")).held
        assert (await desk.signing.chain()).whole

    kept = {
        "people": 2,
        "tokens": 1,
        "ownership": 2,
        "settings": 1,
        "ward_limits": 1,
        "firmware_jobs": 1,
        "stays": 2,
    }
    for table, count in kept.items():
        assert ask_box(path, lambda db, t=table: db.execute(f"SELECT count(*) FROM {t}").fetchone()) == (
            count,
        )
