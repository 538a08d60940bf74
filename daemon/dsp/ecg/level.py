"""How large a beat is in each lead, and how far each lead is to be believed.

Time is cut in blocks of 1 s counted from the start. A block's levels come from the complete blocks before it, so they do not
hang on what the detector said, except for one floor: within 10 s of a beat the level falls by no more than half, or a pause
would make beats of P waves and noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BLOCKS = 8  # of 1 s: the level is the median of their maxima
START_BLOCKS = 3  # blocks that a lead needs before it has a level
MIN_LEVEL, MIN_START_LEVEL = 1.0, 4.0  # mV/s
FLAT = 0.5  # mV/s: a lead that stays below it for a block shows no heart
FLOOR_SHARE, FLOOR_S = 0.5, 10.0
FORGET_S = 10.0  # a lead blind or flat for so long starts anew
RISE, FALL = 1 / 60, 1 / 10  # of log2, a block: the slow level that sudden rises are judged by
MAX_LEADS = 4  # looked at at once; more add nothing to a decision but time
KEEP_FACTOR = 2.0  # a lead gives way to one of so much more weight
ARTEFACT = 4.0  # levels: taller than any beat
SOFT = 1.5  # levels: what is over it counts a quarter


class Levels:
    """State of all leads for the current block; `level` and `weight` (leads,) hold from its first to its last sample."""

    def __init__(self, leads: int) -> None:
        self.level = np.full(leads, MIN_START_LEVEL)
        self.weight = np.ones(leads)
        self._maxima = np.full((BLOCKS, leads), np.nan)
        self._medians = np.full((BLOCKS, leads), np.nan)
        self._blocks = np.zeros(leads, dtype=np.int64)
        self._blind_blocks = np.zeros(leads, dtype=np.int64)
        self._flat = np.zeros(leads, dtype=np.bool_)
        self._slow = np.full(leads, np.nan)
        self._beat_level = np.zeros(leads)
        self._running = np.zeros(leads)
        self._chosen = np.ones(leads, dtype=np.bool_) if leads <= MAX_LEADS else np.arange(leads) < MAX_LEADS
        self.background = np.full(leads, 0.15)  # share of the level that is there between beats
        self.starting = True
        """Whether no lead has a level of its own yet: then the level is the running maximum."""

    def saw_beat(self) -> None:
        """A beat was accepted in the current block: its level is the one that a pause may not lose."""
        self._beat_level = np.where(self._blocks >= START_BLOCKS, self.level, 0.0)

    def begin_start(self, envelope: Floats) -> None:
        """Starting (again): `envelope` (leads, n) is what is in hand ahead of the first sample."""
        self._running = envelope.max(axis=1)

    def start_level(self, envelope: Floats) -> Floats:
        """Level (leads, n) while starting: the running maximum of the envelope, which is given ahead."""
        running = np.maximum.accumulate(envelope, axis=1)
        np.maximum(running, self._running[:, None], out=running)
        self._running = running[:, -1].copy()
        return np.maximum(running, MIN_START_LEVEL)

    def end_block(self, envelope: Floats, blind: Bools, seconds_since_beat: float) -> None:
        """Close a block of (leads, samples) and set the levels of the next one."""
        largest, middle, enough = _told(envelope, blind)
        self._flat = enough & (largest < FLAT)
        enough &= ~self._flat
        every = bool(enough.all())
        for remembered, new in ((self._maxima, largest), (self._medians, middle)):
            moved = np.concatenate([new[None], remembered[:-1]])
            remembered[:] = moved if every else np.where(enough, moved, remembered)
        self._blocks += enough & (self._blocks < BLOCKS)
        self._blind_blocks = np.where(enough, 0, self._blind_blocks + 1)
        for lead in np.flatnonzero(self._blind_blocks >= FORGET_S):
            self._maxima[:, lead] = self._medians[:, lead] = np.nan
            self._blocks[lead], self._running[lead], self._slow[lead], self._beat_level[lead] = (
                0,
                0.0,
                np.nan,
                0.0,
            )
        self.starting = bool((self._blocks < START_BLOCKS).all())
        self._set_levels(seconds_since_beat)
        self._set_weights()

    def _set_levels(self, seconds_since_beat: float) -> None:
        known = self._blocks > 0
        n = np.maximum(self._blocks, 1)
        # What is not known yet is no number, and such come last.
        level = np.where(known, medians(np.sort(self._maxima.T, axis=1), n), MIN_START_LEVEL)
        between = medians(np.sort(self._medians.T, axis=1), n)
        if seconds_since_beat < FLOOR_S:
            np.maximum(level, FLOOR_SHARE * self._beat_level, out=level)
        self.level = np.maximum(level, MIN_LEVEL)
        self.background = np.where(known, between / self.level, 0.15)

    def _set_weights(self) -> None:
        log_level = np.log2(self.level)
        self._slow = np.where(np.isnan(self._slow), log_level, self._slow)
        rise = log_level - self._slow
        self._slow += np.where(rise > 0, RISE, FALL) * rise
        jump = np.maximum(0.0, rise - 0.7)
        weight = 1 / (0.02 + self.background**2 + 0.25 * jump**2)
        if not self.starting:
            weight[self._blocks < START_BLOCKS] = 0.0
        if (
            not self._flat.all()
        ):  # else it is the heart that rests: at 30 beats a minute whole seconds are flat
            weight[self._flat] = 0.0
        self.weight = np.where(self._choose(weight), weight, 0.0)

    def _choose(self, weight: Floats) -> Bools:
        """The at most MAX_LEADS leads of most weight; one stays until another has KEEP_FACTOR times as much."""
        if len(weight) > MAX_LEADS:
            favoured = np.where(self._chosen, KEEP_FACTOR, 1.0) * np.where(
                self._blind_blocks > 0, 0.0, weight
            )
            self._chosen = np.zeros(len(weight), dtype=np.bool_)
            self._chosen[np.argsort(-favoured, kind="stable")[:MAX_LEADS]] = True
        return self._chosen


def _told(envelope: Floats, blind: Bools) -> tuple[Floats, Floats, Bools]:
    """Largest value and median of what was seen of a block (leads, samples), and whether that was half of it (leads,)."""
    samples = blind.shape[1]
    if not blind.any():
        ordered = np.sort(envelope, axis=1)
        middle = 0.5 * (ordered[:, (samples - 1) // 2] + ordered[:, samples // 2])
        return ordered[:, -1], middle, np.ones(len(blind), dtype=np.bool_)
    n = samples - np.add.reduce(blind, axis=1, dtype=np.int64)
    # What is blind comes last, behind the largest value that was seen.
    ordered = np.sort(np.where(blind, np.inf, envelope), axis=1)
    return _chosen(ordered, np.maximum(n - 1, 0)), medians(ordered, np.maximum(n, 1)), 2 * n >= samples


def _chosen(rows: Floats, place: npt.NDArray[np.int64]) -> Floats:
    """The value at `place` (rows,) of each of (rows, n)."""
    return rows[np.arange(len(rows)), place]


def medians(ordered: Floats, n: npt.NDArray[np.int64]) -> Floats:
    """The median of the first `n` (rows,) of each of (rows, values), which rise."""
    return 0.5 * (_chosen(ordered, (n - 1) // 2) + _chosen(ordered, n // 2))


def combine(envelope: Floats, level: Floats, weight: Floats, blind: Bools) -> tuple[Floats, Floats]:
    """One envelope c (n,) from those of the leads, and the weights (leads, n) that it took.

    c is the weighted mean of envelope/level, values over SOFT counted a quarter; 0 where no lead can be seen.
    """
    size = envelope / level
    weight = np.where(blind, 0.0, weight[:, None])
    tallest = np.maximum.reduce(size, axis=None)
    if len(size) > 1 and tallest > ARTEFACT:
        # One lead far over its level is an artefact. From 2 levels on, true beats that are tall in one lead would go too.
        weight *= np.where(size > ARTEFACT, (ARTEFACT / np.maximum(size, ARTEFACT)) ** 2, 1.0)
    soft = size if tallest <= SOFT else np.minimum(size, SOFT) + 0.25 * np.maximum(size - SOFT, 0.0)
    # Lead by lead, as an accumulation is, so that the last bit does not depend on n.
    top, bottom = np.add.accumulate(weight * soft)[-1], np.add.accumulate(weight)[-1]
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0), weight
