"""Fusion beats: the ventricle is woken from two sides at once, so that the beat is a sum of the patient's own two shapes.

Said only where the sum explains the beat: x = a * normal + b * ventricular by least squares, both weights substantial, little
left over, clearly less than the normal shape alone leaves, and the beat on time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.clusters import CLUSTERS

Floats = npt.NDArray[np.float64]

NORMAL_MIN, VENTRICULAR_MIN, VENTRICULAR_MAX = 0.2, 0.15, 0.95  # weights
LEFT_MAX, LEFT_RATIO = 0.06, 0.65  # of the beat's energy; of what the normal shape alone leaves
ALIKE = 1e-3  # two shapes so alike (1 - the square of their correlation) tell nothing
SHARE, SHARE_MIN, BEATS_MIN = 0.5, 0.1, 3  # when a shape is ventricular: most of its beats were called so


class Fusions:
    """Which of the patient's shapes are ventricular ones, by what was said of their beats, and which beats mix them in."""

    def __init__(self) -> None:
        self._share = np.zeros(CLUSTERS)
        self._beats = np.zeros(CLUSTERS)

    @property
    def ventricular(self) -> list[int]:
        """The clusters that are ventricular."""
        return np.flatnonzero((self._share > SHARE) & (self._beats >= BEATS_MIN)).tolist()

    def learn(self, shape: int, *, new: bool, ventricular: bool) -> None:
        """A beat of cluster `shape` (`new`: its first) was called ventricular or not."""
        if new:
            self._share[shape] = self._beats[shape] = 0.0
        self._beats[shape] += 1
        share = max(SHARE_MIN, 1 / self._beats[shape])
        self._share[shape] += share * (ventricular - self._share[shape])


def is_mixture(x: Floats, normal: Floats, ventricular: list[Floats]) -> bool:
    """Whether a beat is a sum of the normal shape and of that ventricular one which explains it best; arrays of one shape, mV."""
    energy, own, common = (float(np.vdot(p, q)) for p, q in ((x, x), (normal, normal), (x, normal)))
    if min(energy, own) <= 0.0:
        return False
    alone = 1.0 - common * common / (energy * own)
    best, weights = np.inf, (0.0, 0.0)
    for other in ventricular:
        size, likeness, shared = (float(np.vdot(other, q)) for q in (other, normal, x))
        determinant = own * size - likeness * likeness
        if determinant <= ALIKE * own * size:
            continue
        a = (common * size - shared * likeness) / determinant
        b = (shared * own - common * likeness) / determinant
        left = 1.0 - (a * common + b * shared) / energy
        if left < best:
            best, weights = left, (a, b)
    a, b = weights
    return bool(
        best < min(LEFT_MAX, LEFT_RATIO * alone) and a > NORMAL_MIN and VENTRICULAR_MIN < b < VENTRICULAR_MAX
    )
