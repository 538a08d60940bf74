"""How good each lead is, and why it is not: every quarter second, from that and what came before.

| trouble | measure | window |
|---|---|---|
| flat | peak to peak under 4 uV or 2.5 counts, at most 20 uV (20 counts where the unit is arbitrary) | 1 s |
| saturated | share of samples at the converter's rail | 1 s |
| wander | peak to peak below 0.7 Hz | 2 s |
| motion | its change within a quarter second: an electrode that shifts, not one that drifts | 1 s |
| mains | amplitude at 50 or 60 Hz, the larger | 1 s |
| muscle | RMS above 40 Hz in 50 ms pieces, their median: QRS fill too few of them to count | 2 s |

Each measure has a limit up to which a lead is good and one from which it is poor; severity is 1 and 2 there, its
logarithm straight between. It may rise by 0.5 a hop and fall by 0.125, and a grade is left for a better one only 0.2
inside: so grades stand still on steady signals. A grade tells a person and explains; it never stops the analysis, for
ventricular fibrillation is not a good-looking signal either. What stops it is `usable`: rail or flat for its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from daemon.dsp.filters import Bridge, Cascade, Floats, Mask, high_pass, low_pass, response
from daemon.dsp.leads import Montage
from daemon.model.findings import Grade, Trouble

PIECES = 5
"""Live steps in one hop of quality (a quarter second)."""

_SECOND = 4  # hops
_SLOW_HZ, _FAST_HZ = 0.7, 40.0
# Between the beats of a slow heart a good lead may lie within 5 uV for a second; a dead one is steady to its last count.
_FLAT_MV, _FLAT_STEPS, _FLAT_MOST_MV, _FLAT_COUNTS = 0.004, 2.5, 0.020, 20.0
_RAILED, _UNRAILED = (
    0.8,
    0.2,
)  # share of half a second at the rail: an R wave's clipped top stays far below it

_LIMITS: dict[Trouble, tuple[float, float]] = {
    Trouble.SATURATED: (0.01, 0.15),
    Trouble.WANDER: (0.5, 1.6),
    Trouble.MOTION: (0.3, 0.8),
    Trouble.MAINS: (0.04, 0.2),
    Trouble.MUSCLE: (0.02, 0.06),
}
"""Good up to, poor from; mV (a share for saturated)."""

_TROUBLES = tuple(_LIMITS)
_GOOD = np.array([[_LIMITS[t][0]] for t in _TROUBLES])
_SPAN = np.log(np.array([[_LIMITS[t][1]] for t in _TROUBLES]) / _GOOD)
_KEPT = 2 * _SECOND - 1
"""Hops before a new one that its longest window holds."""
_AGO = (np.arange(_SECOND)[:, None] - np.arange(_SECOND)) % _SECOND
"""How many hops ago the hops of the last second came, in the order of their number modulo its length; by that of the newest."""
_RISE, _FALL, _INSIDE, _RELUCTANCE = 0.5, 0.125, 0.2, 0.3


Places = npt.NDArray[np.int64]
Numbers = TypeVar("Numbers", Floats, npt.NDArray[np.complex128])


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """The state of one lead. `score` 1.0 = nothing wrong, 0.0 = worst."""

    grade: Grade
    trouble: Trouble
    electrodes: tuple[str, ...] = ()
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Indexed:
    """Of some hops: `severity` (hops, troubles, measured), zeros until a second has been seen.

    `flat` and `railed` (hops, measured) hold for the samples that come after each hop.
    """

    severity: Floats
    flat: Mask
    railed: Mask


class Indices:
    """The measures of every measured lead, in hops of `hop` samples (a multiple of `PIECES`), many of them at once.

    `flat` and `railed` (measured,) hold for the samples that come after the last hop given.
    """

    def __init__(self, montage: Montage, rate_hz: float, hop: int) -> None:
        leads = len(montage.measured)
        self._hop = hop
        fast = high_pass(2, min(_FAST_HZ, 0.35 * rate_hz), rate_hz)
        self._filters = Cascade(
            hop,
            leads,
            low_pass(2, _SLOW_HZ, rate_hz),
            fast,
        )
        self._bridge = Bridge(leads, patience=round(0.2 * rate_hz))
        gain = np.array([np.abs(montage.gain[used, 0]).max() for used in montage.mixed], dtype=np.float64)
        flat_mv = np.minimum(np.maximum(_FLAT_MV, _FLAT_STEPS * gain), _FLAT_MOST_MV)
        self._flat_below = np.where(montage.in_millivolts, flat_mv, _FLAT_COUNTS * gain)
        mains = np.array([hz for hz in (50.0, 60.0) if hz < 0.49 * rate_hz])
        phase = np.exp(-2j * np.pi * np.outer(mains, np.arange(hop)) / rate_hz)
        passed = np.abs(response(fast, mains, rate_hz))
        tone = phase * (2.0 / (_SECOND * hop) / passed[:, None])
        self._tone = np.concatenate([tone.real, tone.imag])
        self._turn = np.exp(-2j * np.pi * mains * hop / rate_hz)[:, None]
        self._leads = leads
        self.skip(0)

    def skip(self, n: int) -> None:
        """Begin anew behind `n` missing samples."""
        leads = self._leads
        self._bridge.skip(n)
        self._seen = 0
        # Of the last hops, as many as a window of two seconds needs before a new one.
        # Highest value of the signal and of what is slow in it, the lowest of both turned over, and how far the slow part went.
        self._spans = np.full((_KEPT, 5, leads), -np.inf)
        self._tones = np.zeros((_KEPT, len(self._turn), leads), dtype=np.complex128)
        self._pieces = np.full((_KEPT, PIECES, leads), np.inf)
        self._rail = np.zeros((_KEPT, leads))
        self._rotation = np.ones_like(self._turn)
        self.flat = np.zeros(leads, dtype=np.bool_)
        self.railed = np.zeros(leads, dtype=np.bool_)

    def push(self, millivolts: Floats, saturated: Mask, good: Mask) -> Indexed:
        """Take whole hops, all of shape (hops, hop, measured)."""
        hops = len(millivolts)
        x, restarts = self._bridge.steps(millivolts, good)
        both = self._filters.steps(x, restarts)
        fast = both[:, self._hop :]
        # The reductions are called as such: with a few leads numpy's methods around them cost more than they do.
        total = np.add.reduce
        pieces = total(np.square(fast).reshape(hops, PIECES, -1, self._leads), axis=2) / (self._hop // PIECES)
        self._spans = _kept(self._spans, self._spanned(x, both[:, : self._hop]))
        tone = self._tone @ fast
        mains = len(self._turn)
        self._tones = _kept(self._tones, self._turned(hops) * (tone[:, :mains] + 1j * tone[:, mains:]))
        self._pieces = _kept(self._pieces, pieces)
        self._rail = _kept(self._rail, total(saturated, axis=1, dtype=np.float64) / self._hop)
        seen = self._seen + np.arange(1, hops + 1)
        self._seen += hops
        second, two = _most_in_windows(self._spans)
        flat = (second[:, 0] + second[:, 2] < self._flat_below) & (seen >= _SECOND)[:, None]
        self.flat = flat[-1]
        severity = self._severity(seen, wander=two[:, 1] + two[:, 3], shift=second[:, 4])
        return Indexed(severity, flat, self._railed(hops))

    def _spanned(self, x: Floats, slow: Floats) -> Floats:
        """A hop's part of `_spans`, of (hops, hop, leads)."""
        values = np.empty((len(x), 4, self._leads, self._hop))
        values[:, 0], values[:, 1] = x.transpose(0, 2, 1), slow.transpose(0, 2, 1)
        np.negative(values[:, :2], out=values[:, 2:])
        spans = np.empty((len(x), 5, self._leads))
        np.maximum.reduce(values, axis=3, out=spans[:, :4])
        spans[:, 4] = spans[:, 1] + spans[:, 3]
        return spans

    def _turned(self, hops: int) -> npt.NDArray[np.complex128]:
        """The phase of the mains at each hop, against its phase in the first one."""
        turned = []
        for _ in range(hops):
            self._rotation = self._rotation * self._turn
            turned.append(self._rotation)
        return np.array(turned)

    def _railed(self, hops: int) -> Mask:
        if not self.railed.any() and not self._rail[_KEPT - 1 :].any():
            return np.zeros((hops, self._leads), dtype=np.bool_)
        rail = (self._rail[_KEPT:] + self._rail[_KEPT - 1 : -1]) / 2.0
        begins, stays = rail >= _RAILED, rail > _UNRAILED
        railed = np.empty_like(begins)
        for hop in range(hops):
            railed[hop] = self.railed = np.where(self.railed, stays[hop], begins[hop])
        return railed

    def _severity(self, seen: Places, wander: Floats, shift: Floats) -> Floats:
        """Of the last hops, after which `seen` (hops,) of them had been seen."""
        total = np.add.reduce
        # Hop k of the stream is summed at place k % _SECOND, so that the last bit does not depend on how many come at once.
        second = np.arange(_KEPT, _KEPT + len(seen))[:, None] - _AGO[(seen - 1) % _SECOND]
        tones = np.abs(total(self._tones[second], axis=1))
        tone = np.maximum.reduce(tones, axis=1, initial=0.0)
        middle = _middle(self._pieces, np.minimum(seen, 2 * _SECOND) * PIECES)
        values = np.empty((len(seen), len(_TROUBLES), self._leads))
        values[:, 0] = total(self._rail[second], axis=1) / _SECOND
        values[:, 1] = wander
        values[:, 2] = shift
        values[:, 3] = tone
        values[:, 4] = np.sqrt(np.maximum(middle - tone**2 / 2.0, 0.0))
        severity: Floats = 1.0 + np.log(np.maximum(values, 1e-9) / _GOOD) / _SPAN
        severity = np.minimum(np.maximum(severity, 0.0), 3.0)
        severity[seen < _SECOND] = 0.0
        return severity


