"""An oxygen concentrator: two sieve beds in turn, what comes out of them, and what can go wrong inside.

Calibrated on one unit's bench log (50 Hz, see tests): 7500 1/min and 10 L/min give 88 %; from a cold start 82 % is
passed 46 s and 85 % 56 s after the motor starts; with the motor slowed to 2000 1/min purity falls below 87 % after 6 s,
below 82 % after 7 s and to 24 % within 40 s. A half cycle takes 3.64 s at full speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firmware_bridge.simulators.ranged import Ranged
from firmware_bridge.simulators.source import BED_A, BED_B, COLUMNS, FLOW, OXYGEN, Numbers, Rows

AIR_PCT, MOST_PCT = 20.9, 95.6  # argon stays with the oxygen
FULL_RPM, LEAST_RPM = 7500.0, 1000.0
HALF_CYCLE_S = 3.64
RISE_S, FALL_S = 11.7, 5.5  # time constants of each of two vessels in a row (beds, product tank)
TANK_S = 5.0  # what the tank still holds when the beds give no more
WARN_PCT, ALARM_PCT = 85.0, 82.0
READY_S = 30.0  # above `WARN_PCT` for so long ends the start-up
LONGEST_START_S = 300.0  # then it has failed to start
ALARM_AFTER_S = 10.0
ROOM_KPA, FED_KPA, TURN_KPA = 101.0, 335.0, 220.0  # absolute: vented, at the end of feeding, at the turn
EQUALISE_S, VENT_S = 0.5, 0.35
COLD_C, WARM_C, WARMING_S = 24.0, 38.0, 900.0
BATTERY_S = 4 * 3600.0  # from full to empty


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that can be switched on: the share of purity above air, and of pressure above the room, that is left.

    `warmer_c`: how much hotter the machine becomes in the long run.
    """

    purity: float
    pressure: float
    warmer_c: float = 0.0


FAULTS = {
    "stuck_valve": Fault(0.2, 0.75),
    "worn_compressor": Fault(0.92, 0.7),
    "blocked_outlet": Fault(1.0, 1.05),
    "still_fan": Fault(1.0, 1.0, 40.0),
}


