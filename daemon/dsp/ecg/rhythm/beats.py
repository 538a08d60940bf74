"""The recent beats as the rhythm rules see them: when, how alike, how large, with what before them.

Shapes are learnt over all leads in hand at once; the one seen most is the dominant one. The beat classifier's label, where
there is one, has the last word on whether a beat is foreign.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.ring import overlapping
from daemon.dsp.ecg.shapes import Scaled, Shapes

Floats = npt.NDArray[np.float64]

KEPT = 128
BEFORE, AFTER = round(0.10 * RATE_HZ), round(0.18 * RATE_HZ)
LAG = 2  # a mark may be this many inner samples off
REACH = AFTER + LAG + 1  # inner samples after a mark that are looked at
FOREIGN_BELOW = 0.70  # correlation to the dominant shape under which a beat is foreign
P_FROM, P_TO = round(0.256 * RATE_HZ), round(0.096 * RATE_HZ)


@dataclass(frozen=True, slots=True)
class SeenBeat:
    """A beat at inner sample `at` (input sample `sample`).

    `dominant` and `previous` are its correlations (-1 .. 1) to the dominant shape and to the beat before, `size` its peak to
    peak in mV, the largest of the leads. `rr_s` is None where the interval before it is not to be relied on.
    """

    at: int
    sample: int
    label: str
    rr_s: float | None
    dominant: float
    previous: float
    size: float

    @property
    def foreign(self) -> bool:
        """Whether it is a ventricular, fused or paced beat, or looks like one where nobody has named it."""
        if self.label in {"", "Q", "?"}:
            return self.dominant < FOREIGN_BELOW
        return self.label in {"V", "F", "E", "r", "/", "f"}


class Beats:
    """The last KEPT beats."""

    def __init__(self, leads: int) -> None:
        self.seen: deque[SeenBeat] = deque(maxlen=KEPT)
        self._shapes = Shapes(leads, BEFORE + AFTER)
        self._last: Floats | None = None
        self._last_seen = np.zeros(leads)

    def add(
        self, at: int, sample: int, label: str, rr_s: float | None, x: Floats, usable: Floats
    ) -> SeenBeat:
        """Measure a beat; x (leads, BEFORE + AFTER + 2 LAG) in mV about its mark, `usable` (leads,) 1 or 0."""
        width = BEFORE + AFTER
        windows = overlapping(x, width).transpose(1, 0, 2).copy()
        windows -= np.add.reduce(windows, axis=2, keepdims=True) / width
        size = (np.maximum.reduce(windows[LAG], axis=1) - np.minimum.reduce(windows[LAG], axis=1)) * usable
        scale = usable / np.maximum(size, 0.05)
        scaled = Scaled.of(windows, scale)
        match = self._shapes.best_of(scaled)
        self._shapes.learn(match, windows, usable, at / RATE_HZ, may_be_new=True)
        previous = self._alike(scaled)
        self._last = windows[match.lag if match.lag >= 0 else LAG] * usable[:, None]
        self._last_seen = usable
        beat = SeenBeat(at, sample, label, rr_s, match.common, previous, float(size.max()))
        self.seen.append(beat)
        return beat

    def _alike(self, beat: Scaled) -> float:
        """Best correlation with the beat before, over the leads that both were seen in."""
        if self._last is None:
            return 1.0
        itself = np.einsum("ld,ld->l", self._last, self._last) @ beat.square
        energy = np.sqrt((beat.energy @ self._last_seen) * itself) + 1e-12
        return float(np.maximum.reduce((beat.flat @ self._last.ravel()) / energy))

    @property
    def common(self) -> tuple[Floats, Floats] | None:
        """The dominant shape (leads, BEFORE + AFTER) in mV, and 1 or 0 (leads,) for those it was seen in."""
        return self._shapes.common

    def clear(self) -> None:
        """Forget the beats; the shapes stay."""
        self.seen.clear()
        self._last = None

    def sizes(self, by: int, most: int) -> list[float]:
        """Of the last `most` beats up to inner sample `by`, the newest first."""
        return [beat.size for beat in islice((b for b in reversed(self.seen) if b.at <= by), most)]

    def within(self, first: int, stop: int) -> list[SeenBeat]:
        """Beats at inner samples first .. stop - 1, in order."""
        found: list[SeenBeat] = []
        for beat in reversed(self.seen):
            if beat.at < first:
                break
            if beat.at < stop:
                found.append(beat)
        return found[::-1]
