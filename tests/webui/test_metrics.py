"""What Prometheus reads on the web port: the box and its clouds, without a patient, and only where it is switched on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.config import Config, Destination, Forward, Web
from daemon.control.occupant import PatientState
from daemon.control.server import Server
from daemon.forward.process import Forwarder
from daemon.model.signals import Fact, FactState
from tests.daemon._wishing import CPAP, WishingBox
from tests.daemon.forward.kit import Receiver
from webui.app import serving

pytestmark = pytest.mark.slow


@asynccontextmanager
async def daemon_of(folder: Path) -> AsyncIterator[WishingBox]:
    async with WishingBox(folder) as box:
        ready = asyncio.Event()
        server = Server(box.hub, lambda _act: None)
        task = asyncio.create_task(server.run(folder / "control.sock", ready.set))
        await ready.wait()
        yield box
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def configured(folder: Path, *, metrics: bool) -> Config:
    to = Forward(destinations={"ward": Destination(kind="folder")})
    box = {"data": folder, "run": folder}
    return Config(box=box, web=Web(port=0, metrics=metrics), forward=to)


async def read(address: str) -> tuple[int, dict[tuple[str, tuple[str, ...]], float], str]:
    async with aiohttp.ClientSession() as session, session.get(f"{address}metrics") as reply:
        text = await reply.text()
    if reply.status != 200:
        return reply.status, {}, text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    told = {(one.name, tuple(v for _, v in sorted(one.labels.items()))): one.value for one in samples}
    return 200, told, text


async def test_it_tells_of_the_box_and_of_its_clouds_and_of_nobody(tmp_path: Path) -> None:
    config = configured(tmp_path, metrics=True)
    config.forward_data.mkdir(exist_ok=True)
    forwarder = Forwarder(config, makes=lambda _name, _one: Receiver())
    async with daemon_of(tmp_path) as box, serving(config) as site:
        box.arrive(CPAP)
        box.hub.occupy("1", PatientState(patient_id="P-17", full_name="John Doe", age=45, gender="male"))
        box.hub.publish("1", Fact("disk", FactState.FAILED, since_ns=1, t_ns=1, detail="John Doe"), ())
        _, alone, _ = await read(site.address)
        task = asyncio.create_task(forwarder.run())
        async with asyncio.timeout(10):
            while not config.forward_socket.exists():
                await asyncio.sleep(0.02)
        status, told, text = await read(site.address)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert (alone["vitald_up", ("daemon",)], alone["vitald_up", ("forward",)]) == (1.0, 0.0)
    assert status == 200
    assert told["vitald_up", ("forward",)] == 1.0
    assert told["vitald_trouble", ("", "disk")] == 1.0
    assert told["vitald_device_streaming", ("1", CPAP)] == 1.0
    assert told["vitald_forward_state", ("ward", "starting")] == 1.0
    assert "John" not in text
    assert "P-17" not in text


async def test_a_daemon_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    async with serving(configured(tmp_path, metrics=True)) as site:
        status, told, _ = await read(site.address)

    assert (status, told["vitald_up", ("daemon",)]) == (200, 0.0)


async def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    async with serving(configured(tmp_path, metrics=False)) as site:
        assert (await read(site.address))[0] == 404
