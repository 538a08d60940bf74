"""Lungs, an upper airway that can close, a mask that can leak, and the machine that holds pressure in it.

Breaths are planned one by one and events are rows of planned breaths, so every event begins where a breath would have
begun and ends with the first good one: the way scorers time them. What really happened is kept in `events`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.ranged import Ranged

Series = npt.NDArray[np.float64]

USUAL_TIDAL_ML = 500.0  # one unit of the column "respiration" from its middle is half of it
USUAL_VENTILATION_LPM = 7.5
EVENTS_REMEMBERED = 10_000
LONGEST_EVENT_S = 300.0

# The small wave by which a machine asks whether the airway is open, and the flow that an open one answers with
# (4.5 cmH2O s/L). Cushion and cheeks give back a share of it when it is closed (15 cmH2O s/L; 11 to 18 in real nights).
FOT_HZ, FOT_CM_H2O, FOT_AFTER_S = 4.0, 0.5, 4.0
FOT_FLOW_LPS, CLOSED = 0.11, 0.3
HEART_LPS_S = 0.0022  # each heart beat moves a little air: flow per slope of the pulse
SNORE_HZ, SNORE_CM_H2O = 45.0, 0.25
SWING_CM_H2O = 0.6  # how far a flow of 1 L/s pulls the pressure at the mask down
SWITCH_S = 0.2  # from one pressure to the other within a breath
SLEW_CM_H2O = 2.0  # a machine's set pressure moves so much in a second
RAMP_START_CM_H2O = 4.0
FREE_CM_H2O, FREE_LPS = 1.5, 1.4  # a machine that blows into the room
BLOWER_LPM, SAG_CM_H2O = 60.0, 0.05  # beyond such a leak the pressure falls, by so much for each L/min

CHEYNE_CYCLE_S, CHEYNE_ACTIVE_S = 60.0, 38.0
JITTER = 0.03  # of a breath's beginning (in periods) and of its size


class Kind(StrEnum):
    """What the truth calls an event."""

    OBSTRUCTIVE = "obstructive_apnoea"
    CENTRAL = "central_apnoea"  # the airway is clear, nobody breathes
    HYPOPNOEA = "hypopnoea"
    CHEYNE_STOKES = "cheyne_stokes"
    LEAK = "leak"
    MASK_OFF = "mask_off"
    DESATURATION = "desaturation"


@dataclass(slots=True)
class Event:
    """Something that happened, in seconds of the body's time. `end_s` is infinite while it goes on.

    `value` is the leak in L/min, or the lowest saturation in %; else 0.
    """

    kind: Kind
    start_s: float
    end_s: float = math.inf
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Breath:
    """One planned breath: `tidal_l` is the effort, of which the share `passes` reaches the mask.

    `limited` 0 to 1 flattens its inspiration. An effort of 0 is a pause of that length.
    """

    period_s: float
    tidal_l: float
    passes: float = 1.0
    limited: float = 0.0
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Airway:
    """What the lungs and the machine did at n moments: L/s, cmH2O, L/s and the chest's excursion (about -1 to 1)."""

    flow: Series
    pressure: Series
    leak: Series
    chest: Series


@dataclass(frozen=True, slots=True)
class _Parts:
    """A step under way: 1 where the machine takes it for inspiration, L/s, L of chest, share of flow that passes."""

    inspiring: Series
    flow: Series
    volume: Series
    passes: Series

    @classmethod
    def empty(cls, n: int) -> _Parts:
        return cls(np.empty(n), np.empty(n), np.empty(n), np.empty(n))


