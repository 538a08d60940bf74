"""From probabilities to marks: where P, QRS and T of one beat begin, peak and end in one lead.

A wave is a run of samples of which the net is more than half sure. Where the probability crosses one half, between two
samples, the wave begins or ends. All places are in samples of the arrays given; masses are sums of probability, in s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.condition import INNER_HZ

Floats = npt.NDArray[np.float64]

FIDUCIALS = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")
P, QRS, T = 0, 1, 2  # rows of the probabilities
QRS_CLOSED_S, T_CLOSED_S, P_CLOSED_S = 0.030, 0.060, 0.040  # shorter gaps in a run do not end it
QRS_MASS_S, T_MASS_S, P_MASS_S = 0.020, 0.040, 0.020  # what is less is no wave
TIED_S = 0.100  # a run belongs to a beat inside it, or no further away
APART_S = 0.200  # two QRS complexes are no closer, end to begin
P_REACH_S = 1.0  # before QRS on
QUIET, NOISE_LEAST_S = (
    0.1,
    0.2,
)  # probability of a QRS where noise is measured, and how much of that there must be
NORMAL_SD = 1.4826  # of a normal distribution, in units of its median absolute value
_RAMP = np.arange(1024)
SMOOTH_HALF = 2  # samples on either side: a peak is looked for in means over 20 ms


class PState(StrEnum):
    """What is known of a beat's P."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LeadMarks:
    """A beat's marks, in samples; None: there is no such wave. `p_taken_over`: P is where the other leads have it."""

    p_on: float | None = None
    p_peak: float | None = None
    p_off: float | None = None
    qrs_on: float | None = None
    qrs_off: float | None = None
    t_on: float | None = None
    t_peak: float | None = None
    t_off: float | None = None
    p_state: PState = PState.UNKNOWN
    p_taken_over: bool = False

    def placed(self, place: Callable[[float], float]) -> LeadMarks:
        """The same marks, each moved by `place`."""
        p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off = (
            None if at is None else place(at) for at in self.places
        )
        waves = p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off
        return LeadMarks(*waves, self.p_state, self.p_taken_over)

    @property
    def places(self) -> tuple[float | None, ...]:
        """The marks alone, in the order of FIDUCIALS."""
        return (
            self.p_on,
            self.p_peak,
            self.p_off,
            self.qrs_on,
            self.qrs_off,
            self.t_on,
            self.t_peak,
            self.t_off,
        )

    def without_p(self) -> LeadMarks:
        """The same marks of a beat that has no P."""
        return replace(self, p_on=None, p_peak=None, p_off=None, p_state=PState.ABSENT, p_taken_over=False)


@dataclass(frozen=True, slots=True)
class Wave:
    """Begin, peak and end of a wave, and its mass."""

    on: float
    peak: float
    off: float
    mass_s: float


