"""One destination's deliveries, without I/O and without a clock: what to do next, and what a try's end means.

    act = delivery.next(now_s)      Open, Gather(part ...), Try(batch) or None (then look again at `wake_s`)
    delivery.gathered(...)          what a Gather came to
    delivery.ended(batch, outcome, now_s)   -> Consequence, which whoever has the ledger carries out before anything else

What is in flight is remembered here, what is promised stands in the ledger: a process that dies at any point goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from daemon.forward.breaker import Breaker, backoff_s
from daemon.forward.bucket import TokenBucket
from daemon.forward.destinations import Bounds, Outcome, Verdict
from daemon.forward.intervals import Span
from daemon.forward.lanes import Lanes, Part, Shares
from daemon.forward.steps import Batch, Consequence, Gather, Open, Standing, Try
from daemon.model.outgoing import Lane

COLLECT_S: Mapping[Lane, float] = {
    Lane.ALARMS: 0.0,
    Lane.EVENTS: 0.1,
    Lane.METRICS: 1.0,
    Lane.WAVEFORM: 5.0,
    Lane.REPORTS: 0.0,
}
"""How long live records gather before the next request of their lane."""

REQUEST_S = 0.25
"""A request of backlog is made so large that it takes about this long: an alarm waits no longer for the link."""

LEAST_BYTES = 16 * 1024
"""The size of the one request that finds out whether a destination is back; backlog requests are no smaller."""

GUESSED_BYTES: Mapping[Lane, float] = {
    Lane.ALARMS: 400.0,
    Lane.EVENTS: 400.0,
    Lane.METRICS: 300.0,
    Lane.WAVEFORM: 6000.0,
    Lane.REPORTS: 1000.0,
}
"""Of a record in a request, until some were sealed."""

AFTER_DONE_S = 2.0
"""When a destination has taken something, what it has not taken before is tried again within this."""

LIMIT_RISES_EVERY_S, LIMIT_RISES_BY = 3600.0, 1.25
"""A size that a destination has found too large may not be so for ever: what it taught us is tried again, a little at a time."""

REFUSES_ALL = 8
"""So many single records of a lane refused without one accepted between: it is not the records."""

REOPEN_FIRST_S, REOPEN_LONGEST_S = 60.0, 3600.0
"""How often a destination that needs a person, or a lane that is refused wholly, is tried all the same."""


class Delivery:
    """The state of one destination. `done` and `waiting` are what the ledger holds at the start."""

    def __init__(
        self,
        done: Mapping[Lane, Sequence[Span]],
        waiting: Iterable[Batch],
        standing: Standing,
        random: Random,
        *,
        bucket: TokenBucket | None = None,
        collect_s: Mapping[Lane, float] = COLLECT_S,
    ) -> None:
        self.bounds = Bounds()
        self.standing = standing
        self.lanes = Lanes(done)
        self.breaker = Breaker(random)
        self.waiting: dict[str, Batch] = {}
        self.in_flight: dict[str, Batch] = {}
        self._gathering: dict[Part, Gather] = {}
        self._random = random
        self._bucket = bucket or TokenBucket(0)
        self._collect_s = collect_s
        self._shares = Shares()
        self._not_before: dict[Part, float] = {}
        self._mean = dict(GUESSED_BYTES)
        self._rate = 4.0 * LEAST_BYTES / REQUEST_S
        self._opened = False
        self._reopen_s = 0.0
        self._reopens = 0
        self._singles: dict[Lane, list[int]] = {lane: [] for lane in Lane}
        self._probe_s: dict[Lane, float] = {}
        self._limited_s: float | None = None
        for batch in waiting:
            self.add(batch)

    # --- what next ---------------------------------------------------------------------------------------

    def next(self, now_s: float) -> Open | Gather | Try | None:
        """The next thing to do; None: nothing before `wake_s`, or before something happens."""
        if self.standing.paused_by or now_s < self._reopen_s:
            return None
        if len(self.in_flight) >= self.breaker.slots(now_s, self.bounds.at_once):
            return None
        if not self._opened:
            return None if self.in_flight else Open()
        if self.breaker.is_open:
            return None if self._gathering else self._probe(now_s)
        batches, gaps = self._ready(now_s)
        if not batches and not gaps:
            return None
        part = self._shares.choose({*batches, *gaps})
        if part in batches:
            return Try(batches[part])
        return self._gather(part, gaps[part])

    def wake_s(self, now_s: float) -> float:
        """When `next` may have something although nothing happens; far away where it waits for news only."""
        if self.standing.paused_by:
            return now_s + REOPEN_LONGEST_S
        if now_s < max(self._reopen_s, self.breaker.until_s):
            return max(self._reopen_s, self.breaker.until_s)
        times = [batch.due_s for batch in self.waiting.values()]
        times += [at for part, at in self._not_before.items() if self.lanes.gap(part)]
        times += [self._probe_s[lane] for lane in self.standing.refusing if lane in self._probe_s]
        times.append(self._bucket.ready_s(now_s))
        return min((at for at in times if at > now_s), default=now_s + REOPEN_LONGEST_S)

    def _ready(self, now_s: float) -> tuple[dict[Part, Batch], dict[Part, Span]]:
        """Sealed requests that are due, and stretches that nobody has taken, of parts that may send now."""
        every = [Part(lane, live) for lane in Lane for live in (True, False)]
        free = {part for part in every if self._may(part, now_s)}
        batches: dict[Part, Batch] = {}
        sealed = set(self._gathering)
        for batch in self.waiting.values():
            if batch.lane in self.standing.refusing and len(batch.members) > 1:
                continue  # one record shows as well as many whether the lane is taken again
            sealed.add(batch.part)
            if batch.part in free and batch.due_s <= now_s:
                batches.setdefault(batch.part, batch)
        gaps = {}
        for part in free - sealed:
            if self._not_before.get(part, 0.0) <= now_s and (gap := self.lanes.gap(part)):
                gaps[part] = gap
        for batch in self.waiting.values():
            if batch.part in free and batch.part not in gaps and batch.lane in self.standing.refusing:
                batches.setdefault(batch.part, batch)
        return batches, gaps

    def _may(self, part: Part, now_s: float) -> bool:
        """Whether one more request of this part may be under way: there is always room left for what is more urgent."""
        if part.lane in self.standing.refusing:
            return self._probe_s.setdefault(part.lane, now_s + REOPEN_FIRST_S) <= now_s and not any(
                busy.lane is part.lane
                for busy in (*(batch.part for batch in self.in_flight.values()), *self._gathering)
            )
        under_way = Counter((*(batch.part for batch in self.in_flight.values()), *self._gathering))
        if part.lane is Lane.ALARMS:  # one after the other: they arrive in their order
            return not any(under_way[Part(Lane.ALARMS, live)] for live in (True, False))
        if self._bucket.ready_s(now_s) > now_s:
            return False
        at_once = self.bounds.at_once
        others = sum(n for p, n in under_way.items() if p.lane is not Lane.ALARMS)
        backlog = sum(n for p, n in under_way.items() if not p.live and p.lane is not Lane.ALARMS)
        if part.live:
            return under_way[part] == 0 and others < max(1, at_once - 1)
        return backlog < max(1, at_once - 2) and others < max(1, at_once - 1)

    def _gather(self, part: Part, gap: Span) -> Gather:
        most = self.bounds.records
        size = self._limit() if part.live else self._backlog_bytes()
        if part.lane in self.standing.refusing:
            most, size = 1, LEAST_BYTES
        return Gather(part, *gap, size, max(1, min(most, int(size / self._mean[part.lane]))))

    def _probe(self, now_s: float) -> Gather | Try | None:
        """One small request, live if there is one: it finds out whether the destination is back."""
        # Not always the same one: it may be waiting for another to go first.
        small = sorted(
            self.waiting.values(),
            key=lambda b: (b.size > LEAST_BYTES, b.due_s > now_s, b.tries, not b.live, b.size),
        )
        if small and small[0].size <= LEAST_BYTES:
            return Try(small[0])
        sealed = {batch.part for batch in small}
        for part in (Part(lane, live) for live in (True, False) for lane in Lane):
            refused = part.lane in self.standing.refusing
            if part in sealed or refused or self._not_before.get(part, 0.0) > now_s:
                continue
            if gap := self.lanes.gap(part):
                most = max(1, int(LEAST_BYTES / self._mean[part.lane]))
                return Gather(part, *gap, LEAST_BYTES, min(most, self.bounds.records))
        return Try(small[0]) if small else None

    def _limit(self) -> int:
        """Bytes that a request may have."""
        return min(self.bounds.bytes, self.standing.limit_bytes or self.bounds.bytes)

    def _backlog_bytes(self) -> int:
        return max(min(LEAST_BYTES, self._limit()), min(self._limit(), int(self._rate * REQUEST_S)))

    @property
    def limit(self) -> int:
        """What a request may come to after sealing."""
        return self._limit()

    def mean_bytes(self, lane: Lane) -> float:
        """Of a record, as requests were lately."""
        return self._mean[lane]

    # --- what happened -----------------------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        """A sealed request that the ledger holds."""
        self.waiting[batch.key] = batch
        self.lanes.take(batch.lane, batch.first, batch.last)

    def gathering(self, want: Gather) -> None:
        """A Gather has begun: nobody else takes from its stretch. `gathered`, `nothing` or `failed` ends it."""
        self._gathering[want.part] = want
        self.lanes.take(want.part.lane, want.first, want.last)

    def _ended(self, want: Gather) -> None:
        del self._gathering[want.part]
        self.lanes.give_back(want.part.lane, want.first, want.last)

    def gathered(self, want: Gather, batch: Batch, *, all_of_it: bool, now_s: float) -> None:
        """A Gather was sealed; `all_of_it`: nothing of its stretch is left."""
        self._ended(want)
        self.add(batch)
        mean = batch.size / max(1, len(batch.members))
        self._mean[batch.lane] += 0.3 * (mean - self._mean[batch.lane])
        if want.part.live and all_of_it:
            self._not_before[want.part] = now_s + self._collect_s[batch.lane]

    def nothing(self, want: Gather, first: int, last: int) -> None:
        """Of this part of a Gather's stretch nothing is for the destination."""
        self._ended(want)
        self.lanes.finish(want.part.lane, first, last)

    def failed(self, want: Gather) -> None:
        """A Gather came to nothing and nothing is known of its stretch."""
        self._ended(want)

    def hold(self, part: Part, until_s: float) -> None:
        """What the part would send next is not to go yet (the clock is not set, the store cannot be read)."""
        self._not_before[part] = until_s

    def opening(self) -> None:
        self._opened = True  # not twice at once; `opened` says how it ended

    def opened(self, outcome: Outcome, now_s: float) -> None:
        """How `open` ended."""
        self._opened = outcome.verdict is Verdict.DONE
        if outcome.verdict is Verdict.DONE:
            self._reopen_s = 0.0  # whether it takes anything is not known before it has
        elif outcome.verdict is Verdict.WAIT:
            self.breaker.waits(now_s, outcome.wait_s)
        elif outcome.verdict is Verdict.AGAIN:
            self.breaker.failed(now_s, max(outcome.wait_s, backoff_s(1, self._random)))
        else:
            self._park(outcome.reason, now_s)

    def trying(self, batch: Batch, now_s: float) -> None:
        """A sealed request goes out."""
        del self.waiting[batch.key]
        batch.tries += 1
        batch.began_s = now_s
        self.in_flight[batch.key] = batch
        self._shares.spent(batch.part, batch.size)
        self._bucket.take(batch.size, now_s)

    def ended(self, batch: Batch, outcome: Outcome, now_s: float) -> Consequence:
        """A try has ended. HALVED: `halved` follows; all else is complete here."""
        del self.in_flight[batch.key]
        if outcome.verdict is Verdict.DONE:
            self._delivered(batch, now_s)
            return Consequence.DELIVERED
        if outcome.verdict in {Verdict.REFUSED, Verdict.SPLIT}:
            self.breaker.done()  # it has answered
            self._unpark()
            return self._refused(batch, outcome, now_s)
        self.waiting[batch.key] = batch
        if outcome.verdict is Verdict.AGAIN:
            self.breaker.failed(now_s, outcome.wait_s)
            batch.due_s = now_s + backoff_s(batch.tries, self._random, outcome.wait_s)
            if self.breaker.is_open:
                self._opened = False
        elif outcome.verdict is Verdict.WAIT:
            # It may be this request alone that has to wait (its session has not begun there): others go before it, and the
            # next of its lane and age is not sealed before it has gone, so that a busy receiver is asked less and less.
            self.breaker.waits(now_s, outcome.wait_s)
            batch.due_s = now_s + outcome.wait_s + backoff_s(batch.tries, self._random)
        else:
            self._park(outcome.reason, now_s)
        return Consequence.KEPT

    def halved(self, batch: Batch, halves: Sequence[Batch]) -> None:
        """The two requests in place of a refused one: together its stretch. None where the store has lost its records."""
        self.lanes.give_back(batch.lane, batch.first, batch.last)
        if not halves:
            self.lanes.finish(batch.lane, batch.first, batch.last)
        rest = {**self.waiting}
        self.waiting.clear()
        for half in halves:  # before all others of their part: the search ends before more is sent
            self.add(half)
        self.waiting.update(rest)

    def _delivered(self, batch: Batch, now_s: float) -> None:
        for waiting in self.waiting.values():  # what had to wait may have waited for this
            soon_s = now_s if self.breaker.is_open else now_s + self._random.uniform(0.0, AFTER_DONE_S)
            waiting.due_s = min(waiting.due_s, soon_s)
        self.breaker.done()
        self._unpark()
        self._singles[batch.lane].clear()
        self.standing.refusing.pop(batch.lane, None)
        self._probe_s.pop(batch.lane, None)
        self.lanes.finish(batch.lane, batch.first, batch.last)
        self._raise_limit(now_s)
        rate = batch.size / max(now_s - batch.began_s, 1e-3)
        # A request that was small for want of records says little of the link, unless it was faster than was known.
        if batch.size >= LEAST_BYTES and (rate > self._rate or 2 * batch.size >= self._backlog_bytes()):
            self._rate += 0.3 * (rate - self._rate)

    def _raise_limit(self, now_s: float) -> None:
        if not self.standing.limit_bytes:
            return
        if self._limited_s is None:  # learned before the start: its time begins now
            self._limited_s = now_s
        elif now_s - self._limited_s >= LIMIT_RISES_EVERY_S:
            self._limited_s = now_s
            raised = int(self.standing.limit_bytes * LIMIT_RISES_BY)
            self.standing.limit_bytes = 0 if raised >= self.bounds.bytes else raised

    def _refused(self, batch: Batch, outcome: Outcome, now_s: float) -> Consequence:
        several, refusing = len(batch.members) > 1, batch.lane in self.standing.refusing
        if several and outcome.verdict is Verdict.SPLIT:
            self.standing.limit_bytes = max(1024, min(self._limit(), batch.size) // 2)
            self._limited_s = now_s
        if several and not refusing:
            return Consequence.HALVED
        singles = self._singles[batch.lane]
        if not refusing and len(singles) + 1 < REFUSES_ALL:
            singles.extend(batch.members)
            self.lanes.finish(batch.lane, batch.first, batch.last)
            return Consequence.QUARANTINED
        self._probe_s[batch.lane] = now_s + self._random.uniform(REOPEN_FIRST_S, 5 * REOPEN_FIRST_S)
        self.standing.refusing[batch.lane] = outcome.reason
        self.lanes.give_back(batch.lane, batch.first, batch.last)
        for seq in singles:
            self.lanes.give_back(batch.lane, seq, seq)
        return Consequence.GIVEN_BACK

    def take_back(self, lane: Lane) -> list[int]:
        """After GIVEN_BACK: seqs of the lane whose quarantine is undone."""
        seqs, self._singles[lane] = self._singles[lane], []
        return seqs

    # --- a person, or a state that only a person ends -----------------------------------------------------

    def pause(self, who: str) -> None:
        self.standing.paused_by = who

    def resume(self) -> None:
        self.standing.paused_by = ""

    def retry(self, now_s: float) -> None:
        """Now, whatever there is to wait for."""
        self._reopen_s = 0.0
        self.standing.limit_bytes = 0
        self.breaker.try_now()
        self._not_before.clear()
        for batch in self.waiting.values():
            batch.due_s = now_s
        self._probe_s.update(dict.fromkeys(self.standing.refusing, now_s))

    def _park(self, reason: str, now_s: float) -> None:
        self.standing.parked = reason or "it needs a person"
        self.breaker.narrow()
        self._opened = False
        longest = min(REOPEN_LONGEST_S, REOPEN_FIRST_S * 2.0 ** min(self._reopens, 10))
        self._reopens += 1
        self._reopen_s = now_s + self._random.uniform(longest / 2, longest)

    def _unpark(self) -> None:
        self.standing.parked = ""
        self._reopens = 0
        self._reopen_s = 0.0
