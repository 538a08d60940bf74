"""The control socket over a real Unix socket: the newest truth always comes, a late reader loses waves only."""

from __future__ import annotations

import asyncio
import json
import stat
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.control import server
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.live import WAVES_KEPT, LiveHub
from daemon.control.messages import Act, DisplayState, ScreensSeen, ScreenState
from daemon.control.server import Server
from daemon.control.waves import decode_waves
from daemon.model.findings import DisplayBlock, Metric
from daemon.model.signals import Command, Fact, FactState, Segment, Stream, Tick
from daemon.words import say

SEGMENT = Segment("s", "1", Stream("D", "ecg", 500.0, ()), "b", 1, 0)
DISPLAY = DisplayState(mode="monitor", mains_hz=50, cleaning=False)


def hub():
    return LiveHub(
        boot="b",
        version="1",
        box="Box",
        demo=True,
        beds=[("1", "Bed 1", DISPLAY), ("2", "Bed 2", DISPLAY)],
        utc_ms=lambda: 5,
    )


def waves(first):
    return DisplayBlock(
        SEGMENT, first, first * 2_000_000, 2e6, 0, ("I",), np.zeros((1, 25), np.float32), ("0.5-40 Hz",)
    )


def rate(value, why=None):
    return Metric(1, 1, "heart_rate", value, "bpm", why, "II", 1.0, None)


@asynccontextmanager
async def serving(tmp_path, live, act=lambda _act: None, screens=lambda _: None):
    socket = tmp_path / "control.sock"
    ready = asyncio.Event()
    task = asyncio.create_task(Server(live, act, screens).run(socket, ready.set))
    await ready.wait()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        yield session, socket
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not socket.exists()


async def test_status_and_socket_mode(tmp_path):
    async with serving(tmp_path, hub()) as (session, socket):
        async with session.get("http://box/status") as answer:
            state = await answer.json()

        assert [bed["name"] for bed in state["beds"]] == ["Bed 1", "Bed 2"]
        assert stat.S_IMODE(socket.stat().st_mode) == 0o660


async def test_a_stale_socket_is_replaced(tmp_path):
    (tmp_path / "control.sock").touch()
    async with serving(tmp_path, hub()) as (session, _), session.get("http://box/status") as answer:
        assert answer.status == 200


async def test_live_sends_state_first_and_announces_waves_before_the_first_frame(tmp_path):
    live = hub()
    async with serving(tmp_path, live) as (session, _), session.ws_connect("http://box/live") as ws:
        first = json.loads(await ws.receive_str())
        long = {
            (said["type"], said["bed"]) for said in [json.loads(await ws.receive_str()) for _ in range(4)]
        }
        live.publish("1", Tick(100), [rate(72.0), waves(0)])
        second = json.loads(await ws.receive_str())
        frame = decode_waves(await ws.receive_bytes())

        assert long == {("measured", "1"), ("events", "1"), ("measured", "2"), ("events", "2")}
        assert first["beds"][0]["waves"] is None
        assert second["beds"][0]["waves"]["leads"] == ["I"]
        assert second["beds"][0]["metrics"]["heart_rate"]["value"] == 72.0
        assert (frame.index, frame.first) == (0, 0)


