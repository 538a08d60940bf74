"""Firmware files from a cloud: fetched whole or not at all, gone on with where it broke, never believed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import pytest
from aiohttp import web

from daemon.control.firmware import FirmwareRoutes, FirmwaresTold, FirmwareTold, FirmwareWished
from daemon.forward.firmware import Staging

OXY = "OXY-8844-5521"
IMAGE = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(IMAGE).hexdigest()


class Daemon:
    """What the daemon says: queued until the file is staged or has failed."""

    def __init__(self) -> None:
        self.heard: list[FirmwareWished] = []

    async def hear(self, wished: FirmwareWished) -> FirmwareTold:
        self.heard.append(wished)
        state = "failed" if wished.failed else "offered" if wished.staged else "queued"
        return FirmwareTold(
            origin=wished.origin,
            device=wished.device,
            bed="1",
            job=wished.job,
            version=wished.version,
            running="1.0",
            size=wished.size,
            sha256=wished.sha256,
            state=state,
            percent=0,
            reason=wished.failed,
            since_ms=0,
            decided_by="",
        )

    def told(self) -> FirmwaresTold:
        return FirmwaresTold()

    async def act(self, act, actor):
        raise NotImplementedError


class Server:
    """A file server. `breaks`: how many answers break off after `after` bytes; `gives` is what it has."""

    def __init__(self) -> None:
        self.gives = IMAGE
        self.breaks = 0
        self.after = 100_000
        self.status = 200
        self.asked: list[str] = []

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range", ""))
        if self.status != 200:
            return web.Response(status=self.status)
        begin = int(self.asked[-1][6:-1]) if self.asked[-1] else 0
        response = web.StreamResponse(status=206 if begin else 200)
        if begin:
            response.headers["Content-Range"] = f"bytes {begin}-{len(self.gives) - 1}/{len(self.gives)}"
        response.content_length = len(self.gives) - begin
        await response.prepare(request)
        if self.breaks:
            self.breaks -= 1
            await response.write(self.gives[begin : begin + self.after])
            request.transport.abort()
            return response
        await response.write(self.gives[begin:])
        return response


@contextlib.asynccontextmanager
async def cloud(tmp_path):
    """(staging, daemon, server, its address)."""
    daemon, server = Daemon(), Server()
    control, files = web.Application(), web.Application()
    FirmwareRoutes(daemon).add_to(control)
    files.router.add_get("/fw.bin", server.get)
    runners = [web.AppRunner(control), web.AppRunner(files)]
    for runner in runners:
        await runner.setup()
    await web.UnixSite(runners[0], str(tmp_path / "control.sock")).start()
    site = web.TCPSite(runners[1], "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    staging = Staging(tmp_path / "control.sock", tmp_path / "firmware", again_s=0.01)
    task = asyncio.create_task(staging.run())
    try:
        yield staging, daemon, server, f"http://127.0.0.1:{port}/fw.bin"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for runner in runners:
            await runner.cleanup()


def wish(address: str, **given) -> dict[str, object]:
    return {"job": "j1", "version": "2.0", "url": address, "size": len(IMAGE), "sha256": DIGEST, **given}


async def settled(staging: Staging, wished: dict[str, object]):
    """What is told once it is no longer being fetched."""
    for _ in range(500):
        report = await staging.serve("ward", OXY, wished)
        if report is None or report.state != "queued":
            return report
        await asyncio.sleep(0.02)
    raise AssertionError("still being fetched")


async def test_a_file_is_fetched_checked_and_offered(tmp_path):
    async with cloud(tmp_path) as (staging, _, server, url):
        assert (await settled(staging, wish(url))).state == "offered"
        path = tmp_path / "firmware" / f"{DIGEST}.bin"
        assert path.read_bytes() == IMAGE
        assert path.stat().st_mode & 0o777 == 0o640
        assert server.asked == [""]


async def test_where_it_breaks_off_it_is_gone_on_with(tmp_path):
    async with cloud(tmp_path) as (staging, _, server, url):
        server.breaks = 2
        assert (await settled(staging, wish(url))).state == "offered"
        assert len(server.asked) == 3
        assert all(asked.startswith("bytes=") for asked in server.asked[1:])
        assert (tmp_path / "firmware" / f"{DIGEST}.bin").read_bytes() == IMAGE


@pytest.mark.parametrize(
    ("gives", "why"),
    [
        (IMAGE[:-1] + b"x", "SHA-256"),
        (IMAGE + b"x" * 100_000, "longer than"),
        (IMAGE[:-1], "broke off"),
    ],
)
async def test_another_file_is_thrown_away_and_the_cloud_hears_of_it(tmp_path, gives, why):
    async with cloud(tmp_path) as (staging, _, server, url):
        server.gives = gives
        told = await settled(staging, wish(url))
        assert (told.state, why in told.reason) == ("failed", True), told.reason
        assert list((tmp_path / "firmware").glob("*.bin")) == []


async def test_a_file_that_is_not_there_is_not_asked_for_for_ever(tmp_path):
    async with cloud(tmp_path) as (staging, _, server, url):
        server.status = 404
        told = await settled(staging, wish(url))
        assert (told.state, "404" in told.reason) == ("failed", True)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"url": "file:///etc/shadow"},
        {"sha256": "x"},
        {"size": 9 << 20},
        {"version": "with blanks in it"},
        {"job": ""},
    ],
)
async def test_a_wish_that_is_not_by_the_contract_is_refused_and_nothing_is_fetched(tmp_path, given):
    async with cloud(tmp_path) as (staging, daemon, server, url):
        told = await staging.serve("ward", OXY, wish(url, **given))
        assert told.state == "refused"
        assert told.reason
        assert (daemon.heard, server.asked) == ([], [])


async def test_what_is_not_wished_any_more_is_withdrawn_once(tmp_path):
    async with cloud(tmp_path) as (staging, daemon, _, url):
        await settled(staging, wish(url))
        assert await staging.serve("ward", OXY, None) is None
        assert await staging.serve("ward", OXY, None) is None
        assert [wished.job for wished in daemon.heard].count("") == 1
