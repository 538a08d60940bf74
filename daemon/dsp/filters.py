"""Running filters that give the same last bit however the stream is cut.

Every stage takes hops of a fixed number of samples, float64 of shape (hop, leads), time first. A cascade of biquads is
lifted to such a hop: y = H x + O z, z' = A z + C x, four small matrices made once. It equals the sample-by-sample
recursion to rounding and costs a few microseconds a hop. Because the shapes never change, neither do the bits.

A stage starts, and starts anew behind a gap, in the steady state of a signal that has for ever been as its first
sample: an electrode's offset of 300 mV makes no transient. What remains is a baseline that begins at the first sample
instead of the true one, and it fades with the low-cut's time constant (3.2 s at 0.05 Hz, 0.3 s at 0.5 Hz).

The designs are closed forms (docs/decisions/0003-filter-design.md); tests compare them with scipy's at every rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def _warped(cut_hz: float, rate_hz: float) -> float:
    if not 0.0 < cut_hz < rate_hz / 2:
        raise ValueError(f"cut-off {cut_hz} Hz is not between 0 and half of {rate_hz} Hz")
    return float(np.tan(np.pi * cut_hz / rate_hz))


def _butterworth(order: int, cut_hz: float, rate_hz: float, sign: int) -> Floats:
    """Sections of a Butterworth filter by the bilinear transform with prewarping; `sign` +1 low-pass, -1 high-pass."""
    k = _warped(cut_hz, rate_hz)
    sections = []
    if order % 2:
        gain = (k if sign > 0 else 1.0) / (1.0 + k)
        sections.append([gain, sign * gain, 0.0, 1.0, (k - 1.0) / (k + 1.0), 0.0])
    for pair in range(order // 2):
        damping = 2.0 * np.sin(np.pi * (2 * pair + 1) / (2 * order))  # 1 / Q of this pole pair
        norm = 1.0 / (1.0 + damping * k + k * k)
        gain = (k * k if sign > 0 else 1.0) * norm
        feedback = [2.0 * (k * k - 1.0) * norm, (1.0 - damping * k + k * k) * norm]
        sections.append([gain, sign * 2.0 * gain, gain, 1.0, *feedback])
    return np.array(sections)


def low_pass(order: int, cut_hz: float, rate_hz: float) -> Floats:
    """Butterworth low-pass, -3 dB at `cut_hz`, as second-order sections (b0 b1 b2 1 a1 a2)."""
    return _butterworth(order, cut_hz, rate_hz, 1)


def high_pass(order: int, cut_hz: float, rate_hz: float) -> Floats:
    """Butterworth high-pass, -3 dB at `cut_hz`, as second-order sections."""
    return _butterworth(order, cut_hz, rate_hz, -1)


def notch(centre_hz: float, width_hz: float, rate_hz: float) -> Floats:
    """One section with a zero at `centre_hz` and `width_hz` between its -3 dB points."""
    _warped(centre_hz, rate_hz)
    gain = 1.0 / (1.0 + np.tan(np.pi * width_hz / rate_hz))
    middle = -2.0 * gain * np.cos(2.0 * np.pi * centre_hz / rate_hz)
    return np.array([[gain, middle, gain, 1.0, middle, 2.0 * gain - 1.0]])


def response(sections: Floats, frequency_hz: npt.ArrayLike, rate_hz: float) -> npt.NDArray[np.complex128]:
    """Complex gain of a cascade at the given frequencies."""
    delay = np.exp(-2j * np.pi * np.asarray(frequency_hz, dtype=np.float64) / rate_hz)
    powers = np.stack([np.ones_like(delay), delay, delay * delay])
    top = np.tensordot(sections[:, :3], powers, axes=1)
    bottom = np.tensordot(sections[:, 3:], powers, axes=1)
    return np.asarray(np.prod(top / bottom, axis=0))


def group_delay(sections: Floats, frequency_hz: float, rate_hz: float) -> float:
    """Group delay in samples at one frequency."""
    step = 1e-4 * rate_hz
    ends = response(sections, [frequency_hz - step / 2, frequency_hz + step / 2], rate_hz)
    return float(-np.angle(ends[1] / ends[0]) / (2.0 * np.pi * step / rate_hz))


class Stage(Protocol):
    """One step of a chain. `delay` is what it adds, in samples.

    `step` takes x, float64 (hop, leads), and the leads that begin anew with this hop (None: none of them), whose first
    sample then stands for all before it.
    """

    delay: int

    def step(self, x: Floats, restart: Mask | None) -> Floats: ...


class Cascade:
    """Biquads lifted to hops of a fixed length; several cascades side by side come out one below the other.

    `step` answers (hop x cascades, leads): rows 0..hop-1 are the first cascade's output, and so on.
    """

    delay = 0

    def __init__(self, hop: int, leads: int, *cascades: Floats) -> None:
        parts = [_lifted(sections, hop) for sections in cascades]
        sizes = [len(part[2]) for part in parts]
        self._direct = np.vstack([part[0] for part in parts])
        self._observe = _block_diagonal([part[1] for part in parts])
        self._advance = _block_diagonal([part[2] for part in parts])
        self._control = np.vstack([part[3] for part in parts])
        self._steady = np.concatenate([part[4] for part in parts])
        self._state = np.zeros((sum(sizes), leads))

    def step(self, x: Floats, restart: Mask | None) -> Floats:
        if restart is not None:
            self._state[:, restart] = np.outer(self._steady, x[0, restart])
        y: Floats = self._direct @ x + self._observe @ self._state
        self._state = self._advance @ self._state + self._control @ x
        return y

    def steps(self, x: Floats, restarts: Sequence[Mask | None]) -> Floats:
        """As `step` of each of (hops, hop, leads), to the same bits; (hops, hop x cascades, leads)."""
        driven = self._control @ x
        states = np.empty_like(driven)
        for k, restart in enumerate(restarts):
            if restart is not None:
                self._state[:, restart] = np.outer(self._steady, x[k, 0, restart])
            states[k] = self._state
            self._state = self._advance @ self._state + driven[k]
        y: Floats = self._direct @ x
        y += self._observe @ states
        return y


def _lifted(sections: Floats, hop: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Matrices of a hop: direct (hop, hop), observe (hop, s), advance (s, s), control (s, hop), and the steady state (s)."""
    states = 2 * len(sections)
    a, b = np.zeros((states, states)), np.zeros(states)
    c, d = np.zeros(states), 1.0
    for i, (b0, b1, b2, _, a1, a2) in enumerate(sections):
        # Transposed direct form II: y = b0 u + z1, z1' = b1 u - a1 y + z2, z2' = b2 u - a2 y; u is c z + d x so far.
        one, two = 2 * i, 2 * i + 1
        a[one] += (b1 - a1 * b0) * c
        a[two] += (b2 - a2 * b0) * c
        b[one], b[two] = (b1 - a1 * b0) * d, (b2 - a2 * b0) * d
        a[one, one] -= a1
        a[one, two] += 1.0
        a[two, one] -= a2
        c, d = b0 * c, b0 * d
        c[one] += 1.0
    observe, control = np.zeros((hop, states)), np.zeros((states, hop))
    row, column, power = c, b, np.eye(states)
    for k in range(hop):
        observe[k], control[:, hop - 1 - k] = row, column
        row, column, power = row @ a, a @ column, power @ a
    impulse: Floats = np.concatenate([[d], observe[:-1] @ b])
    lag = np.subtract.outer(np.arange(hop), np.arange(hop))
    direct: Floats = np.where(lag >= 0, impulse[np.maximum(lag, 0)], 0.0)
    steady: Floats = np.linalg.solve(np.eye(states) - a, b).astype(np.float64)
    return direct, observe, power, control, steady


