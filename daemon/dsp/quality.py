"""How good each lead is, and why it is not: every quarter second, from that and what came before.

| trouble | measure | window |
|---|---|---|
| flat | peak to peak under 20 uV (20 counts where the unit is arbitrary) | 1 s |
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

import numpy as np

from daemon.dsp.filters import Bridge, Cascade, Floats, Mask, high_pass, low_pass, response
from daemon.dsp.leads import Montage
from daemon.model.findings import Grade, Trouble

PIECES = 5
"""Live steps in one hop of quality (a quarter second)."""

_SECOND = 4  # hops
_SLOW_HZ, _FAST_HZ = 0.7, 40.0
_FLAT_MV, _FLAT_COUNTS = 0.020, 20.0
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
_LAST = (np.arange(2 * _SECOND)[:, None] - np.arange(_SECOND)) % (2 * _SECOND)
"""Places of the hops of the last second in a ring of two, by the place of the newest."""
_RISE, _FALL, _INSIDE, _RELUCTANCE = 0.5, 0.125, 0.2, 0.3


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """The state of one lead. `score` 1.0 = nothing wrong, 0.0 = worst."""

    grade: Grade
    trouble: Trouble
    electrodes: tuple[str, ...] = ()
    score: float = 1.0


class Indices:
    """The measures of every measured lead, hop by hop of `hop` samples (a multiple of `PIECES`).

    `flat` and `railed` (measured,) hold for the samples that come after the hop just given.
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
        self._flat_below = np.where(montage.in_millivolts, _FLAT_MV, _FLAT_COUNTS * gain)
        mains = np.array([hz for hz in (50.0, 60.0) if hz < 0.49 * rate_hz])
        phase = np.exp(-2j * np.pi * np.outer(mains, np.arange(hop)) / rate_hz)
        passed = np.abs(response(fast, mains, rate_hz))
        self._tone = phase * (2.0 / (_SECOND * hop) / passed[:, None])
        self._turn = np.exp(-2j * np.pi * mains * hop / rate_hz)[:, None]
        self._leads = leads
        self.skip(0)

    def skip(self, n: int) -> None:
        """Begin anew behind `n` missing samples."""
        leads = self._leads
        self._bridge.skip(n)
        self._seen = 0
        self._low = np.full((2 * _SECOND, 2, leads), np.inf)  # of the signal, and of what is slow in it
        self._high = np.full((2 * _SECOND, 2, leads), -np.inf)
        self._shift = np.zeros((_SECOND, leads))
        self._tones = np.zeros((_SECOND, len(self._tone), leads), dtype=np.complex128)
        self._pieces = np.zeros((2 * _SECOND, PIECES, leads))
        self._rail = np.zeros((_SECOND, leads))
        self._rotation = np.ones_like(self._turn)
        self.flat = np.zeros(leads, dtype=np.bool_)
        self.railed = np.zeros(leads, dtype=np.bool_)

    def step(self, millivolts: Floats, saturated: Mask, good: Mask) -> Floats:
        """All of shape (hop, measured). Severities (troubles, measured), zeros until a second has been seen."""
        x, restart = self._bridge.step(millivolts, good)
        both = self._filters.step(x, restart)
        fast = both[self._hop :]
        here, second = self._seen % (2 * _SECOND), self._seen % _SECOND
        self._seen += 1
        # The reductions are called as such: with a few leads numpy's methods around them cost more than they do.
        least, most, total = np.minimum.reduce, np.maximum.reduce, np.add.reduce
        spanned = np.array([x, both[: self._hop]])
        self._low[here], self._high[here] = least(spanned, axis=1), most(spanned, axis=1)
        self._shift[second] = self._high[here, 1] - self._low[here, 1]
        self._rotation = self._rotation * self._turn
        self._tones[second] = self._rotation * (self._tone @ fast)
        pieces = total(np.square(fast).reshape(PIECES, -1, self._leads), axis=1)
        self._pieces[here] = pieces / (self._hop // PIECES)
        self._rail[second] = total(saturated, dtype=np.float64) / self._hop
        return self._judged(second)

    def _judged(self, second: int) -> Floats:
        least, most, total = np.minimum.reduce, np.maximum.reduce, np.add.reduce
        if self._seen >= _SECOND:
            last = _LAST[(self._seen - 1) % (2 * _SECOND)]
            self.flat = most(self._high[last, 0]) - least(self._low[last, 0]) < self._flat_below
        rail = (self._rail[second] + self._rail[second - 1]) / 2.0
        self.railed = np.where(self.railed, rail > _UNRAILED, rail >= _RAILED)
        if self._seen < _SECOND:
            return np.zeros((len(_TROUBLES), self._leads))
        seen = min(self._seen, 2 * _SECOND)
        tone = most(np.abs(total(self._tones)), initial=0.0)
        wander = most(self._high[:, 1]) - least(self._low[:, 1])
        middle = _middle(self._pieces[:seen].reshape(-1, self._leads))
        muscle = np.sqrt(np.maximum(middle - tone**2 / 2.0, 0.0))
        values = np.array([total(self._rail) / _SECOND, wander, most(self._shift), tone, muscle])
        severity: Floats = 1.0 + np.log(np.maximum(values, 1e-9) / _GOOD) / _SPAN
        return np.minimum(np.maximum(severity, 0.0), 3.0)


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


def _middle(pieces: Floats) -> Floats:
    """Median over the rows."""
    n = len(pieces)
    below, above = (n - 1) // 2, n // 2
    ordered = np.partition(pieces, (below, above), axis=0)
    middle: Floats = (ordered[below] + ordered[above]) / 2.0
    return middle


def _said(quality: LeadQuality) -> tuple[Grade, Trouble, tuple[str, ...]]:
    return quality.grade, quality.trouble, quality.electrodes


def _graded(held: float, before: Grade) -> Grade:
    poor = 2.0 - (_INSIDE if before is Grade.POOR else 0.0)
    acceptable = 1.0 - (_INSIDE if before is not Grade.GOOD else 0.0)
    if held >= poor:
        return Grade.POOR
    return Grade.ACCEPTABLE if held >= acceptable else Grade.GOOD
