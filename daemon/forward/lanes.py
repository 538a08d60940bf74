"""Who goes next: alarms before all, live before backlog, and of what is left each lane its share.

A record is live for a while after it was said; what has not gone by then is backlog. Live goes newest first (alarms in their
order), backlog oldest first. Nothing but seqs is known here, so a backlog of three days weighs what one of an hour does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from daemon.forward.intervals import Intervals, Span
from daemon.model.outgoing import Lane

SHARES: Mapping[Lane, int] = {Lane.EVENTS: 40, Lane.METRICS: 25, Lane.WAVEFORM: 20, Lane.REPORTS: 15}
"""Of the bytes, where there are more than the link carries; alarms are before all shares."""

BACKLOG_SHARE = 0.2
"""Of the bytes, at least, while live records alone would fill the link."""

QUANTUM = 64 * 1024
"""Backlog claims its share in pieces of this size: live latency would suffer from crumbs."""


MOST_SPANS = 10_000
"""Of a lane. A link that has not carried even the live records for hours leaves a hole for each request: then all goes in its
order until the holes are filled."""


class Part(NamedTuple):
    """One of the ten queues of a destination."""

    lane: Lane
    live: bool


class Shares:
    """Chooses among parts that have something to send; `spent` says what the choice came to.

    Lanes are served in order of bytes sent over share (start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM 1996), so that one
    that was idle neither saves up nor owes.
    """

    def __init__(self) -> None:
        self._credit = 0.0
        self._claimed = False
        self._tags: dict[Part, float] = {}
        self._served: dict[bool, float] = {True: 0.0, False: 0.0}

    def choose(self, ready: Collection[Part]) -> Part:
        """One of `ready`, which is not empty."""
        alarms = [part for part in ready if part.lane is Lane.ALARMS]
        if alarms:
            return max(alarms, key=lambda part: part.live)
        live = any(part.live for part in ready)
        self._claimed = live and self._credit >= QUANTUM and not all(part.live for part in ready)
        live = live and not self._claimed
        return min((part for part in ready if part.live is live), key=lambda part: (self._tag(part), part))

    def spent(self, part: Part, size: int) -> None:
        """So many bytes of it go."""
        if part.lane is Lane.ALARMS:
            return
        if part.live:
            gained = size * BACKLOG_SHARE / (1 - BACKLOG_SHARE)
            self._credit = min(self._credit + gained, 2.0 * QUANTUM)
        elif self._claimed or self._credit > 0:  # what goes while no live record waits costs backlog nothing
            self._credit -= size if self._claimed else min(size, self._credit)
        tag = self._tag(part)
        self._served[part.live] = max(self._served[part.live], tag)
        self._tags[part] = tag + size / SHARES[part.lane]

    def _tag(self, part: Part) -> float:
        return max(self._tags.get(part, 0.0), self._served[part.live])


class Lanes:
    """Which seqs of each lane are done, which are in sealed requests, and which nobody has taken yet."""

    def __init__(self, done: Mapping[Lane, Collection[Span]]) -> None:
        self.done = {lane: Intervals(done.get(lane, ())) for lane in Lane}
        self._taken = {lane: Intervals(done.get(lane, ())) for lane in Lane}
        self._heads = dict.fromkeys(Lane, 0)
        self._splits = dict.fromkeys(Lane, 0)

    def see(self, heads: Mapping[Lane, int], splits: Mapping[Lane, int]) -> None:
        """The highest seq of each lane, and the highest that is not live any more."""
        self._heads.update(heads)
        self._splits.update(splits)

    def head(self, lane: Lane) -> int:
        return self._heads[lane]

    def gap(self, part: Part) -> Span | None:
        """The stretch of seqs that this part would take from next."""
        head, split = self._heads[part.lane], self._splits[part.lane]
        taken = self._taken[part.lane]
        if len(taken) > MOST_SPANS:
            return None if part.live else taken.lowest_gap(1, head)
        if not part.live:
            return taken.lowest_gap(1, min(split, head))
        if part.lane is Lane.ALARMS:
            return taken.lowest_gap(split + 1, head)
        return taken.highest_gap(split + 1, head)

    def take(self, lane: Lane, first: int, last: int) -> None:
        """These are in a sealed request."""
        self._taken[lane].add(first, last)

    def finish(self, lane: Lane, first: int, last: int) -> None:
        """These are done with: delivered, not for this destination, gone from the store, or in quarantine."""
        self._taken[lane].add(first, last)
        self.done[lane].add(first, last)

    def give_back(self, lane: Lane, first: int, last: int) -> None:
        """These are to be sent, again."""
        self._taken[lane].remove(first, last)
        self.done[lane].remove(first, last)

    def confirmed(self, lane: Lane) -> int:
        """Up to this seq everything of the lane is done with."""
        head = self._heads[lane]
        gap = self.done[lane].lowest_gap(1, head)
        return head if gap is None else gap[0] - 1
