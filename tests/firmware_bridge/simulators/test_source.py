"""Reading a source at another rate: whole-number decimation changes nothing, interpolation adds nothing."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS, Numbers, at_rate


class Wave:
    """A sine of 5 Hz on every column, for so many samples."""

    electrodes_off = frozenset()
    numbers = Numbers()

    def __init__(self, rate_hz, n):
        self.rate_hz, self.n, self.k = rate_hz, n, 0

    def take(self, n):
        n = min(n, self.n - self.k)
        t = (self.k + np.arange(n)) / self.rate_hz
        self.k += n
        return np.repeat(np.sin(2 * np.pi * 5 * t)[:, None], len(COLUMNS), axis=1)


def test_same_rate_is_the_source_itself():
    patient = Patient(500)
    assert at_rate(patient, 500) is patient


@pytest.mark.parametrize("q", [2, 4, 8])
def test_decimation_picks_every_qth_row(q):
    whole = Patient(1000, 3).take(4000)
    source, parts = at_rate(Patient(1000, 3), 1000 / q), []
    for n in (1, 0, 7, 50, 3, 100):
        parts.append(source.take(n))
    got = np.concatenate(parts)
    assert np.array_equal(got, whole[::q][: len(got)])


@pytest.mark.parametrize(
    ("into", "out_of"), [(500, 360), (500, 250), (250, 360), (128, 500), (125, 360), (500, 128)]
)
def test_interpolated_wave_is_the_wave_without_delay(into, out_of):
    source = at_rate(Wave(out_of, out_of * 4), into)
    got = np.concatenate([source.take(n) for n in (1, 13, 200, into * 2)])[:, 0]
    expected = np.sin(2 * np.pi * 5 * np.arange(len(got)) / into)
    inside = slice(into // 4, None)  # before the first sample there is nothing to interpolate from
    assert np.abs(got - expected)[inside].max() < 0.01


def test_interpolation_does_not_depend_on_the_pieces_and_ends_with_its_source():
    whole = at_rate(Wave(360, 720), 500).take(5000)
    source, parts = at_rate(Wave(360, 720), 500), []
    while len(piece := source.take(37)):
        parts.append(piece)
    assert len(whole) == 1000
    assert np.allclose(np.concatenate(parts), whole, atol=1e-12)
    assert len(at_rate(Wave(360, 0), 500).take(10)) == 0
