"""Fast wide waves in a row, whether or not each was found to be a beat: ventricular tachycardia by the look of a run.

In a run of ventricular beats the detector may miss one and the classifier take one for a normal beat, so that no five stand
in a row. Here the last seconds are cut into waves by their slope alone; the five in a row that are least like the patient's
own beat, and wide, are weighed as a whole by a small fitted sum. What tells tachycardia from noise is that a run repeats
itself, in every lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.beats import AFTER, BEFORE, Beats, SeenBeat
from daemon.dsp.ecg.rhythm.ectopy import VT_BEATS, VT_BPM, ventricular
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.said import RunSaid, Said
from daemon.dsp.ecg.rhythm.sight import Sight, View
from daemon.dsp.ecg.ring import overlapping

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RUN_RULE = "runs/1"
SPAN = round(4.0 * RATE_HZ)
LAG = 6  # inner samples that a shape is looked for on either side
WIDTH = BEFORE + AFTER
SMOOTH, ENERGY, SLOW = (
    5,
    9,
    9,
)  # samples of moving means: before the slope, over its square, for what is slow in a beat
APART = round(0.25 * RATE_HZ)
NEAR, NEAR_SHARE = round(0.7 * RATE_HZ), 0.4  # a wave is at least so large as the largest within reach
SAME = round(0.15 * RATE_HZ)  # a beat so near to a wave is that wave
OWN, STEADY, LATE = (
    0.9,
    1.4,
    round(0.5 * RATE_HZ),
)  # likeness, spread of intervals, wait for a beat to be known
LEAST_MV = 0.1
FEATURES = ("foreign", "alike", "alike_worst", "wider", "spread", "ventricular")
ON, OFF = -0.5, -1.5
GONE_S = 2.0
MOST_BEATS = 15  # that are counted: no limit asks for more


@dataclass(frozen=True, slots=True)
class FastRun:
    """Waves in a row, as inner samples of the first and the last; `measures` are FEATURES of the worst five."""

    first: int
    last: int
    beats: int
    bpm: float
    measures: Floats


class RunScore:
    """Weights of FEATURES, each less its mean in units of its deviation; > 0 speaks for tachycardia."""

    def __init__(self, mean: Floats, deviation: Floats, weight: Floats, base: float) -> None:
        if not len(mean) == len(deviation) == len(weight) == len(FEATURES):
            raise ValueError(f"a run score needs {len(FEATURES)} means, deviations and weights")
        self.mean, self.deviation, self.weight, self.base = mean, deviation, weight, base

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A score from its arrays: run_mean, run_deviation, run_weight, run_base. ValueError if they do not fit."""
        try:
            mean, deviation, weight = (
                np.asarray(arrays[f"run_{name}"]).astype(np.float64)
                for name in ("mean", "deviation", "weight")
            )
            return cls(mean, deviation, weight, float(np.asarray(arrays["run_base"]).astype(np.float64)))
        except KeyError as missing:
            raise ValueError(f"a run score has no {missing}") from None

    def of(self, measures: Floats) -> float:
        """Score of one run."""
        return float(np.add.reduce((measures - self.mean) / self.deviation * self.weight)) + self.base


def _mean_of(x: Floats, n: int) -> Floats:
    """Mean of n samples (odd) about each, along the last axis; beyond the ends x goes on as it ends."""
    half = n // 2
    ends = np.concatenate([x[..., :1].repeat(half + 1, -1), x, x[..., -1:].repeat(half, -1)], axis=-1)
    total = ends.cumsum(axis=-1)
    mean: Floats = (total[..., n:] - total[..., :-n]) / n
    return mean


