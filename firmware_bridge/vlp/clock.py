"""The device's clock against ours, from questions that both ends stamp: PING and PONG.

A frame is only ever late, never early. A PING heard by the device at its time t2 and sent at our t1 says that our clock was
at least t1 then; a PONG sent at its t3 and heard at our t4 says that it was at most t4. Drawn over device time the answers
are a cloud of lower bounds and one of upper ones, and the truth is a line between them, straight as the device's crystal
is. Of all lines we take the middle of the widest strip that separates the two: its slope is the crystal's rate, and it is
right to the instant if the quickest way there takes as long as the quickest way back.

This uses the least late of each way on its own, over all of the window. A classic clock takes the quickest of eight whole
pairs instead: with 20 ms of jitter that is wrong by up to 5 ms, and a crystal 200 ppm off runs away 2 ms in the 10 s between.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Nanos

OFTEN_NS: Nanos = 100_000_000
SELDOM_NS: Nanos = 250_000_000
OFTEN_PAIRS = 200
"""So many pairs are made quickly; then the rate is known, and bounds stay good for minutes."""
LATE_NS: Nanos = 2_000_000_000  # a PONG that took longer says nothing
PAIRS = 512
WINDOW_S = 128.0
STEEPEST = 500e-6
LEVER_S = 2.0
"""A slope must earn its steepness by so many seconds of lever: while all bounds are close together, it stays at 0."""
BROKEN_S = 5e-3
"""Bounds that contradict each other by more than this are of a clock that has jumped."""

_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 20  # 1000 ppm to 0.07 ppm
_Pairs = npt.NDArray[np.float64]


class LinkClock:
    """Device time (us since its boot) to ours (ns). Times of one monotonic clock are passed in; memory is bounded."""

    def __init__(self) -> None:
        self._asked: deque[Nanos] = deque(maxlen=16)
        self._ask_ns: Nanos | None = None
        self._origin: tuple[int, Nanos] | None = None
        # Device time t2 and our t1 ahead of it, device time t3 and our t4 ahead of it: seconds since the origin.
        self._pairs: deque[tuple[float, float, float, float]] = deque(maxlen=PAIRS)
        self._at = 0.0  # device time of which `_offset_s` is
        self._slope = 0.0
        self._offset_s = 0.0
        self._width_s = 0.0

    @property
    def known(self) -> bool:
        """Whether a pair has been made, so that times can be told."""
        return bool(self._pairs)

    @property
    def drift_ppm(self) -> float:
        """How much faster than ours the device's clock runs."""
        return -self._slope * 1e6

    @property
    def width_ns(self) -> float:
        """The strip's width: the quickest way there and back together."""
        return self._width_s * 1e9

    def due(self, now_ns: Nanos) -> int | None:
        """t1 in us of a PING to be sent now."""
        if self._ask_ns is not None and now_ns < self._ask_ns:
            return None
        self._ask_ns = now_ns + (OFTEN_NS if len(self._pairs) < OFTEN_PAIRS else SELDOM_NS)
        self._asked.append(now_ns // 1000)
        return now_ns // 1000

    def answered(self, t1_us: int, t2_us: int, t3_us: int, now_ns: Nanos) -> None:
        """A PONG has come. One that was not asked for, came before or took too long is passed over."""
        if t1_us not in self._asked or t3_us < t2_us:
            return
        self._asked.remove(t1_us)
        if now_ns - t1_us * 1000 > LATE_NS:
            return
        if self._origin is None:
            self._origin = (t3_us, now_ns)
        x2, lower = self._point(t2_us, t1_us * 1000)
        x3, upper = self._point(t3_us, now_ns)
        self._pairs.append((x2, lower, x3, upper))
        self._balance(x3)
        if self._width_s < -BROKEN_S:
            self._pairs.clear()
            self._pairs.append((x2, lower, x3, upper))
            self._balance(x3)

    def host_ns(self, us: int) -> float | None:
        """Our time of a device time; None while nothing is known."""
        if self._origin is None:
            return None
        x = (us - self._origin[0]) * 1e-6
        return self._origin[1] + (x + self._offset_s + self._slope * (x - self._at)) * 1e9

    def _point(self, us: int, now_ns: Nanos) -> tuple[float, float]:
        """(device time since the origin, how far ours is ahead of it), seconds."""
        assert self._origin is not None
        x = (us - self._origin[0]) * 1e-6
        return x, (now_ns - self._origin[1]) * 1e-9 - x

    def _balance(self, at: float) -> None:
        """Find the widest strip (a concave function of the slope: golden section), and its middle at device time `at`."""
        pairs = np.array(self._pairs, dtype=np.float64)
        pairs = pairs[pairs[:, 2] >= at - WINDOW_S]
        pairs[:, 0] -= at
        pairs[:, 2] -= at
        low, high = -STEEPEST, STEEPEST
        one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        worth_one, worth_two = _worth(pairs, one), _worth(pairs, two)
        for _ in range(_STEPS):
            if worth_one > worth_two:
                high, two, worth_two = two, one, worth_one
                one = high - _GOLDEN * (high - low)
                worth_one = _worth(pairs, one)
            else:
                low, one, worth_one = one, two, worth_two
                two = low + _GOLDEN * (high - low)
                worth_two = _worth(pairs, two)
        self._slope = (low + high) / 2
        lower, upper = _strip(pairs, self._slope)
        self._at, self._offset_s, self._width_s = at, (lower + upper) / 2, upper - lower


def _strip(pairs: _Pairs, slope: float) -> tuple[float, float]:
    """The edges of the strip of this slope, at device time 0: the highest lower bound and the lowest upper one."""
    return float((pairs[:, 1] - slope * pairs[:, 0]).max()), float((pairs[:, 3] - slope * pairs[:, 2]).min())


def _worth(pairs: _Pairs, slope: float) -> float:
    lower, upper = _strip(pairs, slope)
    return upper - lower - LEVER_S * abs(slope)
