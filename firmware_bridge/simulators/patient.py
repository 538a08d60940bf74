"""One body for every simulated board: a heart, lungs and blood that agree with each other, and the truth about them.

Everything is set while it runs (`patient.rate_bpm = 120`, `patient.rhythm = Rhythm.VF`) and shows from the next beat
on; noise and electrodes show at once. The same seed and settings give the same samples however they are taken.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import Any

import numpy as np

from firmware_bridge.simulators import heart
from firmware_bridge.simulators.blood import Blood
from firmware_bridge.simulators.lungs import Event, Lungs
from firmware_bridge.simulators.noise import Fibrillation, Loose, Matrix, Muscle, Pops, mains, wander
from firmware_bridge.simulators.ranged import Ranged
from firmware_bridge.simulators.rhythm import EC13, WITHOUT_BEATS, Planned, Rhythm, Timing, Wish
from firmware_bridge.simulators.source import (
    AIRWAY_PRESSURE,
    COLUMNS,
    ELECTRODES,
    FLOW,
    LEADS,
    LEAK,
    PLETH,
    PPG_INFRARED,
    PPG_RED,
    RESPIRATION,
    Numbers,
    Rows,
)

HOP_S = 0.05  # the body is computed in steps of this length: settings of noise act within it
LEAD_IN_S = 0.25  # a beat is decided this long before its R peak, so that its P wave can come first
TRUTH_LENGTH = 50_000  # beats remembered: 11 hours at 72 bpm

LOOSE_KINDS = ("rail", "noise")


class Patient:
    """A `Source` of the body's signals at `rate_hz` (10 to 20000). Time is counted in samples: row k is k / rate_hz.

    `beats` is the truth: the last `TRUTH_LENGTH` beats, each up to `LEAD_IN_S` before it is on the wire; `events` that
    of breathing. The parts `lungs` and `blood` are set directly (`patient.lungs.leaking(24)`).
    """

    rate_bpm = Ranged(72.0, 15.0, 300.0, "bpm")
    vt_bpm = Ranged(180.0, 60.0, 300.0, "bpm")
    pvc_per_minute = Ranged(0.0, 0.0, 60.0, "per minute")
    amplitude = Ranged(1.0, 0.05, 5.0, "times the usual size")
    t_mv = Ranged(0.25, -2.0, 3.0, "mV in lead II")
    st_mv = Ranged(0.0, -1.0, 1.0, "mV in the lead st_lead")
    mains_mv = Ranged(0.0, 0.0, 10.0, "mV amplitude in lead II")
    wander_mv = Ranged(0.03, 0.0, 10.0, "mV amplitude in lead II")
    muscle_mv = Ranged(0.004, 0.0, 5.0, "mV RMS in lead II")  # the default: what amplifiers themselves add
    pops_per_hour = Ranged(0.0, 0.0, 3600.0, "per hour")
    pop_mv = Ranged(2.0, 0.0, 100.0, "mV at most, on one electrode")
    temperature_c = Ranged(36.6, 20.0, 45.0, "degC")

    def __init__(self, rate_hz: float = 500.0, seed: int = 0) -> None:
        if not 10 <= rate_hz <= 20_000:
            raise ValueError(f"rate_hz must be 10 to 20000, not {rate_hz:g}")
        self.rate_hz = rate_hz
        self.mains_hz = 50.0
        self.loose = "rail"
        self.beats: deque[heart.TrueBeat] = deque(maxlen=TRUTH_LENGTH)
        self._rhythm = Rhythm.SINUS
        self._st_lead = "II"
        self._off: frozenset[str] = frozenset()
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(7)]
        self._timing = Timing(streams[0])
        self._vf = Fibrillation(streams[1], 5.0, 0.7, (0.22, 0.26, 0.20))
        self._f_waves = Fibrillation(streams[2], 6.5, 0.4, (0.015, 0.025, 0.045))
        self._muscle = Muscle(streams[3])
        self._loose = Loose(streams[4])
        self._pops = Pops(streams[5])
        self.lungs = Lungs(streams[6])
        self.blood = Blood()
        self._hop = max(1, round(HOP_S * rate_hz))
        self._made = 0  # rows computed
        self._taken = 0
        self._ready: deque[Rows] = deque()
        self._rows: Matrix = np.zeros((0, heart.COLUMNS_OF_A_ROW))
        self._last_r_s = -math.inf
        self._plan: Planned | None = None
        self._planned_for: Wish | None = None
        self._pause_s = 0.0
        self._airway = np.zeros(3)  # flow, pressure and leak at the end of what has been computed

    # --- what can be set ---------------------------------------------------------------------------------

    @property
    def rhythm(self) -> Rhythm:
        return self._rhythm

    @rhythm.setter
    def rhythm(self, value: str) -> None:
        try:
            self._rhythm = Rhythm(value)
        except ValueError:
            raise ValueError(f"no rhythm {value!r}: one of {', '.join(Rhythm)}") from None

    @property
    def st_lead(self) -> str:
        return self._st_lead

    @st_lead.setter
    def st_lead(self, value: str) -> None:
        if value not in LEADS:
            raise ValueError(f"no lead {value!r}: one of {', '.join(LEADS)}")
        self._st_lead = value

    def pause(self, seconds: float) -> None:
        """Hold the next beat back by `seconds` (0 to 60), once."""
        if not 0 <= seconds <= 60:
            raise ValueError(f"a pause must be 0 to 60 s, not {seconds:g}")
        self._pause_s = seconds

    def electrode(self, name: str, *, attached: bool) -> None:
        """Take one of `ELECTRODES` off, or put it on again."""
        if name not in ELECTRODES:
            raise ValueError(f"no electrode {name!r}: one of {', '.join(ELECTRODES)}")
        self._off = self._off - {name} if attached else self._off | {name}

    def ec13(self, record: str) -> None:
        """Take up the rhythm, rate and size of one of EC13's irregular rhythms ("3a" ... "4b")."""
        if record not in EC13:
            raise ValueError(f"no EC13 rhythm {record!r}: one of {', '.join(EC13)}")
        rhythm, rate_bpm, self.amplitude = EC13[record]
        self._rhythm = rhythm
        if rhythm is Rhythm.VT:
            self.vt_bpm = rate_bpm
        else:
            self.rate_bpm = rate_bpm

    @property
    def breaths_per_minute(self) -> float:
        return self.lungs.breaths_per_minute

    @breaths_per_minute.setter
    def breaths_per_minute(self, value: float) -> None:
        self.lungs.breaths_per_minute = value

    @property
    def spo2_pct(self) -> float:
        return self.blood.spo2_pct

    @spo2_pct.setter
    def spo2_pct(self, value: float) -> None:
        self.blood.spo2_pct = value

    # --- what a board reads ------------------------------------------------------------------------------

    @property
    def electrodes_off(self) -> frozenset[str]:
        return self._off

    @property
    def time_s(self) -> float:
        """The body's time: rows taken / rate."""
        return self._taken / self.rate_hz

    @property
    def numbers(self) -> Numbers:
        """What a monitor would show: the rate over the last beats heard, None without beats."""
        heard = [b.r_s for b in islice(reversed(self.beats), 8) if b.r_s <= self.time_s]
        rate = None
        if len(heard) >= 2 and self.time_s - heard[0] < 4:
            rate = round(60 * (len(heard) - 1) / (heard[0] - heard[-1]))
        lungs, blood = self.lungs, self.blood
        on = blood.finger_on
        return Numbers(
            heart_rate_bpm=rate,
            breaths_per_minute=round(self.breaths_per_minute) if lungs.effort else 0,
            spo2_pct=round(blood.saturation_pct) if on else None,
            pulse_bpm=blood.pulse_bpm,
            perfusion_pct=blood.perfusion_pct if on else None,
            temperature_c=self.temperature_c,
            **self._at_the_machine(),
        )

    def _at_the_machine(self) -> dict[str, Any]:
        """What a CPAP at the mask would show; nothing while it is off."""
        lungs = self.lungs
        if not lungs.machine_on:
            return {}
        seen = lungs.mask_on
        return {
            "mask_on": seen,
            "pressure_cm_h2o": float(self._airway[1]),
            "set_pressure_cm_h2o": lungs.set_pressure_cm_h2o,
            "leak_lpm": 60 * float(self._airway[2]),
            "tidal_volume_ml": 1000 * lungs.tidal_l if seen else None,
            "minute_volume_lpm": lungs.ventilation_lpm if seen else None,
            "flow_limitation": lungs.flow_limitation if seen else None,
            "snore": lungs.snore if seen else None,
            "event": (lungs.event or "") if seen else "",
        }

    @property
    def events(self) -> list[Event]:
        """What lungs, mask and blood have gone through so far, by beginning."""
        return sorted([*self.lungs.events, *self.blood.events], key=lambda event: event.start_s)

    def next(self, n: int) -> Rows:
        """The next `n` samples of I, II, V1..V6 in mV: float64 of shape (n, 8)."""
        return self.take(n)[:, : len(LEADS)]

    def take(self, n: int) -> Rows:
        """The next `n` rows, float64 of shape (n, len(COLUMNS)). A patient never ends."""
        parts: list[Rows] = [np.zeros((0, len(COLUMNS)))]
        missing = n
        while missing > 0:
            if not self._ready:
                self._ready.append(self._next_hop())
            rows = self._ready.popleft()
            if len(rows) > missing:
                self._ready.appendleft(rows[missing:])
                rows = rows[:missing]
            parts.append(rows)
            missing -= len(rows)
        out = np.concatenate(parts)
        if self._off and n:
            t_s = (self._taken + np.arange(n)) / self.rate_hz
            stray = self._loose.potentials(t_s, self._off, self.loose, self.mains_hz)
            # Not a matrix product: its last bit depends on how many rows it is given.
            out[:, : len(LEADS)] += np.einsum("ne,le->nl", stray, heart.FROM_ELECTRODES)
        self._taken += n
        return out

    # --- one step of the body ----------------------------------------------------------------------------

    def _next_hop(self) -> Rows:
        n = self._hop
        t_s = (self._made + np.arange(n)) / self.rate_hz
        self._beat_until(float(t_s[0]), (self._made + n) / self.rate_hz)
        body = heart.sum_of(self._rows, t_s)
        self._rows = heart.alive(self._rows, float(t_s[-1]))
        vector = body[:, :3]
        for disorder, rhythm in ((self._vf, Rhythm.VF), (self._f_waves, Rhythm.AF)):
            more = disorder.next(n, self.rate_hz, on=self._rhythm is rhythm)
            if more is not None:
                vector = vector + more * self.amplitude
        potentials = vector @ heart.TO_ELECTRODES.T
        if self.muscle_mv:
            potentials += self.muscle_mv * self._muscle.next(n)
        if self.mains_mv:
            potentials += self.mains_mv * mains(t_s, self.mains_hz)
        if self.wander_mv:
            potentials += self.wander_mv * wander(t_s)
        if self.pops_per_hour:
            popped = self._pops.next(n, self.rate_hz, self.pops_per_hour, self.pop_mv)
            if popped is not None:
                potentials += popped
        rows = np.zeros((n, len(COLUMNS)))
        rows[:, : len(LEADS)] = potentials @ heart.FROM_ELECTRODES.T
        airway = self.lungs.next(t_s, 1 / self.rate_hz, body[:, 3])
        rows[:, RESPIRATION], rows[:, FLOW] = airway.chest, airway.flow
        rows[:, AIRWAY_PRESSURE], rows[:, LEAK] = airway.pressure, airway.leak
        rows[:, PPG_INFRARED : PPG_RED + 1] = self._light(body[:, 3])
        rows[:, PLETH] = self.blood.next(t_s, 1 / self.rate_hz, self.lungs.breathing_share)
        self._airway = rows[-1, [FLOW, AIRWAY_PRESSURE, LEAK]]
        self._made += n
        return rows

    def _wish(self) -> Wish:
        return Wish(self._rhythm, self.rate_bpm, self.vt_bpm, self.pvc_per_minute, self.breaths_per_minute)

    def _beat_until(self, now_s: float, until_s: float) -> None:
        """Decide every beat whose P wave may begin before `until_s`."""
        wish = self._wish()
        if wish != self._planned_for:
            self._plan, self._planned_for = None, wish
        if wish.rhythm in WITHOUT_BEATS:
            return
        while True:
            if self._plan is None:
                self._plan = self._timing.plan(wish, max(self._last_r_s, now_s))
            if self._plan is None:
                return
            r_s = max(self._last_r_s + self._plan.after_s + self._pause_s, now_s + LEAD_IN_S)
            if r_s >= until_s + LEAD_IN_S:
                return
            shape = heart.Shape(self.amplitude, self.t_mv, self.st_mv, self._st_lead)
            rows, truth = heart.beat(self._plan, r_s, shape)
            self._rows = np.vstack([self._rows, rows])
            self.beats.append(truth)
            self.blood.beat(r_s, heart.filling(self._plan), self._plan.mean_rr_s)
            self._last_r_s, self._plan, self._pause_s = r_s, None, 0.0

    def _light(self, pulse: Matrix) -> Matrix:
        """Infrared and red light through the finger; the ratio of their pulsations follows the usual 110 - 25 R."""
        if not self.blood.finger_on:
            return np.ones((len(pulse), 2))
        depth = self.blood.perfusion_pct / 100
        ratio = (110 - self.blood.saturation_pct) / 25
        return np.stack([1 - depth * pulse, 1 - depth * ratio * pulse], axis=1)
