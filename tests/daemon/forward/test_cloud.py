"""The whole way: a bed's store, `vitald forward` as a process that is killed on the way, a reference cloud that loses replies."""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest

from benchmarks import _forwarding as box
from benchmarks._backlog import Bedside
from daemon.config import load
from daemon.control.forwarding import ForwardClient, NotAnswering
from daemon.forward.process import boot_id, boottime_ns
from tests.cloud.app import serving
from tests.cloud.compare import compare
from tests.cloud.faults import Rule, Rules
from tests.cloud.postgres import NoPostgres, binaries, private


@pytest.fixture(scope="module")
def dsn():
    try:
        binaries()
    except NoPostgres as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with private() as address:
        yield address


async def everything_done(config):
    """Until nothing waits, as people see it."""
    async with asyncio.timeout(60), ForwardClient(config.forward_socket) as client:
        while True:
            try:
                told = await client.told()
            except NotAnswering:
                told = None
            if told and all(one.state == "idle" for one in told.destinations):
                return told
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["plan", "records"])
async def test_the_cloud_has_what_the_box_has_whatever_happened_on_the_way(tmp_path, dsn, form):
    random = Random(form)
    async with serving(dsn, api_keys={"key": "box"}) as cloud:
        for table in ("records", "metrics", "waveforms", "events", "sessions", "requests"):
            await cloud.state.pool.execute(f"TRUNCATE {table}")
        cloud.state.faults.order(
            Rules(
                rules=[
                    Rule(do="lost", times=2, match="/metrics|/records"),
                    Rule(do="status", status=503, times=1, match="/waveform|/records"),
                    Rule(do="reset", times=1, match="/events|/records"),
                ]
            )
        )
        config = box.configure(tmp_path, {"cloud": cloud.base}, collect_s=0.5)
        path = tmp_path / "vitald.toml"
        path.write_text(path.read_text().replace('form = "records"', f'form = "{form}"'))
        config = load(path)
        bed = Bedside(
            config.box.database,
            boot=boot_id(),
            began_ns=boottime_ns(),
            offset_ns=1_767_225_600 * 10**9,
        )
        await bed.writer.start()
        for _ in range(4):
            await bed.second(alarms=1)
        forwarder = await asyncio.to_thread(box.ForwardProcess, config)
        await bed.second(alarms=1)
        await asyncio.sleep(random.uniform(0.0, 1.0))
        await asyncio.to_thread(forwarder.kill)
        forwarder = await asyncio.to_thread(box.ForwardProcess, config)
        await bed.second(alarms=1)
        await bed.writer.stop()
        await asyncio.sleep(1.5)  # the last words are looked for every second at the latest
        try:
            told = await everything_done(config)
        finally:
            await asyncio.to_thread(forwarder.stop)
        report = await compare(config.box.database, dsn)

    assert report.well, report.lines()
    assert report.samples >= 5 * 8 * 500
    assert told.destinations[0].quarantined == 0
