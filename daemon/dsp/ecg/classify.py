"""What kind of beat it is: each against this patient's own normal beat and interval, both learnt as beats come, without labels.

What is learnt of the normal beat and interval does not depend on what was said, so that an error is never taught. The
interval after a beat would tell more, but comes half a second too late.

N, S and V come from a fitted table. F is said in place of N by the rule of `fusion`, / in place of any by the pulses that
`pacing` finds. Q where there is nothing to go by: the first beat of all, and noise.
"""

from __future__ import annotations

from collections import deque
from math import log2, sqrt
from statistics import median

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.clusters import Clusters
from daemon.dsp.ecg.decide import FEATURES, LAG_STEP_S, START_RR_S, Candidate, Signals
from daemon.dsp.ecg.fusion import Fusions, is_mixture
from daemon.dsp.ecg.pacing import PacedShapes
from daemon.dsp.ecg.ring import Ring
from daemon.dsp.ecg.trees import ClassTable
from daemon.model.findings import BeatClass

Floats = npt.NDArray[np.float64]

CLASS_FEATURES = (
    "premature", "rr_median_ratio", "rr_last_ratio", "premature_last", "rr_spread", "rr_normal", "rr", "irregular",
    "like", "like_best", "like_last",
    "width", "width_ratio", "width_change",
    "differs", "slow_ratio", "lead_worst", "lead_best",
    "p_like", "p_differs", "p_size", "p_reference", "t_like", "t_differs",
    "fine", "size_level", "before", "after", "noise_level",
    "beats",
)  # fmt: skip
TAKEN = ("fine", "size_level", "before", "after", "noise_level")
TAKEN_AT = [FEATURES.index(name) for name in TAKEN]
PREMATURE_AT = [CLASS_FEATURES.index(name) for name in ("premature", "rr_median_ratio")]
IRREGULAR_AT = CLASS_FEATURES.index("irregular")
NOISE_AT, MATCH_AT = FEATURES.index("noise_level"), FEATURES.index("match_mean")

V_BAR, S_BAR, SURE_V = 0.4, 0.7, 0.8
S_AFTER = 3  # beats: before, no interval is known to be the normal one
S_EARLY = -0.07  # of log2: 5 % before its time; what is not early is not called premature
PACED_EARLY = -0.1  # the same of a beat without a pulse; a pacemaker keeps its interval
FUSION_EARLY = -0.13  # the same of a fusion beat: the normal one was due
FUSION_V = 0.01  # of probability: something ventricular is in it, if too little for V
FUSION_LEADS = 2  # with one, too many shapes are a sum of two others
IRREGULAR_MAX = 0.5  # over it an early beat tells nothing: atrial fibrillation
IRREGULAR_STEP, IRREGULAR_BEATS, IRREGULAR_LEAST = 0.12, 32, 8
UNREADABLE, READABLE, MATCH_MIN = -0.5, -0.8, 0.5
NORMAL_LIKE, NORMAL_EARLY, NORMAL_STEP = 0.8, -0.2, 0.13
REMEMBERED = 8  # intervals
REACH_S = (-0.28, 0.25)  # of the slow shape kept around a beat
BASE_S, QRS_S, P_S, T_S = (-0.11, -0.08), (-0.10, 0.10), (-0.24, -0.07), (0.10, 0.25)
NO_LIKENESS = 0.7  # said before there is a beat to compare with
TINY = 1e-9


