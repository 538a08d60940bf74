"""Breaths in a flow whose zero is known.

Breathing has turned when a volume has gone the other way: `NEED` of the usual tidal volume, so that the heart's own ripple
(20 to 30 mL) and noise turn nothing; the turn stands where flow last left zero before it. Flow within a narrow band around
zero adds nothing, or a pause of ten seconds would add up to a breath by a small error of zero.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring

Floats = npt.NDArray[np.float64]

NEED, LEAST_L, FIRST_L = 0.15, 0.02, 0.05
BAND, LEAST_BAND_LPS = 0.05, 0.015  # of the usual peak flow
USUAL = 8  # breaths that the usual is taken of
LONGEST_S = 30.0  # a breath; beyond it breathing has stopped and begins anew
SHAPED = 8  # means of an inspiration, at least, to tell its shape
ROUND = 0.30  # Teschler's index of a round inspiration


@dataclass(frozen=True, slots=True)
class Breath:
    """One breath: means `onset` .. `turn` - 1 breathe in, `turn` .. `end` - 1 out. Volumes in L, flow in L/s, times in s.

    `effective_lps` is the root of the mean square of its flow. `limited` 0 (round) .. 1 (flat) tells the shape of the inspiration, None where it is too short to tell.
    """

    onset: int
    turn: int
    end: int
    inspired_l: float
    expired_l: float
    peak_lps: float
    effective_lps: float
    inspiratory_s: float
    seconds: float
    limited: float | None

    @property
    def ventilation_lps(self) -> float:
        """Mean of the rectified flow."""
        return (self.inspired_l + self.expired_l) / self.seconds


def flattening(inspiration: Floats) -> float | None:
    """How flat the middle half of an inspiration (n,) is: 0 round, 1 flat; None where it is too short.

    Scaled to a mean of one, its RMS distance from one is 0.3 and more when round and 0 when flat (Teschler et al., Am J Respir
    Crit Care Med 1996;154:734); turned round and cut to 0 .. 1 here. A plateau is what a collapsible airway lets through.
    """
    n = len(inspiration)
    if n < SHAPED:
        return None
    mean = float(inspiration.mean())
    if mean <= 0:
        return None
    middle = inspiration[n // 4 : n - n // 4] / mean - 1.0
    index = float(np.sqrt((middle * middle).mean()))
    return min(max(1.0 - index / ROUND, 0.0), 1.0)


class Breaths:
    """Takes the flow in L/s, `hz` values a second, in order."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._longest = round(LONGEST_S * hz)
        self._volumes: deque[float] = deque(maxlen=USUAL)
        self._peaks: deque[float] = deque(maxlen=USUAL)
        self._past = Ring(1, round(4 * LONGEST_S * hz))
        self.begin(0)

    def begin(self, at: int) -> None:
        """What comes next, from mean `at` on, does not join what was before; what is usual stays."""
        self._past.begin(at, np.zeros((1, 0)))
        self._onset: int | None = None
        self._turn: int | None = None
        self._inward = False  # the last turn was to breathing in
        self._cross = at
        self._gone = 0.0  # what has gone the other way, in L/s x means
        self._expect()

    def _expect(self) -> None:
        usual = median(self._volumes) if self._volumes else 0.0
        need_l = max(NEED * usual, LEAST_L) if self._volumes else FIRST_L
        self._need = need_l * self._hz
        self._band = max(BAND * median(self._peaks), LEAST_BAND_LPS) if self._peaks else LEAST_BAND_LPS

    def push(self, flow: Floats) -> list[Breath]:
        """The next values (n,); the breaths that ended with them."""
        first = self._past.end
        self._past.append(flow[None])
        found: list[Breath] = []
        before = float(self._past.at(first - 1)[0]) if first > self._past.first else 0.0
        gone, band, need, inward = self._gone, self._band, self._need, self._inward
        for at, value in enumerate(flow.tolist(), first):
            x, last = (-value, -before) if inward else (value, before)
            before = value
            if gone <= 0 and last <= band / 2 < x:
                self._cross = at
            gone += x - band
            if gone <= 0:
                gone = 0.0
            elif gone > need:
                breath = self._turned()
                if breath is not None:
                    found.append(breath)
                gone, band, need, inward = 0.0, self._band, self._need, self._inward
        self._gone = gone
        self._forget()
        return found

    def _turned(self) -> Breath | None:
        """Flow has turned where it last left zero; the breath that it ends."""
        self._inward = not self._inward
        if not self._inward:
            self._turn = self._cross
            return None
        breath = self._breath(self._cross)
        self._onset, self._turn = self._cross, None
        return breath

    def _breath(self, end: int) -> Breath | None:
        onset, turn = self._onset, self._turn
        if onset is None or turn is None or not onset < turn < end or end - onset > self._longest:
            return None
        breathed_in = self._past.view(onset, turn)[0]
        inspired = float(breathed_in.sum()) / self._hz
        expired = -float(self._past.view(turn, end)[0].sum()) / self._hz
        if inspired <= 0 or expired <= 0:
            return None
        peak = float(breathed_in.max())
        whole = self._past.view(onset, end)[0]
        effective = float(np.sqrt((whole * whole).mean()))
        self._volumes.append(inspired)
        self._peaks.append(peak)
        self._expect()
        times = ((turn - onset) / self._hz, (end - onset) / self._hz)
        return Breath(onset, turn, end, inspired, expired, peak, effective, *times, flattening(breathed_in))

    def _forget(self) -> None:
        """Let go of what no breath can need any more."""
        end = self._past.end
        if self._onset is not None and end - self._onset > self._longest:
            self._onset = None
        self._past.forget(end - self._longest - 1 if self._onset is None else self._onset)
        self._cross = max(self._cross, self._past.first)
