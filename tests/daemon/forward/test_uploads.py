"""The upload log: what came of each try is told to the daemon, survives a restart of the forwarder, and holds no secret."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from daemon.control.reports import UploadsGiven, Written
from daemon.forward.destinations import Outcome, Sealed, Verdict
from daemon.forward.destinations.web import without_secrets
from daemon.forward.uploads import UploadLog
from daemon.model.outgoing import Lane

FILE = "ecg_report_00000000-0000-4000-8000-000000000001.pdf"


@pytest.fixture
def sealed(tmp_path):
    (tmp_path / FILE).write_bytes(b"x" * 1234)
    return Sealed("key", Lane.REPORTS, "POST /reports/upload", "", "", b"{}", str(tmp_path / FILE))


@asynccontextmanager
async def daemon(socket):
    heard: list[UploadsGiven] = []

    async def hear(request):
        heard.append(UploadsGiven.model_validate_json(await request.read()))
        return web.json_response(text=Written().model_dump_json())

    app = web.Application()
    app.router.add_post("/reports/uploads", hear)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    yield heard
    await runner.cleanup()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_the_daemon_has_not_heard_is_told_after_a_restart(tmp_path, sealed):
    kept, socket = tmp_path / "uploads.json", tmp_path / "control.sock"
    first = UploadLog(kept, socket, lambda: 5)
    first.heard("cloud", sealed, Outcome(Verdict.AGAIN, "no answer in time"))
    first.heard("cloud", sealed, Outcome(Verdict.DONE, remote="https://c.example/reports/12"))
    first.heard("archive", sealed, Outcome(Verdict.REFUSED, "the server finds a fault in the data (422)"))

    again = UploadLog(kept, socket, lambda: 6)
    async with daemon(socket) as heard:
        task = asyncio.create_task(again.run())
        await until(lambda: heard)
        again.heard("cloud", sealed, Outcome(Verdict.PARKED, "credentials"))
        await until(lambda: len(heard) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    told = {one.destination: one for one in heard[0].uploads}
    assert (told["cloud"].state, told["cloud"].tries, told["cloud"].remote) == (
        "done",
        2,
        "https://c.example/reports/12",
    )
    assert (told["cloud"].file, told["cloud"].size, told["cloud"].utc_ns) == (FILE, 1234, 5)
    assert (told["archive"].state, told["archive"].error) == (
        "refused",
        "the server finds a fault in the data (422)",
    )
    (last,) = heard[1].uploads
    assert (last.state, last.error) == ("waiting", "credentials")
    assert kept.read_text() == "[]"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://s3.example/r/1.pdf?X-Amz-Signature=abc&x=1#y", "https://s3.example/r/1.pdf"),
        ("https://user:secret@c.example:8443/reports/1", "https://c.example:8443/reports/1"),
        ("report_12345", "report_12345"),
        ("report_1?token=abc", "report_1"),
    ],
)
def test_an_address_there_is_kept_without_its_secrets(address, kept):
    assert without_secrets(address) == kept
