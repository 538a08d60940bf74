"""The devices of all beds as one: what the daemon hears of them, and what people and clouds want of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container
from pathlib import Path
from typing import Protocol

from daemon.control.firmware import FirmwareRoutes
from daemon.devices.acts import DeviceActs
from daemon.devices.attached import Ask, AttachedDevices
from daemon.devices.firmware import Firmwares
from daemon.devices.homes import Assigned, Homes
from daemon.devices.maintenance import Maintenance
from daemon.model.signals import Command, DeviceStatus, Fact, Item, Nanos
from daemon.store.box import BoxFile


class Ports(Protocol):
    """What acquisition does for them."""

    @property
    def command(self) -> Ask: ...

    @property
    def assign(self) -> Assigned: ...


class Devices:
    """`say` takes what is said of a device to its bed; `utc` is UTC in ns and whether the clock can be believed.

    `firmware`: the folder in which files for devices are staged, and the beds at which a patient is. `routes` are for the control socket.
    """

    def __init__(
        self,
        file: BoxFile,
        ports: Ports,
        beds: Collection[str],
        say: Callable[[Fact | DeviceStatus], None],
        *,
        firmware: tuple[Path, Callable[[], Container[str]]],
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self.attached = AttachedDevices(ports.command, lambda: utc()[0])
        self.firmware = Firmwares(file, self.attached, firmware[0], here=firmware[1], utc=utc)
        self.routes = (FirmwareRoutes(self.firmware),)
        self._homes = Homes(file, beds, ports.assign)
        self._maintenance = Maintenance(file, self.attached.bed_of, say, now=now, utc=utc)
        self._acts = DeviceActs(file, self.attached, self._homes, self._maintenance, beds, utc)

    async def restore(self) -> None:
        """At the start: the beds that people have put devices to. Never raises for a disk."""
        await self._homes.restore()
        await self.firmware.restore()

    async def run(self) -> None:
        """What is due, for ever."""
        await self._maintenance.run()

    def hear(self, item: Item) -> None:
        """Any item of any bed."""
        self.attached.hear(item)

    def obey(self, command: Command) -> asyncio.Future[str]:
        """Carry out a command of `acts.VERBS`; the future is of its refusal in words, "" when it was done."""
        return self._acts.obey(command)
