"""What is not the heart: fibrillation's disorder, mains, wander, muscle, and electrodes that hang loose."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.source import ELECTRODES

Matrix = npt.NDArray[np.float64]

# Shares of an amplitude that is named for lead II (LL - RA) on RA, LA, LL, V1..V6.
MAINS_PICKUP = np.array([0.0, 0.6, 1.0, 0.9, 0.3, 0.8, 0.2, 1.1, 0.7])
WANDER_SHARE = np.array([-0.5, 0.2, 0.5, 0.4, -0.3, 0.6, -0.2, 0.5, 0.3])
WANDER_HZ = (0.11, 0.27)


class Fibrillation:
    """Disordered oscillation of the heart vector: three wandering oscillators on each axis.

    Used for VF (large, about 5 Hz) and for the f waves of AF (small, about 6.5 Hz). `level` glides between 0 and 1.
    """

    GLIDE_S = 0.4
    OSCILLATORS = 3

    def __init__(
        self,
        rng: np.random.Generator,
        centre_hz: float,
        spread_hz: float,
        size_mv: tuple[float, float, float],
    ) -> None:
        self._rng = rng
        self._centre_hz = centre_hz
        self._spread_hz = spread_hz
        self._size_mv = np.array(size_mv)
        self._phase = rng.uniform(0, 2 * math.pi, (3, self.OSCILLATORS))
        self._hz = centre_hz + spread_hz * rng.standard_normal((3, self.OSCILLATORS))
        self._weight = rng.uniform(0.4, 1.0, (3, self.OSCILLATORS))
        self._level = 0.0

    def next(self, n: int, rate_hz: float, *, on: bool) -> Matrix | None:
        """The next `n` rows of x, y, z in mV, or None while there is nothing of it."""
        target = 1.0 if on else 0.0
        if self._level == target == 0.0:
            return None
        step = n / rate_hz / self.GLIDE_S
        before = self._level
        self._level = min(target, before + step) if on else max(target, before - step)
        # Frequencies and weights walk at random around their centres: 1 s is their memory.
        share = n / rate_hz
        shape = self._hz.shape
        self._hz += share * (self._centre_hz - self._hz)
        self._hz += self._spread_hz * math.sqrt(2 * share) * self._rng.standard_normal(shape)
        self._weight += share * (0.7 - self._weight) + 0.25 * math.sqrt(
            2 * share
        ) * self._rng.standard_normal(shape)
        turn = 2 * math.pi * self._hz / rate_hz
        phases = self._phase[..., None] + turn[..., None] * np.arange(1, n + 1)
        self._phase = phases[..., -1] % (2 * math.pi)
        waves = (self._weight[..., None] * np.sin(phases)).sum(axis=1).T
        level = np.linspace(before, self._level, n + 1)[1:, None]
        return np.asarray(waves * self._size_mv * level)


class Muscle:
    """White noise with its low part taken off, independent on each electrode. 1.0 = 1 mV RMS in lead II."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._last = np.zeros((1, 9))

    def next(self, n: int) -> Matrix:
        white = self._rng.standard_normal((n, 9))
        before = np.concatenate([self._last, white[:-1]])
        self._last = white[-1:]
        return np.asarray((white - before) / 2)  # variance 1/2 on each electrode, hence 1 in LL - RA


def mains(t_s: Matrix, hz: float) -> Matrix:
    """The mains on each electrode at times `t_s` (n): amplitude 1 in lead II."""
    return np.asarray(np.sin(2 * math.pi * hz * t_s)[:, None] * MAINS_PICKUP)


def wander(t_s: Matrix) -> Matrix:
    """Slow drift of the skin potentials at times `t_s` (n): at most 1 in lead II."""
    slow, faster = (np.sin(2 * math.pi * hz * t_s) for hz in WANDER_HZ)
    return np.asarray((0.6 * slow + 0.4 * faster)[:, None] * WANDER_SHARE)


class Pops:
    """Electrodes that are touched or pulled: now and then one of the nine jumps by up to a size and comes back within seconds.

    The skin's potential under a disturbed electrode settles about as a charge does, with a time constant of 0.2 to 1 s.
    """

    TAU_S = (0.2, 1.0)

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._level = np.zeros(9)
        self._tau_s = np.full(9, self.TAU_S[1])

    def next(self, n: int, rate_hz: float, per_hour: float, size_mv: float) -> Matrix | None:
        """The next `n` rows on RA, LA, LL, V1..V6 in mV, or None while there is nothing of it."""
        if self._rng.random() < per_hour / 3600 * n / rate_hz:
            electrode = int(self._rng.integers(9))
            self._level[electrode] += size_mv * self._rng.uniform(-1, 1)
            self._tau_s[electrode] = self._rng.uniform(*self.TAU_S)
        if not self._level.any():
            return None
        decay = np.exp(-np.arange(1, n + 1)[:, None] / (rate_hz * self._tau_s))
        rows = self._level * decay
        self._level = np.where(np.abs(rows[-1]) > 1e-4, rows[-1], 0.0)
        return np.asarray(rows)


class Loose:
    """What an electrode that is off does to its input.

    `rail`: the open input drifts beyond every converter's range. `noise`: it stays in range and picks up mains and
    movement of several mV. Without RL nothing holds the body at the amplifier's middle: mains on all inputs.
    """

    RAIL_MV = 1000.0
    HUM_MV = 3.0

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def potentials(self, t_s: Matrix, off: frozenset[str], kind: str, mains_hz: float) -> Matrix:
        """To be added to the potentials of RA, LA, LL, V1..V6 (n, 9), in mV."""
        hum = self.HUM_MV * np.sin(2 * math.pi * mains_hz * t_s)
        stray = 0.5 * self._rng.standard_normal((len(t_s), 9))
        out = np.zeros((len(t_s), 9))
        for place, name in enumerate(ELECTRODES[:9]):
            if name in off:
                out[:, place] = hum + stray[:, place] + (self.RAIL_MV if kind == "rail" else 0.0)
        if "RL" in off:
            out += hum[:, None] * (0.2 + MAINS_PICKUP)
        return out
