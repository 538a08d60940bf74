"""Devices whose maintenance is due: the date is the box's own, wished by a cloud or set by a person; the reminder is a Fact of the bed.

The date itself is said at the bed as a word of the device, so that every screen can show it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from daemon.model.signals import DeviceStatus, Fact, FactState, Nanos
from daemon.store.box import BoxFile
from daemon.store.proposals import ProposalState, move, of_state, proposals, propose

log = logging.getLogger(__name__)

DUE = "maintenance_due_date"
"""Name of the date among what is wished of a device (daemon/wishes.py: OWN)."""

MAINTENANCE = "maintenance"
"""Source of the Fact."""

BEDSIDE = "bedside"
"""Origin of a date that a person has set here."""

LOOK_EVERY_S = 60.0


class Maintenance:
    """`bed_of` tells where a device is, `say` takes what is said at a bed, `utc` is UTC in ns and whether the clock can be believed."""

    def __init__(
        self,
        file: BoxFile,
        bed_of: Callable[[str], str | None],
        say: Callable[[Fact | DeviceStatus], None],
        *,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self._file = file
        self._bed_of = bed_of
        self._say = say
        self._now = now
        self._utc = utc
        self._said: dict[str, Fact] = {}
        self._shown: dict[
            str, tuple[str, str]
        ] = {}  # device -> the bed at which its date was said, and the date

    async def run(self) -> None:
        """Look every minute, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Say what is due at which bed, and what is no longer. An unset clock says nothing. Never raises for a disk."""
        utc_ns, is_set = self._utc()
        try:
            dates = await self._file.run(_dates)
        except (sqlite3.Error, OSError) as error:
            log.error("maintenance: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            return
        self._show(dates)
        if not is_set:
            return
        today = datetime.fromtimestamp(utc_ns / 1e9, UTC).date()
        due: dict[str, list[str]] = {}
        for device, day in sorted(dates.items()):
            bed = self._bed_of(device)
            if bed is not None and day is not None and day <= today:
                due.setdefault(bed, []).append(f"{device}: {day}")
        for bed in sorted(due.keys() | self._said.keys()):
            self._tell(bed, ", ".join(due.get(bed, ())))

    async def set(self, device: str, text: str) -> bool:
        """Set a device's date, YYYY-MM-DD ("" = none). False where it is no date. Raises sqlite3.Error, OSError."""
        try:
            day = date.fromisoformat(text).isoformat() if text else ""
        except ValueError:
            return False
        utc_ns = self._utc()[0]

        def write(db: sqlite3.Connection) -> None:
            propose(db, BEDSIDE, device, DUE, day, utc_ns)
            for one in proposals(db, device, BEDSIDE):
                if one.name == DUE:
                    move(db, one.id, ProposalState.APPLIED, decided_utc_ns=utc_ns)

        await self._file.run(write)
        await self.look()
        return True

    def _show(self, dates: Mapping[str, date | None]) -> None:
        for device, day in sorted(dates.items()):
            bed, text = self._bed_of(device), "" if day is None else day.isoformat()
            if bed is not None and self._shown.get(device) != (bed, text):
                self._shown[device] = bed, text
                self._say(DeviceStatus(bed, device, DUE, text, self._now()))

    def _tell(self, bed: str, detail: str) -> None:
        known, now_ns = self._said.get(bed), self._now()
        state = FactState.FAILED if detail else FactState.OK
        if known is not None and (known.state, known.detail) == (state, detail):
            return
        since_ns = known.since_ns if known is not None and known.state is state else now_ns
        self._said[bed] = Fact(MAINTENANCE, state, since_ns, now_ns, detail, bed)
        self._say(self._said[bed])


def _dates(db: sqlite3.Connection) -> dict[str, date | None]:
    """The newest date of every device that ever had one; None: it was taken away."""
    found = {}
    for one in sorted(of_state(db, ProposalState.APPLIED), key=lambda p: p.wished_utc_ns):
        if one.name == DUE:
            found[one.device] = one.value
    return {device: date.fromisoformat(text) if text else None for device, text in found.items()}
