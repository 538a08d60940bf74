"""Apnoeas and hypopnoeas by flow alone, as therapy devices score them.

The definitions are ResMed's (ResScan 3.7 terms; AirSense 10 user guide): an apnoea is breathing reduced by 75 % of its baseline
for at least 10 s, a hypopnoea by 50 % for at least 10 s, and an apnoea whose leak exceeded 30 L/min at any time is
unclassified. Baseline: the median ventilation of the breaths of the last 100 s, those that are reduced themselves apart.
Sleep laboratories score hypopnoeas by oxygen or arousal besides (AASM), which no flow can show: what is counted here is
not theirs and must not be called so.

Apnoea: flow hardly changes: its standard deviation over 2 s is below a quarter of the baseline's effective value (variance in
a moving window: Berthon-Jones, US patent 5704345), so that air which still trickles out of the chest is no breathing. It
lasts from the beginning of the first such window to the end of the last one, and is said after two minutes at the latest.
Whether the airway was open is told by airway.py, where the device pressed during it. Hypopnoea: whole breaths, each of at
most half of the baseline ventilation, from the onset of the first to the onset of the first that is more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring
from daemon.dsp.respiration.airway import Airway, answer
from daemon.dsp.respiration.breaths import Breath

Floats = npt.NDArray[np.float64]

APNOEA, HYPOPNOEA = 0.25, 0.50  # of the baseline, at most
WINDOW_S, STEPS = 2.0, 5  # of the moving window, and how often in a hop it is looked at
LEAST_S = 10.0
LEAST_BREATHS = 2  # of a hypopnoea: one long breath between others is a pause
BASELINE_S, BASELINE_BREATHS = 100.0, 5
LONGEST_S = 120.0  # what goes on longer is breathing as it is now
LARGE_LEAK_LPM = 30.0
SETTLE_S = 2.0  # of an apnoea, before the device may have begun to press

NAMES = {
    Airway.OPEN: "apnoea_clear_airway",
    Airway.CLOSED: "apnoea_obstructive",
    Airway.UNKNOWN: "apnoea_unclassified",
}
HYPOPNOEA_NAME = "hypopnoea"


@dataclass(frozen=True, slots=True)
class Disturbed:
    """One apnoea or hypopnoea: means `onset` .. `end` - 1. `share` is what was left of the baseline.

    `impedance`: what the airway answered, cmH2O s/L. `leaking`: leak was large at some time of it, and it counts nowhere.
    """

    name: str
    onset: int
    end: int
    share: float
    impedance: float | None
    leaking: bool


class Disturbances:
    """Takes flow and pressure hop by hop and breaths as they end."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._held = round((LONGEST_S + 10) * hz)
        self._past = Ring(3, 2 * self._held)
        self._usual: deque[tuple[int, float, float]] = deque(maxlen=256)
        self._baseline: tuple[float, float] | None = None
        self._of = (0, 0)  # how many breaths it is of, and the newest of them
        self._quiet_from: int | None = None
        self._reduced: list[Breath] = []
        self._apnoea_until = -1
        self._leaks: deque[tuple[int, float]] = deque(maxlen=180)

    def begin(self, at: int) -> None:
        """What comes next, from mean `at` on, does not join what was before; the baseline is kept while it is young."""
        self._past.begin(at, np.zeros((3, 0)))
        self._quiet_from = None
        self._reduced = []
        self._leaks.clear()

    def baseline(self, now: int) -> tuple[float, float] | None:
        """Mean rectified and effective flow of undisturbed breathing as of a mean, L/s; None where too little is known."""
        while self._usual and now - self._usual[0][0] > BASELINE_S * self._hz:
            disturbed = self._quiet_from is not None or self._reduced
            if disturbed and len(self._usual) <= BASELINE_BREATHS:
                break  # what disturbs breathing makes nothing known unknown
            self._usual.popleft()
        if len(self._usual) < BASELINE_BREATHS:
            return None
        newest = self._usual[-1][0]
        if self._baseline is None or (len(self._usual), newest) != self._of:
            middles = (median(usual[1] for usual in self._usual), median(usual[2] for usual in self._usual))
            self._baseline, self._of = middles, (len(self._usual), newest)
        return self._baseline

    def push(
        self, flow: Floats, felt: Floats, pressure: Floats, breaths: list[Breath], leak_lpm: float
    ) -> list[Disturbed]:
        """One hop: smoothed flow, flow and pressure as sampled, each (n,); `breaths` that ended in it; the leak now."""
        self._past.append(np.array([flow, felt, pressure]))
        now = self._past.end
        self._leaks.append((now, leak_lpm))
        found: list[Disturbed] = []
        baseline = self.baseline(now)
        if baseline is not None and now - self._past.first >= len(flow) + round(WINDOW_S * self._hz):
            found += self._pauses(baseline, len(flow))
        for breath in breaths:
            usual = self.baseline(breath.end)
            found += self._shallow(breath, None if usual is None else usual[0])
        self._past.forget(now - self._held)
        return found

    def _pauses(self, baseline: tuple[float, float], n: int) -> list[Disturbed]:
        """Move the window through the last `n` means; an apnoea is said when it is over."""
        found: list[Disturbed] = []
        width, end = round(WINDOW_S * self._hz), self._past.end
        x = self._past.view(end - n - width, end)[0]
        sums = np.concatenate([[0.0], x]).cumsum()
        squares = np.concatenate([[0.0], x * x]).cumsum()
        for k in range(1, STEPS + 1):
            stop = width + n * k // STEPS
            mean = (sums[stop] - sums[stop - width]) / width
            variance = (squares[stop] - squares[stop - width]) / width - mean * mean
            quiet = variance < (APNOEA * baseline[1]) ** 2
            found += self._pause(end - n + n * k // STEPS, quiet, width, max(n // STEPS, 1), baseline[0])
        return found

    def _pause(self, at: int, quiet: bool, width: int, step: int, usual: float) -> list[Disturbed]:
        """The window that ends at mean `at` is quiet or not."""
        if quiet and self._quiet_from is None:
            self._quiet_from = at - width
        onset = self._quiet_from
        if onset is None or (quiet and at - onset <= LONGEST_S * self._hz):
            return []
        self._quiet_from = None
        if quiet:
            self._usual.clear()  # breathing, or what is left of it, has to be learned anew
        end = at if quiet else at - step
        if onset < self._past.first or end - onset < LEAST_S * self._hz:
            return []
        leaking = self._leaked(onset, end)
        felt = self._past.view(min(onset + round(SETTLE_S * self._hz), end), end)
        airway, impedance = answer(felt[1], felt[2], self._hz)
        name = NAMES[Airway.UNKNOWN if leaking else airway]
        share = float(np.abs(self._past.view(onset, end)[0]).mean()) / usual
        self._apnoea_until = end
        return [Disturbed(name, onset, end, share, impedance, leaking)]

    def _shallow(self, breath: Breath, baseline: float | None) -> list[Disturbed]:
        """Follow the ventilation breath by breath; a hypopnoea is said when a breath is more again."""
        if baseline is None:
            self._usual.append((breath.end, breath.ventilation_lps, breath.effective_lps))
            return []
        if breath.ventilation_lps <= HYPOPNOEA * baseline:
            self._reduced.append(breath)
            if breath.end - self._reduced[0].onset > LONGEST_S * self._hz:
                self._usual.clear()
                self._usual.extend((b.end, b.ventilation_lps, b.effective_lps) for b in self._reduced)
                self._reduced = []
            return []
        reduced, self._reduced = self._reduced, []
        self._usual.append((breath.end, breath.ventilation_lps, breath.effective_lps))
        if len(reduced) < LEAST_BREATHS:
            return []
        onset, end = reduced[0].onset, reduced[-1].end
        joined = all(b.onset <= a.end + self._hz for a, b in pairwise(reduced))
        if not joined or end - onset < LEAST_S * self._hz or onset < self._apnoea_until:
            return []
        if self._quiet_from is not None and self._quiet_from < end:
            return []
        share = float(np.mean([b.ventilation_lps for b in reduced])) / baseline
        return [Disturbed(HYPOPNOEA_NAME, onset, end, share, None, self._leaked(onset, end))]

    def _leaked(self, onset: int, end: int) -> bool:
        return any(lpm > LARGE_LEAK_LPM for at, lpm in self._leaks if onset < at <= end + self._hz)
