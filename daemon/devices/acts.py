"""A person's acts on devices: set one, or put it to another bed. Each is a Command through the bed, and a row of the audit."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection

from daemon import audit
from daemon.devices.attached import AttachedDevices
from daemon.devices.homes import Homes
from daemon.devices.maintenance import DUE, Maintenance
from daemon.model.signals import Command
from daemon.store.box import BoxFile
from daemon.words import say

log = logging.getLogger(__name__)

VERBS = frozenset({"set_device", "assign_device"})


class DeviceActs:
    """`obey` begins an act and gives the future of its refusal in words, "" when it was done."""

    def __init__(
        self,
        file: BoxFile,
        devices: AttachedDevices,
        homes: Homes,
        maintenance: Maintenance,
        beds: Collection[str],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self._file = file
        self._devices = devices
        self._homes = homes
        self._maintenance = maintenance
        self._beds = beds
        self._utc = utc
        self._running: set[asyncio.Task[str]] = set()

    def obey(self, command: Command) -> asyncio.Future[str]:
        """Carry out a command of `VERBS`."""
        task = asyncio.create_task(self._carry_out(command), name=f"devices: {command.verb}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _carry_out(self, command: Command) -> str:
        values = dict(command.values)
        device = values.get("device", "")
        refused = await (
            self._set(command, device, values)
            if command.verb == "set_device"
            else self._assign(command, device, values)
        )
        if refused or command.verb == "set_device":
            await self._audited(self._entry(command, device, {**values, "refused": refused}))
        return refused

    async def _set(self, command: Command, device: str, values: dict[str, str]) -> str:
        if self._devices.bed_of(device) != command.bed:
            return say("device.set.not_attached")
        if values.get("name") == DUE:
            return await self._due(device, values.get("value", ""))
        try:
            value = float(values.get("value", ""))
        except ValueError:
            return say("device.set.no_number")
        return await self._devices.set(device, values.get("name", ""), value)

    async def _due(self, device: str, value: str) -> str:
        try:
            return "" if await self._maintenance.set(device, value) else say("device.set.no_date")
        except (sqlite3.Error, OSError) as error:
            log.error("maintenance: the date of %s could not be kept: %s", device, error)  # noqa: TRY400 - a state of the disk
            return say("device.set.not_kept")

    async def _assign(self, command: Command, device: str, values: dict[str, str]) -> str:
        bed = values.get("to", "")
        if bed not in self._beds:
            return say("device.assign.no_bed", bed=bed)
        if self._devices.bed_of(device) is None:
            return say("device.set.not_attached")
        try:
            await self._homes.move(device, bed, self._entry(command, device, values))
        except (sqlite3.Error, OSError) as error:
            log.error("homes: %s at bed %s could not be kept: %s", device, bed, error)  # noqa: TRY400 - a state of the disk
            return say("device.assign.not_kept")
        return ""

    def _entry(self, command: Command, device: str, body: dict[str, str]) -> audit.Entry:
        utc_ns, is_set = self._utc()
        return audit.Entry(command.id, utc_ns, is_set, command.actor, command.verb, command.bed, device, body)

    async def _audited(self, entry: audit.Entry) -> None:
        try:
            await self._file.run(lambda db: audit.append(db, entry))
        except (sqlite3.Error, OSError) as error:
            log.error("audit: %s of %s could not be kept: %s", entry.act, entry.subject, error)  # noqa: TRY400 - a state of the disk