class Lungs:
    """Lungs under a mask. `cpap_cm_h2o` 0 = the machine is off (the mask is then open to the room).

    With `support_cm_h2o` the machine gives cpap + support while breathing in. Leak is what goes beside the mask at the
    set pressure. All settings show from the next breath on; those of the machine and of the mask at once.
    """

    breaths_per_minute = Ranged(15.0, 0.0, 90.0, "per minute")
    tidal_ml = Ranged(USUAL_TIDAL_ML, 50.0, 3000.0, "mL")
    inspiratory_share = Ranged(0.4, 0.2, 0.6, "of a breath")
    flow_limitation = Ranged(0.0, 0.0, 1.0, "(0 round, 1 flat)")
    snore = Ranged(0.0, 0.0, 5.0, "(0 none)")
    cpap_cm_h2o = Ranged(10.0, 0.0, 30.0, "cmH2O")
    support_cm_h2o = Ranged(0.0, 0.0, 20.0, "cmH2O")
    epr_cm_h2o = Ranged(0.0, 0.0, 3.0, "cmH2O")
    leak_lpm = Ranged(0.0, 0.0, 150.0, "L/min")

    def __init__(self, rng: np.random.Generator) -> None:
        self.events: deque[Event] = deque(maxlen=EVENTS_REMEMBERED)
        self._rng = rng
        self._planned: deque[Breath] = deque()
        self._breath = Breath(0.0, 0.0)
        self._begun_s = 0.0  # of the breath under way
        self._shift = 0.0
        self._under_way: Event | None = None
        self._states: dict[Kind, Event] = {}
        self._cheyne = False
        self._cheyne_s: float | None = None  # when its present cycle began
        self._mask_on = True
        self._ramp_s = 0.0
        self._ramp_from_s: float | None = None
        self._set_cm_h2o = self.cpap_cm_h2o
        self._ventilation_lpm = USUAL_VENTILATION_LPM
        self._pulse = 0.0
        self._now_s = 0.0

    # --- what can be set ---------------------------------------------------------------------------------

    def stop_breathing(self, seconds: float, kind: Kind) -> None:
        """An apnoea from the next breath on: `Kind.OBSTRUCTIVE` (efforts that nothing comes of) or `Kind.CENTRAL`."""
        self._checked(seconds)
        if kind is Kind.CENTRAL:
            self._planned.append(Breath(seconds, 0.0, kind=kind))
        else:
            efforts = max(1, round(seconds / self._period_s()))
            effort_l = self.tidal_ml / 1000
            self._planned += [
                Breath(seconds / efforts, effort_l * (0.35 + 0.25 * k / efforts), 0.0, kind=kind)
                for k in range(efforts)
            ]
        self._recover()

    def breathe_less(self, seconds: float, share: float = 0.4) -> None:
        """A hypopnoea from the next breath on: `share` (0.1 to 0.7) of the flow, flattened."""
        self._checked(seconds)
        if not 0.1 <= share <= 0.7:
            raise ValueError(f"a hypopnoea keeps 0.1 to 0.7 of the flow, not {share:g}")
        breaths = max(1, round(seconds / self._period_s()))
        effort_l = self.tidal_ml / 1000
        self._planned += [Breath(seconds / breaths, effort_l, share, 0.8, Kind.HYPOPNOEA)] * breaths
        self._recover()

    def _checked(self, seconds: float) -> None:
        if not 1 <= seconds <= LONGEST_EVENT_S:
            raise ValueError(f"an event must last 1 to {LONGEST_EVENT_S:g} s, not {seconds:g}")

    def _recover(self) -> None:
        period_s, tidal_l = self._period_s(), self.tidal_ml / 1000
        self._planned += [Breath(period_s, tidal_l * size) for size in (1.5, 1.4, 1.2)]

    def cheyne_stokes(self, *, on: bool) -> None:
        """Breathing that waxes and wanes and stops, over and over (cycle `CHEYNE_CYCLE_S`)."""
        self._state(Kind.CHEYNE_STOKES, on=on)
        self._cheyne, self._cheyne_s = on, None

    def mask(self, *, on: bool) -> None:
        """Take the mask off, or put it on again."""
        self._state(Kind.MASK_OFF, on=not on)
        self._mask_on = on

    def leaking(self, lpm: float) -> None:
        """Let so much go beside the mask; 0 = it sits well again."""
        self.leak_lpm = lpm
        self._state(Kind.LEAK, on=False)
        if lpm:
            self._state(Kind.LEAK, on=True, value=lpm)

    def ramp(self, seconds: float) -> None:
        """Begin anew at `RAMP_START_CM_H2O` and reach the set pressure after so many seconds (0 = at once)."""
        if not 0 <= seconds <= 2700:
            raise ValueError(f"a ramp must be 0 to 2700 s, not {seconds:g}")
        self._ramp_s, self._ramp_from_s = seconds, self._now_s if seconds else None

    def _state(self, kind: Kind, *, on: bool, value: float = 0.0) -> None:
        going_on = self._states.pop(kind, None)
        if going_on is not None and on:
            self._states[kind] = going_on
        elif going_on is not None:
            going_on.end_s = self._now_s
        elif on:
            self._states[kind] = Event(kind, self._now_s, value=value)
            self.events.append(self._states[kind])

    # --- what can be seen --------------------------------------------------------------------------------

    @property
    def mask_on(self) -> bool:
        return self._mask_on

    @property
    def machine_on(self) -> bool:
        return self.cpap_cm_h2o > 0

    @property
    def event(self) -> Kind | None:
        """The apnoea or hypopnoea that goes on now."""
        return self._breath.kind

    @property
    def effort(self) -> bool:
        """Whether the chest moves in this breath."""
        return self._breath.tidal_l > 0

    @property
    def tidal_l(self) -> float:
        """What this breath brings in."""
        return self._breath.tidal_l * self._breath.passes

    @property
    def ventilation_lpm(self) -> float:
        """Over the last half minute or so."""
        return self._ventilation_lpm

    @property
    def set_pressure_cm_h2o(self) -> float:
        """What the machine aims at now, ramp included."""
        return self._set_cm_h2o

    @property
    def breathing_share(self) -> float:
        """Ventilation of this breath as a share of the usual one."""
        return 60 * self.tidal_l / max(self._breath.period_s, 0.1) / USUAL_VENTILATION_LPM

    # --- one step ----------------------------------------------------------------------------------------

    def next(self, t_s: Series, step_s: float, pulse: Series) -> Airway:
        """The airway at `t_s` (n, rising by `step_s`); `pulse` (n) is the heart's pulse wave at these times."""
        n = len(t_s)
        parts = _Parts.empty(n)
        at = 0
        while at < n:
            while t_s[at] >= self._begun_s + self._breath.period_s:
                self._begin(self._begun_s + self._breath.period_s)
            turn_s = self._begun_s + self._breath.period_s * self.inspiratory_share
            inward = bool(t_s[at] < turn_s)
            stop = int(np.searchsorted(t_s, turn_s if inward else self._begun_s + self._breath.period_s))
            (self._breathe_in if inward else self._breathe_out)(t_s[at:stop] - self._begun_s, parts, at)
            at = stop
        self._now_s = float(t_s[-1]) + step_s
        seconds = n * step_s
        self._ventilation_lpm += (
            (self.breathing_share * USUAL_VENTILATION_LPM - self._ventilation_lpm) * seconds / 20
        )
        return self._at_the_mask(t_s, step_s, parts, pulse)

    def _breathe_in(self, t: Series, parts: _Parts, at: int) -> None:
        """Flow and volume `t` seconds into the breath, in closed form, to `parts` from `at` on."""
        breath, here = self._breath, slice(at, at + len(t))
        ti_s = breath.period_s * self.inspiratory_share
        angle = t * (math.pi / ti_s)
        round_flow, round_volume = np.sin(angle) * (math.pi / 2), (1 - np.cos(angle)) / 2
        if breath.limited:
            flat = t * (2 / ti_s) - 1
            round_flow += breath.limited * (9 / 8 * (1 - flat**8) - round_flow)
            round_volume += breath.limited * (9 / 16 * (flat + 1 - (flat**9 + 1) / 9) - round_volume)
        parts.flow[here] = round_flow * (breath.tidal_l * breath.passes / ti_s)
        parts.volume[here] = round_volume * breath.tidal_l
        parts.inspiring[here] = (1 - np.cos(np.minimum(t * (math.pi / SWITCH_S), math.pi))) / 2
        parts.passes[here] = self._open_for(breath)

    def _breathe_out(self, t: Series, parts: _Parts, at: int) -> None:
        """A quick rise and a long tail: 20 v (1 - v)^3 of the share v of the time for it."""
        breath, here = self._breath, slice(at, at + len(t))
        ti_s = breath.period_s * self.inspiratory_share
        te_s = breath.period_s - ti_s
        v = (t - ti_s) / te_s
        left = 1 - v
        cubed = left * left * left
        parts.flow[here] = v * cubed * (-20 * breath.tidal_l * breath.passes / te_s)
        parts.volume[here] = cubed * left * (1 + 4 * v) * breath.tidal_l
        full = (1 - math.cos(min(ti_s / SWITCH_S, 1.0) * math.pi)) / 2
        down = np.minimum((t - ti_s) * (math.pi / SWITCH_S), math.pi)
        parts.inspiring[here] = (1 + np.cos(down)) * (full / 2)
        parts.passes[here] = self._open_for(breath)

    @staticmethod
    def _open_for(breath: Breath) -> float:
        return breath.passes if breath.tidal_l else 1.0

    def _at_the_mask(self, t_s: Series, step_s: float, parts: _Parts, pulse: Series) -> Airway:
        n = len(t_s)
        inspiring, flow, passes = parts.inspiring, parts.flow, parts.passes
        chest = parts.volume * (2000 / USUAL_TIDAL_ML) - 1
        level = self._machine(n, step_s)
        slope = pulse.copy()
        slope[1:] -= pulse[:-1]
        slope[0] -= self._pulse
        self._pulse = float(pulse[-1])
        flow = flow + slope * passes * (HEART_LPS_S / step_s)
        if not self._mask_on:
            blowing = np.minimum(level, FREE_CM_H2O)
            return Airway(np.zeros(n), blowing, FREE_LPS * blowing / FREE_CM_H2O, chest)
        if not self.machine_on:
            return Airway(flow, -SWING_CM_H2O * flow, np.zeros(n), chest)
        held = level - self.epr_cm_h2o - SAG_CM_H2O * max(self.leak_lpm - BLOWER_LPM, 0.0)
        pressure = held + (self.support_cm_h2o + self.epr_cm_h2o) * inspiring
        pressure = np.maximum(pressure, FREE_CM_H2O) - SWING_CM_H2O * flow
        event = self._under_way
        if (
            event is not None
            and event.kind is not Kind.HYPOPNOEA
            and self._now_s > event.start_s + FOT_AFTER_S
        ):
            wave = 2 * math.pi * FOT_HZ * t_s
            pressure = pressure + FOT_CM_H2O * np.sin(wave)
            flow = flow + FOT_FLOW_LPS * np.maximum(passes, CLOSED) * np.sin(wave - 0.6)
        if self.snore and step_s * SNORE_HZ < 0.5 and event is None:
            pressure = pressure + self.snore * SNORE_CM_H2O * inspiring * np.sin(2 * math.pi * SNORE_HZ * t_s)
        # Through a hole, flow goes with the root of the pressure.
        aim = max(self._set_cm_h2o + self.support_cm_h2o / 2, FREE_CM_H2O)
        leak = np.sqrt(np.maximum(pressure, 0) / aim) * (self.leak_lpm / 60) if self.leak_lpm else np.zeros(n)
        return Airway(flow, pressure, leak, chest)

    def _machine(self, n: int, step_s: float) -> Series:
        """The pressure the machine holds between its breaths' own switches."""
        aim = self.cpap_cm_h2o
        if self._ramp_from_s is not None and aim:
            share = (self._now_s - self._ramp_from_s) / self._ramp_s
            if share >= 1:
                self._ramp_from_s = None
            else:
                low = min(RAMP_START_CM_H2O, aim)
                aim = low + (aim - low) * share
        before = self._set_cm_h2o
        most = SLEW_CM_H2O * n * step_s
        self._set_cm_h2o = before + min(max(aim - before, -most), most) if self.machine_on else 0.0
        return np.asarray(before + np.arange(1, n + 1) * ((self._set_cm_h2o - before) / n), np.float64)

    # --- planning ----------------------------------------------------------------------------------------

    def _period_s(self) -> float:
        return 60 / self.breaths_per_minute if self.breaths_per_minute else 4.0

    def _begin(self, at_s: float) -> None:
        """Begin the next breath, and the event it belongs to."""
        self._breath = self._planned.popleft() if self._planned else self._usual(at_s)
        self._begun_s = at_s
        kind = self._breath.kind
        if self._under_way is not None and self._under_way.kind is not kind:
            self._under_way.end_s = at_s
            self._under_way = None
        if kind is not None and self._under_way is None:
            self._under_way = Event(kind, at_s)
            self.events.append(self._under_way)

    def _usual(self, at_s: float) -> Breath:
        if not self.breaths_per_minute:
            return Breath(1.0, 0.0)
        period_s, size = self._period_s(), 1.0
        if self._cheyne:
            if self._cheyne_s is None or at_s - self._cheyne_s >= CHEYNE_CYCLE_S - 1e-6:
                self._cheyne_s = at_s
            into_s = at_s - self._cheyne_s
            if into_s >= CHEYNE_ACTIVE_S:
                return Breath(CHEYNE_CYCLE_S - into_s, 0.0, kind=Kind.CENTRAL)
            size = 1.4 * math.sin(math.pi * (into_s + period_s / 2) / (CHEYNE_ACTIVE_S + period_s))
        # Beginnings stray around an even grid, so that the mean rate is what was asked for.
        before, self._shift = self._shift, float(self._rng.uniform(-JITTER, JITTER))
        period_s *= 1 + self._shift - before
        size *= 1 + float(self._rng.uniform(-JITTER, JITTER))
        return Breath(period_s, self.tidal_ml / 1000 * size, limited=self.flow_limitation)
