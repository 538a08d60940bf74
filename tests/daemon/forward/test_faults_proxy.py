"""The proxy of faults does what it says: tests that lean on it lean on something."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from tests.daemon.forward.faults_proxy import Faults, FaultsProxy, unanswering_port


@contextlib.asynccontextmanager
async def echo():
    """A server that says back what it hears, in capitals; yields its port and what it heard."""
    heard = bytearray()

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                heard.extend(piece)
                writer.write(piece.upper())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


@contextlib.asynccontextmanager
async def through(faults, *, seed=0):
    async with echo() as (port, heard), FaultsProxy("127.0.0.1", port, faults, seed=seed) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield proxy, reader, writer, heard
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def test_without_faults_every_byte_passes_both_ways():
    async with through(Faults()) as (proxy, reader, writer, heard):
        said = bytes(range(97, 123)) * 20_000
        writer.write(said)
        back = await reader.readexactly(len(said))

        assert back == said.upper()
        assert heard == said
        assert (proxy.up_bytes, proxy.down_bytes) == (len(said), len(said))


async def test_latency_is_there_and_back_and_does_not_narrow_the_line():
    async with through(Faults(latency_s=0.05)) as (_, reader, writer, _):
        started = time.monotonic()
        for _ in range(20):  # twenty pieces at once, not one after the other
            writer.write(b"x" * 1000)
            await asyncio.sleep(0)
        await reader.readexactly(20_000)
        took = time.monotonic() - started

        assert 0.1 <= took < 1.0


async def test_bandwidth_is_the_slowest_a_line_may_be():
    async with through(Faults(bandwidth=100_000)) as (_, reader, writer, _):
        started = time.monotonic()
        writer.write(b"x" * 20_000)
        await reader.readexactly(20_000)

        assert time.monotonic() - started >= 0.2


async def test_reset_comes_after_exactly_so_many_bytes():
    async with through(Faults(reset_after_bytes=1234)) as (proxy, reader, writer, heard):
        writer.write(b"x" * 5000)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(5000)

        assert len(heard) <= 1234
        assert proxy.up_bytes == 1234
        assert proxy.cuts == 1


async def test_random_resets_are_the_same_for_the_same_seed():
    places = []
    for seed in (7, 7, 8):
        async with through(Faults(reset_between=(1, 4000)), seed=seed) as (proxy, reader, writer, _):
            writer.write(b"x" * 5000)
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(100):
                    pass
            places.append(proxy.up_bytes)

    assert places[0] == places[1] != places[2]


async def test_blackhole_takes_the_connection_and_says_nothing():
    async with through(Faults(blackhole=True)) as (proxy, reader, writer, heard):
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)

        assert proxy.connections == 1
        assert not heard


async def test_half_close_ends_the_reply_but_still_passes_the_request():
    async with through(Faults(half_close=True)) as (_, reader, writer, heard):
        writer.write(b"one")
        while await reader.read(100):
            pass
        writer.write(b" two")
        await until(lambda: heard == b"one two")


async def test_dropped_reply_means_the_server_has_it_and_the_client_does_not_know():
    async with through(Faults(drop_reply=True)) as (_, reader, writer, heard):
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)

        assert heard == b"hello"


async def test_mute_passes_the_request_and_keeps_the_line():
    async with through(Faults(mute=True)) as (proxy, reader, writer, heard):
        writer.write(b"hello")
        await until(lambda: heard == b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)

        assert proxy.alive == 1


@pytest.mark.slow
async def test_one_byte_a_second():
    async with through(Faults(byte_a_second=True)) as (_, _, writer, heard):
        writer.write(b"hello")
        await until(lambda: heard)

        assert heard == b"h"


async def test_stopped_proxy_refuses_and_comes_back_on_its_port():
    async with through(Faults()) as (proxy, reader, writer, heard):
        await proxy.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.start()
        _, again = await asyncio.open_connection("127.0.0.1", proxy.port)
        again.write(b"back")
        await until(lambda: heard == b"back")
        again.close()


async def test_severed_connections_end_and_new_ones_are_taken():
    async with through(Faults()) as (proxy, reader, writer, heard):
        writer.write(b"one")
        await reader.readexactly(3)
        proxy.sever()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        _, again = await asyncio.open_connection("127.0.0.1", proxy.port)
        again.write(b"two")
        await until(lambda: heard == b"onetwo")
        again.close()


async def test_unanswering_port_drops_the_first_packet():
    with unanswering_port() as port, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.open_connection("127.0.0.1", port)
