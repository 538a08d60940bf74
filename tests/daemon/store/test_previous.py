"""The version before this one starts on what this one has written, works, and this one goes on after it; for each database.

The version before is this code with its list of steps cut short: what it does not know of it neither reads nor writes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon import audit
from daemon.forward import ledger
from daemon.patients import Patients
from daemon.store import schema
from daemon.store.box import ask_box
from daemon.store.connection import open_writing
from daemon.store.reader import ask
from daemon.store.schema import ForeignStore, Schema
from tests.daemon.people._desk import add, enter
from tests.daemon.people.conftest import Desk

S = 10**9
ADDED = "-- readable_by: {by}\nCREATE TABLE later (id INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;\n"
FOLDERS = {
    "vitald.db": Path(schema.__file__).parent,
    "box.db": Path(schema.__file__).parent / "box",
    "forward.db": Path(ledger.__file__).parent / "schema",
}
ALL = [(name, step) for name, folder in FOLDERS.items() for step in sorted(folder.glob("*.sql"))]


def added(folder: Path, by: int) -> Path:
    """A step to come that only adds."""
    folder.mkdir(exist_ok=True)
    step = folder / "9999.sql"
    step.write_text(ADDED.format(by=by))
    return step


def whole(path: Path) -> None:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchone() is None
    db.close()


def at_step(path: Path) -> int:
    db = sqlite3.connect(path)
    (number,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(number)


# --- each database -------------------------------------------------------------------------------------------


@pytest.fixture(params=["the step before the last", "a step to come"])
def cut(request, tmp_path, monkeypatch) -> tuple[Callable[[], None], Callable[[], None]]:
    """(as this version, as the version before it), for all three."""
    new, old = {}, {}
    for name, steps in (
        ("vitald.db", schema.STEPS),
        ("box.db", schema.BOX.steps),
        ("forward.db", ledger.STEPS),
    ):
        if request.param == "a step to come":
            new[name], old[name] = (*steps, added(tmp_path / f"steps-{name}", len(steps))), steps
        else:
            new[name], old[name] = steps, steps[:-1] if len(steps) > 1 else steps

    def use(steps: dict[str, tuple[Path, ...]]) -> None:
        monkeypatch.setattr(schema, "STEPS", steps["vitald.db"])
        monkeypatch.setattr(schema, "LATEST", len(steps["vitald.db"]))
        monkeypatch.setattr(schema, "BOX", replace(schema.BOX, steps=steps["box.db"]))
        monkeypatch.setattr(ledger, "STEPS", steps["forward.db"])

    return lambda: use(new), lambda: use(old)


async def test_a_recording_goes_on_under_the_version_before(path, running, make_line, cut):
    this, before = cut
    for number, version in enumerate((this, before, this), start=1):
        version()
        line = make_line(connection=number, began_ns=number * 100 * S)
        counts = line.samples(500)
        async with running(boot=f"boot-{number}") as writer:
            for block in line.blocks(counts, [100, 333]):
                writer.offer("1", block)
        (trace,) = ask(path, lambda r, n=number: r.read(f"boot-{n}", n * 100 * S, (n * 100 + 9) * S))
        np.testing.assert_array_equal(trace.counts[:, :500], counts)
    assert at_step(path) == len(schema.STEPS)
    whole(path)


async def test_people_and_patients_are_known_to_the_version_before(tmp_path, cut):
    this, before = cut
    this()
    desk = Desk(tmp_path)
    await desk.signing.restore()
    await add(desk)
    await desk.close()
    for version in (before, this):
        version()
        desk.open(f"boot {version}")
        await desk.signing.restore()
        assert (await enter(desk)).held
        assert (await desk.signing.chain()).whole
        patients = Patients(desk.file)
        await patients.restore({}, ["1"])
        await desk.close()
    assert at_step(tmp_path / "box.db") == len(schema.BOX.steps)
    assert ask_box(tmp_path / "box.db", audit.walked)[0] is None
    whole(tmp_path / "box.db")


def test_what_was_sent_is_known_to_the_version_before(tmp_path, cut):
    this, before = cut
    path = tmp_path / "forward.db"
    for version in (this, before, this):
        version()
        db = ledger.open_ledger(path)
        ledger.destination(db, "there")
        assert db.execute("SELECT name FROM destinations").fetchall() == [("there",)]
        db.close()
    assert at_step(path) == len(ledger.STEPS)
    whole(path)


# --- the rule --------------------------------------------------------------------------------------------


def opened(path: Path, *steps: str, folder: Path) -> Schema:
    """A schema of these steps, brought to a file."""
    folder.mkdir(exist_ok=True)
    files = []
    for number, text in enumerate(steps, start=1):
        file = folder / f"{number:04}.sql"
        file.write_text(text)
        files.append(file)
    kind = Schema(schema.APPLICATION_ID, tuple(files))
    db = open_writing(path, kind)
    kind.apply(db)
    db.close()
    return kind


FIRST = "CREATE TABLE one (x INTEGER NOT NULL) STRICT;"
MORE = "CREATE TABLE t{n} (x INTEGER NOT NULL) STRICT;"
CHANGED = "ALTER TABLE one ADD COLUMN y INTEGER NOT NULL DEFAULT 0;"


@pytest.mark.parametrize(
    ("steps", "least"),
    [
        ([FIRST], 1),
        ([FIRST, f"-- readable_by: 1\n{MORE.format(n=2)}"], 1),
        ([FIRST, f"-- readable_by: 1\n{MORE.format(n=2)}", f"-- readable_by: 1\n{MORE.format(n=3)}"], 1),
        ([FIRST, CHANGED], 2),
        # One that changes what is there shuts out all before it, whatever later ones say.
        ([FIRST, CHANGED, f"-- readable_by: 1\n{MORE.format(n=3)}"], 2),
        ([FIRST, f"-- readable_by: 1\n{MORE.format(n=2)}", CHANGED], 3),
        # Nobody promises to be read by code that knows more than there is.
        ([FIRST, f"-- readable_by: 9\n{MORE.format(n=2)}"], 2),
    ],
)
def test_what_older_code_may_use_is_what_every_step_allows(tmp_path, steps, least):
    path = tmp_path / "x.db"
    kind = opened(path, *steps, folder=tmp_path / "steps")
    for known in range(1, len(steps) + 1):
        older = replace(kind, steps=kind.steps[:known])
        db = sqlite3.connect(path, isolation_level=None)
        if known >= least:
            older.apply(db)
            assert at_step(path) == len(steps), "a file is never taken back"
        else:
            with pytest.raises(ForeignStore, match="update vitald"):
                older.apply(db)
        db.close()


def test_a_file_of_before_the_rule_is_refused_as_it_was(tmp_path):
    path = tmp_path / "x.db"
    kind = opened(path, FIRST, MORE.format(n=2), folder=tmp_path / "steps")
    with pytest.raises(ForeignStore):
        replace(kind, steps=kind.steps[:1]).recognise(sqlite3.connect(path))


@pytest.mark.parametrize(
    ("name", "step"), ALL, ids=lambda value: value if isinstance(value, str) else value.stem
)
def test_a_step_that_says_so_only_adds(name, step):
    """What older code never looks at: new tables and their indexes. Anything else is not promised."""
    text = step.read_text(encoding="utf-8")
    if "readable_by" not in text:
        return
    assert re.search(r"^-- readable_by: \d+$", text, re.MULTILINE), (
        f"{name}: {step.name}: written otherwise it says nothing"
    )
    statements = [s.strip() for s in re.sub(r"--[^\n]*", "", text).split(";") if s.strip()]
    new = {m[1] for s in statements if (m := re.match(r"CREATE TABLE (\w+)", s))}
    for statement in statements:
        index = re.match(r"CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)", statement)
        assert re.match(r"CREATE TABLE ", statement) or (index and index[1] in new), statement
