"""The shapes of a patient's beats, learnt as they come: up to eight, over all leads at once, without names."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SHAPES = 8
JOIN = 0.85  # correlation from which a beat belongs to a shape
NEW_COST, NEW_BELOW, NEW_AFTER = (
    0.15,
    3,
    8,
)  # a shape seen under 3 times is trusted less, once 8 beats are known
FADE = 0.998  # of every count, a beat
AGE_S = 5.0  # without a beat that cost a shape one of its count when room is wanted
UNKNOWN = 0.7  # correlation said before there is a shape
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Match:
    """How a candidate fits the known shapes. `gain_log2` is its size against the best one; leads are judged singly."""

    shape: int  # -1: there is none yet
    lag: int  # row of the windows that fitted best
    best: float
    common: float
    gain_log2: float
    lead_best: float
    lead_worst: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """Windows (lags, leads, samples) of a beat, each lead weighed by the square of its `scale` (leads,): `weighed`.

    Their product with a shape is that of both to scale. `flat` (lags, leads x samples) is the same, `energy` (lags, leads) the
    sums of squares of the windows to scale, `square` (leads,) that of the scale.
    """

    scale: Floats
    square: Floats
    weighed: Floats
    flat: Floats
    energy: Floats

    @classmethod
    def of(cls, windows: Floats, scale: Floats) -> Scaled:
        square = scale * scale
        z = windows * square[:, None]
        return cls(scale, square, z, z.reshape(len(z), -1), np.einsum("kld,kld->kl", z, windows))


NO_MATCH = Match(-1, -1, UNKNOWN, UNKNOWN, 0.0, UNKNOWN, UNKNOWN)


class Shapes:
    """Shapes (SHAPES, leads, samples) with their counts; leads blind when a shape was learnt are 0 and do not count in it."""

    def __init__(self, leads: int, samples: int) -> None:
        self._shapes = np.zeros((SHAPES, leads, samples))
        self._flat = self._shapes.reshape(SHAPES, -1)
        self._energy = np.zeros((SHAPES, leads))
        self._seen = np.zeros((SHAPES, leads))
        self._count = np.zeros(SHAPES)
        self._last_s = np.zeros(SHAPES)
        self._n = 0
        self._beats = 0
        self._most = 0  # the shape seen most
        self._cost: Floats | None = None  # of likeness, for a shape that was seldom seen

    def match(self, windows: Floats, scale: Floats) -> Match:
        """Best correlation of (lags, leads, samples) with any shape; `scale` (leads,) is 1/level times root weight."""
        return self.best_of(Scaled.of(windows, scale))

    def best_of(self, beat: Scaled) -> Match:
        """As `match`."""
        n = self._n
        if n == 0:
            return NO_MATCH
        lead_t = self._energy[:n] * beat.square
        energy_z, energy_t = beat.energy @ self._seen[:n].T, np.add.reduce(lead_t, axis=1)
        fit = (beat.flat @ self._flat[:n].T) / np.sqrt(energy_z * energy_t + TINY)
        if self._cost is not None:
            fit -= self._cost
        lag, shape = divmod(int(fit.argmax()), n)
        common = float(np.maximum.reduce(fit[:, self._most]))
        gain = 0.5 * log2((float(energy_z[lag, shape]) + TINY) / (float(energy_t[shape]) + TINY))
        single = np.add.reduce(beat.weighed[lag] * self._shapes[shape], axis=1)
        single /= np.sqrt(beat.energy[lag] * lead_t[shape] + TINY)
        used: list[float] = single[(beat.scale > 0) & (self._seen[shape] > 0)].tolist()
        best, worst = (max(used), min(used)) if used else (UNKNOWN, UNKNOWN)
        return Match(shape, lag, float(fit[lag, shape]), common, gain, best, worst)

    @property
    def common(self) -> tuple[Floats, Floats] | None:
        """The shape seen most (leads, samples), and 1 or 0 (leads,) for those it was seen in; None before the first."""
        return None if self._n == 0 else (self._shapes[self._most], self._seen[self._most])

    def learn(self, match: Match, windows: Floats, usable: Floats, now_s: float, may_be_new: bool) -> None:
        """Take an accepted beat into the shape that it fits, or as a new one; `usable` (leads,) is 1 or 0."""
        self._beats += 1
        self._count *= FADE
        if match.shape >= 0 and match.best > JOIN:
            k = match.shape
            self._join(k, windows[match.lag], usable)
            self._counted(k, now_s)
        elif may_be_new:
            if self._n < SHAPES:
                k = self._n
                self._n += 1
            else:
                k = int((self._count - (now_s - self._last_s) / AGE_S).argmin())
            self._shapes[k] = windows[len(windows) // 2] * usable[:, None]
            self._seen[k] = usable
            self._count[k] = 0.0
            self._counted(k, now_s)
        count = self._count[: self._n]
        self._most = int(count.argmax()) if self._n else 0
        cost: Floats = np.where(count < NEW_BELOW, NEW_COST, 0.0)
        self._cost = cost if self._beats >= NEW_AFTER else None

    def _join(self, k: int, z: Floats, usable: Floats) -> None:
        """Mix z (leads, samples) into shape k."""
        share = max(0.1, 1 / (self._count[k] + 1))
        mixed = self._shapes[k] + share * (z - self._shapes[k])
        if 0.0 in (*usable.tolist(), *self._seen[k].tolist()):
            old = self._seen[k] > 0
            mixed = np.where((usable > 0)[:, None], np.where(old[:, None], mixed, z), self._shapes[k])
            self._seen[k] = np.maximum(self._seen[k], usable)
        self._shapes[k] = mixed

    def _counted(self, k: int, now_s: float) -> None:
        """Shape k has changed, by a beat that is in it now."""
        self._energy[k] = np.einsum("ld,ld->l", self._shapes[k], self._shapes[k])
        self._count[k] += 1.0
        self._last_s[k] = now_s
