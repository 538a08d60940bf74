"""Where people rely on getting alarms elsewhere, the box says REMOTE ALARMS LOST itself when they do not arrive."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application

from benchmarks._backlog import recorded
from daemon.config import BadConfig, Destination, Forward
from daemon.control.clouds import CloudRoutes, CloudsSeen, relied_on
from daemon.forward.destinations import DONE
from daemon.model.signals import FactState
from tests.daemon.forward.kit import AGAIN, Receiver
from tests.daemon.forward.running import all_done, forwarding, to, until

S = 1_000_000_000
T0 = 10**15


async def test_what_confirms_nothing_for_30_s_is_told_until_it_does(configured, receivers, made):
    shut = True
    receivers.update(
        ward=Receiver(lambda sealed, seqs: AGAIN if shut else DONE), other=Receiver(lambda *_: AGAIN)
    )
    config = configured(to("ward", relied_on=True) + to("other"))
    await recorded(config.box.database, 3)
    async with forwarding(config, makes=made) as forwarder:
        await until(lambda: "ward" in forwarder.senders)
        await until(lambda: forwarder.senders["ward"].health.failing_since_ms)
        seen = [forwarder._telling.clouds(0, T0 + at * S) for at in (0, 20, 30)]
        assert [one.unconfirmed for one in seen] == [(), (), ("ward",)]
        assert seen[-1].unconfirmed_since_ns == T0
        assert seen[-1].unreachable == ()  # that takes ten minutes, and another alarm
        shut = False
        forwarder.senders["ward"].retry()
        await until(all_done(forwarder, "ward"))
        assert forwarder._telling.clouds(0, T0 + 40 * S).unconfirmed == ()

        await forwarder.senders["ward"].pause("nurse")
        paused = [forwarder._telling.clouds(0, T0 + at * S).unconfirmed for at in (50, 80)]
        assert paused == [(), ("ward",)]


async def heard(relied, *posts):
    """(now, what the forwarder says or None for a Tick) -> the Facts that are said."""
    facts, now = [], [0]
    routes = CloudRoutes(facts.append, lambda: now[0], relied)
    app = Application()
    routes.add_to(app)
    async with TestClient(TestServer(app)) as client:
        for now[0], seen in posts:
            if seen is None:
                routes.judge(now[0])
            else:
                assert (await client.post("/clouds", json=seen.model_dump())).status == 204
    return [(f.source, f.state, f.since_ns, f.detail) for f in facts]


async def test_a_forwarder_that_falls_silent_is_as_bad():
    lost = CloudsSeen(unconfirmed=("ward",), unconfirmed_since_ns=90 * S)
    said = await heard(
        ("ward",), (0, None), (30 * S, None), (31 * S, None), (40 * S, CloudsSeen()), (50 * S, None),
        (120 * S, lost), (130 * S, lost), (140 * S, CloudsSeen()), (171 * S, None),
    )  # fmt: skip
    assert said == [
        ("remote", FactState.FAILED, 0, "ward"),
        ("remote", FactState.OK, 40 * S, ""),
        ("remote", FactState.FAILED, 90 * S, "ward"),
        ("remote", FactState.OK, 140 * S, ""),
        ("remote", FactState.FAILED, 140 * S, "ward"),
    ]


async def test_where_nobody_relies_on_it_silence_is_no_alarm():
    assert await heard((), (0, None), (10**6 * S, None)) == []


def test_a_receiver_without_alarms_cannot_be_relied_on():
    one = {"kind": "folder", "relied_on": True}
    wanted = Forward(destinations={"ward": Destination(**one), "off": Destination(**one, enabled=False)})
    assert relied_on(wanted) == ("ward",)
    with pytest.raises(BadConfig, match=r"destinations\.files\.relied_on"):
        relied_on(Forward(destinations={"files": Destination(**one, lanes=("metrics",))}))
