"""What a heart does that pumps nothing: fibrillation, flutter and fast tachycardia by the window score, asystole by the gap.

Places are input samples of one stream, `now` an inner sample.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import sqrt

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm import gaps, window
from daemon.dsp.ecg.rhythm.beats import Beats, SeenBeat
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.ladder import Track, WindowLevel
from daemon.dsp.ecg.rhythm.said import EventSaid, Said
from daemon.dsp.ecg.rhythm.sight import EVERY_S, Sight, View

Floats = npt.NDArray[np.float64]

RULE = "window/1"
DATED_BACK_S, ENDED_BACK_S = 4.0, 2.0
AFTER_BEAT = round(0.35 * RATE_HZ)
VT_REGULAR, VT_HZ = 0.75, 4.2  # autocorrelation of the waves; 250 /min
NAMED_BY, NAMED_FOR = 12, 20  # decisions that a name is taken from, and that it stands at least
REGULAR_AT = [window.SIGNAL_FEATURES.index(name) for name in ("acv", "fdom")]


class Arrest:
    """Decision by decision, and beat by beat. `track` is what it says on, `pause` what a standstill is said on at first."""

    def __init__(self, rate_hz: float, track: Track, pause: Track, score: window.WindowScore) -> None:
        self._rate_hz, self._track, self._pause, self._table = rate_hz, track, pause, score
        self._level = WindowLevel()
        self._gaps = gaps.Gaps()
        self._waves: deque[Floats] = deque(maxlen=NAMED_BY)  # regularity and frequency in Hz of each decision
        self._named = 0

    def beat(self, beat: SeenBeat, beats: Beats, sight: Sight, offset: int, due: int) -> list[Said]:
        """The next beat: the pause that it ends, or the standstill."""
        said: list[Said] = []
        gap = self._gaps.beat(beat, beats)
        if gap is not None and beat.rr_s is not None and not self._track.open:
            seconds = (gap.stop - gap.first) / RATE_HZ
            if seconds >= gaps.PAUSE_S:
                a, b = sight.inner.outer(gap.first) + offset, sight.inner.outer(gap.stop) + offset
                said.append(EventSaid("pause", a, a, b, due, (("gap", seconds, "s"),), gaps.RULE))
        if self._gaps.last == beat.at:
            said += self._pause.end(beat.sample, due)
            if self._track.label == "ASYS":
                said += self._track.end(beat.sample, due)
        return said

    def step(self, view: View, beats: Beats, back: int, due: int) -> list[Said]:
        """A decision; `back` is the input sample at which its window ends."""
        if len(view.measured):
            self._waves.append(np.add.reduce(view.measured[:, REGULAR_AT]) / len(view.measured))
        changed = self._level.step(self.score(view, beats))
        if self._level.on:
            return [*self._pause.end(back, due), *self._quivers(back, due)]
        said: list[Said] = []
        if changed:
            said = self._track.end(back - round(ENDED_BACK_S * self._rate_hz), due)
        if not view.leads:
            self._gaps.last = view.now if self._gaps.last is not None else None
            return [*said, *self._pause.end(back, due), *self._track.end(back, due)]
        seconds = self._gaps.open_s(view.now)
        if seconds is None or self._track.open:
            return said
        since = view.windows[:, -min(round(seconds * RATE_HZ) - AFTER_BEAT, window.WINDOW) :]
        p2p = float((np.maximum.reduce(since, axis=1) - np.minimum.reduce(since, axis=1)).min())
        if not self._gaps.still(p2p):
            return said
        onset, numbers = back - round(seconds * self._rate_hz), (("gap", seconds, "s"),)
        if seconds < gaps.ASYSTOLE_S:
            return [*said, *self._pause.begin("PAUSE", onset, due, numbers, gaps.RULE)]
        begun = self._track.begin("ASYS", onset, due, numbers, gaps.RULE)
        return [*said, *self._pause.end(back, due), *begun]

    def score(self, view: View, beats: Beats) -> float | None:
        """Mean score of the leads that were measured; None without one."""
        if not len(view.measured):
            return None
        scores: list[float] = self._table.of(rows(view, beats)).tolist()
        limit = WindowLevel.LIMIT
        return sum(min(max(score, -limit), limit) for score in scores) / len(scores)

    def _quivers(self, back: int, due: int) -> list[Said]:
        """The level is on: what it is called."""
        self._named += 1
        named = self._track.label in {"VFL", "VT"}
        if named and self._named < NAMED_FOR:
            return []
        label = "VT" if self._is_tachycardia() else "VFL"
        if label == self._track.label:
            return []
        self._named = 0
        onset = back - round((NAMED_BY * EVERY_S if named else DATED_BACK_S) * self._rate_hz)
        numbers = (("window_score", self._level.value, ""),)
        return self._track.begin(label, onset, due, numbers, RULE)

    def _is_tachycardia(self) -> bool:
        """Whether a fast rhythm is regular and slow enough to call it tachycardia: by its waves, since beats are not found in it."""
        regular, hz = np.mean(self._waves, axis=0)
        return bool(regular > VT_REGULAR and hz < VT_HZ)


def rows(view: View, beats: Beats) -> Floats:
    """All features of the measured leads (rows, features): the beats' are the same for each."""
    about = beat_measures(beats.within(view.now + 1 - window.WINDOW, view.now + 1))
    return np.concatenate([view.measured, np.repeat(about[None], len(view.measured), axis=0)], axis=1)


def beat_measures(recent: list[SeenBeat]) -> Floats:
    """BEAT_FEATURES of the beats of a window: a second, spread of RR by its mean, alike the dominant shape, and the one before."""
    if not recent:
        return np.zeros(4)
    spread = 0.0
    if len(recent) >= 3:
        rr = [after.at - before.at for before, after in pairwise(recent)]
        mean = sum(rr) / len(rr)
        spread = sqrt(sum((one - mean) ** 2 for one in rr) / len(rr)) / mean
    return np.array(
        [
            len(recent) / window.WINDOW_S,
            spread,
            sum(b.dominant for b in recent) / len(recent),
            sum(b.previous for b in recent) / len(recent),
        ]
    )