def _block_diagonal(blocks: list[Floats]) -> Floats:
    whole = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole


class Window:
    """The last `reach` samples before a hop, so that a stage can look over more than its hop."""

    def __init__(self, reach: int, leads: int) -> None:
        self._past = np.zeros((reach, leads))

    def over(self, x: Floats, restart: Mask | None) -> Floats:
        """The past and `x` in one array (reach + hop, leads)."""
        if restart is not None:
            self._past[:, restart] = x[0, restart]
        whole = np.concatenate([self._past, x])
        self._past = whole[len(x) :]
        return whole


class Fir:
    """A symmetric FIR of odd length: delay exactly (length - 1) / 2."""

    def __init__(self, hop: int, leads: int, taps: Floats) -> None:
        self.delay = (len(taps) - 1) // 2
        self._window = Window(len(taps) - 1, leads)
        self._matrix = np.zeros((hop, hop + len(taps) - 1))
        for k in range(hop):
            self._matrix[k, k : k + len(taps)] = taps[::-1]

    def step(self, x: Floats, restart: Mask | None) -> Floats:
        return np.asarray(self._matrix @ self._window.over(x, restart))


class Bridge:
    """Carries filters over what must not reach them: inside `good` the signal itself, outside its last good value.

    Fed hop by hop. After more than `patience` samples without a good one a lead begins anew: it is named in `restart`,
    and its first good value stands for the hop's samples before it. Nothing filled in here is ever shown or measured.
    """

    def __init__(self, leads: int, patience: int) -> None:
        self._patience = patience
        self._last = np.zeros(leads)
        self._stale = np.full(leads, patience + 1)

    def skip(self, n: int) -> None:
        """`n` samples are missing altogether."""
        self._stale += n

    def step(self, x: Floats, good: Mask) -> tuple[Floats, Mask | None]:
        """Bridge `x` and `good` of shape (hop, leads): the bridged hop, and the leads that begin anew with it (None: none)."""
        if good.all() and (self._stale <= self._patience).all():
            self._last = x[-1]
            self._stale[:] = 0
            return x, None
        hop = len(x)
        places = np.arange(hop)[:, None]
        from_place = np.maximum.accumulate(np.where(good, places, -1), axis=0)
        some = from_place[-1] >= 0
        begin = np.where(some, good.argmax(axis=0), 0)
        restart = some & (self._stale + begin > self._patience)
        before = np.where(restart, np.take_along_axis(x, begin[None, :], axis=0)[0], self._last)
        held = np.take_along_axis(x, np.maximum(from_place, 0), axis=0)
        bridged = np.where(from_place >= 0, held, before)
        self._stale = np.where(some, hop - 1 - from_place[-1], self._stale + hop)
        self._last = bridged[-1]
        return bridged, restart if restart.any() else None

    def steps(self, x: Floats, good: Mask) -> tuple[Floats, list[Mask | None]]:
        """As `step` of each of (hops, hop, leads)."""
        if good.all() and (self._stale <= self._patience).all():
            self._last = x[-1, -1]
            self._stale[:] = 0
            return x, [None] * len(x)
        each = [self.step(*hop) for hop in zip(x, good, strict=True)]
        return np.stack([bridged for bridged, _ in each]), [restart for _, restart in each]
