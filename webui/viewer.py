"""One browser's connection: what waits to be sent to it, and what it has said it received.

A viewer that is late loses wave frames whole; the newest of every text is always kept. Kernels swallow minutes of
waves before a full socket is noticed, so the measure of lateness is the page's own report, not the socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Annotated, Literal

from aiohttp import WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field

from daemon.control.messages import ScreenState

QUEUED_FRAMES = 80
"""Waves kept for a viewer: those of an ECG at 20 frames a second and of two other streams for 2 s; then the oldest goes."""

QUEUED_BEATS = 20
LATE_AFTER_S = 2.0
"""No waves are sent while the oldest unreported one is older than this."""

GONE_AFTER_S = 10.0
"""A page reports every second; without a word for so long it is closed and may come back."""

DRAWS_WITHIN_S = 3.0
"""A page without a report for so long does not count as a screen."""

_SEND_BUFFER = 32 * 1024
_HIGH_WATER = 16 * 1024


class Report(BaseModel):
    """What a page says of itself every second. `waves`: frames received on this connection; `drawn`: pictures drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(pattern="^report$")
    waves: int = Field(ge=0)
    drawn: int = Field(ge=0)
    last: str = Field(max_length=64)
    visible: bool
    reloaded: bool = False
    sound: Literal["on", "off", "blocked", "none"] = "none"
    """Whether alarms can be heard from this page: "blocked" by the browser until it is touched, "none" where it has no audio."""
    tests: tuple[Annotated[str, Field(max_length=64)], ...] = Field((), max_length=32)
    """Occurrences of alarm tests that stand in the page's alarm line."""


class Viewer:
    """A page watching one bed (`bed` None: all beds, and no waves)."""

    def __init__(self, ws: web.WebSocketResponse, bed: str | None, clock: Callable[[], float]) -> None:
        self.bed = bed
        self.report: Report | None = None
        self.heard_at = clock()
        self.waves_dropped = 0
        self.stands = False
        """Whether the page is in view and has drawn nothing between its last two reports."""
        self._ws = ws
        self._clock = clock
        self._latest: dict[str, bytes] = {}
        self._beats: deque[bytes] = deque(maxlen=QUEUED_BEATS)
        self._waves: deque[bytes] = deque(maxlen=QUEUED_FRAMES)
        self._unreported: deque[float] = deque()
        self._reported = 0
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Messages that wait for this viewer; bounded."""
        return len(self._latest) + len(self._beats) + len(self._waves)

    def offer_latest(self, kind: str, text: bytes) -> None:
        """Replace what waits of this kind."""
        self._latest[kind] = text
        self._wake.set()

    def offer_beat(self, text: bytes) -> None:
        """Queue a beat; the oldest goes when too many wait."""
        self._beats.append(text)
        self._wake.set()

    def offer_waves(self, frame: bytes) -> None:
        """Queue a wave frame, unless the page is behind."""
        if self._unreported and self._clock() - self._unreported[0] > LATE_AFTER_S:
            self._waves.clear()
            self.waves_dropped += 1
            return
        self.waves_dropped += len(self._waves) == QUEUED_FRAMES
        self._waves.append(frame)
        self._wake.set()

    def hear(self, report: Report) -> None:
        """Take the page's report."""
        self.heard_at = self._clock()
        before, self.report = self.report, report
        self.stands = bool(before and before.visible and report.visible and before.drawn == report.drawn)
        for _ in range(min(report.waves - self._reported, len(self._unreported))):
            self._unreported.popleft()
        self._reported = report.waves

    def screen(self) -> ScreenState:
        """For the box. A page that has not reported for some seconds is not known to draw."""
        report = self.report
        draws = report is not None and not self.stands and self._clock() - self.heard_at < DRAWS_WITHIN_S
        return ScreenState(
            bed=self.bed or "",
            visible=report is not None and report.visible,
            draws=draws,
            sound="none" if report is None else report.sound,
            tests=() if report is None else report.tests,
        )

    async def write(self) -> None:
        """Send what waits, newest truth first, until cancelled or the connection ends (ConnectionError)."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.waiting:
                await self._write_one()

    async def _write_one(self) -> None:
        if self._latest:
            await self._ws.send_frame(self._latest.pop(next(iter(self._latest))), WSMsgType.TEXT)
        elif self._beats:
            await self._ws.send_frame(self._beats.popleft(), WSMsgType.TEXT)
        else:
            self._unreported.append(self._clock())
            await self._ws.send_frame(self._waves.popleft(), WSMsgType.BINARY)


def keep_buffers_small(request: web.Request) -> None:
    """Let a reader that stopped be felt after seconds, not minutes."""
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=_HIGH_WATER)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
