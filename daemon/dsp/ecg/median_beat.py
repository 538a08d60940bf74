"""The median beat, and what is read in it: amplitudes, ST level and slope, net areas for the axis.

Beats of the dominant shape are laid over each other and the median is taken sample by sample, at the device's own rate. Noise
and single odd beats go, what all have in common stays. Give it the signal from 0.05 Hz up: a higher low-cut moves ST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.marks import LeadMarks

Floats = npt.NDArray[np.float64]

BEFORE_S, AFTER_S = 0.45, 0.65  # of the R mark
SHIFT_S = 0.020  # that a beat is moved by, at most
LIKE = 0.9  # correlation with the dominant shape
LEAST_BEATS = 8
LEVEL_S, LEVEL_GAP_S = 0.020, 0.004  # PQ level: median of 20 ms that end 4 ms before QRS on
ST_AFTER_J_S = (0.0, 0.060, 0.080)
MEAN_HALF_S = 0.004  # an ST level is the mean of 8 ms


@dataclass(frozen=True, slots=True)
class MedianBeat:
    """`mv` (leads, n) with R at sample `r`; `beats` went into it."""

    mv: Floats
    r: int
    rate_hz: float
    beats: int


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one lead, mV against the PQ level, slope in mV/s. A wave that is not there has no amplitude.

    `q_mv` and `s_mv` are negative: the deepest point before, and after, the R; `st_mv` at J, J + 60 and J + 80 ms.
    """

    p_mv: float | None
    q_mv: float | None
    r_mv: float | None
    s_mv: float | None
    t_mv: float | None
    st_mv: tuple[float | None, float | None, float | None]
    st_slope_mv_s: float | None
    qrs_area_mv_s: float
    p_area_mv_s: float | None
    t_area_mv_s: float | None


def median_beat(mv: Floats, r_marks: Sequence[int], rate_hz: float) -> MedianBeat | None:
    """From a strip mV (leads, n) and its R marks; None unless LEAST_BEATS beats of one shape lie whole within it."""
    before, after, shift = (round(s * rate_hz) for s in (BEFORE_S, AFTER_S, SHIFT_S))
    inside = [r for r in r_marks if r - before - shift >= 0 and r + after + shift < mv.shape[1]]
    if len(inside) < LEAST_BEATS:
        return None
    core = round(0.12 * rate_hz)

    def shape(r: int) -> Floats:
        piece = mv[:, r - core : r + core]
        centred: Floats = (piece - piece.mean(axis=1, keepdims=True)).ravel()
        return centred / max(float(np.sqrt(centred @ centred)), 1e-12)

    shapes = np.stack([shape(r) for r in inside])
    model = shapes[int((shapes @ shapes.T > LIKE).sum(axis=1).argmax())]
    chosen: list[int] = []
    for r in inside:
        fits = [float(shape(r + lag) @ model) for lag in range(-shift, shift + 1)]
        best = int(np.argmax(fits))
        if fits[best] > LIKE:
            chosen.append(r + best - shift)
    if len(chosen) < LEAST_BEATS:
        return None
    stack = np.stack([mv[:, r - before : r + after] for r in chosen])
    return MedianBeat(np.median(stack, axis=0), before, rate_hz, len(chosen))


def levels(beat: MedianBeat, lead: int, marks: LeadMarks) -> Levels | None:
    """What is read in one lead at its marks, given in samples of the median beat; None without a QRS or a level before it."""
    if marks.qrs_on is None or marks.qrs_off is None:
        return None
    rate, n = beat.rate_hz, beat.mv.shape[1]
    on, j = round(marks.qrs_on), round(marks.qrs_off)
    stop = on - round(LEVEL_GAP_S * rate)
    first = stop - max(round(LEVEL_S * rate), 1)
    if first < 0 or j + 1 >= n or not on < j:
        return None
    x = beat.mv[lead] - float(np.median(beat.mv[lead, first:stop]))
    qrs = x[on : j + 1]
    top = int(qrs.argmax())
    r_mv = float(qrs[top]) if qrs[top] > 0 else None
    q_mv, s_mv = (_depth(qrs[:top]), _depth(qrs[top:])) if r_mv is not None else (_depth(qrs), None)
    st = tuple(_mean_at(x, j + after * rate, rate) for after in ST_AFTER_J_S)
    slope = None if st[0] is None or st[2] is None else (st[2] - st[0]) / ST_AFTER_J_S[2]
    return Levels(
        _height(x, marks.p_on, marks.p_off),
        q_mv,
        r_mv,
        s_mv,
        _height(x, marks.t_on, marks.t_off),
        (st[0], st[1], st[2]),
        slope,
        float(qrs.sum()) / rate,
        _area(x, marks.p_on, marks.p_off, rate),
        _area(x, marks.t_on, marks.t_off, rate),
    )


def _depth(x: Floats) -> float | None:
    return float(x.min()) if len(x) and x.min() < 0 else None


def _within(x: Floats, on: float | None, off: float | None) -> Floats | None:
    if on is None or off is None or round(on) < 0 or round(off) >= len(x):
        return None
    return x[round(on) : round(off) + 1]


def _height(x: Floats, on: float | None, off: float | None) -> float | None:
    """The value farthest from the level, with its sign."""
    wave = _within(x, on, off)
    return None if wave is None else float(wave[np.abs(wave).argmax()])


def _area(x: Floats, on: float | None, off: float | None, rate_hz: float) -> float | None:
    wave = _within(x, on, off)
    return None if wave is None else float(wave.sum()) / rate_hz


def _mean_at(x: Floats, at: float, rate_hz: float) -> float | None:
    half = round(MEAN_HALF_S * rate_hz)
    first, stop = round(at) - half, round(at) + half + 1
    return float(x[first:stop].mean()) if first >= 0 and stop <= len(x) else None
