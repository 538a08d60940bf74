"""When the next beat comes, and of which kind: the rhythms of the simulated heart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Rhythm(StrEnum):
    """The rhythms a patient can have. Rates are `Patient.rate_bpm` (mean), except VT: `Patient.vt_bpm`."""

    SINUS = "sinus"
    SINUS_ARRHYTHMIA = "sinus_arrhythmia"
    BIGEMINY = "bigeminy"
    ALTERNATING = "alternating"  # bigeminy with strongly unequal intervals, as EC13's slow and rapid ones
    BIDIRECTIONAL = "bidirectional"  # ventricular beats of alternating direction
    AF = "af"
    VT = "vt"
    VF = "vf"
    ASYSTOLE = "asystole"
    PACED = "paced"


WITHOUT_BEATS = frozenset({Rhythm.VF, Rhythm.ASYSTOLE})

# The irregular rhythms of AAMI EC13 (and IEC 60601-2-27) by their number there: rhythm, rate, size. The standard's
# own wave files differ in detail; what they and these share is the order of beats and the mean rate.
EC13: dict[str, tuple[Rhythm, float, float]] = {
    "3a": (Rhythm.BIGEMINY, 80.0, 1.0),
    "3b": (Rhythm.ALTERNATING, 60.0, 1.0),
    "3c": (Rhythm.ALTERNATING, 120.0, 1.0),
    "3d": (Rhythm.BIDIRECTIONAL, 90.0, 1.0),
    "4a": (Rhythm.VT, 206.0, 1.0),
    "4b": (Rhythm.VT, 195.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One beat to come, `after_s` seconds after the R peak before it.

    `label` is N, V (ventricular) or / (paced); `mean_rr_s` is the interval to which the QT time has adapted.
    """

    after_s: float
    label: str
    mean_rr_s: float
    has_p: bool = False
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What the patient is set to, as far as the timing of beats goes."""

    rhythm: Rhythm
    rate_bpm: float
    vt_bpm: float
    pvc_per_minute: float
    breaths_per_minute: float


class Timing:
    """Plans one beat after the other."""

    PREMATURITY = 0.6  # interval before an isolated PVC, as a share of the usual one
    AF_SPREAD = 0.22  # standard deviation of AF's intervals, as a share of their mean
    BREATHING_DEPTH = 0.15  # how far breathing moves the rate in sinus arrhythmia
    JITTER = 0.004  # what is left of variability in plain sinus rhythm

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._turn = False
        self._pvc_due = 0.0
        self._after_pvc = False

    def plan(self, wish: Wish, last_r_s: float) -> Planned | None:
        """The beat after the one at `last_r_s` seconds, or None in a rhythm without beats."""
        if wish.rhythm in WITHOUT_BEATS:
            return None
        rr_s = 60.0 / (wish.vt_bpm if wish.rhythm is Rhythm.VT else wish.rate_bpm)
        self._turn = not self._turn
        match wish.rhythm:
            case Rhythm.BIGEMINY:
                return self._couple(rr_s, 2 / 3)
            case Rhythm.ALTERNATING:
                return self._couple(rr_s, 0.6)
            case Rhythm.BIDIRECTIONAL:
                return Planned(rr_s, "V", rr_s, inverted=self._turn)
            case Rhythm.VT:
                return Planned(rr_s * self._about_one(0.01), "V", rr_s)
            case Rhythm.PACED:
                return Planned(rr_s, "/", rr_s)
            case Rhythm.AF:
                return self._with_ectopics(wish, self._irregular(rr_s), rr_s, has_p=False)
            case Rhythm.SINUS_ARRHYTHMIA:
                # The rate, not the interval, follows the breath: so the mean rate stays what was asked for.
                phase = 2 * math.pi * wish.breaths_per_minute / 60 * (last_r_s + rr_s / 2)
                return self._with_ectopics(
                    wish, rr_s / (1 + self.BREATHING_DEPTH * math.sin(phase)), rr_s, has_p=True
                )
            case _:
                return self._with_ectopics(wish, rr_s * self._about_one(self.JITTER), rr_s, has_p=True)

    def _couple(self, rr_s: float, coupling: float) -> Planned:
        """Every second beat ventricular, `coupling` of the mean interval after the normal one."""
        if self._turn:
            return Planned(rr_s * coupling, "V", rr_s)
        return Planned(rr_s * (2 - coupling), "N", rr_s, has_p=True)

    def _with_ectopics(self, wish: Wish, after_s: float, rr_s: float, *, has_p: bool) -> Planned:
        """An isolated PVC when one is due, and the compensating pause that keeps the sinus node's beat."""
        self._pvc_due += wish.pvc_per_minute / 60 * rr_s
        if self._after_pvc:
            self._after_pvc = False
            return Planned(after_s + (1 - self.PREMATURITY) * rr_s, "N", rr_s, has_p)
        if wish.pvc_per_minute > 0 and self._pvc_due >= 1:
            self._pvc_due = min(self._pvc_due - 1, 1.0)
            self._after_pvc = True
            return Planned(self.PREMATURITY * rr_s, "V", rr_s)
        return Planned(after_s, "N", rr_s, has_p)

    def _irregular(self, rr_s: float) -> float:
        """A gamma-distributed interval of mean `rr_s`, never shorter than the node lets through."""
        shape = self.AF_SPREAD**-2
        return max(float(self._rng.gamma(shape, rr_s / shape)), 0.24)

    def _about_one(self, spread: float) -> float:
        return 1.0 + spread * float(np.clip(self._rng.standard_normal(), -2.5, 2.5))
