"""A wire in simulated time: each way is late by a changing delay, in order, and harms bytes; and who talks over it.

    talk = Conversation(board, device, there=Wire(jitter_s=0.02), back=Wire(jitter_s=0.02, faults=faults))
    talk.run(60.0)     # a minute in a few hundred ms

The board is driven as acquisition drives it: every arrival with its own time, `due` each 20 ms.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from firmware_bridge.boards import Board
from firmware_bridge.frames import Frame, Nanos
from firmware_bridge.simulators.faults import Faults

ROUND_NS: Nanos = 20_000_000


class FarEnd(Protocol):
    """What is at the other end: a `SimulatedBoard`, or real firmware run in simulated time."""

    @property
    def next_due_ns(self) -> Nanos | None: ...

    def feed(self, data: bytes, now_ns: Nanos) -> None: ...

    def due(self, now_ns: Nanos) -> bytes: ...


class Wire:
    """One way. Each thing put in comes out after `delay_s` and up to `jitter_s` more, never before what went in earlier."""

    def __init__(
        self, *, delay_s: float = 0.0, jitter_s: float = 0.0, faults: Faults | None = None, seed: int = 0
    ) -> None:
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._faults = faults or Faults()
        self._rng = np.random.default_rng(seed)
        self._under_way: deque[tuple[Nanos, bytes]] = deque()
        self.carried = 0

    @property
    def next_ns(self) -> float:
        """When the next bytes come out."""
        return self._under_way[0][0] if self._under_way else math.inf

    def put(self, data: bytes, now_ns: Nanos) -> None:
        if not data:
            return
        self.carried += len(data)
        late_s = self._delay_s + self._jitter_s * self._rng.random()
        out_ns = now_ns + round(late_s * 1e9)
        if self._under_way:
            out_ns = max(out_ns, self._under_way[-1][0])
        self._under_way.append((out_ns, self._faults.apply(data, now_ns)))

    def take(self, now_ns: Nanos) -> bytes:
        out = []
        while self._under_way and self._under_way[0][0] <= now_ns:
            out.append(self._under_way.popleft()[1])
        return b"".join(out)


class Conversation:
    """A board and a device over two wires, from time 0 on. `heard` is called with the frames of every `feed`."""

    def __init__(
        self,
        board: Board,
        device: FarEnd,
        *,
        there: Wire,
        back: Wire,
        heard: Callable[[list[Frame], Nanos], None],
        begin_ns: Nanos = 0,
    ) -> None:
        self.board, self.device = board, device
        self.now_ns = begin_ns
        self._there, self._back = there, back
        self._heard = heard
        self._round_ns = begin_ns
        board.opened(begin_ns)

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until_ns = self.now_ns + round(seconds * 1e9)
        while True:
            due = self.device.next_due_ns
            next_ns = min(
                self._round_ns, self._there.next_ns, self._back.next_ns, math.inf if due is None else due
            )
            if next_ns > until_ns:
                self.now_ns = until_ns
                return
            self.now_ns = max(self.now_ns, int(next_ns))
            self._step(self.now_ns)

    def _step(self, now_ns: Nanos) -> None:
        if said := self._there.take(now_ns):
            self.device.feed(said, now_ns)
        self._back.put(self.device.due(now_ns), now_ns)
        if self._back.next_ns <= now_ns:
            self._heard(self.board.feed(self._back.take(now_ns), now_ns), now_ns)
        if now_ns >= self._round_ns:
            self._round_ns = now_ns + ROUND_NS
            self._there.put(self.board.due(now_ns) or b"", now_ns)
