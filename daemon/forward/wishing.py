"""The way down: what clouds wish of devices goes to the daemon, and what became of it goes back to the cloud it came from.

Nothing is decided here, and nothing needs to be kept: a cloud says its newest wish again to who asks, and the daemon knows
what it has heard. Every few seconds the newest wishes are handed in again; the answer says how things stand, and the cloud is
told when that is another than it has heard of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import ValidationError

from daemon.contracts.rest.v1 import ConfigReport
from daemon.control.client import NotAnswering
from daemon.control.wishes import WishClient, Wished, WishTold
from daemon.forward.destinations import Verdict
from daemon.forward.destinations.place import Configuring, Wishes
from daemon.forward.sender import Sender

log = logging.getLogger(__name__)

EVERY_S = 10.0
"""How often it is asked how wishes stand: a proposal may be accepted at any time."""

SOON_S = 0.5
"""While no destination runs yet."""

ASKED_EVERY_S = 30.0
"""How often clouds are asked for their wishes, those that do not say them by themselves."""


class Forwarding(Protocol):
    """Whose wishes they are."""

    @property
    def senders(self) -> Mapping[str, Sender]: ...


class Wishing:
    """`run` until cancelled. `heard(name)` takes the wishes of a destination, on the loop."""

    def __init__(self, socket: Path, of: Forwarding) -> None:
        self._socket = socket
        self._of = of
        self._wishes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self._reported: dict[tuple[str, str], WishTold] = {}
        self._asked_s: dict[str, float] = {}
        self._news = asyncio.Event()

    def heard(self, name: str) -> Wishes:
        """The newest wish of each device counts."""

        def hear(device: str, version: int, wish: Mapping[str, Any]) -> None:
            known = self._wishes.get((name, device))
            if known is None or version >= known[0]:
                self._wishes[name, device] = (version, dict(wish))
                self._news.set()

        return hear

    async def run(self) -> None:
        """Until cancelled. A daemon or a cloud that does not answer is asked again."""
        while True:
            self._news.clear()
            for name, sender in list(self._of.senders.items()):
                destination = configuring(sender)
                if destination is not None and _goes(sender):
                    await self._ask(name, destination)
            try:
                await self._hand_in()
            except NotAnswering as error:
                log.debug("forward: the daemon does not take wishes: %s", error)
            try:
                async with asyncio.timeout(EVERY_S if self._of.senders else SOON_S):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _ask(self, name: str, destination: Configuring) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._asked_s.get(name, -ASKED_EVERY_S) >= ASKED_EVERY_S:
            self._asked_s[name] = now_s
            outcome = await destination.ask_settings()
            if outcome.verdict is not Verdict.DONE:
                log.debug("forward: %s says no wishes: %s", name, outcome.reason)

    async def _hand_in(self) -> None:
        if not self._wishes:
            return
        async with WishClient(self._socket) as daemon:
            for (name, device), (version, wish) in list(self._wishes.items()):
                sender = self._of.senders.get(name)
                destination = configuring(sender) if sender is not None else None
                if destination is None or device not in destination.settings_of:
                    continue
                try:
                    service = destination.settings_of[device]
                    wished = Wished(
                        origin=name, device=device, service=service, version=version, wish=dict(wish)
                    )
                except ValidationError:
                    log.warning("forward: a wish of %s that cannot be read was left out", name)
                    continue
                told = await daemon.hear(wished)
                if sender is not None and _goes(sender):
                    await self._report(name, device, destination, told)

    async def _report(self, name: str, device: str, destination: Configuring, told: WishTold) -> None:
        if told == self._reported.get((name, device)):
            return
        outcome = await destination.report_settings(device, ConfigReport.model_validate(told.model_dump()))
        if outcome.verdict is Verdict.DONE:
            self._reported[name, device] = told
        else:
            log.info("forward: %s does not take what was set at %s: %s", name, device, outcome.reason)


def configuring(sender: Sender) -> Configuring | None:
    """The destination, if wishes come from it."""
    settings_of: Callable[[], Any] | None = getattr(sender.destination, "settings_of", None)
    return cast(Configuring, sender.destination) if settings_of else None


def _goes(sender: Sender) -> bool:
    standing = sender.delivery.standing
    return not standing.paused_by and not standing.parked
