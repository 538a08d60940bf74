"""Ventricular ectopy from the beats: single ones, couplets, runs, tachycardia, bi- and trigeminy."""

from __future__ import annotations

from collections import deque

from daemon.dsp.ecg.rhythm.beats import SeenBeat

RULE = "ectopy/1"
VT_BEATS, VT_BPM, VT_ALIKE = 5, 100.0, 0.6
RUN_BEATS = 3
SUSTAINED_S = 30.0
BIGEMINY_PAIRS, TRIGEMINY_GROUPS = 3, 3


def ventricular(beat: SeenBeat) -> bool:
    """Whether a beat is ventricular: by its class, and where it has none by a shape unlike the usual one, early."""
    if beat.label in {"", "Q", "?"}:
        return beat.foreign
    return beat.label in {"V", "E", "r"}


class Ectopy:
    """Beat by beat."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.run: list[SeenBeat] = []
        self.pattern: deque[bool] = deque(maxlen=3 * TRIGEMINY_GROUPS)
        self.marks: deque[int] = deque(maxlen=3 * TRIGEMINY_GROUPS)

    def beat(self, beat: SeenBeat) -> list[SeenBeat]:
        """The next beat; gives the run of ventricular beats that it ends."""
        ended: list[SeenBeat] = []
        v = ventricular(beat)
        self.pattern.append(v)
        self.marks.append(beat.sample)
        if v and beat.rr_s is not None:
            self.run.append(beat)
        else:
            ended, self.run = self.run, [beat] if v else []
        return ended

    @property
    def gemini(self) -> str:
        """B in bigeminy, T in trigeminy, else nothing."""
        p = list(self.pattern)
        n = 2 * BIGEMINY_PAIRS
        if len(p) >= n and p[-n:] in ([True, False] * BIGEMINY_PAIRS, [False, True] * BIGEMINY_PAIRS):
            return "B"
        n = 3 * TRIGEMINY_GROUPS
        if len(p) == n and sum(p) == TRIGEMINY_GROUPS and all(p[k] == p[k + 3] for k in range(n - 3)):
            return "T"
        return ""


def tachycardia(run: list[SeenBeat]) -> bool:
    """Whether a run is ventricular tachycardia: long and fast enough, and its beats like each other (noise is not)."""
    if len(run) < VT_BEATS or rate_of(run) < VT_BPM:
        return False
    return sum(b.previous for b in run[1:]) > VT_ALIKE * (len(run) - 1)


def rate_of(run: list[SeenBeat]) -> float:
    """Mean rate within a run, /min; 0 for a single beat."""
    rr = [b.rr_s for b in run[1:] if b.rr_s is not None]
    return 60 * len(rr) / sum(rr) if rr else 0.0