class Quality:
    """The grade of every lead and of all together ("global"), from the indices and the electrodes."""

    def __init__(self, montage: Montage) -> None:
        self._montage = montage
        self._held = [0.0] * len(montage.measured)
        self._trouble = [0] * len(montage.measured)  # places in _TROUBLES
        self._grades = [Grade.GOOD] * len(montage.measured)
        self._off: frozenset[str] = frozenset()
        self._standing: list[bool] | None = None  # of every lead with these electrodes off
        self.leads: dict[str, LeadQuality] = {}

    def step(self, severity: Floats, flat: Mask, railed: Mask, off: frozenset[str]) -> dict[str, LeadQuality]:
        """What has changed in grade, trouble or electrodes by this hop; `leads` is all of it."""
        measured = self._measured(severity, flat, railed)
        if self._standing is None or off != self._off:
            self._off, self._standing = off, self._montage.standing(dict.fromkeys(off, False)).tolist()
        now = {
            lead: self._lead(lead, [measured[k] for k in sources], stands, off)
            for lead, sources, stands in zip(
                self._montage.all, self._montage.sources, self._standing, strict=True
            )
        }
        now["global"] = self._all(now, off)
        changed = {
            lead: quality
            for lead, quality in now.items()
            if lead not in self.leads or _said(quality) != _said(self.leads[lead])
        }
        self.leads = now
        return changed

    def _measured(self, severity: Floats, flat: Mask, railed: Mask) -> list[LeadQuality]:
        out = []
        for lead, each in enumerate(severity.T.tolist()):
            top = max(each)
            self._held[lead] = held = self._held[lead] + min(max(top - self._held[lead], -_FALL), _RISE)
            if top > each[self._trouble[lead]] + _RELUCTANCE:
                self._trouble[lead] = each.index(top)
            self._grades[lead] = grade = _graded(held, self._grades[lead])
            score = min(max(1.0 - held / 3.0, 0.0), 1.0)
            if railed[lead]:
                out.append(LeadQuality(Grade.POOR, Trouble.SATURATED, score=0.0))
            elif flat[lead]:
                out.append(LeadQuality(Grade.POOR, Trouble.FLAT, score=0.0))
            elif grade is Grade.GOOD:
                out.append(LeadQuality(grade, Trouble.NONE, score=score))
            else:
                out.append(LeadQuality(grade, _TROUBLES[self._trouble[lead]], score=score))
        return out

    def _lead(self, lead: str, sources: list[LeadQuality], stands: bool, off: frozenset[str]) -> LeadQuality:
        """A measured lead's own quality; a derived one is as bad as the worst of its sources."""
        if not stands:
            mine = tuple(sorted(off & self._montage.needs(lead))) or tuple(sorted(off))
            return LeadQuality(Grade.OFF, Trouble.OFF, mine, 0.0)
        return sources[0] if len(sources) == 1 else min(sources, key=lambda source: source.score)

    def _all(self, leads: dict[str, LeadQuality], off: frozenset[str]) -> LeadQuality:
        """The best lead's grade, for one good lead serves; but not "good" while another is off or poor."""
        best = max(leads.values(), key=lambda quality: quality.score)
        worst = min(leads.values(), key=lambda quality: quality.score)
        electrodes = tuple(sorted(off))
        if best.grade is Grade.GOOD and (off or worst.grade in {Grade.POOR, Grade.OFF}):
            return LeadQuality(Grade.ACCEPTABLE, worst.trouble, electrodes, best.score)
        return LeadQuality(best.grade, best.trouble, electrodes, best.score)


