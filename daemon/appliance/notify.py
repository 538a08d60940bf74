"""Words to systemd, one datagram each (sd_notify(3)): READY=1, STATUS=, WATCHDOG=1, STOPPING=1. Without systemd nothing happens."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """Who started us, as the environment says. `every_s`: how often it must hear WATCHDOG=1 to be at ease; None: not at all."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        ours = usec.isdecimal() and int(usec) > 0 and pid in {"", str(os.getpid())}
        self.every_s = int(usec) / 4e6 if ours else None

    def say(self, *words: str) -> None:
        """One datagram. Never waits and never raises: whoever listens may be gone or busy."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto("\n".join(words).encode(), self._address)

    async def alive(self) -> None:
        """READY now, then a sign of life for as long as this loop goes round; STOPPING when cancelled."""
        self.say("READY=1")
        try:
            while self.every_s is not None:
                self.say("WATCHDOG=1")
                await asyncio.sleep(self.every_s)
            await asyncio.Event().wait()
        finally:
            self.say("STOPPING=1")
