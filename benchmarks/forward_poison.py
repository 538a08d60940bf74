"""Bar (f): records that a receiver refuses. What do they cost, who is found, and how late is the lane?

Time is simulated: 50 ms a request. The sender, its ledger and its lanes are the shipped ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks import Row
from daemon.forward.destinations import DONE, Bounds
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import REFUSED, MemorySource, Receiver, World, run

BATCH = 500


@dataclass
class Seen:
    """Requests in all, those that halving cost, records that arrived, seqs set aside, and how late live records were meanwhile."""

    requests: int
    more: int
    arrived: int
    aside: list[int]
    late_s: float = 0.0
    stopped: bool = False


def poisoned(n: int, bad: frozenset[int], *, seconds: float = 0.0) -> Seen:
    """`n` records in requests of 500, of which those in `bad` are refused; for so long, or (0) until all is done with."""

    async def main() -> Seen:
        receiver = Receiver(
            lambda _sealed, seqs: REFUSED if bad & set(seqs) else DONE,
            bounds=Bounds(1 << 20, BATCH, 4),
            latency_s=0.05,
        )
        source = MemorySource()
        for _ in range(n):
            source.say(Lane.METRICS)
        world = World(receiver, source)
        await world.start()
        live = []
        if seconds:
            await asyncio.sleep(seconds)
        else:
            for _ in range(4):
                await asyncio.sleep(0.3)
                live.append((world.say(Lane.METRICS), world.now_s))
            await world.quiet()
        await world.kill()
        late_s = max((receiver.arrived_s[seq] - at for seq, at in live), default=0.0)
        refused = sum(len(seqs) > 1 and bool(bad & set(seqs)) for _, _, seqs in receiver.asked)
        stopped = bool(world.sender.delivery.standing.refusing)
        more = 2 * refused  # each request of several that is refused becomes two
        return Seen(
            len(receiver.asked), more, len(set(receiver.seqs)), world.in_quarantine(), late_s, stopped
        )

    seen: Seen = run(main())
    return seen


def rows() -> Iterable[Row]:
    logging.getLogger("daemon.forward").setLevel(logging.CRITICAL)
    worst = 0
    for position in (1, 2, 4999, 5000, 5001, 7777, 10_000):
        seen = poisoned(10_000, frozenset({position}))
        worst = max(worst, seen.more)
    whole = seen.aside == [10_000] and seen.arrived == 9_999 + 4
    yield Row("(f) 1 bad of 10,000, batches of 500: requests more", worst, "requests", "<= 18", worst <= 18)
    yield Row("(f) the others that arrived", seen.arrived - 4, "records", "9999", whole)
    yield Row("(f) live records of the same lane, at most", seen.late_s, "s late", "< 5", seen.late_s < 5)
    three = poisoned(500, frozenset({3, 250, 499}))
    yield Row(
        "(f) 3 bad of 500: requests", three.requests, "requests", "", three.aside == [3, 250, 499] or None
    )
    all_bad = poisoned(500, frozenset(range(1, 501)), seconds=60)
    stopped = all_bad.stopped and not all_bad.aside
    yield Row(
        "(f) all bad of 500: requests until it stops",
        all_bad.requests,
        "requests",
        "< 999",
        stopped,
        "all are kept, none set aside; tried again with one record every few minutes",
    )
