"""A report's way: a session ends, its report is made by itself, uploaded as multipart by itself, told of, and logged."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sqlite3

import pypdf
import pytest

from benchmarks._box import Box
from daemon.control.client import NotAnswering
from daemon.control.reports import ReportClient
from daemon.control.sessions import SessionAct, SessionClient
from daemon.store.reader import ask
from daemon.store.recorded import sessions
from tests.cloud.app import serving

CONFIG = """
[reports]
shortest_s = 5

[forward]
credentials = "{folder}"

[forward.destinations.plan]
kind = "rest"
url = "{url}"
api_key_file = "api-key"
collect_s = 1.0
"""
ENOUGH_S = 110


async def until(found, seconds=ENOUGH_S):
    async with asyncio.timeout(seconds):
        while not (one := await found()):
            await asyncio.sleep(0.3)
    return one


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_sessions_report_reaches_the_cloud_by_itself_and_a_stop_ends_what_is_open(dsn, tmp_path):
    (tmp_path / "api-key").write_text("k\n")
    box = Box(tmp_path)
    async with serving(dsn, api_keys={"k": "box"}) as cloud:
        with box.config.open("a", encoding="utf-8") as config:
            config.write(CONFIG.format(folder=tmp_path, url=cloud.base))
        socket = tmp_path / "run" / "control.sock"
        try:
            await asyncio.to_thread(_start, box)
            first = await until(lambda: _recorded(box, ended=False))
            async with SessionClient(socket) as client:
                admitted = SessionAct(
                    id="admit-0001",
                    bed="1",
                    verb="admit",
                    patient={"full_name": "Ada Żak", "patient_id": "P-1"},
                )
                assert (await until(lambda: _answered(client, admitted))).acted
                second = await until(lambda: _other(box, first.name))
                await asyncio.sleep(8)  # a session of more than `shortest_s`
                ended = SessionAct(id="end-000001", bed="1", verb="end")
                assert (await until(lambda: _answered(client, ended))).acted

            row = await until(lambda: _uploaded(cloud, second.name))
            async with ReportClient(socket) as client:
                logged = await until(lambda: _logged(client, second.name))
            assert logged.state == "done"
            assert (logged.destination, logged.file, logged.size) == (
                "plan",
                row["filename"],
                row["size_bytes"],
            )
            assert row["report_id"] in logged.remote or logged.remote
            assert hashlib.sha256(row["file"]).hexdigest() == row["sha256"]
            text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(row["file"])).pages)
            assert "P-1" in text
            assert "UNCONFIRMED" in text
        finally:
            for name in ("simulators", "daemon"):
                if name in box.processes:
                    await asyncio.to_thread(box.stop, name)
            await asyncio.to_thread(box.__exit__)

    newest = ask(box.database, sessions)[0]
    assert newest.ended_ns is not None
    assert newest.ended_by == "stop"
    assert newest.summary is not None


def _start(box):
    box.start_simulators()
    box.start_daemon()
    box.start_worker()
    box._start("forward", "forward", "--config", str(box.config))


async def _answered(client, act):
    """An act whose answer was late is sent again under its id: it acts once."""
    try:
        return await client.act(act)
    except NotAnswering:
        return None


async def _recorded(box, *, ended):
    if not box.database.exists():
        return None
    try:
        found = ask(box.database, sessions)
    except (sqlite3.Error, OSError):  # it is being made
        return None
    return next((one for one in found if (one.ended_ns is not None) == ended), None)


async def _other(box, name):
    found = await _recorded(box, ended=False)
    return found if found is not None and found.name != name else None


async def _uploaded(cloud, session):
    query = "SELECT * FROM reports WHERE session_id LIKE '%' || $1 AND file IS NOT NULL"
    return await cloud.state.pool.fetchrow(query, session)


async def _logged(client, session):
    told = await client.log()
    for one in told.uploads:
        if (await client.one(one.report)).session == session:
            return one
    return None
