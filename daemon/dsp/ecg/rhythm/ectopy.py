"""Ventricular ectopy from the beats: single ones, couplets, runs, tachycardia, slow rhythms, bi- and trigeminy."""

from __future__ import annotations

from collections import deque

from daemon.dsp.ecg.rhythm.beats import SeenBeat
from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.said import EventSaid, Numbers, Said
from daemon.dsp.ecg.rhythm.sight import EVERY_S

RULE = "ectopy/2"
VT_BEATS, VT_BPM, ALIKE = 5, 100.0, 0.6
IVR_BEATS = 6
JUDGED = 12  # beats of a run that its rate and likeness are taken from: the last ones
BIGEMINY_PAIRS, TRIGEMINY_GROUPS = 3, 3
MINUTE = round(60 / EVERY_S)  # decisions


def ventricular(beat: SeenBeat) -> bool:
    """Whether a beat is ventricular: by its class, and where it has none by a shape unlike the usual one, early."""
    if beat.label in {"", "Q", "?"}:
        return beat.foreign
    return beat.label in {"V", "E", "r"}


class Run:
    """Ventricular beats in a row, from its first."""

    def __init__(self, beat: SeenBeat) -> None:
        self.first = self.last = beat.sample
        self.beats = 1
        self._rr: deque[float] = deque(maxlen=JUDGED)
        self._alike: deque[float] = deque(maxlen=JUDGED)

    def add(self, beat: SeenBeat, rr_s: float) -> None:
        """The next beat, `rr_s` after the one before."""
        self.last = beat.sample
        self.beats += 1
        self._rr.append(rr_s)
        self._alike.append(beat.previous)

    @property
    def bpm(self) -> float:
        """Mean rate of the last beats; 0 for a single one."""
        return 60 * len(self._rr) / sum(self._rr) if self._rr else 0.0

    @property
    def alike(self) -> bool:
        """Whether the beats are like each other: noise is not."""
        return sum(self._alike) > ALIKE * len(self._alike)

    @property
    def tachycardia(self) -> bool:
        """Whether it is ventricular tachycardia: long and fast enough, of like beats."""
        return self.beats >= VT_BEATS and self.bpm >= VT_BPM and self.alike

    @property
    def slow(self) -> bool:
        """Whether it is an idioventricular rhythm: long enough, of like beats, and no tachycardia."""
        return self.beats >= IVR_BEATS and 0 < self.bpm < VT_BPM and self.alike

    @property
    def numbers(self) -> Numbers:
        """Evidence."""
        return (("beats", float(self.beats), ""), ("rate", self.bpm, "bpm"))


class Ectopy:
    """Beat by beat."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.pattern: deque[bool] = deque(maxlen=3 * TRIGEMINY_GROUPS)

    def beat(self, beat: SeenBeat) -> Run | None:
        """The next beat; gives the run of ventricular beats that it ends."""
        v = ventricular(beat)
        self.pattern.append(v)
        if v and beat.rr_s is not None and self.run is not None:
            self.run.add(beat, beat.rr_s)
            return None
        ended, self.run = self.run, Run(beat) if v else None
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


class Ectopics:
    """Says tachycardia and slow ventricular rhythm on `track`, couplets, runs and counts as events."""

    def __init__(self, rate_hz: float, track: Track) -> None:
        self._rate_hz, self._track = rate_hz, track
        self._ectopy = Ectopy()
        self._counted = {"V": 0, "S": 0}
        self._decisions = 0

    @property
    def gemini(self) -> str:
        """B in bigeminy, T in trigeminy, else nothing."""
        return self._ectopy.gemini

    def beat(self, beat: SeenBeat, due: int) -> list[Said]:
        """The next beat: what begins or ends with it."""
        self._counted["V"] += ventricular(beat)
        self._counted["S"] += beat.label == "S"
        ended = self._ectopy.beat(beat)
        said: list[Said] = []
        if ended is not None and ended.beats >= 2:
            name = "couplet" if ended.beats == 2 else "ventricular_run"
            said = [EventSaid(name, ended.first, ended.first, ended.last, due, ended.numbers, RULE)]
            said += self._track.end(ended.last, due)
        run = self._ectopy.run
        if run is not None and run.tachycardia:
            said += self._track.begin("VT", self._onset(run), due, run.numbers, RULE)
        elif run is not None and run.slow and self._track.label != "VT":
            said += self._track.begin("IVR", run.first, due, run.numbers, RULE)
        return said

    def _onset(self, run: Run) -> int:
        """Where a tachycardia began: with its run, or where a slow one has become fast."""
        return run.last if self._track.label == "IVR" else run.first

    def step(self, due: int) -> list[Said]:
        """A decision; once a minute the ectopic beats of that minute."""
        self._decisions += 1
        if self._decisions % MINUTE:
            return []
        counted, self._counted = self._counted, {"V": 0, "S": 0}
        if not any(counted.values()):
            return []
        numbers = (
            ("ventricular", float(counted["V"]), "1/min"),
            ("supraventricular", float(counted["S"]), "1/min"),
        )
        first = max(due - round(60 * self._rate_hz), 0)
        return [EventSaid("ectopic_beats", due, first, due, due, numbers, RULE)]
