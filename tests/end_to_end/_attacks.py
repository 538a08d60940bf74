"""What somebody on the ward's network does to a box, over and over until told to stop; what it is answered is counted.

Attackers have addresses of their own (127.0.0.66 and on), which the pages under test take for other machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

GIGABYTE = 1_000_000_000
PIECE = 64 * 1024
LORIS = 200
"""Silent and slow connections at once, of one address."""


@dataclass
class Attacker:
    """`answers`: for each attack, how often it was answered what."""

    plain: str
    encrypted: str
    trusts: ssl.SSLContext
    nurse: str
    """The cookie of a nurse who has signed in: the upload is a nurse's own mistake."""
    answers: dict[str, Counter[str]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """All of them at once, each again as soon as it is over."""
        attacks = (
            self.wrong_passwords,
            self.forged_cookie,
            self.cross_site,
            self.cross_origin_socket,
            self.rebinding,
            self.traversal,
            self.announced_upload,
            self.endless_upload,
            self.slow_loris,
            self.silent_handshakes,
        )
        async with asyncio.TaskGroup() as tasks:
            for attack in attacks:
                tasks.create_task(self._again(attack, stop), name=attack.__name__)

    async def _again(self, attack: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        while not stop.is_set():
            await attack()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.2)

    def _count(self, attack: str, answer: object) -> None:
        self.answers.setdefault(attack, Counter())[str(answer)] += 1

    @contextlib.asynccontextmanager
    async def _http(self, source: str = "127.0.0.66", **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=self.trusts, local_addr=(source, 0))
        given = {"Origin": self.encrypted.rstrip("/"), **headers}
        async with aiohttp.ClientSession(self.encrypted, headers=given, connector=connector) as http:
            yield http

    async def wrong_passwords(self) -> None:
        """Twenty at once for one account."""

        async def one(http: aiohttp.ClientSession, number: int) -> None:
            given = {"identifier": "Tara Technician", "password": f"wrong password {number}"}
            async with http.post("/api/sign-in", json=given) as response:
                told = await response.json()
                looked = "waits" if told["wait_s"] > 0 else "wrong"
                self._count("wrong password", "signed in" if told["name"] else looked)

        async with self._http("127.0.0.67") as http:
            await asyncio.gather(*(one(http, number) for number in range(20)))

    async def forged_cookie(self) -> None:
        """A cookie that nobody gave."""
        async with (
            self._http(Cookie=f"__Host-vitald={'a' * 43}") as http,
            http.get("/api/sessions?bed=1") as response,
        ):
            self._count("forged cookie", response.status)

    async def cross_site(self) -> None:
        """A page of another site that a signed-in nurse has open."""
        async with self._http(Cookie=self.nurse, Origin="https://evil.example") as http:
            act = {"id": "evil-0001", "bed": "1", "verb": "alarm_pause", "values": {}}
            async with http.post("/api/command", json=act) as response:
                self._count("cross-site post", response.status)

    async def cross_origin_socket(self) -> None:
        """The same page, for the waves."""
        async with self._http(Cookie=self.nurse, Origin="https://evil.example") as http:
            try:
                async with http.ws_connect("/live?bed=1"):
                    self._count("cross-origin WebSocket", "open")
            except aiohttp.WSServerHandshakeError as error:
                self._count("cross-origin WebSocket", error.status)

    async def rebinding(self) -> None:
        """A name of the attacker's that leads to the box."""
        async with (
            self._http(Host="evil.example", Origin="https://evil.example") as http,
            http.get("/bed/1") as response,
        ):
            self._count("DNS-rebinding Host", response.status)

    async def traversal(self) -> None:
        """Addresses that climb out, as they are written."""
        for path in ("/../../etc/passwd", f"/static/{'0' * 16}/..%2f..%2f..%2fetc%2fpasswd"):
            host = urlsplit(self.encrypted).netloc
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            answer = await self._raw(head.encode())
            assert b"root:" not in answer
            self._count("path traversal", answer.split(b" ")[1].decode() if answer else "closed")

    async def announced_upload(self) -> None:
        """A gigabyte where a few words are taken, announced as such."""
        host = urlsplit(self.encrypted).netloc
        head = (
            f"POST /api/sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n"
            f"Content-Length: {GIGABYTE}\r\n\r\n"
        )
        answer = await self._raw(head.encode(), b"x" * PIECE)
        self._count("1 GB upload, announced", answer.split(b" ")[1].decode() if answer else "closed")

    async def endless_upload(self) -> None:
        """A gigabyte that is no card, by a nurse who may bring one; it is sent for as long as anybody takes it."""
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < GIGABYTE:
                sent += PIECE
                yield b"x" * PIECE

        async with self._http("127.0.0.68", Cookie=self.nurse) as http:
            address = "/api/import?bed=1&patient=x&timezone=UTC"
            try:
                async with http.post(address, data=body(), timeout=aiohttp.ClientTimeout(60)) as response:
                    said = (await response.json()).get("refused", response.status)
            except aiohttp.ClientConnectionError:
                said = "closed"
            self._count("1 GB upload, by a nurse", said)
            assert sent < GIGABYTE / 4, "most of it was taken"

    async def slow_loris(self) -> None:
        """Heads that come byte by byte, on many connections of one address."""
        where, host = urlsplit(self.plain), urlsplit(self.plain).netloc

        async def one() -> None:
            try:
                reader, writer = await asyncio.open_connection(
                    where.hostname, where.port, local_addr=("127.0.0.69", 0)
                )
                writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode())
                end = await reader.read()
                self._count("slow-loris", "closed" if end == b"" else end[:12].decode())
                writer.close()
            except ConnectionError:
                self._count("slow-loris", "closed")

        await asyncio.gather(*(one() for _ in range(LORIS)))

    async def silent_handshakes(self) -> None:
        """Connections to the port of TLS that never say a word."""
        where = urlsplit(self.encrypted)

        async def one() -> None:
            try:
                reader, writer = await asyncio.open_connection(
                    where.hostname, where.port, local_addr=("127.0.0.70", 0)
                )
                self._count("silent TLS", "closed" if await reader.read() == b"" else "answered")
                writer.close()
            except ConnectionError:
                self._count("silent TLS", "closed")

        await asyncio.gather(*(one() for _ in range(LORIS // 2)))

    async def _raw(self, *pieces: bytes) -> bytes:
        where = urlsplit(self.encrypted)
        reader, writer = await asyncio.open_connection(
            where.hostname, where.port, ssl=self.trusts, local_addr=("127.0.0.66", 0)
        )
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()
