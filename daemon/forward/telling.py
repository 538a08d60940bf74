"""What the daemon hears from the forwarder: which clouds are out of reach, and what all of them have."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from daemon.config import Destination
from daemon.control import unix
from daemon.control.clouds import CloudsSeen
from daemon.forward.sender import Sender
from daemon.forward.source import Heads
from daemon.model.outgoing import Lane

log = logging.getLogger(__name__)

EVERY_S = 10.0
WITHIN_S = 3.0

UNREACHABLE_AFTER_S = 600.0
"""A destination that takes nothing for so long is said to the daemon; its alarm table knows when that is an alarm."""


UNCONFIRMED_AFTER_S = 30.0
"""A receiver that people rely on has lost its alarms when it has confirmed none of those that wait for so long."""


class Forwarding(Protocol):
    """What is told of."""

    heads: Heads

    @property
    def senders(self) -> Mapping[str, Sender]: ...

    @property
    def misconfigured(self) -> Mapping[str, str]: ...

    @property
    def wanted(self) -> Mapping[str, Destination]: ...


class Telling:
    """Posts to the control socket. A daemon that does not answer is told later."""

    def __init__(self, socket: Path, of: Forwarding) -> None:
        self._socket = socket
        self._of = of
        self._began_ms = time.time_ns() // 1_000_000
        self._behind: dict[
            str, tuple[int, int]
        ] = {}  # name -> alarms confirmed, and since when (CLOCK_BOOTTIME) no more

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._tell()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.debug("forward: the daemon does not hear: %s", error)

    async def _tell(self) -> None:
        async with unix.session(self._socket, WITHIN_S) as session:
            clouds = self.clouds(time.time_ns() // 1_000_000, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            for path, body in (("/clouds", clouds.model_dump()), ("/confirmed", self.confirmed())):
                if body:
                    async with session.post(path, json=body) as response:
                        response.raise_for_status()

    def clouds(self, now_ms: int, now_ns: int) -> CloudsSeen:
        """Who takes nothing, for long enough to be said; not who was paused by a person."""
        failing = {
            name: (sender.health.failing_since_ms, sender.health.error)
            for name, sender in self._of.senders.items()
            if sender.health.failing_since_ms and not sender.delivery.standing.paused_by
        }
        failing |= {name: (self._began_ms, why) for name, why in self._of.misconfigured.items()}
        lost = self._unconfirmed(now_ns)
        remote = {"unconfirmed": tuple(lost), "unconfirmed_since_ns": min(lost.values(), default=0)}
        failing = {
            name: (since_ms, why)
            for name, (since_ms, why) in failing.items()
            if now_ms - since_ms >= 1000 * UNREACHABLE_AFTER_S
        }
        if not failing:
            return CloudsSeen(**remote)
        longest_ms = max(now_ms - since_ms for since_ms, _ in failing.values())
        detail = "; ".join(f"{name}: {why}" for name, (_, why) in failing.items())
        return CloudsSeen(
            unreachable=tuple(failing),
            since_ns=now_ns - longest_ms * 1_000_000,
            detail=detail[:1000],
            **remote,
        )

    def _unconfirmed(self, now_ns: int) -> dict[str, int]:
        """Receivers of alarms that people rely on, and since when they confirm none of those that wait, or cannot be reached at all.

        One that a person has paused is lost too: whoever relies on it gets nothing.
        """
        relied_on = [name for name, one in self._of.wanted.items() if one.relied_on]
        for name in relied_on:
            sender = self._of.senders.get(name)
            confirmed = -1
            if sender is not None:
                lanes = sender.delivery.lanes
                confirmed = lanes.confirmed(Lane.ALARMS)
                paused = sender.delivery.standing.paused_by
                if not (confirmed < lanes.head(Lane.ALARMS) or paused or sender.health.failing_since_ms):
                    self._behind.pop(name, None)
                    continue
            if self._behind.get(name, (None,))[0] != confirmed:
                self._behind[name] = confirmed, now_ns
        after_ns = round(UNCONFIRMED_AFTER_S * 1e9)
        return {name: since for name, (_, since) in self._behind.items() if now_ns - since >= after_ns}

    def confirmed(self) -> dict[str, Any]:
        """Of each lane the seq up to which every destination is done; {} before all of them are known."""
        wanted, senders = self._of.wanted, self._of.senders
        if not wanted or any(name not in senders for name in wanted):
            return {}
        lanes = {
            str(int(lane)): min(sender.delivery.lanes.confirmed(lane) for sender in senders.values())
            for lane in Lane
        }
        return {"identity": self._of.heads.store, "lanes": lanes}
