"""Atrial flutter: waves of 214 to 357 a minute that go on between and through the beats, in some lead.

QRS are cut out, slow waves (T) taken off, and what is left is compared with itself a flutter wave and two of them later; halfway
between it must be upside down. With 2:1 conduction too little is left between QRS and QRS: such flutter is not found, its
rhythm is called by its rate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import pstdev

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm.beats import Beats, SeenBeat
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.said import Numbers
from daemon.dsp.ecg.rhythm.sight import View
from daemon.dsp.ecg.rhythm.window import WINDOW

Floats = npt.NDArray[np.float64]

RULE = "flutter/1"
LAGS = (round(0.168 * RATE_HZ), round(0.28 * RATE_HZ) + 1)  # 357 .. 214 /min
QRS_BEFORE, QRS_AFTER = round(0.072 * RATE_HZ), round(0.104 * RATE_HZ)
SMOOTH_HALF = round(0.15 * RATE_HZ)
MIN_RMS_MV = 0.04
LEAST_SHARE = 0.35  # of the window that must be there for a comparison
ON, OFF = 0.55, 0.40
EACH, EACH_OF = 0.48, 5  # so many of the windows must be so much alike to begin
EVERY = 2  # decisions: windows of 4 s change little in half a second
MEAN_OF = 6  # windows
STEADY, STEADY_SHARE = 0.06, 0.75  # the rate of the waves, and in how many of the windows
MOST_BPM = 130.0  # of the ventricles
WHOLE, REGULAR = (
    0.15,
    0.06,
)  # flutter waves a beat; spread of RR, of their mean, from which they need not be whole
TALLER = 5.0  # QRS peak to peak over the waves' RMS
_FFT = 1024
_LAGS = np.arange(*LAGS)
_HALVES = np.rint(_LAGS / 2).astype(np.int64)


def masked(windows: Floats, marks: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Windows (leads, WINDOW) without QRS and slow waves, and 1 or 0 (WINDOW,) where there is signal."""
    seen = np.ones(WINDOW)
    for mark in marks:
        seen[max(mark - QRS_BEFORE, 0) : max(mark + QRS_AFTER, 0)] = 0.0
    width = 2 * SMOOTH_HALF + 1
    total = np.zeros((len(windows) + 1, WINDOW + width))
    inside = slice(SMOOTH_HALF + 1, SMOOTH_HALF + 1 + WINDOW)
    total[:-1, inside], total[-1, inside] = windows * seen, seen
    total = total.cumsum(axis=1)
    sums = total[:, width:] - total[:, :-width]
    slow = sums[:-1] / np.maximum(sums[-1], 1.0)
    return (windows - slow) * seen, seen


def likeness(x: Floats, seen: Floats) -> Floats:
    """Correlation (leads, lags 0 .. 2 LAGS[1]) of x with itself a lag later, over what is seen of both; 0 where too little."""
    lags, n = 2 * LAGS[1] + 1, len(x)
    of = np.fft.rfft(np.concatenate([x, x * x, seen[None]]), _FFT)
    itself, square, there = of[:n], of[n:-1], of[-1:]
    # The conjugate of one times the other: the sum over t of a(t) b(t + lag).
    pairs = [itself.conj() * itself, square.conj() * there, there.conj() * square, there.conj() * there]
    sums = np.fft.irfft(np.concatenate(pairs), _FFT)[:, :lags]
    product, first, later = sums[:n], sums[n : 2 * n], sums[2 * n : 3 * n]
    enough = sums[-1] >= LEAST_SHARE * WINDOW
    alike: Floats = np.where(enough, product / np.sqrt(np.maximum(first * later, 1e-12)), 0.0)
    return alike


@dataclass(frozen=True, slots=True)
class Waves:
    """What a window shows in its best lead: how alike its waves are (-1 .. 1), their rate a minute, their size in mV RMS."""

    alike: float
    bpm: float
    rms_mv: float


