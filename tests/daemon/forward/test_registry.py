"""A person's routes, then the registry, then a guess by what the message is."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from pydantic import ValidationError

from benchmarks._backlog import recorded
from daemon.control.forwarding import ForwardClient
from daemon.forward.registry import Routes, read
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import Receiver, record
from tests.daemon.forward.running import all_done, forwarding, to, until

DOCUMENT = """{"schema": "vitald.registry/1", "more": 1,
 "devices": [{"serial": "ECG-7711-0045", "backend": "heart"}, {"serial": "CPAP-2301-9912", "backend": "lung"}],
 "prefixes": [{"prefix": "OXY-", "backend": "air"}, {"prefix": "OXY-88", "backend": "thin-air"}]}"""


def of(serial, message="ecg.metrics/1"):
    return replace(record(1, device=serial), message=message)


@pytest.mark.parametrize(
    ("serial", "backends"),
    [
        ("ECG-7711-0045", ("heart",)),
        ("CPAP-2301-9912", ("own", "second")),
        ("OXY-8844-5521", ("thin-air",)),
        ("OXY-1", ("air",)),
        ("BOX-1", ("mine",)),
        ("ECG-1", ()),
    ],
)
def test_the_nearest_rule_holds(serial, backends):
    routes = read(DOCUMENT, {"CPAP-2301-9912": ("own", "second"), "B*": ("far",), "BOX-*": ("mine",)})

    assert routes.backends(serial) == backends
    for backend in ("heart", "lung", "air", "own", "second", "thin-air", "mine", "far"):
        assert routes.goes(of(serial), backend) == (backend in backends)


def test_a_device_that_nobody_knows_goes_by_its_message_or_prefix():
    routes = Routes()

    assert routes.goes(of("4711"), "ecg")
    assert routes.goes(of("CPAP-9", "box.alarm/1"), "cpap")
    assert not routes.goes(of("CPAP-9", "cpap.metrics/1"), "ecg")


def test_what_the_box_says_of_itself_goes_everywhere():
    assert Routes().goes(of("", "box.fact/1"), "anything")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": "other/1"}', '{"schema": "vitald.registry/1", "devices": [1]}']
)
def test_what_is_no_registry_is_refused(text):
    with pytest.raises(ValidationError):
        read(text, {})


class Orchestrator:
    """A registry with an entity tag."""

    def __init__(self):
        self.document = {
            "schema": "vitald.registry/1",
            "devices": [{"serial": "ECG-7711-0045", "backend": "ecg"}],
            "prefixes": [],
        }
        self.status, self.asked = 200, []

    async def answer(self, request):
        self.asked.append(dict(request.headers))
        etag = f'"{hash(json.dumps(self.document))}"'
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.json_response(self.document, headers={"ETag": etag})

    @asynccontextmanager
    async def serving(self):
        app = web.Application()
        app.router.add_get("/registry", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/registry"
        finally:
            await runner.cleanup()


async def test_the_registry_says_which_cloud_gets_a_device_also_when_it_is_away(configured, receivers, made):
    receivers.update(ecg=Receiver(), cpap=Receiver(), archive=Receiver())
    orchestrator = Orchestrator()
    async with orchestrator.serving() as url:
        destinations = to("ecg", routed=True) + to("cpap", routed=True) + to("archive")
        config = configured(destinations, f'registry_url = "{url}"')
        await recorded(config.box.database, 5)
        async with forwarding(config, makes=made) as forwarder:
            await until(all_done(forwarder, "ecg", "cpap", "archive"))
            await forwarder.registry.pull()
    every = Counter(receivers["archive"].seqs)
    of_the_box = {r.seq for r in await metrics_of_box(forwarder)}
    assert Counter(receivers["ecg"].seqs) == every
    assert set(receivers["cpap"].seqs) == of_the_box
    assert "If-None-Match" in orchestrator.asked[1]

    for name in receivers:
        receivers[name] = Receiver()
    (config.forward_data / "forward.db").rename(config.forward_data / "kept.db")
    config = configured(destinations.replace("ecg]", "ecg]\nbackend = 'heart'"), f'registry_url = "{url}"')
    async with forwarding(
        config, makes=made
    ) as forwarder:  # never heard of the registry: who is routed waits
        await until(all_done(forwarder, "archive"))
        await asyncio.sleep(0.3)
        assert not receivers["ecg"].asked
        async with ForwardClient(config.forward_socket) as client:
            told = {one.name: one for one in (await client.told()).destinations}
        assert told["ecg"].reason == "waits for the registry of serial numbers"
    for suffix in ("", "-wal", "-shm"):
        (config.forward_data / f"forward.db{suffix}").unlink(missing_ok=True)
    (config.forward_data / "kept.db").rename(config.forward_data / "forward.db")
    async with forwarding(config, makes=made) as forwarder:  # from what was kept
        await until(lambda: "ecg" in forwarder.senders)
        assert forwarder.registry.routes.backends("ECG-7711-0045") == ("ecg",)


async def metrics_of_box(forwarder):
    out = []
    for lane in Lane:
        found = await forwarder.source.find(lane, 1, 1 << 40, 1000, newest=False)
        out += [record for record in found.records if not record.device]
    return out
