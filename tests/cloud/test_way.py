"""The whole way: board, daemon, store, forwarder, four clouds. What the box said is what arrived, bit for bit, once."""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp
import asyncpg
import pytest

from benchmarks._box import Box
from tests.cloud.app import serving
from tests.cloud.broker import Address, listening
from tests.cloud.compare import compare
from tests.cloud.files import ingest

CONFIG = """
[forward]
credentials = "{folder}"

[forward.destinations.plan]
kind = "rest"
url = "{plan}"
api_key_file = "api-key"
collect_s = 1.0

[forward.destinations.batches]
kind = "rest"
url = "{batches}"
identifier = "BOX-1"
password_file = "password"
form = "records"
collect_s = 1.0

[forward.destinations.broker]
kind = "mqtt"
host = "{host}"
port = {port}
tls = false
collect_s = 1.0

[forward.destinations.kept]
kind = "folder"
folder = "{folder}/kept"
collect_s = 1.0
"""


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


async def databases(dsn, *names):
    admin = await asyncpg.connect(dsn)
    for name in names:
        await admin.execute(f"DROP DATABASE IF EXISTS {name}")
        await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    return [dsn.replace("/postgres?", f"/{name}?") for name in names]


@pytest.mark.slow
async def test_all_that_a_box_says_arrives_once_by_every_way(box, dsn, broker, tmp_path):
    names = ("plan", "batches", "broker", "kept")
    places = dict(zip(names, await databases(dsn, *names), strict=True))
    (tmp_path / "kept").mkdir()
    (tmp_path / "api-key").write_text("k\n")
    (tmp_path / "password").write_text("secret\n")
    async with contextlib.AsyncExitStack() as stack:
        clouds = {
            name: await stack.enter_async_context(serving(places[name], api_keys={"k": "box"}))
            for name in names
        }
        await stack.enter_async_context(listening(clouds["broker"].state, Address(*broker)))
        register = {"full_name": "Box", "password": "secret", "device_serial": "BOX-1"}
        await _post(clouds["batches"].base + "/auth/register", register)
        with box.config.open("a", encoding="utf-8") as config:
            host, port = broker
            config.write(
                CONFIG.format(
                    folder=tmp_path,
                    plan=clouds["plan"].base,
                    batches=clouds["batches"].base,
                    host=host,
                    port=port,
                )
            )
        stack.callback(box.__exit__)
        await asyncio.to_thread(_record, box)
        await _until(lambda: _waveforms(clouds["plan"]), 12, 60)
        for name in ("simulators", "daemon"):
            await asyncio.to_thread(box.stop, name)

        deadline = time.monotonic() + 60
        for name in names:
            while True:
                if name == "kept":
                    await ingest(clouds[name].state.pool, tmp_path / "kept")
                report = await compare(box.database, places[name])
                if report.well or time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.3)
            assert report.well, (name, report.lines(), box.said("forward"))
            assert report.samples > 8 * 500 * 4, name


def _record(box):
    box.start_simulators()
    box.start_daemon()
    box._start("forward", "forward", "--config", str(box.config))


async def _waveforms(cloud):
    return await cloud.state.pool.fetchval("SELECT count(*) FROM waveforms")


async def _until(count, wanted, seconds):
    async with asyncio.timeout(seconds):
        while await count() < wanted:
            await asyncio.sleep(0.2)


async def _post(url, body):
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as reply:
        assert reply.status == 200
