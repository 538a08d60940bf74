"""Kinds of beats a patient has, gathered without names, and which of them is his normal one.

A cluster keeps the average of its beats in two bands (`shape` z and `slow` lo of `front`), how early they come and how wide
they are. The reference is the cluster that is frequent, not early and narrow: so bigeminy does not make the ectopic beat normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.shapes import Scaled

Floats = npt.NDArray[np.float64]

CLUSTERS = 12
JOIN = 0.80  # likeness from which a beat belongs to a cluster
SIZE_COST = 0.15  # of likeness, for each doubling or halving of size
FADE = 0.99  # of every count, a beat
AGE_S = 10.0  # without a beat that cost a cluster one of its count when room is wanted
SHARE_MIN = 0.08
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a beat resembles each cluster (n,): correlation less the cost of another size; `lag` of the best fit (n,)."""

    values: Floats
    lag: npt.NDArray[np.int64]


class Clusters:
    """At most CLUSTERS averages: shape (leads, samples) and slow (leads, slow_samples), mV; 0 in leads that were not seen."""

    def __init__(self, leads: int, samples: int, slow_samples: int) -> None:
        self._shape = np.zeros((CLUSTERS, leads, samples))
        self._flat = self._shape.reshape(CLUSTERS, -1)
        self._energy = np.zeros((CLUSTERS, leads))
        self.slow = np.zeros((CLUSTERS, leads, slow_samples))
        self.seen = np.zeros((CLUSTERS, leads))
        self.timing = np.zeros(CLUSTERS)
        self.width = np.zeros(CLUSTERS)
        self._count = np.zeros(CLUSTERS)
        self._last_s = np.zeros(CLUSTERS)
        self.n = 0

    @property
    def reference(self) -> int:
        """The normal beat's cluster; -1 before the first beat."""
        if self.n == 0:
            return -1
        n = self.n
        frequent = np.log2(self._count[:n] + TINY)
        return int((frequent + 1.5 * np.minimum(self.timing[:n], 0.2) - 2.0 * self.width[:n]).argmax())

    def share(self, k: int) -> float:
        """Part of the remembered beats that are in cluster k."""
        return float(self._count[k] / (self._count[: self.n].sum() + TINY))

    def compare(self, beat: Scaled) -> Likeness:
        """Compare a beat with every cluster."""
        n = self.n
        if n == 0:
            return Likeness(np.zeros(0), np.zeros(0, dtype=np.int64))
        energy_z, energy_t = beat.energy @ self.seen[:n].T, self._energy[:n] @ beat.square
        fit = (beat.flat @ self._flat[:n].T) / np.sqrt(energy_z * energy_t + TINY)
        fit -= SIZE_COST * np.abs(0.5 * np.log2((energy_z + TINY) / (energy_t + TINY)))
        lag = fit.argmax(axis=0)
        return Likeness(fit[lag, np.arange(n)], lag)

    def learn(
        self,
        likeness: Likeness,
        windows: Floats,
        slow: Floats,
        usable: Floats,
        timing: float,
        width: float,
        now_s: float,
    ) -> tuple[int, bool]:
        """Take a beat into the cluster that it is like, or as a new one: which, and whether new; `usable` (leads,) is 1 or 0.

        `timing` is log2 of the interval before it over the normal one, `width` log2 of its width in s.
        """
        self._count *= FADE
        k = int(likeness.values.argmax()) if self.n else -1
        known = k >= 0 and bool(likeness.values[k] > JOIN)
        if known:
            share = max(SHARE_MIN, 1 / (self._count[k] + 1))
            partly = 0.0 in (*usable.tolist(), *self.seen[k].tolist())
            for average, new in ((self._shape[k], windows[likeness.lag[k]]), (self.slow[k], slow)):
                mixed = average + share * (new - average)
                if (
                    partly
                ):  # a lead that was not seen before is what it is now, one not seen now stays as it is
                    mixed = np.where((self.seen[k] > 0)[:, None], mixed, new)
                    mixed = np.where((usable > 0)[:, None], mixed, average)
                average[:] = mixed
            if partly:
                self.seen[k] = np.maximum(self.seen[k], usable)
            self.timing[k] += share * (timing - self.timing[k])
            self.width[k] += share * (width - self.width[k])
        else:
            if self.n < CLUSTERS:
                k, self.n = self.n, self.n + 1
            else:
                k = int((self._count - (now_s - self._last_s) / AGE_S).argmin())
            self._shape[k] = windows[len(windows) // 2] * usable[:, None]
            self.slow[k] = slow * usable[:, None]
            self.seen[k], self.timing[k], self.width[k], self._count[k] = usable, timing, width, 0.0
        self._energy[k] = np.einsum("ld,ld->l", self._shape[k], self._shape[k])
        self._count[k] += 1.0
        self._last_s[k] = now_s
        return k, not known
