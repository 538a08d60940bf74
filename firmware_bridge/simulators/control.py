"""A person's or a test's way into running simulators: one line of text in, one line out, over a Unix socket.

    ecg rate 120          -> ok
    ecg rhythm vg         -> error: no rhythm 'vg': one of sinus, ...

The first word names the outlet, the second is one of `commands.COMMANDS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

from firmware_bridge.simulators.commands import COMMANDS, Refused
from firmware_bridge.simulators.pty import Outlet

LONGEST_LINE = 1000


def obey(outlets: Mapping[str, Outlet], line: str) -> str:
    """Carry out one line; the answer is one line too: "ok", "ok TEXT" or "error: REASON"."""
    words = line.split()
    try:
        if words in (["help"], ["?"]):
            outlets_named = ", ".join(sorted(outlets))
            return f"ok OUTLET ({outlets_named}) then: " + "; ".join(
                f"{c.usage} ({c.help})" for c in COMMANDS.values()
            )
        if len(words) < 2:
            raise Refused("say an outlet and a command, or help")
        if words[0] not in outlets:
            raise Refused(f"no outlet {words[0]!r}: one of {', '.join(sorted(outlets))}")
        if words[1] not in COMMANDS:
            raise Refused(f"no command {words[1]!r}: one of {', '.join(COMMANDS)}")
        said = COMMANDS[words[1]].act(outlets[words[0]], words[2:])
    except (ValueError, OSError) as error:
        return f"error: {error}".replace("\n", " ")
    return f"ok {said}" if said else "ok"


class Control:
    """Listens on the Unix socket `path` for as long as `run` runs."""

    def __init__(self, path: Path, outlets: Mapping[str, Outlet]) -> None:
        self.path = path
        self._outlets = outlets
        self._closed = asyncio.Event()
        self.listening = asyncio.Event()

    def close(self) -> None:
        """Let `run` return."""
        self._closed.set()

    async def run(self) -> None:
        """Serve until closed or cancelled; open connections are closed with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        connections: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            try:
                if not self._closed.is_set():  # accepted just as we were closing
                    await self._converse(reader, writer)
            finally:
                connections.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(connected, self.path, limit=LONGEST_LINE)
        try:
            self.listening.set()
            await self._closed.wait()
        finally:
            server.close()
            for writer in list(connections):
                writer.close()
            await server.wait_closed()
            self.path.unlink(missing_ok=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(b"error: the line is too long\n")
                    return
                if not line:
                    return
                answer = obey(self._outlets, line.decode("utf-8", "replace"))
                writer.write(answer.encode() + b"\n")
                await writer.drain()


def ask(path: Path, line: str, timeout_s: float = 5.0) -> str:
    """Say one line to the simulators listening at `path` and return their answer. Blocks; OSError when nobody is there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(line.strip().encode() + b"\n")
        with connection.makefile(encoding="utf-8") as answers:
            return answers.readline().rstrip("\n")