class Concentrator:
    """A `Source` of the signals of an oxygen concentrator at `rate_hz` (1 to 1000). It never ends.

    It is switched on at its first row. `purity_pct` is what its sieve would give at full speed; `faults` names those
    of `FAULTS` that are present. Its own alarm code is `numbers.alarm_code` ("" = none).
    """

    flow_lpm = Ranged(5.0, 0.0, 10.0, "L/min")
    purity_pct = Ranged(93.5, AIR_PCT, MOST_PCT, "%")
    motor_rpm = Ranged(FULL_RPM, 0.0, 9000.0, "1/min")
    battery_pct = Ranged(100.0, 0.0, 100.0, "%")

    electrodes_off: frozenset[str] = frozenset()

    def __init__(self, rate_hz: float = 50.0, seed: int = 0) -> None:
        if not 1 <= rate_hz <= 1000:
            raise ValueError(f"rate_hz must be 1 to 1000, not {rate_hz:g}")
        self.rate_hz = rate_hz
        self.on_mains = True
        self.faults: set[str] = set()
        self._rng = np.random.default_rng(seed)
        self._taken = 0
        self._beds_pct = self._oxygen_pct = AIR_PCT
        self._tank_s = 0.0  # what the tank holds, in seconds of flow
        self._turn = 0.0  # phase, in half cycles
        self._pressure = 0.0  # 0 to 1: how far the compressor has come up
        self._temperature_c = COLD_C
        self._above_s = self._below_s = self._running_s = 0.0
        self._ready = False

    # --- what can be set ---------------------------------------------------------------------------------

    def fault(self, name: str, *, present: bool) -> None:
        """Let one of `FAULTS` be there, or repair it."""
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}: one of {', '.join(FAULTS)}")
        self.faults = self.faults | {name} if present else self.faults - {name}

    # --- what a board reads ------------------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        return self._taken / self.rate_hz

    @property
    def delivered_lpm(self) -> float:
        """What reaches the patient."""
        return 0.0 if "blocked_outlet" in self.faults else self.flow_lpm * min(self._pressure * 1.2, 1.0)

    @property
    def starting(self) -> bool:
        """Purity has not yet stood above `WARN_PCT` for `READY_S` (nor has it had `LONGEST_START_S` for it)."""
        return not self._ready

    @property
    def numbers(self) -> Numbers:
        return Numbers(
            oxygen_pct=round(self._oxygen_pct, 1),
            oxygen_flow_lpm=round(self.delivered_lpm, 1),
            gas_temperature_c=round(self._temperature_c, 1),
            battery_pct=math.floor(self.battery_pct),
            alarm_code=self._alarm(),
        )

    def _alarm(self) -> str:
        if self.flow_lpm and self.delivered_lpm < 0.5 * self.flow_lpm and self._pressure > 0.9:
            return "NO_FLOW"
        if self._below_s >= ALARM_AFTER_S:
            return "LOW_O2"
        return "LOW_BATTERY" if not self.on_mains and self.battery_pct < 20 else ""

    def take(self, n: int) -> Rows:
        """The next `n` rows, float64 of shape (n, len(COLUMNS))."""
        rows = np.zeros((n, len(COLUMNS)))
        for row in rows:
            self._step(1 / self.rate_hz)
            row[BED_A], row[BED_B] = self._beds()
            row[OXYGEN] = self._oxygen_pct
            row[FLOW] = self.delivered_lpm / 60
            self._taken += 1
        return rows

    # --- one step ----------------------------------------------------------------------------------------

    def _step(self, seconds: float) -> None:
        running = self.motor_rpm >= LEAST_RPM and (self.on_mains or self.battery_pct > 0)
        self._pressure += ((1.0 if running else 0.0) - self._pressure) * min(seconds / 2.0, 1.0)
        if running and "stuck_valve" not in self.faults:
            self._turn += seconds / HALF_CYCLE_S * self.motor_rpm / FULL_RPM
        wanted = self._sieve_pct() if running else AIR_PCT
        self._purify(wanted, seconds)
        hotter = sum(FAULTS[name].warmer_c for name in self.faults)
        warm = WARM_C + hotter if running else COLD_C
        self._temperature_c += (warm - self._temperature_c) * seconds / WARMING_S
        change = 1 / BATTERY_S if self.on_mains else -1 / BATTERY_S
        self.battery_pct = min(max(self.battery_pct + 100 * change * seconds, 0.0), 100.0)
        self._above_s = self._above_s + seconds if self._oxygen_pct > WARN_PCT else 0.0
        self._running_s = self._running_s + seconds if running else 0.0
        self._ready |= self._above_s >= READY_S or self._running_s >= LONGEST_START_S
        low = self._ready and self._oxygen_pct < ALARM_PCT
        self._below_s = self._below_s + seconds if low else 0.0

    def _sieve_pct(self) -> float:
        """What the beds would give in the long run: less beyond 5 L/min, and nothing much from a slow motor."""
        speed = min(self.motor_rpm / FULL_RPM, 1.0)
        share: float = 1 - 0.0143 * max(self.flow_lpm - 5, 0.0)
        share *= 1 / (1 + math.exp(-(speed - 0.6) / 0.07)) if speed < 1 else 1.0
        for name in self.faults:
            share *= FAULTS[name].purity
        return AIR_PCT + (self.purity_pct - AIR_PCT) * share

    def _purify(self, wanted_pct: float, seconds: float) -> None:
        """Two vessels in a row; when purity falls, the tank gives what it held before."""
        falling = wanted_pct < self._beds_pct - 1
        if falling and self._tank_s > 0:
            self._tank_s -= seconds
            return
        if not falling:
            self._tank_s = min(self._tank_s + seconds, TANK_S)
        share = min(seconds / (FALL_S if falling else RISE_S), 1.0)
        before = self._beds_pct
        self._beds_pct += (wanted_pct - before) * share
        self._oxygen_pct += (before - self._oxygen_pct) * share

    def _beds(self) -> tuple[float, float]:
        """The pressures of bed A and B, kPa absolute."""
        height = self._pressure * math.prod(FAULTS[name].pressure for name in self.faults)
        height *= math.sqrt(min(self.motor_rpm / FULL_RPM, 1.2))
        half, share = divmod(self._turn, 1.0)
        into_s = share * HALF_CYCLE_S
        fed = TURN_KPA + (FED_KPA - TURN_KPA) * share**0.8
        # The other bed first shares its pressure, then vents.
        if into_s < EQUALISE_S:
            vented = FED_KPA + (TURN_KPA - FED_KPA) * into_s / EQUALISE_S
            fed = ROOM_KPA + (TURN_KPA - ROOM_KPA) * into_s / EQUALISE_S
        else:
            vented = ROOM_KPA + (TURN_KPA - ROOM_KPA) * math.exp(-(into_s - EQUALISE_S) / VENT_S)
        noise = 1.5 * self._rng.standard_normal(2)
        high = ROOM_KPA + (fed - ROOM_KPA) * height + float(noise[0])
        low = ROOM_KPA + (vented - ROOM_KPA) * height + float(noise[1])
        return (high, low) if half % 2 == 0 else (low, high)
