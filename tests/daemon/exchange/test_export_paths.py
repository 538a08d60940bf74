"""An export by the command line and by the worker: audited before it leaves, one at a time, whole or not there at all."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
import zipfile
from contextlib import asynccontextmanager, closing

import pytest
from aiohttp import web

from daemon.cli import main
from daemon.config import Config
from daemon.control.acting import Browser, NobodyKnown, middleware, serves
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.exports import ExportAsked, ExportClient, ExportRoutes, ExportWorkClient
from daemon.exchange import desk
from daemon.exchange.deidentify import KEY_FILE
from daemon.exporting import Exporting
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.worker import working
from tests.daemon.exchange.recorded_house import record


@pytest.fixture
async def house(tmp_path):
    return await record(tmp_path, 4)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "run").mkdir()
    return Config(box={"run": tmp_path / "run", "data": tmp_path, "serial": "BOX-0001-0042"})


@asynccontextmanager
async def audited(config, user="root"):
    """The daemon's route on the control socket, with the real audit."""
    people = BoxFile(config.box.people)
    routes = ExportRoutes(
        Exporting(people, History(config.box.database), config.box.data, lambda: (10**18, True))
    )
    app = web.Application(middlewares=[middleware(NobodyKnown(), lambda request: user)])
    routes.add_to(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(config.box.socket)).start()
    try:
        yield people
    finally:
        await runner.cleanup()
        await people.close()


def asked(house, form="csv", **more):
    return ExportAsked(id=str(uuid.uuid4()), bed="1", session=house.name, form=form, **more)


def rows(config):
    with closing(sqlite3.connect(config.box.people)) as db:
        return db.execute("SELECT actor, act, bed, subject, body FROM audit").fetchall()


def toml(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(f'[box]\ndata = "{tmp_path}"\nrun = "{tmp_path}/run"\n')
    return str(path)


async def test_the_command_line_exports_and_stands_in_the_audit(house, config, tmp_path, capsys):
    to = tmp_path / "out.zip"
    line = [
        "export",
        house.name,
        "--format",
        "wfdb",
        "-o",
        str(to),
        "--from",
        "1",
        "--to",
        "3",
        "--config",
        toml(tmp_path),
    ]
    async with audited(config):
        assert await asyncio.to_thread(main, line) == 0
    assert zipfile.ZipFile(to).namelist() == [f"{house.name}.{ending}" for ending in ("atr", "dat", "hea")]
    ((actor, act, bed, subject, body),) = rows(config)
    assert (actor, act, bed, subject) == ("console (root)", "export", "1", "MRN-77")
    assert '"format":"wfdb"' in body
    assert '"from_s":1.0' in body
    assert capsys.readouterr().out == f"{to}: {8 * 1000} samples\n"


def test_without_a_daemon_it_is_said_that_nobody_notes_it(house, config, tmp_path, capsys):
    to = tmp_path / "out.xml"
    assert main(["export", house.name, "--format", "aecg", "-o", str(to), "--config", toml(tmp_path)]) == 0
    assert to.exists()
    assert "not in the audit trail" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "dicom-pdf"], "--pdf"),
        (["--from", "5", "--to", "4"], "the first before the second"),
        (["--from", "50"], "nothing in this span"),
        (["--format", "jsonl", "--to", "3"], "whole session"),
    ],
)
def test_bad_wishes_are_one_line(house, config, tmp_path, capsys, more, said):
    to = tmp_path / "out"
    assert main(["export", house.name, "-o", str(to), "--config", toml(tmp_path), *more]) == 2
    assert said in capsys.readouterr().err
    assert not to.exists()


def test_no_such_session(house, config, tmp_path, capsys):
    assert main(["export", "session_1", "-o", str(tmp_path / "x"), "--config", toml(tmp_path)]) == 2
    assert "there is no session session_1" in capsys.readouterr().err


async def done(client):
    async with asyncio.timeout(60):
        while (state := await client.state()).state == "running":
            await asyncio.sleep(0.02)
    return state


async def test_the_worker_makes_the_file_and_gives_it_to_whoever_asks_by_its_id(house, config):
    async with working(config), ExportWorkClient(config.work_socket) as client:
        assert (await client.state()).state == "none"
        wanted = asked(house)
        assert (await client.begin(wanted)).state == "running"
        state = await done(client)
        assert (state.state, state.name, state.media) == ("done", f"{house.name}.zip", "application/zip")
        async with client.file(wanted.id) as content:
            data = await content.read()
        assert len(data) == state.size
        (config.box.data / "fetched.zip").write_bytes(data)
        assert "numbers.csv" in zipfile.ZipFile(config.box.data / "fetched.zip").namelist()
        with pytest.raises(NotAnswering):
            async with client.file(str(uuid.uuid4())):
                pass


async def test_one_at_a_time_and_it_can_be_ended(house, config, monkeypatch):
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(_source, wanted, _to):
        loop.call_soon_threadsafe(begun.set)
        while not wanted.stopped():
            pass
        raise desk.Stopped

    monkeypatch.setattr(desk, "export", slowly)
    async with working(config), ExportWorkClient(config.work_socket) as client:
        await client.begin(asked(house))
        await begun.wait()
        assert (await client.begin(asked(house))).refused == "another export is being made"
        assert (await client.cancel()).state == "cancelled"
        assert (await client.state()).state == "cancelled"


async def test_what_cannot_be_made_is_said_in_words(house, config):
    async with working(config), ExportWorkClient(config.work_socket) as client:
        await client.begin(asked(house, "edf", start_s=100.0))
        assert (await done(client)).refused == "the session has nothing in this span"


async def test_a_stop_is_heard_in_the_middle(house):
    calls = 0

    def stopped():
        nonlocal calls
        calls += 1
        return calls > 3

    with pytest.raises(desk.Stopped):
        house.made("csv", stopped=stopped)


async def test_who_may_not_export_is_refused_and_nothing_is_noted(house, config):
    async with audited(config), ExportClient(config.box.socket) as client:
        with serves(Browser("", "10.0.0.7", bedside=True)), pytest.raises(NotPermitted):
            await client.note(asked(house))
        assert (await client.note(asked(house, who="deidentify"))).noted
        assert (await client.note(asked(house).model_copy(update={"session": "session_1"}))).refused
    assert len(rows(config)) == 1
    assert (config.box.data / KEY_FILE).exists()


async def test_an_export_that_is_noted_twice_is_one_row(house, config):
    async with audited(config), ExportClient(config.box.socket) as client:
        wanted = asked(house)
        assert (await client.note(wanted)).noted
        assert (await client.note(wanted)).noted
    assert len(rows(config)) == 1


async def test_what_was_exported_as_scp_can_be_analysed(tmp_path, capsys):
    recorded = await record(tmp_path, 10)
    path, _ = recorded.made("scp", "out.scp")
    assert main(["analyse", str(path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    assert max(line["t"] for line in lines if "t" in line) <= 10.0


async def test_a_disk_that_runs_full_ends_it_before_recording_is_in_danger(house, config, monkeypatch):
    room = iter([True, True, False])
    monkeypatch.setattr(desk, "_has_room", lambda: next(room, False))
    async with working(config), ExportWorkClient(config.work_socket) as client:
        await client.begin(asked(house))
        state = await done(client)
        assert (state.state, state.refused) == ("failed", "the disk has no room for it")
        await client.begin(asked(house))
        assert (await done(client)).refused == "the disk has no room for it"
