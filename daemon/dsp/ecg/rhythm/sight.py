"""The signals as the rhythm rules see them: 125 Hz, a recent past, and at each decision the leads that are there and what they measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm import window
from daemon.dsp.ecg.rhythm.inner import RATE_HZ, Inner
from daemon.dsp.ecg.ring import Ring

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

EVERY_S = 0.5
KEPT = round(8 * RATE_HZ)
MOST_LEADS = 4
PREFERRED = ("II", "MLII", "V1", "V5", "I", "V2", "V4", "aVF", "III", "V3", "V6", "aVL", "aVR")
MIN_P2P_MV = 0.2  # what is lower is not called coarse fibrillation (AHA 1997)
MIN_WAVES_HZ = 1.5  # slower is no tachycardia
LOST_SHARE = 0.1
UNSEEN = round(0.1 * RATE_HZ)
NO_WINDOWS = np.zeros((0, window.WINDOW))
NO_MEASURES = np.zeros((0, len(window.SIGNAL_FEATURES)))


@dataclass(frozen=True, slots=True)
class View:
    """What is seen at inner sample `now`, known with input sample `due`.

    `leads` are those that are there, at most four, with their last 4 s in `windows` (leads, WINDOW), 1 to 30 Hz, mV.
    `measured` (rows, features) are of those tall and quick enough to be a tachycardia.
    """

    now: int
    due: int
    leads: list[int]
    windows: Floats
    measured: Floats


class Sight:
    """The recent past of `leads` signals of `rate_hz`; inner samples and input samples are counted from its beginning."""

    def __init__(self, rate_hz: float, leads: tuple[str, ...]) -> None:
        self._n = len(leads)
        order = [lead for lead in PREFERRED if lead in leads]
        self._order = [leads.index(lead) for lead in order] + [
            k for k, lead in enumerate(leads) if lead not in order
        ]
        self.inner = Inner(rate_hz, self._n)
        self._x, self._lost = Ring(self._n, 4096), Ring(self._n, 4096)
        self._all = np.zeros(self._n)
        self._all[self._order[:MOST_LEADS]] = 1.0
        self._lost_until = -window.CONTEXT  # from this inner sample on nothing was lost
        self._begun = False
        self.samples = 0
        self._decision = 1

    @property
    def first(self) -> int:
        """The oldest inner sample that is held."""
        return self._x.first

    @property
    def end(self) -> int:
        """The inner sample behind the newest."""
        return self._x.end

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[View]:
        """Take the next samples, mV (leads, n) and whether each can be used; what each decision that they allow sees."""
        x, lost = self.inner.push(mv, usable)
        self.samples += mv.shape[1]
        if not x.shape[1]:
            return []
        if not self._begun:
            self._begun = True
            self._x.begin(-window.CONTEXT, np.repeat(x[:, :1], window.CONTEXT, axis=1))
            self._lost.begin(-window.CONTEXT, np.zeros((self._n, window.CONTEXT)))
        self._x.append(x)
        self._lost.append(lost.astype(np.float64))
        if lost.any():
            self._lost_until = self._lost.end
        first = self._decision
        while _at(self._decision) < self._x.end:
            self._decision += 1
        return self._look(range(first, self._decision))

    def forget(self) -> None:
        """Let go of what no rule asks for any more."""
        for ring in (self._x, self._lost):
            ring.forget(self._x.end - KEPT)

    def stretch(self, first: int, stop: int) -> tuple[Floats, Floats]:
        """Inner samples first .. stop - 1 (leads, n), and 1 or 0 for leads in use (leads,): there, and at most four."""
        if first >= self._lost_until:
            return self._x.view(first, stop), self._all
        lost = np.add.reduce(self._lost.view(first, stop), axis=1) / (stop - first)
        usable = np.zeros(self._n)
        usable[[k for k in self._order if lost[k] < LOST_SHARE][:MOST_LEADS]] = 1.0
        return self._x.view(first, stop), usable

    def saw(self, first: int, stop: int) -> bool:
        """Whether a lead showed all of inner samples first .. stop, but for the blink of an eye."""
        if first < self._lost.first:
            return False
        if first >= self._lost_until:
            return True
        return float(np.add.reduce(self._lost.view(first, stop), axis=1).min()) <= UNSEEN

    def _look(self, decisions: range) -> list[View]:
        """The views of some decisions: their windows are measured in one go."""
        if not decisions:
            return []
        live: list[list[int]] = []
        rows: list[Floats] = []
        for decision in decisions:
            stop = _at(decision) + 1
            first = max(stop - window.WINDOW, 0)
            seen = [] if stop < window.WINDOW else self._order
            if seen and first < self._lost_until:
                lost = np.add.reduce(self._lost.view(first, stop), axis=1) / (stop - first)
                seen = [k for k in self._order if lost[k] < LOST_SHARE]
            live.append(seen[:MOST_LEADS])
            x = self._x.view(first - window.CONTEXT, stop)
            rows += [x[k] for k in live[-1]]
        windows = window.band(np.array(rows)) if rows else NO_WINDOWS
        tall = (np.ptp(windows, axis=1) >= MIN_P2P_MV) & (window.waves(windows) >= MIN_WAVES_HZ)
        measured = window.measure(windows[tall]) if tall.any() else NO_MEASURES
        views, at, before, is_tall = [], 0, 0, tall.tolist()
        for decision, leads in zip(decisions, live, strict=True):
            stop = at + len(leads)
            after = before + sum(is_tall[at:stop])
            now = _at(decision)
            views.append(View(now, self.inner.needed(now), leads, windows[at:stop], measured[before:after]))
            at, before = stop, after
        return views


def _at(decision: int) -> int:
    """Inner sample of a decision, the first being 1."""
    return int(decision * EVERY_S * RATE_HZ)
