"""What the tests of several simulated boards share."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.source import Numbers


class Given:
    """A source of the rows it is given."""

    def __init__(self, rows, rate_hz, *, off=(), numbers=None):
        self.rows = np.atleast_2d(np.asarray(rows, dtype=float))
        self.rate_hz = rate_hz
        self.electrodes_off = frozenset(off)
        self.numbers = numbers or Numbers()

    def take(self, n):
        rows, self.rows = self.rows[:n], self.rows[n:]
        return rows


@pytest.fixture
def given():
    """The class of sources that yield the rows they are given, then end."""
    return Given
