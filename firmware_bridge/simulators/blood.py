"""Blood in the finger: how full of oxygen it is, and the pulse that an oximeter draws of it.

Saturation falls while the lungs get less than they need and comes back after them; the finger learns of either only when
that blood has travelled there. Every heart beat makes a pulse, the smaller the less time the heart had to fill.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.lungs import Event, Kind
from firmware_bridge.simulators.ranged import Ranged

Series = npt.NDArray[np.float64]

TRAVEL_S = 18.0  # from the lungs to a finger
FALL_PCT_S = 0.3  # with no ventilation at all, once the store of the lungs is used up
STORE_S = 8.0  # how long that store lasts
RECOVERY_S = 7.0
DEEPEST_PCT = 45.0
LOWEST_PCT = 50.0
LONGEST_S = 1800.0
MARKED_PCT = 3.0  # a fall by so much is kept as an event
TRANSIT_S = 0.16  # from the R peak to the foot of the pulse in the finger

# Bells of one pulse, in seconds after its foot at 72 bpm: at, left, right, height. The gap between them is the notch.
SYSTOLIC = (0.14, 0.055, 0.085, 1.0)
DICROTIC = (0.40, 0.060, 0.100, 0.42)
USUAL_PERFUSION_PCT = 2.0
WELL_SEEN_PCT = 1.0  # from this perfusion on an oximeter draws the pulse at full size
FULL = 0.85  # of the pleth's height that a usual beat takes


class Blood:
    """Saturation and pulse of one body. `spo2_pct` is what it settles at when breathing is well.

    `perfusion_pct` is the pulse's share of the light. `finger(on=False)` takes the probe off.
    """

    spo2_pct = Ranged(97.0, LOWEST_PCT, 100.0, "%")
    perfusion_pct = Ranged(USUAL_PERFUSION_PCT, 0.02, 20.0, "%")

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=1000)
        self._on = True
        self._store_s = STORE_S
        self._missing_pct = 0.0  # in the lungs
        self._travelling: deque[tuple[float, float]] = deque()  # (when at the finger, what is missing)
        self._brought_pct = 0.0  # what of it has come to the finger
        self._arrived_pct = 0.0  # the same with a fall on request
        self._asked: tuple[float, float, float] | None = None  # from, until, by how much: a fall on request
        self._fall: Event | None = None
        self._shape = np.zeros((0, 4))  # bells to come or under way: at, left, right, height
        self._pulses: deque[float] = deque(maxlen=8)  # feet of the last pulses
        self._now_s = 0.0

    # --- what can be set ---------------------------------------------------------------------------------

    def finger(self, *, on: bool) -> None:
        self._on = on

    def desaturate(self, to_pct: float, seconds: float) -> None:
        """Fall to `to_pct` and come back, within `seconds` in all (from now; without the way to the finger)."""
        if not LOWEST_PCT <= to_pct < self.spo2_pct:
            raise ValueError(
                f"saturation can fall to {LOWEST_PCT:g} and less than {self.spo2_pct:g} %, not {to_pct:g}"
            )
        if not 5 <= seconds <= LONGEST_S:
            raise ValueError(f"a fall must last 5 to {LONGEST_S:g} s, not {seconds:g}")
        self._asked = (self._now_s, self._now_s + seconds, self.spo2_pct - to_pct)

    def beat(self, r_s: float, filling: float, rr_s: float) -> None:
        """The heart beat at `r_s`; `filling` 0 to 1.2 of a usual beat, `rr_s` its usual interval."""
        pace = min(1.0, rr_s / 0.83)
        foot_s = r_s + TRANSIT_S
        bells = [
            (foot_s + at * pace, left * pace, right * pace, high * filling)
            for at, left, right, high in (SYSTOLIC, DICROTIC)
        ]
        self._shape = np.vstack([self._shape, bells])
        self._pulses.append(foot_s)

    # --- what can be seen --------------------------------------------------------------------------------

    @property
    def finger_on(self) -> bool:
        return self._on

    @property
    def saturation_pct(self) -> float:
        """At the finger, now."""
        return max(self.spo2_pct - self._arrived_pct, LOWEST_PCT)

    @property
    def pulse_bpm(self) -> int | None:
        """As an oximeter shows it: over the last pulses, None without."""
        felt = [foot for foot in self._pulses if foot <= self._now_s]
        if not self._on or len(felt) < 2 or self._now_s - felt[-1] > 4:
            return None
        return round(60 * (len(felt) - 1) / (felt[-1] - felt[0]))

    # --- one step ----------------------------------------------------------------------------------------

    def next(self, t_s: Series, step_s: float, breathing_share: float) -> Series:
        """The pleth at `t_s` (n, rising by `step_s`), 0 to about 1; breathing is `breathing_share` of the usual."""
        self._now_s = float(t_s[-1]) + step_s
        self._breathe(len(t_s) * step_s, breathing_share)
        if not self._on:
            return np.zeros(len(t_s))
        self._shape = self._shape[self._shape[:, 0] + 5 * self._shape[:, 2] > t_s[0]]
        at, left, right, high = self._shape.T[:, :, None]
        u = t_s - at
        u /= np.where(u < 0, left, right)
        wave = np.asarray((high * np.exp(-0.5 * u * u)).sum(axis=0))
        return FULL * min(self.perfusion_pct / WELL_SEEN_PCT, 1.0) * wave

    def _breathe(self, seconds: float, share: float) -> None:
        lack = max(1.0 - share, 0.0)
        self._store_s = min(max(self._store_s - (lack - min(share, 1.0)) * seconds, 0.0), STORE_S)
        fall = FALL_PCT_S * lack if self._store_s == 0 else 0.0
        recovery = self._missing_pct * min(share, 1.5) / RECOVERY_S
        self._missing_pct = min(max(self._missing_pct + (fall - recovery) * seconds, 0.0), DEEPEST_PCT)
        self._travelling.append((self._now_s + TRAVEL_S, self._missing_pct))
        while self._travelling[0][0] <= self._now_s:
            _, self._brought_pct = self._travelling.popleft()
        self._arrived_pct = self._brought_pct
        if self._asked is not None:
            from_s, until_s, depth = self._asked
            share = min((self._now_s - from_s) / (until_s - from_s), 1.0)
            # Two fifths down, one fifth at the bottom, two fifths up.
            edge = min(share, 1 - share) / 0.4
            self._arrived_pct = max(self._brought_pct, depth * (1 - math.cos(math.pi * min(edge, 1.0))) / 2)
            if share >= 1:
                self._asked = None
        self._remember()

    def _remember(self) -> None:
        """Keep the truth: a fall begins and ends where `MARKED_PCT` is passed."""
        if self._arrived_pct < MARKED_PCT:
            if self._fall is not None:
                self._fall.end_s = self._now_s
            self._fall = None
            return
        if self._fall is None:
            self._fall = Event(Kind.DESATURATION, self._now_s, value=self.saturation_pct)
            self.events.append(self._fall)
        self._fall.value = min(self._fall.value, self.saturation_pct)