class Classifier:
    """Names the beats that a detector of `leads` leads, at its inner rate, accepts. ValueError for another's table."""

    def __init__(self, rate_hz: float, leads: int, table: ClassTable) -> None:
        if table.features != CLASS_FEATURES:
            raise ValueError("the table was fitted on other features than this classifier measures")
        self._table = table
        self._rate_hz = rate_hz
        self._leads = leads
        self._lag_step = max(1, round(LAG_STEP_S * rate_hz))
        self._first, self._stop = (round(at * rate_hz) for at in REACH_S)
        self._base, self._qrs, self._p, self._t = (self._part(span) for span in (BASE_S, QRS_S, P_S, T_S))
        self._clusters: Clusters | None = None
        self._paced = PacedShapes()
        self._fusions = Fusions()
        self._mixed = False
        self._shape = (0, True, 0.0)  # cluster of the last beat, whether it began it, its mean width in s
        self._intervals = Intervals()
        self._last: int | None = None
        self._last_like, self._last_width = NO_LIKENESS, 0.0
        self._unreadable = False
        self._beats = 0

    def label(
        self, s: Signals, candidate: Candidate, *, interval_known: bool, pulse_s: float | None = None
    ) -> BeatClass:
        """The class of an accepted beat, and learn from it.

        `interval_known`: nothing was hidden before it. `pulse_s`: where its pacing pulse stands, s from the candidate.
        """
        values = self._measure(s, candidate, interval_known=interval_known)
        said = self._decide(values, candidate)
        shape, new, width_s = self._shape
        self._fusions.learn(shape, new=new, ventricular=said is BeatClass.VENTRICULAR)
        early = bool(min(values[PREMATURE_AT]) < PACED_EARLY)
        paced = self._paced.learn(shape, pulse_s, new=new, early=early, width_s=width_s)
        return BeatClass.PACED if paced else said

    def _decide(self, values: Floats, candidate: Candidate) -> BeatClass:
        _, p_s, p_v = self._table.probabilities(values)
        noise = candidate.features[NOISE_AT]
        badly_matched = candidate.features[MATCH_AT] < MATCH_MIN
        self._unreadable = bool(badly_matched or noise > (READABLE if self._unreadable else UNREADABLE))
        baseless = self._unreadable or self._beats <= 1
        if p_v > (SURE_V if baseless else V_BAR):
            return BeatClass.VENTRICULAR
        if baseless:
            return BeatClass.UNKNOWN
        timing = min(values[PREMATURE_AT])
        early = self._beats > S_AFTER and timing < S_EARLY
        if p_s > S_BAR and early and values[IRREGULAR_AT] < IRREGULAR_MAX:
            return BeatClass.SUPRAVENTRICULAR
        if self._mixed and p_v > FUSION_V and timing > FUSION_EARLY:
            return BeatClass.FUSION
        return BeatClass.NORMAL

    def _measure(self, s: Signals, candidate: Candidate, *, interval_known: bool) -> Floats:
        """The features of a beat (len(CLASS_FEATURES),); then it is learnt from."""
        at, windows = candidate.at, candidate.windows
        if self._clusters is None:
            self._clusters = Clusters(self._leads, windows.shape[2], self._stop - self._first)
        clusters = self._clusters
        scale = candidate.scaled.scale
        rr_s = (at - self._last) / self._rate_hz if self._last is not None and interval_known else None
        rhythm = self._intervals.of(rr_s)
        likeness = clusters.compare(candidate.scaled)
        reference = clusters.reference
        lag = likeness.lag[reference] if reference >= 0 else len(windows) // 2
        slow = self._slow(s.slow, at + (int(lag) - len(windows) // 2) * self._lag_step)
        like = like_best = NO_LIKENESS
        width_ratio = 0.0
        waves: tuple[float, ...] = NO_WAVES
        self._mixed = False
        if reference >= 0:
            like, like_best = float(likeness.values[reference]), float(likeness.values.max())
            width_ratio = candidate.log_width - float(clusters.width[reference])
            waves = self._against(slow, clusters.slow[reference], scale * clusters.seen[reference])
            self._mixed = self._is_mixed(clusters, slow, scale * clusters.seen[reference])
        values = np.array((
            *rhythm,
            like, like_best, self._last_like,
            candidate.log_width, width_ratio, candidate.log_width - self._last_width,
            *waves,
            *candidate.features[TAKEN_AT],
            min(self._beats, 20),
        ))  # fmt: skip
        timing = rhythm[0]
        self._intervals.learn(rr_s, normal=min(like, self._last_like) > NORMAL_LIKE)
        shape, new = clusters.learn(
            likeness, windows, slow, candidate.usable, timing, candidate.log_width, at / self._rate_hz
        )
        self._shape = (shape, new, 2.0 ** float(clusters.width[shape]))
        self._last, self._last_like, self._last_width = at, like, candidate.log_width
        self._beats += 1
        return values

    def _against(self, slow: Floats, reference: Floats, scale: Floats) -> tuple[float, ...]:
        """How the slow shape (leads, n) differs from that of the normal beat, QRS and then P and T."""
        used = scale > 0
        if not used.any():
            return NO_WAVES
        x, y = slow[used] * scale[used, None], reference[used] * scale[used, None]
        qx, qy = x[:, self._qrs], y[:, self._qrs]
        total, least, most = np.add.reduce, np.minimum.reduce, np.maximum.reduce
        single = total(qx * qy, axis=1) / np.sqrt(total(qx * qx, axis=1) * total(qy * qy, axis=1) + TINY)
        size = _energy(qy) + TINY
        p_x, p_y = (_centred(part) for part in (x[:, self._p], y[:, self._p]))
        t_x, t_y = x[:, self._t], y[:, self._t]
        spans = (total(most(q, axis=1) - least(q, axis=1)) for q in (qx, qy))
        spread = log2((float(next(spans)) + TINY) / (float(next(spans)) + TINY))
        return (
            _half_log2(_energy(qx - qy) / size), spread, float(single.min()), float(single.max()),
            _correlation(p_x, p_y), _half_log2(_energy(p_x - p_y) / size), _half_log2(_energy(p_x) / size),
            _half_log2(_energy(p_y) / size),
            _correlation(t_x, t_y), _half_log2(_energy(t_x - t_y) / size),
        )  # fmt: skip

    def _is_mixed(self, clusters: Clusters, slow: Floats, scale: Floats) -> bool:
        """Whether the QRS (leads, n) is a sum of the normal one and a ventricular one, seen in the same leads."""
        used, normal = scale > 0, clusters.reference
        others = [
            k for k in self._fusions.ventricular if k != normal and not (clusters.seen[k][used] == 0).any()
        ]
        if not others or used.sum() < FUSION_LEADS:
            return False
        shapes = (slow, clusters.slow[normal], *(clusters.slow[k] for k in others))
        x, n, *v = (shape[used, self._qrs] * scale[used, None] for shape in shapes)
        return is_mixture(x, n, v)

    def _slow(self, slow: Ring, at: int) -> Floats:
        """The slow shape around `at`, from its value just before the QRS; before the first sample stands that one."""
        first, stop = at + self._first, at + self._stop
        x = slow.view(max(first, slow.first), stop)
        if first < slow.first:
            x = np.concatenate([np.repeat(x[:, :1], slow.first - first, axis=1), x], axis=1)
        standing: Floats = x - x[:, self._base].mean(axis=1, keepdims=True)
        return standing

    def _part(self, span_s: tuple[float, float]) -> slice:
        return slice(*(round(at * self._rate_hz) - self._first for at in span_s))


NO_WAVES = (0.0, 0.0, NO_LIKENESS, NO_LIKENESS, *(0.0,) * 6)


class Intervals:
    """The patient's normal interval, and how regular the last ones are."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=REMEMBERED)
        self._normal: deque[float] = deque(maxlen=REMEMBERED)
        self._jumps: deque[bool] = deque(maxlen=IRREGULAR_BEATS)
        self._median, self._spread, self._normal_s = START_RR_S, 0.0, START_RR_S
        self._timing = 0.0

    @property
    def irregular(self) -> float:
        """Share of the last intervals that differ from the one before by more than 9 %."""
        return sum(self._jumps) / max(len(self._jumps), IRREGULAR_LEAST)

    def of(self, rr_s: float | None) -> tuple[float, ...]:
        """The rhythm's part of CLASS_FEATURES for a beat that comes `rr_s` after the last; None: not known."""
        rr = self._normal_s if rr_s is None else rr_s
        ratios = (log2(rr / known) for known in (self._normal_s, self._median))
        last = log2(rr / self._last[-1]) if self._last and rr_s is not None else 0.0
        return (*ratios, last, self._timing, self._spread, self._normal_s, rr, self.irregular)

    def learn(self, rr_s: float | None, *, normal: bool) -> None:
        """Take an interval; `normal`: both its beats look like the normal one."""
        timing = 0.0 if rr_s is None else log2(rr_s / self._normal_s)
        if rr_s is not None:
            if self._last:
                self._jumps.append(abs(log2(rr_s / self._last[-1])) > IRREGULAR_STEP)
            self._last.append(rr_s)
            self._median = median(self._last)
            self._spread = sum(abs(log2(rr / self._median)) for rr in self._last) / len(self._last)
            neither_early = min(timing, self._timing) > NORMAL_EARLY
            if (normal and neither_early) or abs(log2(rr_s / self._median)) < NORMAL_STEP:
                self._normal.append(rr_s)
                self._normal_s = median(self._normal)
        self._timing = timing


def _centred(x: Floats) -> Floats:
    centred: Floats = x - np.add.reduce(x, axis=1, keepdims=True) / x.shape[1]
    return centred


def _energy(x: Floats) -> float:
    return float(np.vdot(x, x))


def _half_log2(ratio: float) -> float:
    return 0.5 * log2(ratio + 1e-3)


def _correlation(x: Floats, y: Floats) -> float:
    return float(np.vdot(x, y)) / sqrt(_energy(x) * _energy(y) + TINY)
