"""Live waves, numbers and alarms for machines: what each token hears, and that one that does not listen costs nobody anything."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from daemon.control.attached import WaveState
from daemon.control.client import Said, Silence, WaveFrame
from daemon.control.messages import AlarmsSeen, BedState, DisplayState, MetricState, State
from daemon.control.waves import decode_waves
from daemon.model.scopes import Scope
from tests.webui._machines import machine_box
from webui.api import guard, live
from webui.api.live import MOST_OF_ONE, QUEUED_WAVES, STUCK_S, Feed, Listener

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def box(tmp_path_factory):
    async with machine_box(tmp_path_factory.mktemp("listening"), ("1", "2")) as made:
        yield made


async def heard(ws, wanted, within_s=20):
    """The first message of each of these kinds."""
    found = {}
    async with asyncio.timeout(within_s):
        async for message in ws:
            if message.type is aiohttp.WSMsgType.BINARY:
                found.setdefault("waves", message.data)
            else:
                said = json.loads(message.data)
                found.setdefault(said["type"], said)
            if wanted <= set(found):
                return found
    raise AssertionError(f"only {set(found)}")


async def test_what_travels(box):
    async with box.machine(await box.token()) as session, session.ws_connect("/api/v1/live?bed=1") as ws:
        found = await heard(ws, {"box", "streams", "numbers", "alarms", "waves"})
    frame = decode_waves(found["waves"])
    (stream,) = [one for one in found["streams"]["streams"] if one["index"] == frame.index]
    numbers = {one["name"]: one for one in found["numbers"]["numbers"]}

    assert found["box"]["answers"] is True
    assert (
        stream.items() >= {"bed": "1", "rate_hz": 500.0, "device": ""}.items()
        or stream["device"] == "ECG-0042"
    )
    assert len(stream["leads"]) == len(stream["units"]) == len(frame.values)
    assert np.abs(frame.values).max() > 0
    assert numbers["heart_rate"]["value"] == box.feeder.heart_rate
    assert found["numbers"]["at"].endswith("Z")
    assert found["alarms"].items() >= {"bed": "1", "alarms": []}.items()


async def test_a_token_hears_what_it_is_good_for(box):
    async with box.machine(await box.token(Scope.LIVE_NUMBERS)) as session:
        async with session.ws_connect("/api/v1/live") as ws:
            kinds, beds = set(), set()
            async with asyncio.timeout(20):
                while not beds >= {"1", "2"}:
                    said = json.loads(await ws.receive_str())
                    kinds.add(said["type"])
                    beds.add(said.get("bed", "1"))
        for query, status in (("topics=waves", 403), ("topics=birds", 422), ("bed=9", 404)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"/api/v1/live?{query}")
            assert refused.value.status == status
    async with box.machine(await box.token(Scope.READ_BEDS)) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect("/api/v1/live")

    assert kinds == {"box", "numbers"}
    assert refused.value.status == 403


async def test_no_name_is_ever_said(box):
    """Not even to a token that may see names: who it is stands in /beds."""
    async with box.machine(await box.token()) as session, session.ws_connect("/api/v1/live") as ws:
        found = await heard(ws, {"numbers", "alarms", "streams"})

    assert "patient" not in json.dumps({k: v for k, v in found.items() if k != "waves"})


async def test_so_many_sockets_a_token_and_no_more(box):
    async with box.machine(await box.token()) as session:
        sockets = [await session.ws_connect("/api/v1/live?topics=alarms") for _ in range(MOST_OF_ONE)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect("/api/v1/live")
        await sockets.pop().close()
        async with asyncio.timeout(10):
            while True:
                try:
                    again = await session.ws_connect("/api/v1/live?topics=alarms")
                except aiohttp.WSServerHandshakeError:
                    await asyncio.sleep(0.1)
                else:
                    break
        for ws in (*sockets, again):
            await ws.close()

    assert refused.value.status == 429


async def test_a_token_that_is_revoked_hears_no_more(box, monkeypatch):
    monkeypatch.setattr(live, "CHECKED_EVERY_S", 0.0)
    monkeypatch.setattr(guard, "KNOWN_S", 0.0)
    token = await box.token()
    async with box.machine(token) as session, session.ws_connect("/api/v1/live?topics=numbers") as ws:
        await heard(ws, {"numbers"})
        await box.revoke(token)
        async with asyncio.timeout(20):
            while (await ws.receive()).type not in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}:
                pass

    assert ws.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


# --- the feed by itself ----------------------------------------------------------------------------------------


def state(now_ns=10**9, value=70.0):
    bed = BedState(
        bed="1",
        index=0,
        name="Bed 1",
        display=DisplayState(mode="monitor", mains_hz=50, cleaning=False),
        waves=WaveState(leads=("II",), rate_hz=500.0, chain=(), segment="s"),
        metrics={"heart_rate": MetricState(value=value, unit="/min", t_ns=now_ns)},
    )
    made = State(
        seq=1,
        boot="b",
        version="0",
        box="box",
        demo=False,
        now_ns=now_ns,
        utc_ms=1_767_225_600_000,
        beds=(bed,),
    )
    return Said(made.model_dump_json().encode(), made)


FRAME = WaveFrame(b"\x01\x01\x00\x00" + bytes(28))


class Stuck:
    """A socket that takes nothing, until it is `free`."""

    def __init__(self):
        self.free = asyncio.Event()
        self.sent = []

    async def send_str(self, text):
        await self.free.wait()
        self.sent.append(json.loads(text))

    async def send_bytes(self, data):
        await self.free.wait()
        self.sent.append(data)


async def test_one_that_does_not_read_is_known_and_what_waits_for_it_is_bounded():
    now = [0.0]
    feed = Feed(lambda: now[0])
    listener = Listener("t", "", frozenset(live.TOPICS), lambda: now[0])
    feed.listeners.add(listener)
    feed.hear(state())
    ws = Stuck()
    writing = asyncio.create_task(listener.write(ws))
    await asyncio.sleep(0)
    for second in range(1000):
        feed.hear(state(second * 10**9, float(second)))
        feed.hear(FRAME)
    await asyncio.sleep(0)
    assert not listener.is_stuck
    now[0] = STUCK_S + 0.1
    assert listener.is_stuck
    assert len(listener._waves) == QUEUED_WAVES
    assert len(listener._texts) <= 3
    assert listener.dropped == 1000 - QUEUED_WAVES

    ws.free.set()
    while len([one for one in ws.sent if isinstance(one, bytes)]) < QUEUED_WAVES:
        await asyncio.sleep(0)
    writing.cancel()
    numbers = [one for one in ws.sent if isinstance(one, dict) and one["type"] == "numbers"]

    assert not listener.is_stuck
    assert numbers[-1]["numbers"][0]["value"] == 999.0  # the newest, and none of those between


async def test_silence_is_said_once_and_the_end_of_it(caplog):
    feed = Feed(lambda: 0.0)
    listener = Listener("t", "", frozenset({"alarms"}), lambda: 0.0)
    feed.hear(state())
    feed.listeners.add(listener)
    feed.hear(Silence())
    assert json.loads(listener._texts["box "]) == {"type": "box", "answers": False}
    listener._texts.clear()
    feed.hear(Silence())
    assert listener._texts == {}
    feed.hear(state())
    assert json.loads(listener._texts["box "])["answers"] is True
    assert not caplog.records


async def test_a_fault_in_what_machines_are_told_is_logged_and_goes_no_further(caplog, monkeypatch):
    """The pages hear through the same relay."""
    feed = Feed(lambda: 0.0)
    feed.listeners.add(Listener("t", "", frozenset(live.TOPICS), lambda: 0.0))
    monkeypatch.setattr(feed, "numbers_told", lambda bed: 1 / 0)
    feed.hear(state())
    feed.hear(Said(b"", AlarmsSeen(bed="1", now_ns=1)))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "1" in feed.alarms
