"""One destination at work: carries out what its `Delivery` decides, and puts into the ledger what that comes to.

The order is what keeps data: a request is in the ledger before it is tried, and its stretch is done only after the destination
has said so. Whatever ends this task, the next one goes on from the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from random import Random

from daemon.forward import ledger
from daemon.forward.bookkeeping import Bookkeeping
from daemon.forward.bucket import TokenBucket
from daemon.forward.delivery import COLLECT_S, Delivery
from daemon.forward.destinations import Destination, Outcome, Sealed, Verdict
from daemon.forward.intervals import Span
from daemon.forward.ledger import Health, Sums
from daemon.forward.packing import Packer, Terms
from daemon.forward.source import Source
from daemon.forward.steps import Batch, Consequence, Gather, Open, Standing, Try
from daemon.model.outgoing import Lane

log = logging.getLogger(__name__)

UNREADABLE_EVERY_S = 5.0
"""A store that cannot be read is asked again after this."""

CLOCK_ASKED_EVERY_S = 1.0
"""Whether records that wait for the clock to be set may go."""

RATE_OVER_S = 30.0

FINISHED_EVERY_S = 30.0
"""What is not for this destination is written down with the next delivery, or this often: lost, it is looked at again."""


class Sender:
    """`await restore()`, then `run()` until cancelled. Everything but the two belongs to the loop and does not wait."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        terms: Terms,
        books: Bookkeeping,
        source: Source,
        *,
        now_s: Callable[[], float],
        sealing: Executor,
        random: Random | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
        uploads: Callable[[str, Sealed, Outcome], None] = lambda name, sealed, outcome: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        self.name = name
        self.destination = self._destination = destination
        self._terms = terms
        self._books = books
        self._source = source
        self._packer = Packer(name, destination, terms, source, sealing, utc_ns)
        self._now_s = now_s
        self._random = random or Random()  # noqa: S311 - jitter is no secret
        self._utc_ns = utc_ns
        self._uploads = uploads
        self._wake = asyncio.Event()
        self._fresh: dict[str, Sealed] = {}
        self._finished: list[tuple[Lane, int, int]] = []
        self._finished_s = -FINISHED_EVERY_S
        self._sent: deque[tuple[float, int]] = deque()
        self.id = 0
        self.delivery: Delivery
        self.health = Health()
        self._written = (Standing(), "", 0)
        self.sums: dict[Lane, Sums] = {}
        self.quarantined = 0
        self.verdicts: dict[str, int] = dict.fromkeys(Verdict, 0)

    async def restore(self, heads: Mapping[Lane, int], start: int) -> None:
        """Go on from the ledger. A destination that is new there begins after seq `start`."""
        done, batches, standing = await self._books.do(lambda db: self._restore(db, heads, start))
        self.delivery = Delivery(
            done,
            batches,
            standing,
            self._random,
            bucket=TokenBucket(self._terms.max_bytes_per_s),
            collect_s={**COLLECT_S, **(self._terms.collect_s or {})},
        )
        self.delivery.bounds = self._destination.bounds
        self.delivery.lanes.see(heads, heads)
        self._written = self._now_stands()
        self._fresh.clear()
        self._finished.clear()

    def _restore(
        self, db: sqlite3.Connection, heads: Mapping[Lane, int], start: int
    ) -> tuple[dict[Lane, list[Span]], list[Batch], Standing]:
        self.id, new = ledger.destination(db, self.name)
        for lane in Lane:
            if new:
                ledger.done(db, self.id, lane, 1, start)
            else:
                ledger.undone_above(db, self.id, lane, heads[lane])
        self.health = ledger.health_of(db, self.id)
        self.sums = ledger.sums_of(db, self.id)
        self.quarantined = ledger.quarantine_count(db, self.id)
        return ledger.done_of(db, self.id), ledger.batches_of(db, self.id), ledger.standing_of(db, self.id)

    def see(self, heads: Mapping[Lane, int], splits: Mapping[Lane, int]) -> None:
        """There is news in the store."""
        if heads[Lane.ALARMS] > self.delivery.lanes.head(Lane.ALARMS):
            self.delivery.breaker.hasten(self._now_s())
        self.delivery.lanes.see(heads, splits)
        self._wake.set()

    def poke(self) -> None:
        """Look again."""
        self._wake.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tries:
                while True:
                    self._wake.clear()
                    await self._step(tries)
        finally:
            sums = dict(self.sums)
            await self._books.later(lambda db: ledger.counted(db, self.id, sums))
            await self._destination.close()

    async def _step(self, tries: asyncio.TaskGroup) -> None:
        """The next thing to do, or wait for one."""
        now_s = self._now_s()
        self.delivery.bounds = self._destination.bounds
        match self.delivery.next(now_s):
            case Open():
                self.delivery.opening()
                outcome = await self._destination.open()
                self.delivery.opened(outcome, self._now_s())
                if outcome.verdict is not Verdict.DONE:  # that it let us in says nothing of what it takes
                    await self._heard(outcome)
            case Gather() as want:
                self.delivery.gathering(want)
                name = f"forward: {self.name} gathers {want.part.lane.name}"
                tries.create_task(self._gather(want), name=name)
            case Try(batch):
                sealed = self._fresh.pop(batch.key, None)
                if sealed is None:
                    sealed = await self._books.do(lambda db: ledger.sealed_of(db, batch.key))
                self.delivery.trying(batch, self._now_s())
                tries.create_task(self._try(batch, sealed), name=f"forward: {self.name} {batch.lane.name}")
            case None:
                await self._rest(self.delivery.wake_s(now_s) - now_s)

    async def _rest(self, seconds: float) -> None:
        if self._finished and self._now_s() - self._finished_s >= FINISHED_EVERY_S:
            finished = self._take_finished()
            await self._books.later(lambda db: self._finish(db, finished))
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            pass

    # --- sealing -----------------------------------------------------------------------------------------

    async def _gather(self, want: Gather) -> None:
        """Records of the stretch into one sealed request; or the stretch is done, where none is for this destination."""
        try:
            packed = await self._packer.pack(want, self.delivery.limit)
        except Exception as error:
            expected = isinstance(error, sqlite3.Error | OSError)
            log.warning(
                "forward: %s: %s of the store cannot be read: %s",
                self.name,
                want.part.lane.name,
                error,
                exc_info=None if expected else error,
            )
            self.delivery.hold(want.part, self._now_s() + UNREADABLE_EVERY_S)
            self.delivery.failed(want)
            return
        if packed.held_ns is not None:
            again_s = min(packed.held_ns / 1e9, self._now_s() + CLOCK_ASKED_EVERY_S)
            self.delivery.hold(want.part, again_s)
        if packed.request is not None:
            batch, sealed = packed.request
            await self._books.do(lambda db: ledger.seal(db, self.id, batch, sealed))
            whole = (packed.first, packed.last) == (want.first, want.last)
            self.delivery.gathered(want, batch, all_of_it=whole, now_s=self._now_s())
            self._fresh[batch.key] = sealed
        else:
            self.delivery.nothing(want, packed.first, packed.last)
            self._finished.append((want.part.lane, packed.first, packed.last))
        if packed.bad is not None:  # our own fault: it waits for a version that can
            seq = packed.bad.seq
            nowhere = Batch("", packed.bad.lane, want.part.live, seq, seq, (seq,), 0)
            await self._quarantine(nowhere, packed.why)
        self._wake.set()

    def _take_finished(self) -> list[tuple[Lane, int, int]]:
        finished, self._finished = self._finished, []
        self._finished_s = self._now_s()
        return finished

    def _finish(self, db: sqlite3.Connection, finished: Sequence[tuple[Lane, int, int]]) -> None:
        for lane, first, last in finished:
            ledger.done(db, self.id, lane, first, last)

    def _deliver(
        self, db: sqlite3.Connection, batch: Batch, finished: Sequence[tuple[Lane, int, int]]
    ) -> None:
        self._finish(db, finished)
        ledger.delivered(db, self.id, batch)

    # --- a try and its end -------------------------------------------------------------------------------

    async def _try(self, batch: Batch, sealed: Sealed) -> None:
        outcome = await self._destination.send(sealed)
        if sealed.file:
            self._uploads(self.name, sealed, outcome)
        consequence = self.delivery.ended(batch, outcome, self._now_s())
        self.verdicts[outcome.verdict] += 1
        match consequence:
            case Consequence.DELIVERED:
                # Lost with the process it is sent again, under its key: not worth a flush of the disk of its own.
                finished = self._take_finished()
                await self._books.later(lambda db: self._deliver(db, batch, finished))
                self._count(batch)
            case Consequence.KEPT:
                await self._books.do(lambda db: ledger.tried(db, batch))
            case Consequence.HALVED:
                await self._halve(batch)
            case Consequence.QUARANTINED:
                await self._quarantine(batch, outcome.reason)
            case Consequence.GIVEN_BACK:
                await self._give_back(batch, outcome)
        await self._heard(outcome)
        self._wake.set()

    async def _halve(self, batch: Batch) -> None:
        """Two requests, sealed, in place of one."""
        middle = len(batch.members) // 2
        cut = batch.members[middle]
        halves = [
            await self._packer.half(batch, batch.first, cut - 1, batch.members[:middle]),
            await self._packer.half(batch, cut, batch.last, batch.members[middle:]),
        ]
        here = [half for half in halves if half is not None]
        if len(here) == 1:  # the store has lost the records of the other
            only, sealed = here[0]
            here = [(replace(only, first=batch.first, last=batch.last), sealed)]
        await self._books.do(lambda db: self._put_halves(db, batch, here))
        self.delivery.halved(batch, [half for half, _ in here])
        self._fresh.update((half.key, sealed) for half, sealed in here)

    def _put_halves(
        self, db: sqlite3.Connection, batch: Batch, halves: Sequence[tuple[Batch, Sealed]]
    ) -> None:
        ledger.unseal(db, batch)
        for half, sealed in halves:
            ledger.seal(db, self.id, half, sealed)
        if not halves:
            ledger.done(db, self.id, batch.lane, batch.first, batch.last)

    async def _quarantine(self, batch: Batch, reply: str) -> None:
        about = ("", "", "", 0)
        if batch.members:
            seq = batch.members[0]
            found = await self._source.find(batch.lane, seq, seq, 1, newest=False)
            for record in found.records:
                about = (record.message, record.device, record.session, record.utc_ns // 1_000_000)
        log.warning("forward: %s refuses record %s (%s): %s", self.name, batch.members, about[0], reply)
        now_ms = self._utc_ns() // 1_000_000
        await self._books.do(lambda db: ledger.quarantined(db, self.id, batch, about, reply, now_ms))
        self.quarantined += len(batch.members)

    async def _give_back(self, batch: Batch, outcome: Outcome) -> None:
        seqs = self.delivery.take_back(batch.lane)
        log.error("forward: %s refuses every record of %s: %s", self.name, batch.lane.name, outcome.reason)
        await self._books.do(lambda db: ledger.given_back(db, self.id, batch, seqs))
        self.quarantined -= len(seqs)

    def _count(self, batch: Batch) -> None:
        sums = self.sums.get(batch.lane, Sums())
        self.sums[batch.lane] = Sums(
            sums.requests + 1, sums.records + len(batch.members), sums.bytes + batch.size
        )
        self._sent.append((self._now_s(), batch.size))
        self._forget()

    def _forget(self) -> None:
        now_s = self._now_s()
        while self._sent and self._sent[0][0] < now_s - RATE_OVER_S:
            self._sent.popleft()

    @property
    def now_s(self) -> float:
        return self._now_s()

    @property
    def bytes_per_s(self) -> float:
        """Over the last half minute."""
        self._forget()
        return sum(size for _, size in self._sent) / RATE_OVER_S

    async def _heard(self, outcome: Outcome) -> None:
        """Remember how the destination is doing; written down when that changes."""
        now_ms, was = self._utc_ns() // 1_000_000, self.health
        if outcome.verdict is Verdict.DONE:
            self.health = replace(was, success_ms=now_ms, failing_since_ms=0)
        elif outcome.verdict in {Verdict.AGAIN, Verdict.PARKED}:
            since_ms = was.failing_since_ms or now_ms
            self.health = replace(was, error=outcome.reason, error_ms=now_ms, failing_since_ms=since_ms)
        elif (
            outcome.verdict is Verdict.WAIT
        ):  # asked for by the receiver, or by what is to come first: neither well nor failing
            self.health = replace(was, error=outcome.reason, error_ms=now_ms)
        else:
            self.health = replace(was, error=outcome.reason, error_ms=now_ms, failing_since_ms=0)
        if (was.failing_since_ms == 0) != (
            self.health.failing_since_ms == 0
        ) or was.error != self.health.error:
            level = logging.WARNING if self.health.failing_since_ms else logging.INFO
            log.log(level, "forward: %s: %s", self.name, outcome.reason or "takes messages")
        if self._written != self._now_stands():
            await self.write_down()

    def _now_stands(self) -> tuple[Standing, str, int]:
        """What would be missed after a restart; not the times, which change all the while."""
        now = self.delivery.standing
        since_ms = self.health.failing_since_ms
        return replace(now, refusing=dict(now.refusing)), self.health.error, since_ms

    async def write_down(self) -> None:
        """How the destination stands, for the next start."""
        self._written = self._now_stands()
        standing, health = self._written[0], self.health
        await self._books.do(lambda db: ledger.stands(db, self.id, standing, health))

    # --- what a person asks ------------------------------------------------------------------------------

    async def pause(self, who: str) -> None:
        self.delivery.pause(who)
        await self.write_down()

    async def resume(self) -> None:
        self.delivery.resume()
        await self.write_down()
        self._wake.set()

    def retry(self) -> None:
        """Try now, whatever there is to wait for."""
        self.delivery.retry(self._now_s())
        self._wake.set()

    async def release(self, seqs: Sequence[int] | None) -> int:
        """Records in quarantine (None: all of them) are sent again; how many."""
        released = await self._books.do(lambda db: ledger.release(db, self.id, seqs))
        for lane, seq in released:
            self.delivery.lanes.give_back(lane, seq, seq)
        self.quarantined -= len(released)
        self._wake.set()
        return len(released)
