"""A broker of MQTT 5 (OASIS, 2019) that answers what a test tells it to: one reason code after another.

Debian's mosquitto gives few of the codes. Only what a publisher and a small listener need is there: CONNECT, PUBLISH with QoS 1,
SUBSCRIBE, PINGREQ, DISCONNECT.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from dataclasses import dataclass, field

from tests.daemon.forward.destinations.threaded import hang_up

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1,
    2,
    3,
    4,
    8,
    9,
    12,
    13,
    14,
)


@dataclass
class Published:
    topic: str
    payload: bytes
    properties: dict[int, object]
    user: dict[str, str]
    retain: bool


@dataclass
class Broker:
    """How it behaves next, and what it got."""

    connack: list[int] = field(default_factory=list)  # codes for the next connections; then success
    puback: list[int] = field(
        default_factory=list
    )  # codes for the next messages of /ecg/ and the like; then success
    suback: int | None = 1  # None: no answer
    disconnect: list[int] = field(default_factory=list)  # instead of the next acknowledgements
    largest: int = 0
    receives: int = 0
    hold: bool = False  # acknowledge nothing
    got: list[Published] = field(default_factory=list)
    statuses: list[Published] = field(default_factory=list)
    connections: int = 0
    under_way: int = 0
    most_under_way: int = 0
    subscribed: list[str] = field(default_factory=list)
    wills: list[bool] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    alpn: list[str | None] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def serving(self, trust: ssl.SSLContext | None = None):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=trust)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.release.set()
            for writer in self._writers:
                writer.transport.abort()
            await hang_up(self.port)

    def say(self, topic: str, payload: bytes) -> None:
        """A message to whoever is connected (QoS 0)."""
        body = _text(topic) + b"\x00" + payload
        for writer in self._writers:
            if not writer.is_closing():
                writer.write(_packet(PUBLISH, body))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        secured = writer.get_extra_info("ssl_object")
        self.alpn.append(secured.selected_alpn_protocol() if secured else None)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                kind, flags, body = await _read(reader)
                if kind == DISCONNECT:
                    break
                await self._answer(writer, kind, flags, body)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, kind: int, flags: int, body: bytes) -> None:
        if kind == CONNECT:
            self.wills.append(bool(body[7] & 0x04))
            code = self.connack.pop(0) if self.connack else 0
            writer.write(_packet(CONNACK, bytes([0, code]) + self._limits()))
        elif kind == PINGREQ:
            writer.write(_packet(PINGRESP, b""))
        elif kind == SUBSCRIBE:
            length, at = _varint(body, 2)
            at += length
            topic, _ = _string(body, at)
            self.subscribed.append(topic)
            if self.suback is not None:
                writer.write(_packet(SUBACK, body[:2] + bytes([0, self.suback])))
        elif kind == PUBLISH:
            asyncio.get_running_loop().create_task(self._publish(writer, flags, body))  # noqa: RUF006

    async def _publish(self, writer: asyncio.StreamWriter, flags: int, body: bytes) -> None:
        topic, at = _string(body, 0)
        number, at = body[at : at + 2], at + 2
        properties, user, at = _properties(body, at)
        said = Published(topic, body[at:], properties, user, bool(flags & 1))
        if topic.endswith("/status"):
            self.statuses.append(said)
            writer.write(_packet(PUBACK, number + b"\x00"))
            return
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        if self.hold:
            await self.release.wait()
        self.under_way -= 1
        if self.disconnect:
            writer.write(_packet(DISCONNECT, bytes([self.disconnect.pop(0), 0])))
            writer.close()
            return
        code = self.puback.pop(0) if self.puback else 0
        if code < 0x80:
            self.got.append(said)
        writer.write(_packet(PUBACK, number + bytes([code])))

    def _limits(self) -> bytes:
        said = b""
        if self.receives:
            said += b"\x21" + struct.pack(">H", self.receives)
        if self.largest:
            said += b"\x27" + struct.pack(">I", self.largest)
        return bytes([len(said)]) + said


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    first = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return first >> 4, first & 0x0F, await reader.readexactly(length)


def _packet(kind: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([kind << 4]) + length + body


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _properties(data: bytes, at: int) -> tuple[dict[int, object], dict[str, str], int]:
    length, at = _varint(data, at)
    end, found, user = at + length, {}, {}
    while at < end:
        name, at = data[at], at + 1
        if name == 0x26:  # user property
            key, at = _string(data, at)
            user[key], at = _string(data, at)
        elif name == 0x01:  # payload format
            found[name], at = data[at], at + 1
        elif name == 0x02:  # message expiry
            found[name], at = struct.unpack_from(">I", data, at)[0], at + 4
        elif name in {0x03, 0x08}:  # content type, response topic
            found[name], at = _string(data, at)
        else:
            raise ValueError(f"property {name:#x}")
    return found, user, end
