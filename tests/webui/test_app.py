"""The web process as a process."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

_RUN = """
import pathlib, sys
from daemon.config import Config
from webui.app import run
run(Config(box={"run": pathlib.Path(sys.argv[1])}, web={"port": 0}))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_its_address_serves_and_ends_cleanly_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RUN,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    address = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().removeprefix("pages: ").strip()
    headers = {"Origin": address.rstrip("/")}
    async with (
        aiohttp.ClientSession() as session,
        session.get(address) as page,
        session.ws_connect(f"{address}live?bed=1", headers=headers) as ws,
    ):
        assert page.status == 200
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT
        process.send_signal(number)
        _, errors = await asyncio.wait_for(process.communicate(), 5)

    assert process.returncode == 0
    assert errors == b""
