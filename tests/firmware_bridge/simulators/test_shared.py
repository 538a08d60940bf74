"""Several boards at one body see the same heart beat, whatever their pace."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.shared import KEPT_S, Shared
from firmware_bridge.simulators.source import FLOW, PLETH

ALONE = Patient(100.0, seed=3).take(800)


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=12))
def test_every_reader_gets_what_one_alone_would_get(reads):
    shared = Shared(Patient(100.0, seed=3))
    taps = [shared.tap() for _ in range(3)]
    at = [0, 0, 0]

    for who, n in reads:
        rows = taps[who].take(n)
        np.testing.assert_array_equal(rows, ALONE[at[who] : at[who] + n])
        at[who] += n


def test_it_is_one_body():
    shared = Shared(Patient(100.0, seed=1))
    heart, mask = shared.tap(), shared.tap()
    heart.take(200)
    heart.patient.rate_bpm = 120

    heart.take(1000), mask.take(1200)

    assert mask.patient is heart.patient
    assert mask.numbers == heart.numbers


def test_a_reader_that_stays_behind_loses_the_oldest_and_memory_is_bounded():
    shared = Shared(Patient(50.0, seed=1))
    ahead, behind = shared.tap(), shared.tap()
    for _ in range(60):
        ahead.take(50)

    assert sum(len(block) for _, block in shared._blocks) <= (KEPT_S + 2) * 50
    late = behind.take(60 * 50)
    assert len(late) == 60 * 50
    assert np.ptp(late[-1000:, FLOW]) > 0.1
    assert np.ptp(late[-1000:, PLETH]) > 0.1
    assert np.ptp(late[: 25 * 50, FLOW]) == 0.0
