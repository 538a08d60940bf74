"""The worker on its socket: strips and statistics are answered at once, one rehearsal runs at a time and can be ended."""

from __future__ import annotations

import asyncio
import stat

import pytest

from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.messages import DisplayState
from daemon.control.work import RehearsalAsked, StripAsked, WorkClient
from daemon.review import rehearse
from daemon.worker import working

DISPLAY = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
STRIP = StripAsked(bed="1", boot="boot-1", t_ns=10**12, display=DISPLAY)


@pytest.fixture
def config(tmp_path):
    return Config(box={"run": tmp_path / "run", "data": tmp_path})


async def test_without_a_store_nothing_is_answered_and_without_a_worker_neither(config):
    async with WorkClient(config.work_socket) as client:
        with pytest.raises(NotAnswering):
            await client.load("1", 24)
        async with working(config):
            for question in (client.load("1", 24), client.strip(STRIP)):
                with pytest.raises(NotAnswering):
                    await question
            assert (await client.rehearsal()).state == "none"
            assert stat.S_IMODE(config.work_socket.stat().st_mode) == 0o660
    assert not config.work_socket.exists()


async def test_one_rehearsal_at_a_time_and_it_can_be_ended(config, monkeypatch):
    from daemon import worker

    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(_store, asked, _now, told, cancelled):
        told(0.25)
        loop.call_soon_threadsafe(begun.set)
        while not cancelled():
            pass
        raise rehearse.Cancelled

    monkeypatch.setattr(worker, "rehearse", slowly)
    asked = RehearsalAsked(bed="1", hours=1, other={"hr_high": {"above": 150.0}})
    async with working(config), WorkClient(config.work_socket) as client:
        assert (await client.rehearse(asked)).state == "running"
        await begun.wait()
        running = await client.rehearsal()
        assert (running.state, running.progress, running.asked) == ("running", 0.25, asked)
        assert (await client.rehearse(asked)).refused == "busy"
        assert (await client.cancel()).state == "cancelled"
        refused = await client.rehearse(RehearsalAsked(bed="1", hours=1, other={"hr_high": {"above": 9.0}}))
        assert refused.refused == "HR HIGH: Choose 60 to 295 bpm."


async def test_a_rehearsal_without_a_store_fails_and_says_why(config):
    async with working(config), WorkClient(config.work_socket) as client:
        await client.rehearse(RehearsalAsked(bed="1", hours=1, other={}))
        async with asyncio.timeout(5):
            while (state := await client.rehearsal()).state == "running":
                await asyncio.sleep(0.01)
    assert state.state == "failed"
    assert state.refused


@pytest.mark.parametrize(
    "path", ["/load?bed=1", "/load?bed=1&hours=0", "/load?bed=1&hours=9999", "/load?bed=1&hours=x"]
)
async def test_what_cannot_be_asked_is_refused(config, path):
    import aiohttp

    async with working(config):
        connector = aiohttp.UnixConnector(str(config.work_socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://w{path}") as answer,
        ):
            assert answer.status == 400
