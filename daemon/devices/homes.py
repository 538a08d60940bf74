"""Which bed every device belongs to, as a person has set it on a screen; kept by serial number in box.db."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping

from daemon import audit
from daemon.store.box import BoxFile

log = logging.getLogger(__name__)

Assigned = Callable[[Mapping[str, str]], None]
"""Hears of every device that a person has put to a bed: serial number (or label of its port) -> bed."""


class Homes:
    """`assigned` hears of all of it at the start and after every change; it acts even where the disk cannot keep it."""

    def __init__(self, file: BoxFile, beds: Collection[str], assigned: Assigned) -> None:
        self._file = file
        self._beds = beds
        self._assigned = assigned
        self._homes: dict[str, str] = {}

    async def restore(self) -> None:
        """At the start. Never raises for a disk: then devices belong where their ports do, and it is logged."""
        try:
            rows = await self._file.run(
                lambda db: db.execute("SELECT device, bed FROM homes ORDER BY device").fetchall()
            )
        except (sqlite3.Error, OSError) as error:
            log.error("homes: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            return
        # A bed that is no longer configured keeps no device: it goes back to its port's.
        self._homes |= {device: bed for device, bed in rows if bed in self._beds}
        self._assigned(self._homes)

    async def move(self, device: str, bed: str, act: audit.Entry) -> None:
        """Put a device to a bed of this box. Raises sqlite3.Error, OSError where it could not be kept; it holds all the same."""
        self._homes[device] = bed
        self._assigned(self._homes)

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO homes VALUES (?, ?, ?, ?) ON CONFLICT (device) DO UPDATE"
                " SET bed = excluded.bed, since_utc_ns = excluded.since_utc_ns, command = excluded.command",
                (device, bed, act.utc_ns, act.command),
            )
            audit.append(db, act)

        await self._file.run(write)
