"""The median beat: beats of the dominant shape laid over each other, the median taken sample by sample, at the device's own rate.

Noise and single odd beats go, what all have in common stays. Give it the signal from 0.05 Hz up: a higher low-cut moves ST.
What is read in it stands in `levels`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import overlapping

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BEFORE_S, AFTER_S = 0.45, 0.65  # of the R mark
SHIFT_S = 0.020  # that a beat is moved by, at most
CORE_S = 0.12  # of the R mark, either side: what a shape is judged by
LIKE = 0.9  # correlation with the dominant shape
LEAST_BEATS = 3  # as many as a median needs; a slow heart gives no more in ten seconds
NEXT_S = 2.5  # to the next beat, if it is to tell which way the baseline goes
LEVEL_S, LEVEL_GAP_S = 0.020, 0.004  # PQ level: median of 20 ms that end 4 ms before QRS on


@dataclass(frozen=True, slots=True)
class MedianBeat:
    """`mv` (leads, n) with R at sample `r`. `chosen` are the places of the beats that went into it among those offered.

    `r_marks` are their R marks as moved to fit; `leads` (leads,) says which rows hold anything, the others are NaN.
    """

    mv: Floats
    r: int
    rate_hz: float
    chosen: tuple[int, ...]
    r_marks: tuple[int, ...]
    leads: Bools

    @property
    def beats(self) -> int:
        return len(self.chosen)


def median_beat(
    mv: Floats, r_marks: Sequence[int], rate_hz: float, qrs_on: int | None = None
) -> MedianBeat | None:
    """From a strip mV (leads, n), NaN where a lead could not be used, and its R marks.

    `qrs_on` samples from R each beat's own PQ level ends (negative), and is set to zero before the median is taken, so
    that a baseline that wanders does no harm. None unless LEAST_BEATS beats of one shape lie whole within the strip.
    """
    before, after, shift = (round(s * rate_hz) for s in (BEFORE_S, AFTER_S, SHIFT_S))
    inside = [k for k, r in enumerate(r_marks) if r - before - shift >= 0 and r + after + shift < mv.shape[1]]
    lost = np.concatenate([np.zeros((len(mv), 1), np.int64), np.isnan(mv).cumsum(axis=1)], axis=1)
    whole = np.array(
        [lost[:, r_marks[k] + after + shift] == lost[:, r_marks[k] - before - shift] for k in inside]
    ).reshape(len(inside), len(mv))
    rows, usable = _rows(whole)
    inside = [k for k, use in zip(inside, usable, strict=True) if use]
    if len(inside) < LEAST_BEATS:
        return None
    chosen, moved = _alike(mv[rows], r_marks, inside, rate_hz)
    if len(chosen) < LEAST_BEATS:
        return None
    stack = np.stack([mv[rows, r - before : r + after] for r in moved])
    if qrs_on is not None:
        stack -= _baselines(stack, moved, before + qrs_on, rate_hz)
    middle = np.full((len(mv), before + after), np.nan)
    middle[rows] = _median(stack, 0)
    return MedianBeat(middle, before, rate_hz, tuple(chosen), tuple(moved), rows)


def _baselines(stack: Floats, moved: Sequence[int], qrs_on: int, rate_hz: float) -> Floats:
    """Under each beat (beats, leads, n) the line from its PQ level to that of the next; of the last, that before it.

    Meyer and Keiser, Comput Biomed Res 1977;10:459, draw a curve through these levels; between two of them a line does.
    """
    first, stop = level_span(qrs_on, rate_hz)
    level = _median(stack[:, :, max(first, 0) : max(stop, 1)], 2)
    step = np.diff(np.array(moved))
    near = (step < NEXT_S * rate_hz)[:, None]
    slope = np.where(near, np.diff(level, axis=0) / step[:, None], 0.0)
    slope = np.concatenate([slope, slope[-1:]])
    from_level = np.arange(stack.shape[2]) - (first + stop) / 2
    lines: Floats = level[:, :, None] + slope[:, :, None] * from_level
    return lines


def level_span(qrs_on: int, rate_hz: float) -> tuple[int, int]:
    """Samples first .. stop - 1 of the PQ level of a beat whose QRS begins at `qrs_on`."""
    stop = qrs_on - round(LEVEL_GAP_S * rate_hz)
    return stop - max(round(LEVEL_S * rate_hz), 1), stop


def _median(x: Floats, axis: int) -> Floats:
    """Of finite numbers; numpy's own looks for others, and brings in its masked arrays to do so."""
    n = x.shape[axis]
    ordered = np.sort(x, axis=axis)
    middle: Floats = (ordered.take((n - 1) // 2, axis=axis) + ordered.take(n // 2, axis=axis)) / 2
    return middle


def middle(x: Floats) -> float:
    """The median of a few values; numpy's own costs ten times as much for as few."""
    ordered = np.sort(x)
    n = len(ordered)
    return float(ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def _rows(whole: Bools) -> tuple[Bools, Bools]:
    """Leads (rows) and beats that stand together, from which beat is whole in which lead (beats, leads).

    The lead that costs the most beats is left out, until enough beats are whole in all that remain.
    """
    rows: Bools = np.asarray(whole.sum(axis=0) >= LEAST_BEATS)
    while rows.any():
        beats: Bools = np.logical_and.reduce(whole[:, rows], axis=1)
        if beats.sum() >= LEAST_BEATS and 2 * beats.sum() >= whole[:, rows].any(axis=1).sum():
            return rows, beats
        counts = np.where(rows, whole.sum(axis=0), len(whole) + 1)
        rows[counts.argmin()] = False
    return rows, np.zeros(len(whole), dtype=np.bool_)


def _alike(
    mv: Floats, r_marks: Sequence[int], inside: Sequence[int], rate_hz: float
) -> tuple[list[int], list[int]]:
    """The beats of the dominant shape, and their R marks moved to where they fit it best."""
    core, shift = round(CORE_S * rate_hz), round(SHIFT_S * rate_hz)
    # All beats at every shift: (beats, leads, shifts, samples); `power` is what is left of each lead without its mean.
    pieces = np.stack([mv[:, r_marks[k] - core - shift : r_marks[k] + core + shift] for k in inside])
    unmoved = pieces[:, :, shift : shift + 2 * core]
    shapes = (unmoved - unmoved.mean(axis=2, keepdims=True)).reshape(len(inside), -1)
    shapes /= np.array([[max(math.sqrt(one @ one), 1e-12)] for one in shapes])
    model = shapes[int((shapes @ shapes.T > LIKE).sum(axis=1).argmax())].reshape(len(mv), 2 * core)
    windows = overlapping(pieces, 2 * core)
    power = np.einsum("kltw,kltw->klt", windows, windows) - np.add.reduce(windows, axis=3) ** 2 / (2 * core)
    fits = np.einsum("kltw,lw->kt", windows, model) / np.sqrt(np.maximum(np.add.reduce(power, axis=1), 1e-24))
    best = fits.argmax(axis=1).tolist()
    fitting = [(k, at) for k, at, fit in zip(inside, best, fits.max(axis=1), strict=True) if fit > LIKE]
    return [k for k, _ in fitting], [r_marks[k] + at - shift for k, at in fitting]
