"""Slow, fast, regular or not: the plain words for a rhythm that is neither fibrillation nor ventricular."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from daemon.dsp.ecg.rhythm.beats import SeenBeat

RULE = "rate/3"
SLOW_BPM, FAST_BPM = 50.0, 120.0
COUNTED = 8
SVT_BPM, SVT_BEATS, SVT_JUMP = 130.0, 4, 0.75
SWING, SWING_OFF, SWING_S, BREATH_BEATS = (
    0.12,
    0.10,
    0.12,
    24,
)  # shares of mean RR, at least so many s, in so many beats
PACED_OF, PACED, NOT_PACED = 16, 0.6, 0.3  # beats; shares from which and down to which it is a paced rhythm
PACED_ENOUGH = 8


class Rates:
    """Beat by beat."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self._rr: deque[float] = deque(maxlen=BREATH_BEATS)
        self._marks: deque[int] = deque(maxlen=COUNTED + 1)
        self._fast = 0
        self._paced: deque[bool] = deque(maxlen=PACED_OF)
        self._breath: deque[float] = deque(maxlen=BREATH_BEATS)
        self._ectopic = False
        self._is_paced = self._breathes = False

    def beat(self, beat: SeenBeat) -> None:
        """The next beat."""
        if beat.rr_s is None:
            self.clear()
            return
        usual = sum(self._rr) / len(self._rr) if self._rr else beat.rr_s
        early = beat.rr_s < SVT_JUMP * usual or self._fast > 0
        self._fast = self._fast + 1 if early and 60 / beat.rr_s >= SVT_BPM and not beat.foreign else 0
        self._rr.append(beat.rr_s)
        self._marks.append(beat.sample)
        self._paced.append(beat.label == "/")
        share = sum(self._paced) / len(self._paced)
        self._is_paced = len(self._paced) >= PACED_ENOUGH and share >= (
            NOT_PACED if self._is_paced else PACED
        )
        # Neither interval of an ectopic beat tells of breathing.
        if not (beat.foreign or self._ectopic):
            self._breath.append(beat.rr_s)
        self._ectopic = beat.foreign
        self._breathes = self.swing > (SWING_OFF if self._breathes else SWING)

    @property
    def bpm(self) -> float | None:
        """Mean rate of the last beats."""
        if len(self._rr) < COUNTED:
            return None
        last = list(self._rr)[-COUNTED:]
        return 60 * len(last) / sum(last)

    @property
    def since(self) -> int:
        """The mark that `bpm` begins with."""
        return self._marks[0]

    @property
    def swing(self) -> float:
        """How far RR goes up and down smoothly, as a share of its mean; 0 where it jumps, or by too little."""
        rr = list(self._breath)
        if len(rr) < BREATH_BEATS:
            return 0.0
        mean = sum(rr) / len(rr)
        step = sorted(abs(b - a) for a, b in pairwise(rr))
        ordered = sorted(rr)
        span = ordered[-2] - ordered[1]
        return span / mean if span >= SWING_S and step[-2] < 0.6 * span else 0.0

    @property
    def word(self) -> str:
        """The WFDB name of the rhythm, "" before it can be told."""
        bpm = self.bpm
        if bpm is None:
            return ""
        if self._is_paced:
            return "P"
        if self._fast >= SVT_BEATS:
            return "SVTA"
        if bpm < SLOW_BPM:
            return "SBR"
        if bpm > FAST_BPM:
            return "STACH"
        return "SARRH" if self._breathes else "N"
