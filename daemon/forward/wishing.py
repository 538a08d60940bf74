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

from daemon.config import Destination
from daemon.contracts.rest.v1 import ConfigReport
from daemon.control.client import NotAnswering
from daemon.control.wishes import WishClient, Wished
from daemon.forward.destinations import Verdict
from daemon.forward.destinations.place import Configuring, Wishes
from daemon.forward.firmware import Staging
from daemon.forward.sender import Sender

log = logging.getLogger(__name__)

FIRMWARE = "firmware"
"""Key beside wished settings: new firmware for the device (box.firmware/1)."""

EVERY_S = 10.0
"""How often it is asked how wishes stand: a proposal may be accepted at any time."""

SOON_S = 0.5
"""While no destination runs yet."""

ASKED_EVERY_S = 30.0
"""How often clouds are asked for their wishes, those that do not say them by themselves."""


class Forwarding(Protocol):
    """Whose wishes they are."""

    @property
    def wanted(self) -> Mapping[str, Destination]: ...

    @property
    def senders(self) -> Mapping[str, Sender]: ...


class Wishing:
    """`run` until cancelled. `heard(name)` takes the wishes of a destination, on the loop. Each destination has a task of its own."""

    def __init__(self, socket: Path, of: Forwarding, staging: Path) -> None:
        self._socket = socket
        self._firmware = Staging(socket, staging)
        self._of = of
        self._wishes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self._reported: dict[tuple[str, str], ConfigReport] = {}
        self._news: dict[str, asyncio.Event] = {}

    def heard(self, name: str) -> Wishes:
        """The newest wish of each device counts."""

        def hear(device: str, version: int, wish: Mapping[str, Any]) -> None:
            known = self._wishes.get((name, device))
            if known is None or version >= known[0]:
                self._wishes[name, device] = (version, dict(wish))
                self._of_news(name).set()

        return hear

    async def run(self) -> None:
        """Until cancelled. A daemon or a cloud that does not answer is asked again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._firmware.run(), name="forward: firmware")
            for name in self._of.wanted:
                tasks.create_task(self._serve(name), name=f"forward: wishes of {name}")

    def _of_news(self, name: str) -> asyncio.Event:
        return self._news.setdefault(name, asyncio.Event())

    async def _serve(self, name: str) -> None:
        """As long as wishes come from there."""
        asked_s = -ASKED_EVERY_S
        while True:
            news = self._of_news(name)
            news.clear()
            sender = self._of.senders.get(name)
            destination = configuring(sender) if sender is not None else None
            if sender is not None and destination is None:
                return
            if sender is not None and destination is not None and _goes(sender):
                now_s = asyncio.get_running_loop().time()
                ask = now_s - asked_s >= ASKED_EVERY_S
                asked_s = now_s if ask else asked_s
                try:
                    await self._round(name, destination, ask=ask)
                except NotAnswering as error:
                    log.debug("forward: the daemon does not take wishes: %s", error)
                except Exception:
                    log.exception("forward: the wishes of %s failed; they are asked for again", name)
            try:
                async with asyncio.timeout(SOON_S if sender is None else EVERY_S):
                    await news.wait()
            except TimeoutError:
                pass

    async def _round(self, name: str, destination: Configuring, *, ask: bool) -> None:
        """Ask for wishes, hand in what there are, report what became of them."""
        if ask:
            outcome = await destination.ask_settings()
            if outcome.verdict is not Verdict.DONE:
                log.debug("forward: %s says no wishes: %s", name, outcome.reason)
        mine = [(device, *wish) for (of, device), wish in self._wishes.items() if of == name]
        if not mine:
            return
        async with WishClient(self._socket) as daemon:
            for device, version, wish in mine:
                if device in destination.settings_of:
                    await self._hand_in(daemon, name, destination, device, version, wish)

    async def _hand_in(
        self,
        daemon: WishClient,
        name: str,
        destination: Configuring,
        device: str,
        version: int,
        wish: Mapping[str, Any],
    ) -> None:
        service = destination.settings_of[device]
        settings = {key: value for key, value in wish.items() if key != FIRMWARE}
        try:
            wished = Wished(origin=name, device=device, service=service, version=version, wish=settings)
        except ValidationError:
            log.warning("forward: a wish of %s that cannot be read was left out", name)
            return
        told = ConfigReport.model_validate((await daemon.hear(wished)).model_dump())
        firmware = await self._firmware.serve(name, device, wish.get(FIRMWARE))
        if firmware is not None:
            told = told.model_copy(update={"firmware": firmware})
            if (
                firmware.state == "done"
            ):  # a shadow's difference is gone when what is reported is what was desired
                told.config[FIRMWARE] = wish[FIRMWARE]
        await self._report(name, device, destination, told)

    async def _report(self, name: str, device: str, destination: Configuring, told: ConfigReport) -> None:
        if told == self._reported.get((name, device)):
            return
        outcome = await destination.report_settings(device, told)
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
