"""What every simulated board is: a machine without I/O at the far end of the wire.

Time is passed in. A sample is due at an absolute deadline (start + k periods), so that no delay of the caller adds up:
whoever calls `due` late gets everything the board would have sent meanwhile.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.source import Rows, Source, at_rate

Nanos = int
Bytes = npt.NDArray[np.uint8]


class Cadence:
    """Deadlines of a sample clock: sample k (from 0) is due (k + 1) periods after the start."""

    def __init__(self, rate_hz: float, crystal_ppm: float = 0.0) -> None:
        self.period_ns = 1e9 / (rate_hz * (1 + crystal_ppm * 1e-6))
        self._start_ns: Nanos | None = None
        self._count = 0

    @property
    def running(self) -> bool:
        return self._start_ns is not None

    @property
    def next_ns(self) -> Nanos | None:
        if self._start_ns is None:
            return None
        return self._start_ns + math.ceil((self._count + 1) * self.period_ns)

    @property
    def last_ns(self) -> Nanos:
        """The deadline of the last sample taken (of the start, before the first)."""
        return (self._start_ns or 0) + math.ceil(self._count * self.period_ns)

    def start(self, at_ns: Nanos) -> None:
        self._start_ns, self._count = at_ns, 0

    def stop(self) -> None:
        self._start_ns = None

    def take(self, now_ns: Nanos) -> int:
        """How many samples have become due since the last call."""
        if self._start_ns is None or now_ns < self._start_ns:
            return 0
        count = int((now_ns - self._start_ns) / self.period_ns)
        new, self._count = max(count - self._count, 0), max(count, self._count)
        return new


class SimulatedBoard(ABC):
    """One board: power it, feed it what the host says, and take what it sends.

    `source` may have any rate; `body` is the source as it was given, or the patient behind it
    where several boards read one. `crystal_ppm` makes its sample clock fast (+) or
    slow (-); the body's time then runs with it. Where the source ends, the board falls silent. `dtr` says that the
    host has the port open; whoever serves the board sets it.
    """

    kind: ClassVar[str]
    RATE_HZ: ClassVar[float]
    BAUD: ClassVar[int] = 115200

    def __init__(self, source: Source, *, rate_hz: float | None = None, crystal_ppm: float = 0.0) -> None:
        self.rate_hz = self.RATE_HZ if rate_hz is None else rate_hz
        self.body: Source = getattr(source, "patient", source)
        self._source = at_rate(source, self.rate_hz)
        self._clock = Cadence(self.rate_hz, crystal_ppm)
        self._replies: list[tuple[Nanos, bytes]] = []
        self._powered = False
        self.dtr = True

    @property
    def streaming(self) -> bool:
        return self._clock.running

    @property
    def next_due_ns(self) -> Nanos | None:
        """When `due` will next have something, or None as long as nothing is fed."""
        times = [at_ns for at_ns, _ in self._replies]
        if self._clock.next_ns is not None:
            times.append(self._clock.next_ns)
        return min(times, default=None)

    def power_on(self, now_ns: Nanos) -> None:
        """Plugged in: everything the board remembered is gone."""
        self._powered = True
        self._replies.clear()
        self._clock.stop()
        self._begin(now_ns)

    def feed(self, data: bytes, now_ns: Nanos) -> None:
        """Bytes from the host, as they came. Answers come out of `due`."""
        if not self._powered:
            self.power_on(now_ns)
        self._hear(data, now_ns)

    def due(self, now_ns: Nanos) -> bytes:
        """Everything the board has sent by now and since the last call."""
        if not self._powered:
            self.power_on(now_ns)
        out = []
        while self._replies and self._replies[0][0] <= now_ns:
            at_ns, reply = self._replies.pop(0)
            out += [self._stream(at_ns), reply]
        out.append(self._stream(now_ns))
        return b"".join(out)

    def _stream(self, until_ns: Nanos) -> bytes:
        n = self._clock.take(until_ns)
        if not n:
            return b""
        rows = self._source.take(n)
        if len(rows) < n:
            self._clock.stop()
        return self._encode(rows) if len(rows) else b""

    def _reply(self, at_ns: Nanos, data: bytes) -> None:
        """Send `data` at `at_ns`, after whatever is already to be sent."""
        if self._replies:
            at_ns = max(at_ns, self._replies[-1][0])
        self._replies.append((at_ns, data))

    @abstractmethod
    def _begin(self, now_ns: Nanos) -> None:
        """Power has come."""

    def _hear(self, data: bytes, now_ns: Nanos) -> None:  # noqa: B027 - two boards hear nothing
        """The host has said `data`; a board that listens to nothing leaves this as it is."""

    @abstractmethod
    def _encode(self, rows: Rows) -> bytes:
        """The frames of these rows (at least one), in order."""


def quantised(mv: Rows, counts_per_mv: float, low: int, high: int) -> npt.NDArray[np.int64]:
    """What a converter makes of `mv`: rounded to the nearest count, clipped at its rails (about zero)."""
    return np.clip(np.rint(mv * counts_per_mv), low, high).astype(np.int64)
