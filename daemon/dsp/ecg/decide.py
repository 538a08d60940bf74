"""Which candidates are beats: what is measured of a candidate, and what is remembered from the ones before.

Every number compares the candidate with this patient's own last beats, so that one fitted score serves all. Only accepted
beats change what a beat looks like, and only refused candidates what noise looks like.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring
from daemon.dsp.ecg.shapes import Match, Scaled, Shapes

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEATURES = (
    "size_level", "size_last", "size", "gain",
    "match", "match_common", "match_mean", "refused_match", "match_over_refused", "refused_gain",
    "rr_ratio", "rr_last_ratio", "wait", "rr_short", "rr_median", "rr_spread", "beats",
    "before", "after",
    "mean", "noise_level", "size_noise", "background",
    "fine", "slow", "width",
    "lead_match_best", "lead_match_worst", "lead_size_most", "lead_size_least",
)  # fmt: skip

REMEMBERED = 8  # beats: medians of sizes and intervals
NEW_SHAPE_MIN, NEW_SHAPE_WAIT_S, NEIGHBOUR_MAX = 0.7, 0.45, 0.7
SURELY_NONE = (
    0.15  # a likelier candidate may have been a beat: its shape is not learnt as a wave that is none
)
REACH_SHAPE_S, REACH_LAG_S, LAG_STEP_S = 0.080, 0.030, 0.006
BEFORE_S, AFTER_S, AFTER_BEAT_S = (0.30, 0.11), (0.11, 0.25), 0.16
MEAN_S, WIDTH_S, SLOW_S = 1.2, 0.15, 0.12
START_RR_S, START_NOISE_LOG2 = 0.8, -2.5
NO_BEAT_WAIT_S = 3.0
EPS = 1e-3


@dataclass(slots=True)
class Signals:
    """What the decision looks at, at the inner rate: c (1, n), the others (leads, n)."""

    combined: Ring
    envelope: Ring
    fine: Ring
    shape: Ring
    slow: Ring
    level: Ring
    weight: Ring


@dataclass(slots=True)
class Candidate:
    """What was measured at one maximum of c."""

    at: int
    features: Floats
    match: Match
    refused: Match
    windows: Floats
    scaled: Scaled
    usable: Floats
    log_size: float
    log_fine: float
    log_slow: float
    log_width: float
    log_leads: Floats
    neighbours: float


class Memory:
    """What the detector knows of this patient's beats."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        self._rate_hz = rate_hz
        self._lag_step = max(1, round(LAG_STEP_S * rate_hz))
        self._lags = round(REACH_LAG_S * rate_hz / self._lag_step)
        self._half = round(REACH_SHAPE_S * rate_hz)
        # Samples on either side of a candidate that its shape needs.
        self.reach = self._half + self._lags * self._lag_step
        # Of these samples, the ones that each lag compares: (lags, samples of a shape).
        self._lagged = np.arange(2 * self._lags + 1)[:, None] * self._lag_step + np.arange(2 * self._half + 1)
        self._slow_reach, self._width_reach, self._mean_reach, self._after_beat = (
            round(s * rate_hz) for s in (SLOW_S, WIDTH_S, MEAN_S, AFTER_BEAT_S)
        )
        self._before, self._after = (tuple(round(s * rate_hz) for s in span) for span in (BEFORE_S, AFTER_S))
        self._shapes = Shapes(leads, 2 * self._half + 1)
        self._refused = Shapes(leads, 2 * self._half + 1)
        self._sizes: deque[float] = deque(maxlen=REMEMBERED)
        self._intervals_s: deque[float] = deque(maxlen=REMEMBERED)
        self._level = 0.0
        self._last_size = 0.0
        self._rr_median, self._rr_short, self._rr_spread = START_RR_S, 1.0, 0.0
        self._match_mean = 0.9
        self._fine_mean = self._slow_mean = self._width_mean = 0.0
        self._lead_means = np.zeros(leads)
        self._lead_known = np.zeros(leads, dtype=np.bool_)
        self._beats = 0
        self._noise = START_NOISE_LOG2
        self.last_beat: int | None = None

    @property
    def noise_over_beats(self) -> float:
        """log2 of the size of refused candidates against beats."""
        return self._noise - self._level

    def measure(self, s: Signals, background: Floats, at: int, stop: int, *, hidden: bool) -> Candidate:
        """Measure the candidate at inner sample `at` with nothing from `stop` on; `hidden`: beats may have gone unseen before."""
        rate = self._rate_hz
        begin = max(at - self._mean_reach, s.combined.first)
        c, here = s.combined.view(begin, stop)[0], at - begin
        size = float(c[here])
        log_size = log2(size)
        weight, level = s.weight.at(at), s.level.at(at)
        seen = weight > 0
        windows = s.shape.view(at - self.reach, at + self.reach + 1).take(self._lagged, axis=1)
        windows = windows.transpose(1, 0, 2)
        scaled = Scaled.of(windows, np.sqrt(weight) / level)
        match, refused = self._shapes.best_of(scaled), self._refused.best_of(scaled)

        # The reductions are called as such: for so few values numpy's methods around them cost more than they do.
        total, largest, least = np.add.reduce, np.maximum.reduce, np.minimum.reduce
        share = weight / (level * float(total(weight)))
        log_fine = log2(float(total(s.fine.at(at) * share)) / size + EPS)
        slow = s.slow.view(at - self._slow_reach, min(at + self._slow_reach + 1, stop))
        log_slow = log2(float(total((largest(slow, axis=1) - least(slow, axis=1)) * share)) + EPS)
        log_width = log2(self._width(c, here, size) / rate)
        log_leads = np.log2(s.envelope.at(at) / level + EPS)

        wait = NO_BEAT_WAIT_S
        if self.last_beat is not None and not hidden:
            wait = min((at - self.last_beat) / rate, 2 * NO_BEAT_WAIT_S)
        first = here - self._before[0]
        if self.last_beat is not None:
            first = max(first, self.last_beat - begin + self._after_beat)
        before = _largest(c, first, here - self._before[1] + 1)
        after = _largest(c, here + self._after[0], here + self._after[1] + 1)
        mean = float(total(c[: here + 1])) / (here + 1)

        deviation = (log_leads - self._lead_means)[seen & self._lead_known].tolist() or [0.0]
        quiet = float(least(background[seen]))
        last_rr = self._intervals_s[-1] if self._intervals_s else START_RR_S
        values = (
            log_size - self._level, log_size - self._last_size, log_size, match.gain_log2,
            match.best, match.common, self._match_mean, refused.best, match.best - refused.best, refused.gain_log2,
            log2(wait / self._rr_median), log2(wait / last_rr), wait, self._rr_short, self._rr_median, self._rr_spread,
            min(self._beats, 20),
            log2((before + EPS) / size), log2((after + EPS) / size),
            log2((mean + EPS) / size), self.noise_over_beats, log_size - self._noise, log2(quiet + EPS),
            log_fine - self._fine_mean, log_slow - self._slow_mean, log_width - self._width_mean,
            match.lead_best, match.lead_worst, max(deviation), min(deviation),
        )  # fmt: skip
        features = np.minimum(np.maximum(np.array(values), -5.0), 20.0)
        return Candidate(
            at,
            features,
            match,
            refused,
            windows,
            scaled,
            seen.astype(np.float64),
            log_size,
            log_fine,
            log_slow,
            log_width,
            log_leads,
            neighbours=max(before, after) / size,
        )

    def accept(self, candidate: Candidate, probability: float, *, interval_known: bool) -> None:
        """Learn from a beat. `interval_known`: nothing was hidden between it and the last one."""
        at, rate = candidate.at, self._rate_hz
        wait = None if self.last_beat is None else (at - self.last_beat) / rate
        may_be_new = (
            probability > NEW_SHAPE_MIN
            and candidate.neighbours < NEIGHBOUR_MAX
            and (wait is None or wait > NEW_SHAPE_WAIT_S)
        )
        self._shapes.learn(candidate.match, candidate.windows, candidate.usable, at / rate, may_be_new)
        if wait is not None and interval_known:
            self._intervals_s.append(wait)
            ordered = sorted(self._intervals_s)
            self._rr_median = median = _median(ordered)
            self._rr_short = log2(ordered[min(1, len(ordered) - 1)] / median)
            self._rr_spread = sum(abs(log2(rr / median)) for rr in ordered) / len(ordered)
        self._sizes.append(candidate.log_size)
        self._level = _median(sorted(self._sizes))
        self._last_size = candidate.log_size
        share = max(0.1, 1 / (self._beats + 1))
        self._match_mean += share * (candidate.match.best - self._match_mean)
        self._fine_mean += share * (candidate.log_fine - self._fine_mean)
        self._slow_mean += share * (candidate.log_slow - self._slow_mean)
        self._width_mean += share * (candidate.log_width - self._width_mean)
        used = candidate.usable > 0
        moved = self._lead_means + np.where(self._lead_known, share, 1.0) * (
            candidate.log_leads - self._lead_means
        )
        self._lead_means = np.where(used, moved, self._lead_means)
        self._lead_known |= used
        self._beats += 1
        self.last_beat = at

    def refuse(self, candidate: Candidate, probability: float) -> None:
        """Learn from a candidate that is no beat: how large noise is, and the shapes of this patient's P and T waves."""
        if probability < SURELY_NONE:
            now_s = candidate.at / self._rate_hz
            self._refused.learn(
                candidate.refused, candidate.windows, candidate.usable, now_s, may_be_new=True
            )
        self._noise += 0.1 * (candidate.log_size - self._noise)

    def _width(self, c: Floats, at: int, size: float) -> int:
        """Samples around `at` where c (n,) stays over half of `size`."""
        reach = self._width_reach
        left = c[max(at - reach, 0) : at] < size / 2
        right = c[at + 1 : at + 1 + reach] < size / 2
        return _run(left[::-1]) + _run(right) + 1


def _largest(c: Floats, first: int, stop: int) -> float:
    """The largest of samples first .. stop - 1 of c (n,), as far as they are there; 0 where none is."""
    part = c[max(first, 0) : max(stop, 0)]
    return float(np.maximum.reduce(part)) if len(part) else 0.0


def _run(over: Bools) -> int:
    """Samples before the first that is over; all where none is."""
    first = int(over.argmax()) if len(over) else 0
    return first if len(over) and over[first] else len(over)


def _median(ordered: list[float]) -> float:
    n = len(ordered)
    return ordered[n // 2] if n % 2 else 0.5 * (ordered[n // 2 - 1] + ordered[n // 2])
