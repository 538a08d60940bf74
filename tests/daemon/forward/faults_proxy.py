"""A TCP proxy that does to a connection what networks do: late, slow, cut, mute, or silent. Every choice comes from a seed.

    async with FaultsProxy(host, port, Faults(latency_s=0.08, bandwidth=1e6 / 8), seed=3) as proxy:
        ...  # connect to 127.0.0.1:proxy.port; `proxy.faults` may be changed at any time

Faults are counted per connection, `up` being towards the server, `down` towards the client. What an instance did stands in
`proxy.connections`, `proxy.up_bytes`, `proxy.down_bytes`, `proxy.cuts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

PIECE = 16 * 1024
QUEUED = 64  # pieces on their way in one direction: the "cable" holds a megabyte at most


@dataclass(frozen=True)
class Faults:
    """What goes wrong. The default is an honest cable."""

    latency_s: float = 0.0
    """Each way."""
    jitter_s: float = 0.0
    """Up to this much more, drawn for each piece; bytes never overtake each other."""
    bandwidth: float = 0.0
    """Bytes a second each way; 0 = no limit."""
    reset_after_bytes: int | None = None
    """RST to both sides when so many bytes have gone up; the rest never arrives."""
    reset_between: tuple[int, int] | None = None
    """The same, at a number of bytes drawn for each connection."""
    reset_reply_after: int | None = None
    """RST to both sides when so many bytes have come down."""
    blackhole: bool = False
    """Accepts and swallows; nothing is passed in either direction."""
    half_close: bool = False
    """The client gets an end of file as soon as it has said something; what it says is still passed."""
    drop_reply: bool = False
    """The server gets everything; when its first reply comes, both sides get RST and the reply is lost."""
    mute: bool = False
    """The server gets everything; its replies are swallowed and the connection stays."""
    byte_a_second: bool = False
    """One byte a second each way."""


@dataclass
class _Way:
    """One direction of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    up: bool
    passed: int = 0
    pieces: asyncio.Queue[tuple[float, bytes]] = field(default_factory=lambda: asyncio.Queue(QUEUED))


class _Cut(Exception):
    """The connection ends here, for both sides."""


class FaultsProxy:
    def __init__(
        self, host: str, port: int, faults: Faults | None = None, *, seed: int = 0, listen: int = 0
    ) -> None:
        self.faults = faults or Faults()
        self.port = listen
        self.connections = 0
        self.up_bytes = 0
        self.down_bytes = 0
        self.cuts = 0
        self._target = (host, port)
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one (a server that comes back)."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every connection: from now on the port refuses."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.sever()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def sever(self) -> None:
        """RST to every connection there is; new ones are taken."""
        for writer in list(self._writers):
            _reset(writer)

    @property
    def alive(self) -> int:
        """Connections now."""
        return len(self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass  # `stop`; a cancelled handler would be reported by asyncio as an error of its own
        finally:
            self._open.discard(task)
            self._writers.discard(writer)
            await _close(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = self._limit()
        if self.faults.blackhole:
            await self._swallow(reader)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self._writers.add(server_writer)
        ways = (_Way(reader, server_writer, up=True), _Way(server_reader, writer, up=False))
        try:
            async with asyncio.TaskGroup() as group:
                for way in ways:
                    group.create_task(self._take(way))
                    group.create_task(self._give(way, limit, writer))
        except* (_Cut, OSError):
            self.cuts += 1
            _reset(writer)
            _reset(server_writer)
        finally:
            self._writers.discard(server_writer)
            await _close(server_writer)

    def _limit(self) -> int | None:
        if self.faults.reset_between is not None:
            return self._random.randint(*self.faults.reset_between)
        return self.faults.reset_after_bytes

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                self.up_bytes += len(piece)

    async def _take(self, way: _Way) -> None:
        """Read one side and note when each piece is due at the other."""
        clock = asyncio.get_running_loop().time
        due = 0.0
        while piece := await way.reader.read(self._piece()):
            late = self.faults.latency_s + self._random.uniform(0.0, self.faults.jitter_s)
            due = max(due, clock() + late)
            await way.pieces.put((due, piece))
        await way.pieces.put((due, b""))

    async def _give(self, way: _Way, limit: int | None, client: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, piece = await way.pieces.get()
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            if not piece:
                if way.writer.can_write_eof():
                    way.writer.write_eof()
                return
            await self._pass(way, piece, limit, client)

    async def _pass(self, way: _Way, piece: bytes, limit: int | None, client: asyncio.StreamWriter) -> None:
        faults = self.faults
        if faults.blackhole or ((faults.mute or faults.half_close) and not way.up):
            return
        if faults.drop_reply and not way.up:
            raise _Cut
        end = limit if way.up else faults.reset_reply_after
        whole = piece if end is None else piece[: max(0, end - way.passed)]
        for at in range(0, len(whole), self._piece()):
            part = whole[at : at + self._piece()]
            await asyncio.sleep(self._pause(len(part)))
            way.writer.write(part)
            await way.writer.drain()
            self._count(way, len(part))
        if end is not None and way.passed >= end:
            raise _Cut
        if faults.half_close and way.up and client.can_write_eof() and not client.transport.is_closing():
            client.write_eof()

    def _count(self, way: _Way, n: int) -> None:
        way.passed += n
        if way.up:
            self.up_bytes += n
        else:
            self.down_bytes += n

    def _piece(self) -> int:
        if self.faults.byte_a_second:
            return 1
        if self.faults.bandwidth:
            return max(1, min(PIECE, int(self.faults.bandwidth / 20)))
        return PIECE

    def _pause(self, n: int) -> float:
        if self.faults.byte_a_second:
            return 1.0
        return n / self.faults.bandwidth if self.faults.bandwidth else 0.0


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: what the peer of a machine that lost power gets."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@contextlib.contextmanager
def unanswering_port() -> Iterator[int]:
    """A port whose SYNs are dropped: its queue of connections is full and nobody takes them out."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):  # the queue holds one more than it says; the others wait for an answer themselves
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]
