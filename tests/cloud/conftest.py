"""A database a module, a cloud a test."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from tests.cloud.app import serving
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


@pytest_asyncio.fixture
async def cloud(dsn):
    async with serving(dsn, api_keys={"a-key": "by-key"}) as running:
        yield running


@pytest_asyncio.fixture
async def db(dsn):
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


class Client:
    """A client with an account of its own."""

    def __init__(self, session, base, user_id, headers):
        self.session = session
        self.base = base
        self.user_id = user_id
        self.headers = headers

    async def post(self, path, body, key=None, **more):
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        async with self.session.post(self.base + path, json=body, headers=headers, **more) as reply:
            return reply.status, await reply.json()

    async def get(self, path, **headers):
        async with self.session.get(self.base + path, headers={**self.headers, **headers}) as reply:
            return reply.status, (await reply.json() if reply.status != 304 else reply.headers["ETag"])


@pytest_asyncio.fixture
async def client(cloud):
    async with aiohttp.ClientSession() as session:
        made = Client(session, cloud.base, "", {})
        serial = f"ECG-{secrets.token_hex(4).upper()}"
        status, told = await made.post(
            "/auth/register", {"full_name": serial, "password": "secret", "device_serial": serial}
        )
        assert status == 200, told
        made.user_id, made.serial = told["user_id"], serial
        made.headers = {"Authorization": f"Bearer {told['token']}"}
        yield made


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """(host, port) of a mosquitto of our own."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "m.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(10)