async def test_who_gave_up_before_the_answer_is_no_error_of_ours(tmp_path, monkeypatch, caplog):
    async def gone(*_):
        raise ConnectionResetError("gone")

    async with serving(tmp_path, hub()) as (session, _):
        monkeypatch.setattr(web.WebSocketResponse, "prepare", gone)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await session.ws_connect("http://box/live")

    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_late_subscriber_loses_oldest_waves_and_keeps_the_newest_state():
    live = hub()
    late = live.subscribe()
    for k in range(500):
        live.publish("1", Tick(k * 100_000_000), [waves(25 * k), rate(float(k // 10))])
    taken = [await late.take() for _ in range(5 + 2 * WAVES_KEPT)]

    [state] = [said for said in map(json.loads, taken[:5]) if said["type"] == "state"]
    assert state["beds"][0]["metrics"]["heart_rate"]["value"] == 49.0
    assert [decode_waves(f).first for f in taken[5:]] == [25 * k for k in range(500 - 2 * WAVES_KEPT, 500)]
    assert late.dropped_waves == 500 - 2 * WAVES_KEPT


async def test_facts_appear_and_go():
    live = hub()
    live.publish("1", Fact("store", FactState.FAILED, 1, 1, "disk full"), [])
    assert [f.source for f in live.state().facts] == ["store"]
    live.publish("1", Fact("store", FactState.OK, 2, 2), [])
    assert live.state().facts == ()


async def test_act_is_carried_out_once_and_bad_ones_are_refused(tmp_path):
    live, done = hub(), []

    def act(given: Act):
        done.append(given)
        live.publish(
            given.bed, Command(given.id, 0, given.bed, "x", given.verb, tuple(given.values.items())), []
        )

    async with serving(tmp_path, live, act) as (session, _):

        async def post(**body):
            async with session.post("http://box/command", json=body) as answer:
                return answer.status, await answer.json()

        good = {"id": "12345678", "bed": "1", "verb": "display", "values": {"mode": "st", "mains_hz": "60"}}
        assert await post(**good) == (200, {"id": "12345678", "acted": True, "error": ""})
        assert (await post(**good))[0] == 200
        for refused in ({"id": "12345679", "bed": "9"}, {"id": "12345670", "values": {"mode": "loud"}}):
            status, answer = await post(**{**good, **refused})
            assert (status, answer["acted"]) == (200, False)
            assert answer["error"]
        assert (await post(**{**good, "verb": "explode"}))[0] == 400
        assert (await post(bed="1"))[0] == 400

    assert len(done) == 1
    assert live.display("1") == DisplayState(mode="st", mains_hz=60, cleaning=False)


async def test_an_act_on_alarms_is_answered_when_it_is_decided_and_acts_once(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "DECIDED_WITHIN_S", 0.2)
    asked = []

    def act(given: Act):
        asked.append((given, asyncio.get_running_loop().create_future()))
        return asked[-1][1]

    async with serving(tmp_path, hub(), act) as (session, _):

        async def post(number, verb="acknowledge"):
            body = {"id": f"act-{number:08}", "bed": "1", "verb": verb}
            async with session.post("http://box/command", json=body) as answer:
                return await answer.json()

        async def decide(number, reason):
            while len(asked) < number:
                await asyncio.sleep(0.001)
            asked[number - 1][1].set_result(reason)

        done, again, _ = await asyncio.gather(post(1), post(1), decide(1, ""))
        refused, _ = await asyncio.gather(post(2, "limits"), decide(2, "Choose 16 to 120 bpm."))
        never = await post(3)

    assert done == again == {"id": "act-00000001", "acted": True, "error": ""}
    assert (refused["acted"], refused["error"]) == (False, "Choose 16 to 120 bpm.")
    assert (never["acted"], never["error"]) == (False, say("alarm.refused.no_answer"))
    assert len(asked) == 3


async def test_limits_are_told_to_whoever_asks(tmp_path):
    live = hub()
    live.watch("1", Watch("1", lambda own, first: AlarmEngine(Limits(own=own), first=first), print))
    async with serving(tmp_path, live) as (_, socket), ControlClient(socket) as client:
        told = await client.limits("1")
        with pytest.raises(NotAnswering):
            await client.limits("no such bed")
    assert {row.row: row.limits[0].value for row in told.limits if row.row == "hr_high"} == {"hr_high": 120.0}
    assert told.proposed == ()


async def test_who_serves_screens_tells_of_them(tmp_path):
    heard = []
    seen = ScreensSeen(screens=(ScreenState(bed="1", visible=True, draws=True, sound="on"),))
    async with serving(tmp_path, hub(), screens=heard.append) as (session, socket):
        async with ControlClient(socket) as client:
            await client.screens(seen)
        async with session.post("http://box/screens", json={"screens": "many"}) as refused:
            assert refused.status == 400
    assert heard == [seen]
