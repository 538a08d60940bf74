"""One body under several boards: each board reads it at its own pace, and all of them see the same heart beat.

What the fastest reader has not yet seen is computed once; what the slowest has not yet read waits for it, up to a bound.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS, Numbers, Rows

KEPT_S = 30.0
"""A reader that falls further behind goes on from here: what lies before it is lost to it."""


class Shared:
    """Gives out `Tap`s of a patient who is to be read by nobody else."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self._taps: list[Tap] = []
        self._blocks: deque[tuple[int, Rows]] = deque()
        self._made = 0

    def tap(self) -> Tap:
        """A further reader; it begins where the body is now."""
        tap = Tap(self, self._made)
        self._taps.append(tap)
        return tap

    def rows(self, first: int, n: int) -> Rows:
        """Rows `first` .. `first + n - 1`, those that are no longer kept as the oldest that is."""
        while self._made < first + n:
            block = self.patient.take(first + n - self._made)
            self._blocks.append((self._made, block))
            self._made += len(block)
        out = [block[max(0, first - at) : first + n - at] for at, block in self._blocks if at < first + n]
        found = np.concatenate([np.zeros((0, len(COLUMNS))), *out])
        return (
            found
            if len(found) == n
            else np.concatenate([np.repeat(found[:1], n - len(found), axis=0), found])
        )

    def forget(self) -> None:
        """Let go of what every reader has read, and of what is too old."""
        oldest = max(min(tap.at for tap in self._taps), self._made - round(KEPT_S * self.patient.rate_hz))
        while len(self._blocks) > 1 and self._blocks[1][0] <= oldest:
            self._blocks.popleft()


class Tap:
    """A `Source` of a shared body. `patient` is whom a command is about."""

    def __init__(self, shared: Shared, at: int) -> None:
        self._shared = shared
        self.at = at

    @property
    def patient(self) -> Patient:
        return self._shared.patient

    @property
    def rate_hz(self) -> float:
        return self._shared.patient.rate_hz

    @property
    def electrodes_off(self) -> frozenset[str]:
        return self._shared.patient.electrodes_off

    @property
    def numbers(self) -> Numbers:
        return self._shared.patient.numbers

    def take(self, n: int) -> Rows:
        """The next `n` rows, float64 of shape (n, len(COLUMNS))."""
        rows = self._shared.rows(self.at, n) if n else np.zeros((0, len(COLUMNS)))
        self.at += n
        self._shared.forget()
        return rows
