"""A VLP device at the end of a bad line, in simulated time: what arrives, what is said to be lost, and how well it is dated.

The device numbers its samples in their values, so that the truth about every one of them is known: which it is, and when
it was made. The device is a simulator, or the reference firmware in a process of its own.
"""

from __future__ import annotations

import math
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from daemon.acquisition.clock import DeviceClock
from firmware_bridge.boards import vlp
from firmware_bridge.frames import Damage, Frame, Nanos, Samples
from firmware_bridge.simulators.faults import Faults
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, COLUMNS, FLOW, Numbers, Rows
from firmware_bridge.simulators.vlp import VlpCpap
from firmware_bridge.simulators.wire import Conversation, FarEnd, Wire

RATE_HZ = 25.0
TURN = 30_000  # values repeat after so many samples: 20 minutes
BEGIN_NS = 1_000_000_000_000


class Counting:
    """A source whose flow is the sample's number, and whose pressure is a number made of it."""

    electrodes_off: frozenset[str] = frozenset()
    numbers = Numbers(leak_lpm=3.0)

    def __init__(self, rate_hz: float = RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self._next = 0

    def take(self, n: int) -> Rows:
        k = np.arange(self._next, self._next + n)
        self._next += n
        rows = np.zeros((n, len(COLUMNS)))
        rows[:, FLOW] = 0.002 * (k % TURN)
        rows[:, AIRWAY_PRESSURE] = 0.01 * (k * 7 % TURN)
        return rows


class Firmware:
    """The reference firmware (`vlp_host --steps`), its time told: a `FarEnd` whose crystal is `ppm` fast."""

    def __init__(
        self, program: Path, samples: Path, *, ppm: float = 0.0, options: tuple[str, ...] = ()
    ) -> None:
        self._pace = 1 + ppm * 1e-6
        self._heard = b""
        self._next_ns = BEGIN_NS
        self._process = subprocess.Popen(
            [str(program), "--steps", "--samples", str(samples), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        code = self._process.wait(10)
        self._process.stdout.close()
        assert code == 0, f"the firmware ended with {code}"

    @property
    def next_due_ns(self) -> Nanos:
        return self._next_ns

    def feed(self, data: bytes, now_ns: Nanos) -> None:  # noqa: ARG002 - it is told the time with its step
        self._heard += data

    def due(self, now_ns: Nanos) -> bytes:
        assert self._process.stdin
        assert self._process.stdout
        us = int((now_ns - BEGIN_NS) * self._pace / 1000)
        said, self._heard = self._heard, b""
        self._process.stdin.write(struct.pack("<QI", us, len(said)) + said)
        self._process.stdin.flush()
        (size,) = struct.unpack("<I", self._process.stdout.read(4))
        blocks = us // 200_000 + 1
        self._next_ns = BEGIN_NS + math.ceil(blocks * 200e6 / self._pace)
        return self._process.stdout.read(size)


@dataclass
class Figures:
    """What came of a conversation. Errors are in ms: of the stamps of the board, and of the times that acquisition serves."""

    delivered: int = 0
    lost: int = 0
    wrong: int = 0  # samples that are not what the device sent in that place
    unsettled: int = 0  # samples at the end, of which nothing is known yet
    carried: int = 0
    damaged: int = 0
    stamps: list[tuple[float, float]] = field(default_factory=list)
    served: list[tuple[float, float]] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def worst_ms(self, which: str, after_s: float) -> float:
        return max(abs(error) for t_s, error in getattr(self, which) if t_s >= after_s)


class Listener:
    """Checks every sample against the truth as it comes."""

    def __init__(self, ppm: float) -> None:
        self.figures = Figures()
        self.next = 0
        self._period_ns = 1e9 / RATE_HZ / (1 + ppm * 1e-6)
        self._clock = DeviceClock(RATE_HZ)

    def heard(self, frames: list[Frame], now_ns: Nanos) -> None:
        for frame in frames:
            if isinstance(frame, Damage):
                self.figures.damaged += frame.byte_count
            elif isinstance(frame, Samples):
                self._samples(frame, now_ns)
            else:
                self.figures.frames.append(frame)

    def _samples(self, frame: Samples, now_ns: Nanos) -> None:
        n = frame.counts.shape[1]
        if not self.next and not self.figures.delivered:
            self.next = int(frame.counts[0, 0])  # where the line was first understood
        else:
            self.next += frame.lost
            self.figures.lost += frame.lost
        k = np.arange(self.next, self.next + n)
        right = (frame.counts[0] == k % TURN) & (frame.counts[1] == k * 7 % TURN)
        self.figures.wrong += int((~right).sum())
        self.figures.delivered += n
        self.next += n
        t_s = (now_ns - BEGIN_NS) * 1e-9
        true_ns = BEGIN_NS + self.next * self._period_ns  # sample k is made k + 1 periods after the start
        self.figures.stamps.append((t_s, (frame.arrived_ns - true_ns) * 1e-6))
        self.figures.late.append((now_ns - true_ns) * 1e-6)
        self._clock.observe(self.next - 1, frame.arrived_ns)
        assert self._clock.missing() == 0
        served = self._clock.serve(self.next - n, n, frame.arrived_ns)
        first_ns = BEGIN_NS + (self.next - n + 1) * self._period_ns
        self.figures.served.append((t_s, (served.t0_ns - first_ns) * 1e-6))


def lossy(
    seconds: float,
    *,
    corrupt: float = 0.01,
    jitter_s: float = 0.02,
    ppm: float = 200.0,
    seed: int = 1,
    device: FarEnd | None = None,
) -> Figures:
    """Talk for so long over a line that changes each byte with probability `corrupt` and delays by up to `jitter_s`."""
    if device is None:
        simulated = VlpCpap(Counting(), crystal_ppm=ppm, seed=seed)
        simulated.power_on(BEGIN_NS)
        device = simulated
    ways = []
    for number in (1, 2):
        faults = Faults(seed=1000 * seed + number)
        faults.set("corrupt", corrupt)
        ways.append(Wire(jitter_s=jitter_s, faults=faults, seed=1000 * seed + 10 + number))
    listener = Listener(ppm)
    talk = Conversation(
        vlp.board({}), device, there=ways[0], back=ways[1], heard=listener.heard, begin_ns=BEGIN_NS
    )
    talk.run(seconds)
    figures = listener.figures
    made = int(seconds * RATE_HZ * (1 + ppm * 1e-6))
    figures.unsettled = made - listener.next
    figures.carried = ways[1].carried
    return figures
