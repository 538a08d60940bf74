"""An MLLP receiver, written from the description of the protocol: it parses with hl7apy, keeps what it has taken by MSH-10, and answers."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from daemon.forward.destinations import Sealed
from tests.daemon.forward.destinations.cases import Case

VT, FS, CR = 0x0B, 0x1C, 0x0D
STRICT_BYTES = 4000


class Receiver:
    """`answers` are taken one after the other, then "AA": a code, "AE:101" with an error code, or a way to go wrong:
    "silence", "half", "other" (an answer to another message before the right one), "other only", "drop", "garbage"."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.taken: dict[str, bytes] = {}
        self.heard: list[str] = []
        self.busy = 0
        self.busiest = 0
        self.hold: threading.Event | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (message := await self._message(reader)) is not None:
                self.busy += 1
                self.busiest = max(self.busiest, self.busy)
                try:
                    if not await self._answer(message, writer):
                        return
                finally:
                    self.busy -= 1
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _message(self, reader: asyncio.StreamReader) -> bytes | None:
        first = await reader.read(1)
        if not first:
            return None
        assert first[0] == VT, "a message begins with VT"
        content = await reader.readuntil(bytes([FS]))
        assert (await reader.readexactly(1))[0] == CR
        return content[:-1]

    async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the line goes on."""
        # hl7apy's strict reading allows 999 letters in a text, which HL7 2.6 does not say.
        level = VALIDATION_LEVEL.STRICT if len(message) < STRICT_BYTES else VALIDATION_LEVEL.TOLERANT
        parsed = parse_message(message.decode("utf-8"), validation_level=level)
        identity = parsed.msh.msh_10.value
        self.heard.append(identity)
        how, _, error = (self.answers.pop(0) if self.answers else "AA").partition(":")
        match how:
            case "drop":
                return False
            case "silence":
                return True
            case "garbage":
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes([FS, CR]))
            case "half":
                writer.write(ack("AA", identity)[:20])
            case "half and drop":
                writer.write(ack("AA", identity)[:20])
                return False
            case "other":
                writer.write(ack("AE", "another"))
                self.taken.setdefault(identity, message)
                writer.write(ack("AA", identity))
            case "other only":
                writer.write(ack("AA", "another"))
            case "AA":
                self.taken.setdefault(identity, message)
                writer.write(ack("AA", identity))
            case _:
                writer.write(ack(how, identity, error))
        await writer.drain()
        return True


def ack(code: str, identity: str, error: str = "") -> bytes:
    lines = ["MSH|^~\\&|EHR|WARD|VITALD||20250108123500||ACK^R01^ACK|A1|P|2.6", f"MSA|{code}|{identity}"]
    if error:
        lines.append(f"ERR|||{error}^told^HL70357|E|||it repeats Erika Mustermann")
    return bytes([VT]) + "\r".join(lines).encode() + b"\r" + bytes([FS, CR])


class Served:
    """A receiver on a port, in a thread with a loop of its own."""

    def __init__(self, receiver: Receiver, trust: ssl.SSLContext | None = None) -> None:
        self.receiver = receiver
        self.port = 0
        self._trust = trust
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mllp receiver")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(
            self.receiver.serve, "127.0.0.1", 0, ssl=self._trust, limit=64 << 20
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class MllpCase(Case):
    kind = "mllp"
    keeps_files = False
    size = 20_000
    halfway = 8_000

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.receiver = Receiver()
        self.port = stack.enter_context(Served(self.receiver)).port

    def options(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port, "tls": False, "numbers_every_s": 1}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        return []

    def arrived(self, sealed: Sealed) -> list[bytes]:
        message = self._message(sealed)
        return [] if message is None else [message.partition(b"OBX|1000|ED|")[0]]

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        message = self._message(sealed)
        if message is None:
            return []
        (report,) = [line for line in message.decode().split("\r") if line.startswith("OBX|1000|ED|")]
        _, kind, subtype, encoding, data = report.split("|")[5].split("^")
        assert (kind, subtype, encoding) == ("application", "pdf", "Base64")
        return [b64decode(data, validate=True)]

    def _message(self, sealed: Sealed) -> bytes | None:
        return self.receiver.taken.get(sealed.data.split(b"|")[9].decode())