def waves_in(x: Floats, scale: Floats) -> Ints:
    """Places of the steep waves of x (leads, n) mV, leads weighed by `scale` (leads,) 1/mV; at least APART, in order."""
    smooth = _mean_of(x, SMOOTH)
    slope = np.zeros_like(x)
    slope[:, 1:-1] = smooth[:, 2:] - smooth[:, :-2]
    energy = np.add.reduce((slope * scale[:, None]) ** 2)
    energy = np.sqrt(np.maximum(_mean_of(_mean_of(energy, ENERGY), ENERGY), 0.0))
    middle = energy[1:-1]
    tops = np.flatnonzero((middle >= energy[:-2]) & (middle > energy[2:])) + 1
    kept: list[int] = []
    for top in tops[np.argsort(-energy[tops], kind="stable")].tolist():
        if all(abs(top - other) >= APART for other in kept):
            kept.append(top)
    at = np.array(sorted(kept), dtype=np.int64)
    if not len(at):
        return at
    near = np.abs(at[:, None] - at[None]) <= NEAR
    tallest = np.maximum.reduce(np.where(near, energy[at][None], 0.0), axis=1)
    large: Ints = at[energy[at] >= NEAR_SHARE * tallest]
    return large


def _alike(windows: Floats, shapes: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Best correlation over the lags of windows (m, lags, leads, WIDTH) with shapes (m, leads, WIDTH): together, worst lead."""
    z, t = windows * scale[:, None], shapes * scale[:, None]
    product = np.einsum("mkld,mld->mkl", z, t)
    energy_z, energy_t = np.einsum("mkld,mkld->mkl", z, z), np.einsum("mld,mld->ml", t, t)
    total = np.add.reduce(energy_t, axis=1)[:, None]
    together = np.add.reduce(product, axis=2) / np.sqrt(np.add.reduce(energy_z, axis=2) * total + 1e-12)
    best = together.argmax(axis=1)
    rows = np.arange(len(windows))
    single = product[rows, best] / np.sqrt(energy_z[rows, best] * energy_t + 1e-12)
    return together[rows, best], np.minimum.reduce(single, axis=1)


def _slowness(windows: Floats, slow: Floats, scale: Floats) -> Floats:
    """Share of the size (…, leads, WIDTH) that is left in the slow part: near 1 for wide beats, a half for narrow ones."""
    share: Floats = (np.ptp(slow, axis=-1) * scale).sum(axis=-1) / (
        (np.ptp(windows, axis=-1) * scale).sum(axis=-1) + 1e-9
    )
    return share


def fast_run(x: Floats, shape: Floats, beats: list[tuple[int, bool]]) -> FastRun | None:
    """The run in x (leads, n) mV that is least like `shape` (leads, WIDTH), places in x; None without five fast waves.

    `beats` are the places of those that were found, and whether they are ventricular.
    """
    scale = 1.0 / np.maximum(np.ptp(shape, axis=1), LEAST_MV)
    at = waves_in(x, scale)
    at = at[(at >= BEFORE + LAG) & (at < x.shape[1] - AFTER - LAG)]
    if len(at) < VT_BEATS:
        return None
    rr = np.diff(at) / RATE_HZ
    bpm = 60.0 * (VT_BEATS - 1) / np.convolve(rr, np.ones(VT_BEATS - 1), "valid")
    if not (bpm >= VT_BPM).any():
        return None
    every = overlapping(x, WIDTH)
    places = at[:, None] - BEFORE + np.arange(-LAG, LAG + 1)
    windows = every[:, places].transpose(1, 2, 0, 3)
    windows = windows - windows.mean(axis=3, keepdims=True)
    middle = windows[:, LAG]
    own, _ = _alike(windows, np.broadcast_to(shape, middle.shape), scale)
    alike, worst = _alike(windows[1:], middle[:-1], scale)
    slow = overlapping(_mean_of(x, SLOW), WIDTH)[:, at - BEFORE]
    usual = _slowness(shape, _mean_of(shape, SLOW), scale)
    wider = _slowness(middle, slow.transpose(1, 0, 2), scale) - usual
    foreign = 1.0 / (1.0 + np.exp(-(6.0 * (0.7 - own) + 10.0 * (wider - 0.1))))
    mean = np.convolve(foreign, np.ones(VT_BEATS) / VT_BEATS, "valid")
    odd = foreign > 0.5
    row = (
        np.convolve(odd, np.ones(VT_BEATS), "valid") >= VT_BEATS - 1
    )  # a capture, or a wave too many, breaks no run
    row &= odd[: -VT_BEATS + 1] & odd[VT_BEATS - 1 :] & (bpm >= VT_BPM)
    if not row.any():
        return None
    k = int(np.where(row, mean, -1.0).argmax())
    five, four = slice(k, k + VT_BEATS), slice(k, k + VT_BEATS - 1)
    named = [any(v and abs(place - b) < SAME for b, v in beats) for place in at[five].tolist()]
    measures = [
        mean[k],
        alike[four].mean(),
        worst[four].mean(),
        wider[five].mean(),
        rr[four].std() / rr[four].mean(),
    ]
    a, b = k, k + VT_BEATS - 1
    while a > 0 and odd[a - 1] and rr[a - 1] <= 60.0 / VT_BPM:
        a -= 1
    while b < len(at) - 1 and odd[b + 1] and rr[b] <= 60.0 / VT_BPM:
        b += 1
    rate = 60.0 * (b - a) * RATE_HZ / float(at[b] - at[a])
    return FastRun(int(at[a]), int(at[b]), b - a + 1, rate, np.array([*measures, sum(named) / VT_BEATS]))


def _explained(recent: list[SeenBeat], now: int) -> bool:
    """Whether a window shows the patient's own beats and nothing between them: most windows, and no need to look twice."""
    if len(recent) < 3 or any(ventricular(beat) or beat.dominant < OWN for beat in recent):
        return False
    rr = [after.at - before.at for before, after in pairwise(recent)]
    return max(rr) <= STEADY * min(rr) and now - recent[-1].at <= STEADY * max(rr) + LATE


class FastRuns:
    """Decision by decision; says how long and fast a run is by now, while it goes on. Alarms go by it; it names no rhythm."""

    def __init__(self, score: RunScore) -> None:
        self._score = score
        self._first = self._last = 0  # inner samples of the run that is on
        self._beats = 0
        self.on = False

    def step(self, view: View, sight: Sight, beats: Beats, offset: int, due: int) -> list[Said]:
        """A decision."""
        found = self.look(view, sight, beats)
        if found is not None and self._score.of(found.measures) > (OFF if self.on else ON):
            return self._goes_on(found, sight, offset, due)
        self.on = self.on and view.now - self._last <= GONE_S * RATE_HZ
        return []

    def look(self, view: View, sight: Sight, beats: Beats) -> FastRun | None:
        """The run that a view shows, if any, in inner samples."""
        first = view.now + 1 - SPAN - BEFORE - LAG
        common = beats.common
        if common is None or first < sight.first:
            return None
        recent = beats.within(first, view.now + 1)
        if _explained(recent, view.now):
            return None
        x, usable = sight.stretch(first, view.now + 1)
        shape, seen = common
        leads = np.flatnonzero((usable > 0) & (seen > 0))
        if not len(leads):
            return None
        found = fast_run(x[leads], shape[leads], [(beat.at - first, ventricular(beat)) for beat in recent])
        if found is None:
            return None
        return replace(found, first=found.first + first, last=found.last + first)

    def _goes_on(self, found: FastRun, sight: Sight, offset: int, due: int) -> list[Said]:
        overlaps = self.on and found.first <= self._last
        if not overlaps:
            self._first, self._beats = found.first, 0
        self.on, self._last = True, max(found.last, self._last)
        # A run that began before what is held is as long as its rate says.
        spanned = 1 + round((self._last - self._first) / RATE_HZ * found.bpm / 60)
        self._beats = max(self._beats, min(max(found.beats, spanned if overlaps else 0), MOST_BEATS))
        onset = sight.inner.outer(self._first) + offset
        return [RunSaid(onset, due, self._beats, found.bpm, RUN_RULE)]
