"""Too many at once: connections and live sockets of one address and of all; the box's own screen always finds room."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.webui._encrypted import certified, encrypted, trusting
from webui import crowd, listening, signed
from webui.app import serving
from webui.crowd import Crowd, counted_as

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fd00:1:2:3:4:5:6:7", "fd00:1:2:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
async def test_an_address_is_counted_with_those_that_one_machine_can_have(address: str, counted: str) -> None:
    assert counted_as(address) == counted


async def test_who_has_many_is_refused_alone_and_a_closed_one_makes_room(monkeypatch) -> None:
    monkeypatch.setattr(crowd, "MOST_OF_ONE", 3)
    monkeypatch.setattr(crowd, "MOST", 5)
    counts = Crowd()
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(socket.socket()) for _ in range(8)]
        assert [counts.lets_in("10.0.0.7", one) for one in held[:4]] == [True, True, True, False]
        assert [counts.lets_in("10.0.0.8", one) for one in held[4:7]] == [True, True, False]  # of all
        assert counts.lets_in("127.0.0.1", held[7])
        assert counts.lets_in("::1", held[7])
        held[0].close()
        assert counts.lets_in("10.0.0.9", held[6])
        assert not counts.lets_in("10.0.0.7", held[3])


async def test_live_sockets_are_counted_while_they_are_open(monkeypatch) -> None:
    monkeypatch.setattr(crowd, "MOST_LIVE_OF_ONE", 2)
    monkeypatch.setattr(crowd, "MOST_LIVE", 3)
    counts = Crowd()
    come = ["10.0.0.7", "10.0.0.7", "10.0.0.7", "10.0.0.8", "10.0.0.9", "127.0.0.1"]
    with contextlib.ExitStack() as opened:
        let_in = [opened.enter_context(counts.watches(address)) for address in come]
    assert let_in == [True, True, False, True, False, True]
    with counts.watches("10.0.0.7") as again:
        assert again


@pytest.fixture
def few(monkeypatch) -> None:
    monkeypatch.setattr(crowd, "MOST_OF_ONE", 6)
    monkeypatch.setattr(crowd, "MOST_LIVE_OF_ONE", 2)
    monkeypatch.setattr(listening, "SHAKEN_WITHIN_S", 0.5)
    monkeypatch.setattr(signed, "at_bedside", lambda address: address == "127.0.0.1")


async def opened(where, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(where.hostname, where.port, local_addr=(source, 0))


async def test_silent_connections_are_few_are_closed_and_leave_the_bed_its_place(
    few, feeder_of, config_for, tmp_path
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)):
        config = encrypted(config_for(tmp_path))
        certified(config)
        async with serving(config) as site:
            plain = site.address.replace("0.0.0.0", "127.0.0.1")
            where = urlsplit(site.encrypted.replace("0.0.0.0", "127.0.0.1"))
            silent = [await opened(where, "127.0.0.9") for _ in range(10)]
            refused = [reader for reader, _ in silent[6:]]
            ends = await asyncio.gather(*(one.read() for one in refused), return_exceptions=True)
            assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)

            async with aiohttp.ClientSession(plain) as bed, bed.get("/bed/1") as response:
                assert response.status == 200

            # those that were let in and say nothing are closed too, and make room again
            async with asyncio.timeout(10):
                await asyncio.gather(*(reader.read() for reader, _ in silent[:6]), return_exceptions=True)
            connector = aiohttp.TCPConnector(ssl=trusting(config.cert_data), local_addr=("127.0.0.9", 0))
            async with (
                aiohttp.ClientSession(f"https://{where.netloc}/", connector=connector) as http,
                http.get("/sign-in") as response,
            ):
                assert response.status == 200
            for _, writer in silent:
                writer.close()


async def test_one_address_has_so_many_screens_and_no_more(few, feeder_of, config_for, tmp_path) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)), serving(config_for(tmp_path)) as site:
        origin = site.address.rstrip("/")
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
        jar = {"Cookie": "vitald=nurse", "Origin": origin}
        async with (
            aiohttp.ClientSession(site.address, headers=jar, connector=connector) as http,
            http.ws_connect("/live?bed=1"),
            http.ws_connect("/live?bed=1"),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect("/live?bed=1")
            assert refused.value.status == 429
            async with (
                aiohttp.ClientSession(site.address, headers={"Origin": origin}) as bed,
                bed.ws_connect("/live?bed=1") as own,
            ):
                assert (await own.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT
