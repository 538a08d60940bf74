"""Runs of flow-limited breaths that end in a sudden deep one: like a RERA, as far as flow can show it.

A respiratory effort-related arousal is at least 10 s of growing effort or flattened inspiration that ends in an arousal and
is neither apnoea nor hypopnoea (AASM). Devices call it so when a run of flow-limited breaths ends with a sudden rise of flow
and without limitation (Philips DreamStation manual, 5.12). Whether the patient woke is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median

from daemon.dsp.respiration.breaths import Breath

LIMITED, FREE = 0.5, 0.35  # of the flattening 0 .. 1: Teschler's index below 0.15, and near 0.2
LEAST_S, LEAST_BREATHS = 10.0, 3
DEEPER = 1.3  # peak flow of the breath that ends the run, against the run's
LONGEST_S = 300.0  # a run that goes on longer is how this patient breathes


@dataclass(frozen=True, slots=True)
class LimitedRun:
    """Means `onset` .. `end` - 1 of flow-limited breaths, how flat they were and by how much the next one was deeper."""

    onset: int
    end: int
    breaths: int
    limited: float
    deeper: float


class LimitedRuns:
    """Takes breaths in order."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._run: list[Breath] = []

    def begin(self) -> None:
        """What comes next does not join what was before."""
        self._run = []

    def push(self, breath: Breath) -> LimitedRun | None:
        """The next breath; the run that it ends, if that is one."""
        run = self._run
        joined = not run or breath.onset - run[-1].end <= self._hz
        if breath.limited is not None and breath.limited >= LIMITED and joined:
            run.append(breath)
            if breath.end - run[0].onset > LONGEST_S * self._hz:
                del run[0]
            return None
        self._run = []
        if not joined or len(run) < LEAST_BREATHS or run[-1].end - run[0].onset < LEAST_S * self._hz:
            return None
        deeper = breath.peak_lps / median(b.peak_lps for b in run)
        if deeper < DEEPER or breath.limited is None or breath.limited > FREE:
            return None
        flat = fmean(b.limited for b in run if b.limited is not None)
        return LimitedRun(run[0].onset, run[-1].end, len(run), flat, deeper)
