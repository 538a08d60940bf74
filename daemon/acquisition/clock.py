"""A device's clock against ours: which time each of its samples has.

There are three kinds of time, and they are never mixed. *Device time* is a sample's number: the device's crystal made
the samples evenly, so the number is the best clock there is, but it runs up to some hundred ppm off ours and never says
what o'clock it is. *t_ns* is CLOCK_BOOTTIME: it orders everything inside the box, also over a suspend, and nobody can
set it. *UTC* is for people, can step, and is made from t_ns at the edges only.

An arrival is therefore no sample's time: USB delivers in bursts of 1 to 16 ms, a busy host adds rare hundreds of
milliseconds, and 50 ppm are 4.3 s a day. But an arrival is only ever *late*, never early. So of each half second the
least late arrival is kept, and a line is fitted through these: its slope is the device's rate, its lower edge the time
of the samples (plus the shortest way through the cable, which cannot be seen from here: one frame's line time and the
bridge's, about 2 ms). Points far above the line are stalls of ours and say nothing. The fit is causal and bounded.

What is served is continuous: a correction is paid over about a second, and times never go back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Nanos

BUCKET_S = 0.5
WINDOW_S = 300.0
PAY_S = 1.0
SLIP_S = 0.04
"""Arrivals that all stay later than this for `SLIP_BUCKETS` mean that samples are missing in the numbering."""
SLIP_BUCKETS = 6
EDGE_BUCKETS = 20

# How far a crystal may be off before anything is known, and what the first half seconds are worth: the prior of the fit.
RATE_PRIOR = 1e-3
NOISE_PRIOR_S = 2e-3
_PRIOR_WEIGHT = (NOISE_PRIOR_S / RATE_PRIOR) ** 2
# Whatever arrives, a period stays positive: a flood is taken as a rate a hundred times too high at most.
_FASTEST = -0.99
# What counts as a stall, from the first guess to the last: a wrong first slope must not throw half the points away.
_FLOORS_S = (20e-3, 5e-3, 1e-3)
_FLOATING = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Served:
    """The line of one block: time of its first sample, its sample period, and the standard error, all in ns."""

    t0_ns: Nanos
    period_ns: float
    error_ns: float


class DeviceClock:
    """The clock of one stream in one segment, `rate_hz` samples per second by its data sheet.

    `observe` is told each arrival, `serve` gives the time of a block; both in ascending order of sample numbers.
    """

    def __init__(self, rate_hz: float) -> None:
        self._nominal_s = 1.0 / rate_hz
        self._origin: tuple[int, Nanos] | None = None
        self._buckets: deque[tuple[float, float]] = deque(maxlen=round(WINDOW_S / BUCKET_S))
        self._bucket = 0
        self._best: tuple[float, float] | None = None
        self._edge_s = 0.0
        self._slope = 0.0
        self._slope_prior = 0.0
        self._error_s = 4 * NOISE_PRIOR_S
        self._late_run: list[float] = []
        self._slip_s = 0.0
        self._served: tuple[int, float] | None = None

    @property
    def drift_ppm(self) -> float:
        """How much faster than its data sheet the device samples, by our clock (slower is negative)."""
        return (1.0 / (1.0 + self._slope) - 1.0) * 1e6

    @property
    def period_ns(self) -> float:
        """The fitted sample period."""
        return self._nominal_s * (1.0 + self._slope) * 1e9

    @property
    def error_ns(self) -> float:
        """Standard error of the fitted time of the newest sample (the cable's constant delay not counted)."""
        return self._error_s * 1e9

    def observe(self, sample: int, arrived_ns: Nanos) -> None:
        """Sample number `sample` was in hand at `arrived_ns`. Cheap; every half second of samples the line is fitted anew."""
        if self._origin is None:
            self._origin = (sample, arrived_ns)
        x, y = self._point(sample, arrived_ns)
        late = y - self._edge_s - self._slope * x
        if late < 0:
            self._edge_s += late
        bucket = int(x / BUCKET_S)
        if bucket != self._bucket:
            self._close_bucket()
            self._bucket = bucket
        if self._best is None or y - self._slope * x < self._best[1] - self._slope * self._best[0]:
            self._best = (x, y)

    def time_of(self, sample: int) -> float:
        """The fitted time of a sample in ns. Needs one observation."""
        if self._origin is None:
            raise ValueError("no arrival has been observed")
        x = (sample - self._origin[0]) * self._nominal_s
        return self._origin[1] + (x * (1.0 + self._slope) + self._edge_s) * 1e9

    def missing(self) -> int:
        """Samples that the numbering must jump over, because arrivals have been late for seconds; asked once, then 0."""
        count = round(self._slip_s * 1e9 / self.period_ns)
        self._slip_s = 0.0
        return count

    def serve(self, first: int, n: int, arrived_ns: Nanos) -> Served:
        """Times of the block of samples `first` .. `first + n - 1` whose last byte was in hand at `arrived_ns`.

        Each block's line begins where the last one ended, so times never go back and, but for a burst
        within nanoseconds, none is later than its arrival.
        """
        last = first + n - 1
        target = self.time_of(last)
        if self._served is None:
            step = self.period_ns
            end = min(target, float(arrived_ns))
        else:
            steps = last - self._served[0]
            begin = self._served[1]
            span = steps * self.period_ns
            end = begin + span + (target - begin - span) * min(1.0, span / (PAY_S * 1e9))
            room = (arrived_ns - begin) / steps
            step = max((min(end, arrived_ns) - begin) / steps, min(0.01 * self.period_ns, room), 1.0)
            end = begin + steps * step
        self._served = (last, end)
        return Served(round(end - (n - 1) * step), step, self.error_ns)

    def _point(self, sample: int, arrived_ns: Nanos) -> tuple[float, float]:
        """(nominal device time since the origin, lateness against it), seconds."""
        assert self._origin is not None
        x = (sample - self._origin[0]) * self._nominal_s
        return x, (arrived_ns - self._origin[1]) * 1e-9 - x

    def _close_bucket(self) -> None:
        if self._best is None:
            return
        x, y = self._best
        self._best = None
        late = y - self._edge_s - self._slope * x
        self._late_run = (
            [*self._late_run, late] if late > SLIP_S and len(self._buckets) >= EDGE_BUCKETS else []
        )
        if len(self._late_run) >= SLIP_BUCKETS:
            # The late half seconds are numbered too low: forget them, and what is older than the edge too, since
            # a slip may also be a changed rate.
            self._slip_s = min(self._late_run)
            kept = list(self._buckets)[-EDGE_BUCKETS - SLIP_BUCKETS + 1 : -SLIP_BUCKETS + 1]
            self._buckets.clear()
            self._buckets.extend(kept)
            self._late_run = []
            self._slope_prior = self._slope
            return
        self._buckets.append((x, y))
        self._fit()

    def _fit(self) -> None:
        """Regress lateness on device time over the buckets, late ones left out; the line then drops to its lower edge."""
        points = np.array(self._buckets, dtype=np.float64)
        x, y = points[:, 0], points[:, 1]
        residual = y - self._edge_s - self._slope * x
        for floor_s in _FLOORS_S:
            kept = _not_late(residual, floor_s)
            mx, my = float(x[kept].mean()), float(y[kept].mean())
            dx = x[kept] - mx
            sxx = float(dx @ dx) + _PRIOR_WEIGHT
            slope = (float(dx @ y[kept]) + _PRIOR_WEIGHT * self._slope_prior) / sxx
            residual = y - my - slope * (x - mx)
        within = residual[kept]
        self._slope = max(slope, _FASTEST)
        self._edge_s = my - slope * mx + float(within[-EDGE_BUCKETS:].min())
        count = len(within)
        variance = (float(within @ within) + 2 * NOISE_PRIOR_S**2) / (count + 2)
        self._error_s = float(np.sqrt(variance * (1.0 / count + (x[-1] - mx) ** 2 / sxx)))


def _not_late(residual: _FLOATING, floor_s: float) -> npt.NDArray[np.bool_]:
    """Which residuals (s) are no stall: not above their middle by more than three robust deviations and `floor_s`."""
    middle = np.median(residual)
    spread = 1.4826 * np.median(np.abs(residual - middle))
    return np.asarray(residual <= middle + max(3.0 * float(spread), floor_s))
