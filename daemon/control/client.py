"""The other end of the control socket: what the web, the forwarder and the command line hear from the daemon and ask of it.

A client never gives up: it reconnects with backoff for as long as it is listened to, and says `Silence` meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import aiohttp
from pydantic import Field, TypeAdapter, ValidationError

from daemon.control import acting
from daemon.control.messages import Act, Acted, LimitsTold, Live, ScreensSeen, State
from daemon.control.unix import Connected
from daemon.words import say

SILENT_AFTER_S = 2.5
"""A daemon says its state every second. After this long without a word it counts as not answering."""

MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 0.25
"""A restarted daemon is shown again within about a second; longer waits look dead."""

DEVICE_WITHIN_S = 12.0
"""A setting of a device is answered when the device has answered (server.py: ANSWERED_WITHIN_S)."""
_LARGEST_MESSAGE = 1 << 20
_LIVE: TypeAdapter[Live] = TypeAdapter(Annotated[Live, Field(discriminator="type")])

log = logging.getLogger(__name__)


class NotAnswering(Exception):
    """The daemon could not be reached, or did not answer in time. Nothing is known about what was asked."""


class NotPermitted(Exception):
    """Whoever acts may not do that; the text says so in words."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text message: as it came (UTF-8), and what it means."""

    text: bytes
    message: Live


@dataclass(frozen=True, slots=True)
class WaveFrame:
    """A binary wave frame as it came (`waves.decode_waves` reads it)."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """The daemon has stopped answering; the next `Said` or `WaveFrame` ends it."""


class ControlClient(Connected):
    """A client of the daemon's control socket, as an asynchronous context manager."""

    WITHIN_S = 3.0

    async def live(self) -> AsyncGenerator[Said | WaveFrame | Silence, None]:
        """Everything the daemon says, for ever, over as many connections as it takes."""
        backoff_s = MIN_BACKOFF_S
        while True:
            try:
                async with asyncio.timeout(SILENT_AFTER_S):
                    socket = await self._session.ws_connect(
                        "/live", max_msg_size=_LARGEST_MESSAGE, decode_text=False
                    )
                async with socket, aclosing(_listen(socket)) as events:
                    async for event in events:
                        backoff_s = MIN_BACKOFF_S
                        yield event
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.debug("control socket: %s", error)
            yield Silence()
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)

    async def status(self) -> State:
        """The daemon's state now. Raises `NotAnswering`."""
        return State.model_validate_json(await self._ask("GET", "/status"))

    async def act(self, act: Act) -> Acted:
        """Hand in an operator's act; the answer says whether it was done. Raises `NotAnswering`."""
        within_s = DEVICE_WITHIN_S if act.verb == "set_device" else self.WITHIN_S
        body = act.model_dump_json().encode()
        return Acted.model_validate_json(await self._ask("POST", "/command", body, within_s))

    async def limits(self, bed: str) -> LimitsTold:
        """The alarm limits of a bed, and those proposed from its present values. Raises `NotAnswering`."""
        return LimitsTold.model_validate_json(await self._ask("GET", f"/limits?bed={quote(bed)}"))

    async def screens(self, seen: ScreensSeen) -> None:
        """Say which pages are open. Raises `NotAnswering`."""
        await self._ask("POST", "/screens", seen.model_dump_json().encode())

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, within_s: float = WITHIN_S
    ) -> bytes:
        headers = acting.headers() | ({"Content-Type": "application/json"} if body else {})
        asked = self._session.request(
            method, path, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=within_s)
        )
        try:
            async with asked as response:
                if response.status == 403:
                    raise NotPermitted(say("access.refused"))
                response.raise_for_status()
                return await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error


async def _listen(
    socket: aiohttp.ClientWebSocketResponse[bool],
) -> AsyncGenerator[Said | WaveFrame | Silence, None]:
    """Events of one connection until it ends. A daemon that hangs keeps its connection: it goes on when it wakes."""
    silent = False
    while True:
        try:
            message = await socket.receive(timeout=None if silent else SILENT_AFTER_S)
        except TimeoutError:
            silent = True
            yield Silence()
            continue
        silent = False
        if message.type is aiohttp.WSMsgType.BINARY:
            yield WaveFrame(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            try:
                yield Said(message.data, _LIVE.validate_json(message.data))
            except ValidationError as error:
                log.warning("the daemon said something this version does not know: %s", error)
        else:
            return
