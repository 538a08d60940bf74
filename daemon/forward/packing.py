"""Records into sealed requests for one destination: which of a stretch are for it, and how many go into one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from daemon.forward.destinations import Destination, Sealed
from daemon.forward.lanes import Part
from daemon.forward.record import Record
from daemon.forward.source import Source
from daemon.forward.steps import Batch, Gather
from daemon.model.ids import uuid7
from daemon.model.outgoing import Lane

T = TypeVar("T")

log = logging.getLogger(__name__)

SCANNED = 1000
"""Rows looked at at once where none was for this destination."""

LOOKED_AT_FIRST = 64
"""Rows; then about twice as many as went into the last request: some destinations take one record at a time."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a destination is served: bytes a second (0 = all there are), collecting of live records, and whose messages it gets."""

    max_bytes_per_s: float = 0.0
    collect_s: Mapping[Lane, float] | None = None
    lanes: frozenset[Lane] = frozenset(Lane)
    goes: Callable[[Record], bool] = lambda record: True  # noqa: ARG005 - everything


@dataclass(frozen=True, slots=True)
class Packed:
    """What a stretch came to: seqs first .. last are in the request, or not for this destination at all (no request).

    `held_ns`: what comes after it waits for the clock, until then. `bad`: this record, the last of the stretch, is one of which
    no request can be made, `why` is for a person.
    """

    first: int
    last: int
    request: tuple[Batch, Sealed] | None = None
    held_ns: int | None = None
    bad: Record | None = None
    why: str = ""


class Packer:
    """Makes the requests of one destination. Sealing runs on `sealing`'s threads."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        terms: Terms,
        source: Source,
        sealing: Executor,
        utc_ns: Callable[[], int],
    ) -> None:
        self._name = name
        self._destination = destination
        self._terms = terms
        self._source = source
        self._sealing = sealing
        self._utc_ns = utc_ns
        self._scan: dict[Part, int] = {}
        self._likely = dict.fromkeys(Lane, LOOKED_AT_FIRST)

    async def pack(self, want: Gather, limit: int) -> Packed:
        """A request of at most `limit` bytes, if one record allows that. Raises what the source raises."""
        lane, newest = want.part.lane, want.part.live and want.part.lane is not Lane.ALARMS
        if lane not in self._terms.lanes:
            return Packed(want.first, want.last)
        most = max(min(want.most, self._likely[lane]), self._scan.get(want.part, 0))
        found = await self._source.find(lane, want.first, want.last, most, newest=newest)
        wanted = [r for r in found.records if self._terms.goes(r) and self._destination.takes(r)]
        first, last = found.first, found.last
        if len(wanted) > want.most and newest:
            first, wanted = wanted[-want.most - 1].seq + 1, wanted[-want.most :]
        elif len(wanted) > want.most:
            last, wanted = wanted[want.most].seq - 1, wanted[: want.most]
        self._scan[want.part] = 0 if wanted else min(SCANNED, 2 * most)
        if not wanted or not (records := await self._source.fill(wanted)):
            return Packed(first, last, held_ns=found.held_ns)
        try:
            sealed, taken = await self._seal(records, limit)
        except Exception as error:  # what one record's body does must not stop all others
            bad = records[0]
            log.exception("forward: %s: record %d cannot be sealed", self._name, bad.seq)
            why = f"no request can be made of it: {type(error).__name__}"
            return Packed(first, bad.seq, bad=bad, why=why)
        self._likely[lane] = 2 * taken + 2
        if taken < len(records):
            last = records[taken].seq - 1
        batch = _batch(sealed, want.part.live, first, last, records[:taken])
        return Packed(first, last, (batch, sealed), found.held_ns)

    async def half(
        self, batch: Batch, first: int, last: int, members: Sequence[int]
    ) -> tuple[Batch, Sealed] | None:
        """A request of some of a batch's members; None where the store has lost them."""
        found = await self._source.find(batch.lane, members[0], members[-1], 1 << 30, newest=False)
        wanted = frozenset(members)
        records = await self._source.fill([record for record in found.records if record.seq in wanted])
        if not records:
            return None
        sealed = await self._aside(self._seal_all, records)
        return _batch(sealed, batch.live, first, last, records), sealed

    async def _seal(self, records: Sequence[Record], limit: int) -> tuple[Sealed, int]:
        """A request of the first of these records, and how many they are. Raises where not even the first can be sealed."""
        taken = len(records)
        while True:
            try:
                sealed, taken = await self._aside(self._gather_and_seal, records[:taken])
            except Exception:
                if taken == 1:
                    raise
                taken //= 2
                continue
            if taken == 1 or len(sealed.data) <= limit:
                return sealed, taken
            taken = max(1, min(taken - 1, int(taken * 0.9 * limit / len(sealed.data))))

    async def _aside(self, function: Callable[[Sequence[Record]], T], records: Sequence[Record]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._sealing, function, records)

    def _gather_and_seal(self, records: Sequence[Record]) -> tuple[Sealed, int]:
        taken = min(len(records), max(1, self._destination.gather(records)))
        return self._seal_all(records[:taken]), taken

    def _seal_all(self, records: Sequence[Record]) -> Sealed:
        return self._destination.seal(uuid7(self._utc_ns()), records)


def _batch(sealed: Sealed, live: bool, first: int, last: int, records: Sequence[Record]) -> Batch:
    members = tuple(record.seq for record in records)
    return Batch(sealed.key, records[0].lane, live, first, last, members, len(sealed.data))
