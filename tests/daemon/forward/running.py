"""A forwarder as a task of the test, and what to wait for."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager

from benchmarks._backlog import BOOT
from daemon.forward.process import Forwarder


def to(name, kind="folder", **options):
    more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return f'[forward.destinations.{name}]\nkind = "{kind}"\n{more}\n'


@asynccontextmanager
async def forwarding(config, **more):
    for folder in (config.forward_data, config.forward_socket.parent):
        folder.mkdir(parents=True, exist_ok=True)
    forwarder = Forwarder(config, boot=BOOT, **more)
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, within_s=15.0):
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


def all_done(forwarder, *names):
    def check():
        senders = [forwarder.senders.get(name) for name in names]
        return all(
            s is not None
            and all(s.delivery.lanes.confirmed(lane) >= head for lane, head in forwarder.heads.heads.items())
            for s in senders
        )

    return check


def in_folder(folder):
    """Envelopes of all files."""
    files = sorted(folder.rglob("*.ndjson.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
