"""What a technician's commands ask of the daemon: how the way of a sample is doing, and the raw bytes of an open port.

`GET /health` answers a `HealthTold`. `GET /tap?port=PATH&seconds=N[&force=1]` answers the bytes of a port that the daemon holds, as
they arrive, in the container of daemon/appliance/capture.py; 404 where the daemon does not hold it, 409 while a patient is
admitted at its bed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

from daemon.control.asking import SocketClient
from daemon.control.client import NotAnswering
from daemon.control.proof import ProofTold


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SoundTold(_Message):
    """What the sound process last said; `age_s` ago. `speaker` is a word key (fact.sound.SPEAKER); `self_test` "" = passed."""

    answers: bool
    age_s: float | None = None
    playing: str = ""
    speaker: str = ""
    detail: str = ""
    self_test: str | None = None
    output_fault: str = ""


class HealthTold(_Message):
    """The daemon's inside.

    `tick_age_s`: how long ago the newest Tick has come out of every bed was made; `waiting` items and `overflowed` samples of the rings;
    `rounds_age_s`: of each open port ("bed/label"; "" is the thread) since its read loop went round; `alarms`: by priority;
    `sound` null: the box has no loudspeaker; `proof` null: the alarm chain has not been tried.
    """

    version: str
    pid: int
    up_s: float
    tick_age_s: float | None
    waiting: int
    overflowed: int
    rounds_age_s: dict[str, float] = Field(default_factory=dict)
    alarms: dict[str, int] = Field(default_factory=dict)
    sound: SoundTold | None = None
    proof: ProofTold | None = None


class Refused(Exception):
    """The daemon does not give the bytes of a port; the text says why. `held`: whether it has the port at all."""

    def __init__(self, text: str, *, held: bool) -> None:
        super().__init__(text)
        self.held = held


class TechnicianClient(SocketClient):
    """The other end. Everything raises `NotAnswering` where the daemon does not."""

    async def health(self) -> HealthTold:
        """How the way of a sample is doing."""
        return await self._ask("GET", "/health", HealthTold)

    async def tap(self, port: str, seconds: float, *, force: bool) -> AsyncIterator[bytes]:
        """The container, piece by piece. Raises `Refused`."""
        query = urlencode({"port": port, "seconds": seconds, "force": int(force)})
        timeout = aiohttp.ClientTimeout(total=seconds + 30)
        try:
            async with self._session.get(f"/tap?{query}", timeout=timeout) as response:
                if response.status in {400, 404, 409}:
                    raise Refused(await response.text(), held=response.status == 409)
                response.raise_for_status()
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