@dataclass(frozen=True, slots=True)
class Waves:
    """What the net drew of one beat in one lead; `qrs` is begin and end."""

    qrs: tuple[float, float] | None = None
    p: Wave | None = None
    t: Wave | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Samples first .. stop - 1 of a probability above one half, short gaps included."""

    first: int
    stop: int
    mass_s: float


def above_half(p: Floats) -> list[list[tuple[int, int]]]:
    """Where each row of probabilities (rows, n) is above one half: samples first .. stop - 1 of every such piece, in order."""
    above = np.empty((len(p), p.shape[1] + 2), dtype=np.bool_)
    above[:, 0] = above[:, -1] = False
    np.greater(p, 0.5, out=above[:, 1:-1])
    rows, edges = (above[:, 1:] != above[:, :-1]).nonzero()
    pieces: list[list[tuple[int, int]]] = [[] for _ in p]
    for row, first, stop in zip(rows[::2].tolist(), edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        pieces[row].append((first, stop))
    return pieces


def runs(
    p: Floats, pieces: list[tuple[int, int]], first: int, stop: int, closed_s: float, least_s: float
) -> list[Run]:
    """Runs of p (n,), whose `pieces` are above one half, within first .. stop - 1; gaps under `closed_s` closed, masses above `least_s`."""
    joined: list[tuple[int, int]] = []
    for piece in pieces:
        begin, end = max(piece[0], first), min(piece[1], stop)
        if begin >= end:
            continue
        if joined and begin - joined[-1][1] < closed_s * INNER_HZ:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    found = [Run(begin, end, float(np.add.reduce(p[begin:end])) / INNER_HZ) for begin, end in joined]
    return [run for run in found if run.mass_s > least_s]


def crossing(p: Floats, at: int) -> float | None:
    """Where p crosses one half between samples at - 1 and at; None where it does not, or beyond the array."""
    if not 0 < at < len(p):
        return None
    before, after = float(p[at - 1]), float(p[at])
    if (before > 0.5) == (after > 0.5):  # a bound of the search cut the run, and its end is not known
        return None
    return at - 1 + (0.5 - before) / (after - before)


def smoothed(y: Floats) -> Floats:
    """Sums of y (leads, n) over SMOOTH_HALF samples on either side; beyond the ends stand the values there."""
    n = y.shape[1]
    around = np.concatenate([y[:, :1]] * SMOOTH_HALF + [y] + [y[:, -1:]] * SMOOTH_HALF, axis=1)
    total = around[:, :n].copy()
    for k in range(1, 2 * SMOOTH_HALF + 1):
        total += around[:, k : k + n]
    return total


def peak(smooth: Floats, on: float, off: float) -> float:
    """Where a smoothed wave (n,) is farthest from its chord between on and off."""
    first, stop = max(ceil(on), 0), min(int(off) + 1, len(smooth))
    n = stop - first
    if n < 3:
        return (on + off) / 2
    wave = smooth[first:stop]
    chord = wave[0] + (wave[-1] - wave[0]) / (n - 1) * (_RAMP[:n] if n <= len(_RAMP) else np.arange(n))
    return float(first + np.abs(wave - chord).argmax())


def noise_mv(y: Floats, smooth: Floats, qrs: Floats) -> Floats:
    """Noise between the QRS complexes of high-passed mV (leads, n), smoothed too, given their probability (n,): (leads,) mV RMS.

    What differs from the mean over 20 ms; a median, so that a wave's corner or a spike does not count. Of white noise that
    is all but a fifth of the power, of P and T next to nothing. Infinite where too little lies between the complexes.
    """
    inner = slice(SMOOTH_HALF, y.shape[1] - SMOOTH_HALF)
    between = (qrs[inner] < QUIET).nonzero()[0]
    if not len(between) or len(between) < NOISE_LEAST_S * INNER_HZ:
        return np.full(len(y), np.inf)
    taps = 2 * SMOOTH_HALF + 1
    rest = np.abs(y[:, inner] - smooth[:, inner] / taps).take(between, axis=1)
    below, above = (len(between) - 1) // 2, len(between) // 2
    rest.partition((below, above), axis=1)
    middle = (rest[:, below] + rest[:, above]) / 2
    level: Floats = middle * (NORMAL_SD / sqrt(1 - 1 / taps))
    return level


def heaviest(found: list[Run]) -> Run | None:
    return max(found, key=lambda run: run.mass_s, default=None)


def _ends(p: Floats, run: Run | None) -> tuple[float, float] | None:
    """Begin and end of a run; None when it is cut off by a bound of the search or an end of the array."""
    if run is None:
        return None
    on, off = crossing(p, run.first), crossing(p, run.stop)
    return None if on is None or off is None else (on, off)


def _wave(p: Floats, smooth: Floats, run: Run | None) -> Wave | None:
    ends = _ends(p, run)
    return None if run is None or ends is None else Wave(ends[0], peak(smooth, *ends), ends[1], run.mass_s)


def tied(found: list[Run], at: float) -> Run | None:
    """The heaviest QRS run that holds the beat at `at`, or lies near enough."""
    return heaviest([run for run in found if _near(run, at)])


def _near(run: Run, at: float) -> bool:
    reach = TIED_S * INNER_HZ
    return run.first - reach <= at <= run.stop - 1 + reach


def draw(p: Floats, smooth: Floats, at: float, before: float = -np.inf, after: float = np.inf) -> list[Waves]:
    """Waves of the beat at `at` in each lead, from probabilities (leads, 3, n) and smoothed mV (leads, n), up to the newest sample known.

    `before` and `after`: the beats on either side, as far as there are any; its P and T lie between them.
    """
    pieces = above_half(p.reshape(-1, p.shape[2]))
    return [
        _draw(p[lead], pieces[3 * lead : 3 * lead + 3], smooth[lead], at, before, after)
        for lead in range(len(p))
    ]


def _draw(
    p: Floats,
    pieces: list[list[tuple[int, int]]],
    smooth: Floats,
    at: float,
    before: float,
    after: float,
) -> Waves:
    """In one lead: p (3, n) with the pieces above one half of its rows, smooth (n,)."""
    n = p.shape[1]
    found = runs(p[QRS], pieces[QRS], 0, n, QRS_CLOSED_S, QRS_MASS_S)
    qrs = tied(found, at)
    if qrs is None:
        return Waves()
    apart = APART_S * INNER_HZ
    earlier = [r.stop for r in found if r.stop <= qrs.first - (0 if _near(r, before) else apart)]
    later = [r.first for r in found if r.first >= qrs.stop + (0 if _near(r, after) else apart)]
    reach = qrs.first - round(P_REACH_S * INNER_HZ)
    begin = max([*earlier, 0, reach, int(max(before, 0))])
    end = min([*later, n, int(min(after, n))])
    return Waves(
        _ends(p[QRS], qrs),
        _wave(p[P], smooth, heaviest(runs(p[P], pieces[P], begin, qrs.first, P_CLOSED_S, P_MASS_S))),
        _wave(p[T], smooth, heaviest(runs(p[T], pieces[T], qrs.stop, end, T_CLOSED_S, T_MASS_S))),
    )
