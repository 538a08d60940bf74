"""Takes in what the worker has read from a device's card: checked, bounded, and never in the way of the live recording.

One piece at a time goes to the store, as a short transaction of its own between two commits; afterwards the answer is held
back for twice as long as the disk took. So an import has a third of the disk's time at most, and whoever hands in waits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import TypeVar

from daemon.control.imports import DayGiven, OwnerGiven, SamplesGiven, SessionGiven, Taken
from daemon.model.signals import Channel, Stream
from daemon.patients import Patients, Signed
from daemon.store.imports import (
    BadImport,
    Coded,
    Figure,
    Hole,
    Imported,
    Mark,
    Owner,
    Stretch,
    write_day,
    write_samples,
    write_session,
)
from daemon.store.writer import Writer

T = TypeVar("T")

REST = 2.0
"""For every second of the disk, so many for the others."""

log = logging.getLogger(__name__)


class Importing:
    """`room` says whether the disk has room for more; `utc` is UTC in ns and whether the clock can be believed, for the audit."""

    def __init__(
        self,
        writer: Writer,
        patients: Patients,
        beds: Collection[str],
        room: Callable[[], bool],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self._writer = writer
        self._patients = patients
        self._beds = beds
        self._room = room
        self._utc = utc
        self._turn = asyncio.Lock()

    async def samples(self, given: SamplesGiven) -> Taken:
        """Raises sqlite3.Error, OSError where the disk does not take it now."""
        period_ns = 1e9 / given.rate_hz
        channels = tuple(Channel(**dict(channel)) for channel in given.channels)
        stretch = Stretch(
            segment=given.segment,
            stream=Stream(given.owner.device, given.stream, given.rate_hz, channels),
            began_ns=given.began_ns,
            ended_ns=given.ended_ns,
            chunk_n=given.chunk_n,
            session_ns=given.session_ns,
            until_ns=given.until_ns,
        )
        chunks = [
            Coded(c.first, c.n, c.t0_ns, period_ns, given.error_ns, c.crc32, c.data) for c in given.chunks
        ]
        holes = [Hole(hole.first, hole.count, hole.t0_ns) for hole in given.holes]
        return await self._write(
            given.owner, lambda db, owner: write_samples(db, owner, stretch, chunks, holes)
        )

    async def session(self, given: SessionGiven) -> Taken:
        """Refused where the patient is unknown. Raises sqlite3.Error, OSError."""
        patient = None
        if given.patient_id:
            patient = await self._patient(given.patient_id, given.began_ns)
            if patient is None:
                return Taken(refused=f"there is no patient {given.patient_id}")
        session = Imported(
            uuid=given.uuid,
            segment=given.segment,
            began_ns=given.began_ns,
            ended_ns=given.ended_ns,
            actor=given.actor,
            patient=patient,
            marks=tuple(Mark(m.t_ns, m.name, m.text, m.duration_s) for m in given.marks),
            summary=given.summary,
        )
        about = self._writer.about
        taken = await self._write(given.owner, lambda db, owner: write_session(db, owner, session, about))
        if taken.added:
            await self._audited(given)
        return taken

    async def day(self, given: DayGiven) -> Taken:
        """Raises sqlite3.Error, OSError."""
        figures = [Figure(figure.name, figure.unit, figure.value) for figure in given.figures]
        at = (given.t_ns, given.day, given.body, figures)
        return await self._write(given.owner, lambda db, owner: write_day(db, owner, *at))

    async def _write(
        self, given: OwnerGiven, write: Callable[[sqlite3.Connection, Owner], int | bool]
    ) -> Taken:
        if given.bed not in self._beds:
            return Taken(refused=f"there is no bed {given.bed}")
        owner = Owner(given.device, given.kind, given.title, given.firmware, given.bed)
        async with self._turn:
            if not self._room():
                return Taken(refused="the disk has no room for an import")
            began_s = time.monotonic()
            try:
                added = await self._writer.aside(lambda db: write(db, owner))
            except (BadImport, sqlite3.IntegrityError) as error:
                return Taken(refused=str(error))
            await asyncio.sleep(REST * (time.monotonic() - began_s))
        return Taken(added=int(added))

    async def _audited(self, given: SessionGiven) -> None:
        """Who brought in what, and whose it is said to be. A session that has grown is another entry."""
        utc_ns, is_set = self._utc()
        by = Signed(f"import:{given.uuid}:{given.ended_ns}", given.actor, utc_ns, is_set)
        body = {
            "device": given.owner.device,
            "began": f"{datetime.fromtimestamp(given.began_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "ended": f"{datetime.fromtimestamp(given.ended_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        try:
            await self._patients.record("import", given.owner.bed, by, body, given.patient_id)
        except (sqlite3.Error, OSError) as error:
            log.error("audit: an import of %s could not be kept: %s", given.owner.device, error)  # noqa: TRY400 - a state of the disk

    async def _patient(self, patient_id: str, began_ns: int) -> str | None:
        found = [p for p in await self._patients.find(patient_id) if p.patient_id == patient_id]
        if not found:
            return None
        day = datetime.fromtimestamp(began_ns / 1e9, UTC).date()
        return json.dumps(found[0].told(day), ensure_ascii=False)