def flutter_waves(windows: Floats, marks: npt.NDArray[np.int64]) -> Waves:
    """The best waves of flutter in the windows (leads, WINDOW), with QRS at `marks`."""
    x, seen = masked(windows, marks)
    rms = np.sqrt(np.add.reduce(x * x, axis=1) / max(float(np.add.reduce(seen)), 1.0))
    tall = rms >= MIN_RMS_MV
    score = np.zeros((len(x), len(_LAGS)))
    if tall.any():
        alike = likeness(x[tall], seen)
        here = alike[:, _LAGS]
        peak = (here >= alike[:, _LAGS - 1]) & (here >= alike[:, _LAGS + 1])
        waves = np.minimum(np.minimum(here, alike[:, 2 * _LAGS]), -alike[:, _HALVES])
        score[tall] = np.where(peak, waves, 0.0)
    lead, lag = divmod(int(score.argmax()), len(_LAGS))
    return Waves(float(score[lead, lag]), 60 * RATE_HZ / float(_LAGS[lag]), float(rms[lead]))


NO_WAVES = Waves(0.0, 0.0, 0.0)


class Look:
    """What a decision saw, measured only when it is asked for: `first` is the input sample that its windows begin with."""

    def __init__(self, view: View, about: list[SeenBeat], first: int) -> None:
        self.first = first
        self._view, self._about = view, about
        self._waves: Waves | None = None if _may_be(view, about) else NO_WAVES

    @property
    def known(self) -> bool:
        """Whether it has been measured."""
        return self._waves is not None

    @property
    def waves(self) -> Waves:
        """Its waves, where its beats let it be flutter."""
        if self._waves is None:
            self._waves = _waves(self._view, self._about)
        return self._waves


class FlutterWatch:
    """Decision by decision. Where two of the last windows show no flutter there is none, whatever the others show."""

    def __init__(self) -> None:
        self.on = False
        self._decision = 0
        self._looks: deque[Look] = deque(maxlen=MEAN_OF)

    @property
    def score(self) -> float:
        """Mean of the last windows."""
        return sum(look.waves.alike for look in self._looks) / MEAN_OF

    @property
    def bpm(self) -> float:
        """Waves a minute, the median of the last windows."""
        return sorted(look.waves.bpm for look in self._looks)[len(self._looks) // 2]

    @property
    def numbers(self) -> Numbers:
        """Evidence."""
        return (("atrial_rate", self.bpm, "bpm"), ("flutter_score", self.score, ""))

    @property
    def since(self) -> int:
        """Where the first of the windows that are counted begins."""
        return self._looks[0].first

    def step(self, view: View, beats: Beats, first: int) -> bool:
        """Whether there is flutter; `first` is the input sample that the view's windows begin with."""
        self._decision += 1
        if self._decision % EVERY:
            return self.on
        about = beats.within(view.now + 1 - WINDOW - QRS_AFTER, view.now + 1)
        self._looks.append(Look(view, about, first))
        if not self.on and not self._each():
            return False
        middle = self.bpm
        steady = sum(abs(look.waves.bpm - middle) <= STEADY * middle for look in self._looks)
        self.on = steady >= STEADY_SHARE * MEAN_OF and self.score >= (OFF if self.on else ON)
        return self.on

    def _each(self) -> bool:
        """Whether EACH_OF of the windows are alike enough; measures no more of them than that takes, the newest first."""
        room = (
            len(self._looks) - EACH_OF - sum(look.known and look.waves.alike < EACH for look in self._looks)
        )
        for look in reversed(self._looks):
            if room < 0:
                return False
            if not look.known:
                room -= look.waves.alike < EACH
        return room >= 0


def _may_be(view: View, about: list[SeenBeat]) -> bool:
    """Whether a view's beats let it be flutter: narrow ones, not too fast."""
    if not view.leads or len(about) < 2 or 3 * sum(beat.foreign for beat in about) > len(about):
        return False
    return about[-1].at - about[0].at >= (len(about) - 1) * 60 * RATE_HZ / MOST_BPM


def _waves(view: View, about: list[SeenBeat]) -> Waves:
    """The waves of a view, where its beats are taller than they are and their rate fits."""
    first = view.now + 1 - WINDOW
    waves = flutter_waves(view.windows, np.array([beat.at - first for beat in about]))
    rr = [after.at - before.at for before, after in pairwise(about)]
    mean = sum(rr) / len(rr)
    size = sorted(beat.size for beat in about)[len(about) // 2]
    of_rr = mean * waves.bpm / (60 * RATE_HZ)
    # A regular heart lets every n-th wave through; T and P of a sinus rhythm stand at no whole share of RR.
    whole = abs(of_rr - round(of_rr)) <= WHOLE or pstdev(rr, mean) > REGULAR * mean
    return waves if whole and size >= TALLER * waves.rms_mv else NO_WAVES
