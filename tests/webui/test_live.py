"""The relay: bytes as they came, the right bed, dead readers closed."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import psutil
import pytest

from daemon.control.messages import EventsSeen, MeasuredSeen
from daemon.control.waves import decode_waves

pytestmark = pytest.mark.asyncio(loop_scope="session")


GONE_AFTER_S = 4.0


def _headers(site: str) -> dict[str, str]:
    return {"Origin": site.rstrip("/")}


async def test_frames_reach_a_viewer_as_they_came_and_in_order(site: str, feeder) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{site}live?bed=1", headers=_headers(site)) as ws,
    ):
        frames, texts = [], []
        while len(frames) < 10:
            message = await ws.receive(timeout=3)
            (frames if message.type is aiohttp.WSMsgType.BINARY else texts).append(message.data)
    waves = [decode_waves(frame) for frame in frames]

    assert all(b.first == a.first + a.values.shape[1] for a, b in zip(waves, waves[1:], strict=False))
    kinds = [json.loads(text)["type"] for text in texts]
    assert "web" in kinds
    assert "state" in kinds


async def test_a_viewer_gets_the_waves_of_its_own_bed_only(tmp_path, feeder_of, config_for) -> None:
    from webui.app import serving

    beds = ("a", "b")
    async with (
        feeder_of(tmp_path / "control.sock", beds),
        serving(config_for(tmp_path, beds)) as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{served.address}live?bed=b", headers=_headers(served.address)) as ws,
    ):
        seen: set[int] = set()
        for _ in range(30):
            message = await ws.receive(timeout=3)
            if message.type is aiohttp.WSMsgType.BINARY:
                seen.add(decode_waves(message.data).index)

    assert seen == {1}


async def test_what_is_no_report_ends_the_connection(site: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{site}live?bed=1", headers=_headers(site)) as ws,
    ):
        await ws.send_str('{"type":"report","waves":-1}')
        while (message := await ws.receive(timeout=3)).type in {
            aiohttp.WSMsgType.TEXT,
            aiohttp.WSMsgType.BINARY,
        }:
            pass

    assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


@pytest.mark.slow
async def test_a_reader_that_never_reports_is_sent_to_dead_then_closed_and_the_others_never_notice(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real time, with 4 s instead of 10 without a report; pings are answered, as a stuck tab does. Another one reports."""
    monkeypatch.setattr("webui.live.GONE_AFTER_S", GONE_AFTER_S)
    async with aiohttp.ClientSession() as session:
        dead = await session.ws_connect(f"{site}live?bed=1", headers=_headers(site))
        before = psutil.Process().memory_info().rss
        began = time.monotonic()
        received: list[int] = []
        sent_to_dead = 0

        async def watch() -> None:
            async with session.ws_connect(f"{site}live?bed=1", headers=_headers(site)) as ws:
                reported = began
                while time.monotonic() - began < GONE_AFTER_S + 2:
                    message = await ws.receive(timeout=3)
                    if message.type is aiohttp.WSMsgType.BINARY:
                        received.append(decode_waves(message.data).first)
                    if time.monotonic() - reported >= 1:
                        reported = time.monotonic()
                        report = {
                            "type": "report",
                            "waves": len(received),
                            "drawn": 0,
                            "last": "",
                            "visible": True,
                        }
                        await ws.send_str(json.dumps(report))

        watching = asyncio.create_task(watch())
        while (message := await dead.receive(timeout=GONE_AFTER_S + 3)).type in {
            aiohttp.WSMsgType.TEXT,
            aiohttp.WSMsgType.BINARY,
        }:
            sent_to_dead += message.type is aiohttp.WSMsgType.BINARY
        closed_after = time.monotonic() - began
        await watching

    steps = {b - a for a, b in zip(received, received[1:], strict=False)}
    assert sent_to_dead < 20 * 4
    assert GONE_AFTER_S - 1 < closed_after < GONE_AFTER_S + 3
    assert len(received) > 50
    assert max(steps) < 250
    assert psutil.Process().memory_info().rss - before < 20e6


async def test_long_messages_reach_the_screens_of_their_bed_also_those_that_come_later(
    tmp_path, feeder_of, config_for
) -> None:
    from webui.app import serving

    async def kinds(served, bed: str) -> set[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{served.address}live?bed={bed}", headers=_headers(served.address)) as ws,
        ):
            seen: set[str] = set()
            for _ in range(30):
                message = await ws.receive(timeout=3)
                if message.type is aiohttp.WSMsgType.TEXT:
                    seen.add(json.loads(message.data)["type"])
            return seen

    beds = ("a", "b")
    async with (
        feeder_of(tmp_path / "control.sock", beds) as box,
        serving(config_for(tmp_path, beds)) as served,
    ):
        box.long = (MeasuredSeen(bed="b"), EventsSeen(bed="b"))
        first = await kinds(served, "b")
        box.long = ()
        later = await kinds(served, "b")
        other = await kinds(served, "a")

    assert {"measured", "events"} <= first
    assert {"measured", "events"} <= later
    assert not {"measured", "events"} & other
