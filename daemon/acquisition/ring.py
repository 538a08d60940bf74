"""What stands between the acquisition thread and main: a ring for each port, and the Ticks.

Main may be busy for seconds; then items wait here, in the order in which they happened. A ring that is full drops its
oldest samples and says so with one `Gap` (cause overflow) in their place that counts exactly; states that were dropped
with them are given in their newest form. Everything is bounded: samples by count, other items and Ticks too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from daemon.model.signals import (
    DeviceReply,
    DeviceSeen,
    DeviceStatus,
    Gap,
    GapCause,
    Item,
    LeadState,
    SampleBlock,
    Tick,
)

RING_S = 20.0
"""Seconds of samples that a ring holds (10 s are asked for)."""
MAX_ITEMS = 8192
"""Items that a ring holds; blocks come every 50 ms, so samples reach their limit first."""
MAX_TICKS = 6000
MAX_LOST_SEGMENTS = 64
MAX_REPLIES = 64


@dataclass(slots=True)
class _Dropped:
    """What a full ring has let go, in the form in which it is told: gaps by segment, newest states, and every reply."""

    order: int
    gaps: dict[str, Gap] = field(default_factory=dict)
    leads: dict[str, LeadState] = field(default_factory=dict)
    statuses: dict[str, DeviceStatus] = field(default_factory=dict)
    replies: deque[DeviceReply] = field(default_factory=lambda: deque(maxlen=MAX_REPLIES))
    seen: DeviceSeen | None = None

    def take(self, item: Item) -> int:
        """Absorb an item; returns the samples it held."""
        if isinstance(item, SampleBlock):
            self._cover(Gap(item.segment, item.first, item.n, item.t0_ns, item.arrived_ns, GapCause.OVERFLOW))
            return item.n
        if isinstance(item, Gap):
            self._cover(replace(item, cause=GapCause.OVERFLOW))
        elif isinstance(item, LeadState):
            self.leads[item.segment.id] = item
        elif isinstance(item, DeviceSeen):
            self.seen = item
        elif isinstance(item, DeviceStatus):
            self.statuses[item.name] = item
        elif isinstance(item, DeviceReply):
            self.replies.append(item)
        return 0

    def _cover(self, gap: Gap) -> None:
        known = self.gaps.get(gap.segment.id)
        if known is None:
            if len(self.gaps) >= MAX_LOST_SEGMENTS:
                oldest = next(iter(self.gaps))
                del self.gaps[oldest]
                self.leads.pop(oldest, None)
            self.gaps[gap.segment.id] = gap
        else:
            # Numbers of a segment follow each other without holes, so the two are neighbours.
            count = gap.first + gap.count - known.first
            self.gaps[gap.segment.id] = replace(known, count=count, t_ns=gap.t_ns)

    def told(self) -> list[Item]:
        leads = [
            replace(s, first=max(s.first, self._resumes(s.segment.id, s.first))) for s in self.leads.values()
        ]
        seen = [self.seen] if self.seen else []
        return [*seen, *self.gaps.values(), *leads, *self.statuses.values(), *self.replies]

    def _resumes(self, segment: str, otherwise: int) -> int:
        gap = self.gaps.get(segment)
        return gap.first + gap.count if gap else otherwise


class _PortRing:
    """The waiting items of one device, each with its order number."""

    def __init__(self) -> None:
        self.items: deque[tuple[int, Item]] = deque()
        self.capacity = 10_000
        self.samples = 0
        self.dropped: _Dropped | None = None
        self.overflowed = 0

    def push(self, order: int, item: Item) -> None:
        self.items.append((order, item))
        if isinstance(item, SampleBlock):
            self.samples += item.n
        while self.samples > self.capacity or len(self.items) > MAX_ITEMS:
            oldest, lost = self.items.popleft()
            if self.dropped is None:
                self.dropped = _Dropped(oldest)
            count = self.dropped.take(lost)
            self.samples -= count
            self.overflowed += count

    def head(self) -> int | None:
        if self.dropped is not None:
            return self.dropped.order
        return self.items[0][0] if self.items else None

    def take(self) -> list[Item]:
        """The oldest item, or what is told of those dropped."""
        if self.dropped is not None:
            told, self.dropped = self.dropped.told(), None
            return told
        _, item = self.items.popleft()
        if isinstance(item, SampleBlock):
            self.samples -= item.n
        return [item]


class Rings:
    """All rings and the Ticks as one ordered stream. `push` and `tick` on the acquisition thread, `drain` on main.

    `wake` is called (on the pushing thread) when something waits, once between two `drain`s.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._rings: dict[tuple[str, str], _PortRing] = {}
        self._ticks: deque[tuple[int, Tick]] = deque(maxlen=MAX_TICKS)
        self._order = 0
        self._woken = False

    def size(self, bed: str, label: str, samples_per_second: float) -> None:
        """Make room for `RING_S` of a device whose streams together give so many samples a second."""
        with self._lock:
            ring = self._rings.setdefault((bed, label), _PortRing())
            ring.capacity = max(1, round(samples_per_second * RING_S))

    def push(self, bed: str, label: str, item: Item) -> None:
        """An item of the device `label` at `bed`."""
        with self._lock:
            self._rings.setdefault((bed, label), _PortRing()).push(self._next(), item)

    def tick(self, tick: Tick) -> None:
        """A Tick for all beds, after everything pushed before it."""
        with self._lock:
            self._ticks.append((self._next(), tick))

    def flush(self) -> None:
        """Wake main if something waits. Called twenty times a second and not for each item, so that main is not kept busy waking."""
        with self._lock:
            waits = bool(self._ticks) or any(r.head() is not None for r in self._rings.values())
            call = waits and not self._woken
            self._woken = self._woken or call
        if call:
            self._wake()

    def drain(self, max_items: int) -> list[tuple[str, Item]]:
        """The oldest waiting items in order, about `max_items` at most; ("", Tick) is for every bed.

        Whatever is left wakes main again soon, so a caller may stop after any slice.
        """
        out: list[tuple[str, Item]] = []
        with self._lock:
            self._woken = False
            while len(out) < max_items:
                heads = [
                    (order, bed, ring)
                    for (bed, _), ring in self._rings.items()
                    if (order := ring.head()) is not None
                ]
                order, bed, ring = min(heads, key=lambda head: head[0]) if heads else (None, "", None)
                if self._ticks and (order is None or self._ticks[0][0] < order):
                    out.append(("", self._ticks.popleft()[1]))
                elif ring is not None:
                    out.extend((bed, item) for item in ring.take())
                else:
                    break
        return out

    def waiting(self) -> int:
        """Items that wait for main."""
        with self._lock:
            return len(self._ticks) + sum(len(r.items) for r in self._rings.values())

    def overflowed(self) -> int:
        """Samples dropped since the start because main was too late."""
        with self._lock:
            return sum(r.overflowed for r in self._rings.values())

    def _next(self) -> int:
        self._order += 1
        return self._order