def _kept(past: Numbers, new: Numbers) -> Numbers:
    """The last hops, and the new ones behind them."""
    return np.concatenate([past[-_KEPT:], new])


def _most_in_windows(x: Floats) -> tuple[Floats, Floats]:
    """The largest of the hops of the second, and of the two seconds, that end with each new one; by doubling."""
    pairs = np.maximum(x[:-1], x[1:])
    second = np.maximum(pairs[:-2], pairs[2:])
    return second[_SECOND:], np.maximum(second[:-_SECOND], second[_SECOND:])


def _middle(pieces: Floats, n: Places) -> Floats:
    """Median (hops, leads) of the least `n` (hops,) pieces of the two seconds that end with each new hop."""
    leads, size = pieces.shape[2], pieces.itemsize
    windows: Floats = np.ndarray(  # of each hop all its pieces, overlapping, without copying
        (len(n), 2 * _SECOND * PIECES, leads),
        np.float64,
        pieces,
        strides=(PIECES * leads * size, leads * size, size),
    )
    ordered, hop = np.sort(windows, axis=1), np.arange(len(n))
    middle: Floats = (ordered[hop, (n - 1) // 2] + ordered[hop, n // 2]) / 2.0
    return middle


def _said(quality: LeadQuality) -> tuple[Grade, Trouble, tuple[str, ...]]:
    return quality.grade, quality.trouble, quality.electrodes


def _graded(held: float, before: Grade) -> Grade:
    poor = 2.0 - (_INSIDE if before is Grade.POOR else 0.0)
    acceptable = 1.0 - (_INSIDE if before is not Grade.GOOD else 0.0)
    if held >= poor:
        return Grade.POOR
    return Grade.ACCEPTABLE if held >= acceptable else Grade.GOOD
