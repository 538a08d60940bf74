"""Devices whose maintenance is due: the date is the box's own, wished by a cloud or set by a person; the reminder is a Fact of the bed."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime

from daemon.model.signals import Fact, FactState, Nanos
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
    """`bed_of` tells where a device is, `say` takes the Facts, `utc` is UTC in ns and whether the clock can be believed."""

    def __init__(
        self,
        file: BoxFile,
        bed_of: Callable[[str], str | None],
        say: Callable[[Fact], None],
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

    async def run(self) -> None:
        """Look every minute, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Say what is due at which bed, and what is no longer. An unset clock says nothing. Never raises for a disk."""
        utc_ns, is_set = self._utc()
        if not is_set:
            return
        try:
            dates = await self._file.run(_dates)
        except (sqlite3.Error, OSError) as error:
            log.error("maintenance: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            return
        today = datetime.fromtimestamp(utc_ns / 1e9, UTC).date()
        due: dict[str, list[str]] = {}
        for device, day in sorted(dates.items()):
            bed = self._bed_of(device)
            if bed is not None and day <= today:
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

    def _tell(self, bed: str, detail: str) -> None:
        known, now_ns = self._said.get(bed), self._now()
        state = FactState.FAILED if detail else FactState.OK
        if known is not None and (known.state, known.detail) == (state, detail):
            return
        since_ns = known.since_ns if known is not None and known.state is state else now_ns
        self._said[bed] = Fact(MAINTENANCE, state, since_ns, now_ns, detail, bed)
        self._say(self._said[bed])


def _dates(db: sqlite3.Connection) -> dict[str, date]:
    """The newest date of every device."""
    found = {}
    for one in sorted(of_state(db, ProposalState.APPLIED), key=lambda p: p.wished_utc_ns):
        if one.name == DUE:
            found[one.device] = one.value
    return {device: date.fromisoformat(text) for device, text in found.items() if text}
