"""What a board's converter sees: a body, or a recording of one, as rows of physical values.

One table of columns serves every board; a board takes those it has wires for. Whole-number decimation picks every
q-th row and changes no value, so that a recording played at half its rate arrives sample for sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6", "RL")

# Units: leads in mV; respiration in units of one usual breath (about -1 to 1, the sign of breathing in is +);
# the two pulse waves as light relative to its mean (about 1.0, a heart beat dips it); pleth as an oximeter draws it
# (0 to about 1, up with each beat). Flow at the mask in L/s (breathing in is +), pressure there in cmH2O, and the mask's
# unintended leak in L/s. Of a concentrator: the pressures of its two sieve beds in kPa (absolute: 101 is the room's),
# oxygen in % of what it gives, and as flow how much it gives.
COLUMNS = (
    *LEADS,
    *("respiration", "ppg_infrared", "ppg_red", "pleth"),
    *("flow", "airway_pressure", "leak"),
    *("bed_a", "bed_b", "oxygen"),
)
RESPIRATION, PPG_INFRARED, PPG_RED, PLETH = 8, 9, 10, 11
FLOW, AIRWAY_PRESSURE, LEAK = 12, 13, 14
BED_A, BED_B, OXYGEN = 15, 16, 17


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a board with its own arithmetic would show now. None = it has no value."""

    heart_rate_bpm: int | None = None
    breaths_per_minute: int | None = None
    spo2_pct: int | None = None
    temperature_c: float | None = None
    pulse_bpm: int | None = None  # what the finger feels, not what the heart does
    perfusion_pct: float | None = None
    mask_on: bool | None = None  # None: there is no machine that holds one
    event: str = ""  # of breathing, as `lungs.Kind` calls it
    pressure_cm_h2o: float | None = None
    set_pressure_cm_h2o: float | None = None
    leak_lpm: float | None = None
    tidal_volume_ml: float | None = None
    minute_volume_lpm: float | None = None
    flow_limitation: float | None = None  # 0 round to 1 flat
    snore: float | None = None  # 0 none to 5
    oxygen_pct: float | None = None
    oxygen_flow_lpm: float | None = None
    gas_temperature_c: float | None = None
    battery_pct: float | None = None
    alarm_code: str = ""


class Source(Protocol):
    """A signal source, read forward only."""

    @property
    def rate_hz(self) -> float: ...

    @property
    def electrodes_off(self) -> frozenset[str]:
        """Names of `ELECTRODES` that are off now; the rows taken next show it."""

    @property
    def numbers(self) -> Numbers: ...

    def take(self, n: int) -> Rows:
        """The next `n` rows, float64 of shape (n, len(COLUMNS)); fewer only where the source ends."""


def at_rate(source: Source, rate_hz: float) -> Source:
    """`source` read at another rate: itself, every q-th row, or interpolated between its rows."""
    if math.isclose(source.rate_hz, rate_hz, rel_tol=1e-9):
        return source
    q = source.rate_hz / rate_hz
    if q > 1 and math.isclose(q, round(q), rel_tol=1e-9):
        return _Decimated(source, round(q))
    return _Interpolated(source, rate_hz)


class _Decimated:
    """Rows 0, q, 2q ... of a source; no filter, no change of a value."""

    def __init__(self, source: Source, q: int) -> None:
        self._source = source
        self._q = q
        self._skip = 0  # rows of the source still to pass over before the next one kept

    @property
    def rate_hz(self) -> float:
        return self._source.rate_hz / self._q

    @property
    def electrodes_off(self) -> frozenset[str]:
        return self._source.electrodes_off

    @property
    def numbers(self) -> Numbers:
        return self._source.numbers

    def take(self, n: int) -> Rows:
        if n == 0:
            return self._source.take(0)
        rows = self._source.take(self._skip + (n - 1) * self._q + 1)[self._skip :: self._q]
        self._skip = self._q - 1
        return rows


class _Interpolated:
    """A polyphase windowed-sinc interpolator without delay: row k stands at k / rate_hz of the source's time.

    Rates are taken as a ratio of whole numbers (to 1/1000 Hz). The cut-off is 0.45 of the lower rate.
    """

    HALF = 12  # taps on each side, in rows of the lower of the two rates

    def __init__(self, source: Source, rate_hz: float) -> None:
        self._source = source
        self.rate_hz = rate_hz
        into, out_of = round(rate_hz * 1000), round(source.rate_hz * 1000)
        self._up, self._down = into // math.gcd(into, out_of), out_of // math.gcd(into, out_of)
        self._reach = math.ceil(self.HALF * max(1.0, self._down / self._up))
        self._taps = self._phases()
        self._rows = np.zeros((0, len(COLUMNS)))
        self._first = -self._reach  # the source's row number of self._rows[0]
        self._k = 0
        self._end: int | None = None  # how many rows the source had, once it ended

    def _phases(self) -> Rows:
        """One row of 2 * reach + 1 taps a phase, each of sum 1 (so that a constant stays itself)."""
        cutoff = 0.9 * min(1.0, self._up / self._down)
        at = np.arange(-self._reach, self._reach + 1)[None, :] - np.arange(self._up)[:, None] / self._up
        window = np.cos(np.pi / 2 * np.clip(at / (self._reach + 1), -1, 1)) ** 2
        taps = np.sinc(cutoff * at) * window
        return np.asarray(taps / taps.sum(axis=1, keepdims=True))

    @property
    def electrodes_off(self) -> frozenset[str]:
        return self._source.electrodes_off

    @property
    def numbers(self) -> Numbers:
        return self._source.numbers

    def take(self, n: int) -> Rows:
        k = np.arange(self._k, self._k + n)
        centre, phase = k * self._down // self._up, k * self._down % self._up
        if n:
            self._read_to(int(centre[-1]) + self._reach)
        if self._end is not None:
            keep = centre < self._end
            centre, phase = centre[keep], phase[keep]
        if not centre.size:
            return np.zeros((0, len(COLUMNS)))
        self._k += centre.size
        places = (centre - self._reach - self._first)[:, None] + np.arange(2 * self._reach + 1)
        out = np.einsum("kt,ktc->kc", self._taps[phase], self._rows[places])
        used = self._k * self._down // self._up - self._reach - self._first
        self._rows, self._first = self._rows[used:], self._first + used
        return np.asarray(out)

    def _read_to(self, last: int) -> None:
        """Have rows up to number `last`; beyond either end the outermost row stands."""
        missing = last + 1 - self._first - len(self._rows)
        if missing <= 0:
            return
        started = len(self._rows) > 0
        wanted = missing if started else missing - self._reach
        got = self._source.take(wanted) if self._end is None else self._rows[:0]
        if not started and len(got):
            got = np.concatenate([np.repeat(got[:1], self._reach, axis=0), got])
            wanted += self._reach
        rows = np.concatenate([self._rows, got])
        if len(got) < wanted:
            if self._end is None:
                self._end = max(self._first + len(rows), 0)
            if len(rows):
                rows = np.concatenate([rows, np.repeat(rows[-1:], wanted - len(got), axis=0)])
        self._rows = rows
