"""The way down: what an operator desires in the cloud comes to the bed, and what became of it comes back. By every way."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from benchmarks._backlog import recorded
from benchmarks._box import Box
from daemon.contracts.seeds import settings
from daemon.control.client import ControlClient
from daemon.control.server import Server
from daemon.control.wishes import ProposalAct, WishClient, WishRoutes
from daemon.words import say
from tests.cloud.broker import Address, listening
from tests.daemon._wishing import CPAP, OXYGEN, WishingBox
from tests.daemon.forward.conftest import configured  # noqa: F401 - a fixture
from tests.daemon.forward.running import forwarding, to

WITHIN_S = 40.0
"""A box starts, finds its device and hears what can be set on it."""


@pytest.fixture(params=["rest", "topic", "shadow"])
def way(request, cloud, broker, tmp_path):
    """A destination's configuration, by each way."""
    (tmp_path / "key").write_text("a-key\n")
    settings_of = {CPAP: "cpap", OXYGEN: "oxygen"}
    if request.param == "rest":
        return ward("rest", settings_of, url=cloud.base, api_key_file=str(tmp_path / "key"))
    host, port = broker
    shadows = request.param == "shadow"
    return ward("mqtt", settings_of, host=host, port=port, tls=False, shadows=shadows)


def ward(kind, settings_of, **options):
    table = "\n".join(f'"{serial}" = "{service}"' for serial, service in settings_of.items())
    return to("ward", kind, **options) + f"[forward.destinations.ward.settings_of]\n{table}\n"


class Operator:
    """Somebody in the cloud."""

    def __init__(self, session, cloud):
        self.session, self.base = session, cloud.base

    async def desires(self, device, config):
        at = f"{self.base}/devices/{device}/config"
        async with self.session.put(at, json={"config": config}) as reply:
            assert reply.status == 200, await reply.text()
            return (await reply.json())["version"]

    async def sees(self, device):
        async with self.session.get(f"{self.base}/devices/{device}/config") as reply:
            return (await reply.json())["reported"] or {}

    async def waits_for(self, device, condition):
        told = {}
        try:
            async with asyncio.timeout(WITHIN_S):
                while not condition(told := await self.sees(device)):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(told) from None
        return told


@pytest.fixture
async def operator(cloud):
    await cloud.state.pool.execute("TRUNCATE configs")
    async with aiohttp.ClientSession(headers={"X-API-Key": "a-key"}) as session:
        yield Operator(session, cloud)


def of_version(version, **parts):
    """What was reported is of this version, and these of its parts are so."""

    def check(told):
        beside = told.get("vitald", {})
        return beside.get("version") == version and all(beside.get(k) == v for k, v in parts.items())

    return check


def is_set(told):
    """The device itself has said that it is as desired, and nothing waits any more."""
    return told.get("target_pressure") == 12 and not told["vitald"]["pending"]


@pytest.mark.slow
async def test_what_is_desired_in_the_cloud_is_reported_as_it_became(
    way, operator, cloud, broker, configured, tmp_path, monkeypatch  # noqa: F811 - the fixture
):  # fmt: skip
    monkeypatch.setattr("daemon.forward.wishing.EVERY_S", 0.1)
    monkeypatch.setattr("daemon.forward.wishing.ASKED_EVERY_S", 0.1)
    config = configured(way)
    await recorded(config.box.database, 1)
    wish = {"target_pressure": 12, "alerts": {"leak_threshold": 30}}
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(listening(cloud.state, Address(*broker)))
        bed = await stack.enter_async_context(WishingBox(config.box.data))
        await stack.enter_async_context(controlled(bed, config.box.socket))
        version = await operator.desires(CPAP, wish)
        await stack.enter_async_context(forwarding(config))

        away = dict.fromkeys(("target_pressure", "alerts.leak_threshold"), say("wish.away"))
        await operator.waits_for(CPAP, of_version(version, pending=away))
        bed.devices.can[CPAP] = {"target_pressure_cm_h2o"}
        bed.arrive(CPAP)
        waits = {"target_pressure": say("wish.waits")}
        told = await operator.waits_for(CPAP, of_version(version, pending=waits, refused={}))
        assert told["alerts"] == {"leak_threshold": 30}
        assert told["vitald"]["hash"] == settings.digest(wish)
        assert bed.limit("cpap_leak_high") == (30, True)
        assert bed.devices.told == []

        person = await stack.enter_async_context(WishClient(config.box.socket))
        (one,) = [p for p in (await person.proposals("1")).proposals if p.state == "proposed"]
        act = ProposalAct(id="an-act-of-a-nurse", bed="1", proposal=one.id, verb="accept", actor="nurse")
        assert (await person.act(act)).acted
        assert await person.act(act) == await person.act(act)  # sent again, done once
        assert bed.devices.told == [(CPAP, "target_pressure_cm_h2o", 12)]
        await operator.waits_for(CPAP, is_set)

        await operator.desires(OXYGEN, {"flow_rate_lpm": 3.0, "maintenance_due_date": "2026-03-01"})
        bed.arrive(OXYGEN)
        told = await operator.waits_for(OXYGEN, of_version(1, refused={"flow_rate_lpm": "read-only"}))
        assert told["maintenance_due_date"] == "2026-03-01"
        limits = len(bed.commands)
        again = await operator.desires(CPAP, wish)
        if "shadows = true" not in way:  # a shadow that differs in nothing says nothing
            await operator.waits_for(CPAP, of_version(again))
        assert len(bed.commands) == limits


@contextlib.asynccontextmanager
async def controlled(bed, socket):
    """The daemon's own server on its socket."""
    ready = asyncio.Event()
    server = Server(bed.hub, lambda _act: None, more=[WishRoutes(bed.wishes)])
    task = asyncio.create_task(server.run(socket, ready.set))
    await ready.wait()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
async def test_a_running_box_asks_a_person_and_the_device_itself_says_that_it_is_so(
    cloud, operator, tmp_path
):
    """The processes themselves, and a therapy device that takes settings."""
    (tmp_path / "key").write_text("a-key\n")
    box = Box(tmp_path, kind="vlp_cpap", configured="vlp")
    with box.config.open("a", encoding="utf-8") as config:
        config.write(ward("rest", {CPAP: "cpap"}, url=cloud.base, api_key_file=str(tmp_path / "key")))
    version = await operator.desires(CPAP, {"target_pressure": 12, "alerts": {"leak_threshold": 30}})
    socket = tmp_path / "run" / "control.sock"
    try:
        await asyncio.to_thread(started, box)
        waits = {"target_pressure": say("wish.waits")}
        told = await operator.waits_for(CPAP, of_version(version, pending=waits, refused={}))
        async with ControlClient(socket) as client, WishClient(socket) as person:
            rows = (await client.limits("1")).limits
            (one,) = [p for p in (await person.proposals("1")).proposals if p.state == "proposed"]
            act = ProposalAct(id="an-act-of-a-nurse", bed="1", proposal=one.id, verb="accept", actor="nurse")
            acted = await person.act(act)
            await operator.waits_for(CPAP, is_set)
    finally:
        await asyncio.to_thread(box.__exit__)

    assert told["alerts"] == {"leak_threshold": 30}
    assert told.get("target_pressure") != 12
    assert [one.limits[0].value for one in rows if one.row == "cpap_leak_high"] == [30]
    assert (acted.acted, acted.error) == (True, "")


def started(box):
    box.start_simulators()
    box.start_daemon()
    box._start("forward", "forward", "--config", str(box.config))
