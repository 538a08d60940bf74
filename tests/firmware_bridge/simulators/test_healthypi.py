"""HealthyPi v4 and 5: their bytes against the reference's golden frames, and what they hide."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.healthypi4 import BANNER, HealthyPi4
from firmware_bridge.simulators.healthypi5 import HealthyPi5
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS, Numbers

SECOND = 1_000_000_000
golden = bytes.fromhex


def row(**values):
    out = np.zeros(len(COLUMNS))
    for name, value in values.items():
        out[COLUMNS.index(name)] = value
    return out


def test_healthypi4_frame_is_the_golden_one(given):
    values = row(II=41 * 0.024618, respiration=-37 / 400, ppg_infrared=81234 / 81000, ppg_red=65432 / 65000)
    board = HealthyPi4(given([values], 125, numbers=Numbers(72, 16, 98, 36.55)))
    board.power_on(0)
    assert board.due(2 * SECOND) == BANNER
    assert board.due(3 * SECOND) == golden(
        "0A FA 14 00 02 29 00 DB FF 52 3D 01 00 98 FF 00 00 47 0E 10 62 48 50 78 00 00 0B"
    )


def test_healthypi4_status_frame_is_the_golden_one(given):
    values = row(II=1.0, respiration=0.5, ppg_infrared=123456 / 81000, ppg_red=98765 / 65000)
    source = given([values], 125, off=("RA", "LA", "LL", "RL"), numbers=Numbers(72, 16, 97, 36.71))
    board = HealthyPi4(source, status_works=True)
    board.power_on(0)
    board.due(2 * SECOND)
    assert board.due(3 * SECOND) == golden(
        "0A FA 14 00 02 00 00 00 00 40 E2 01 00 CD 81 01 00 57 0E 00 61 00 50 78 1F 00 0B"
    )


@pytest.mark.parametrize(
    ("values", "numbers", "expected"),
    [
        (
            row(II=1.0, ppg_red=1.0, ppg_infrared=1.0),
            Numbers(72, 16, 98, 36.55),
            "0A FA 16 00 02 00 F6 28 00 98 3A 00 00 00 00 14 00 00 00 18 00 00 47 0E 62 48 10 00 0B",
        ),
        (
            row(II=-95.4e-6, respiration=-15001 / 300),
            Numbers(),
            "0A FA 16 00 02 00 FF FF FF FF FF FF FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0B",
        ),
        (
            row(II=20.0, respiration=-50, ppg_red=2.0, ppg_infrared=-2.0),
            Numbers(255, None, None, 37.02),
            "0A FA 16 00 02 00 FF FF 01 00 00 00 00 00 FF 1F 00 00 00 E0 FF FF 76 0E 00 FF 00 00 0B",
        ),
    ],
)
def test_healthypi5_frames_are_the_golden_ones(given, values, numbers, expected):
    board = HealthyPi5(given([values], 128, numbers=numbers))
    board.power_on(0)
    assert board.due(SECOND) == golden(expected)


def test_healthypi5_sends_nothing_without_dtr():
    board = HealthyPi5(Patient(128))
    board.dtr = False
    board.power_on(0)
    assert board.due(SECOND) == b""
    board.dtr = True
    assert len(board.due(2 * SECOND)) == 128 * 29


def test_healthypi5_keeps_its_last_numbers_when_an_electrode_falls_off():
    patient = Patient(128)
    board = HealthyPi5(patient)
    board.power_on(0)
    before = board.due(20 * SECOND)[-29:]
    patient.electrode("RA", attached=False)
    board.due(30 * SECOND)
    after = board.due(31 * SECOND)[-29:]
    assert before[25] == after[25] != 0
    impedance = np.frombuffer(after, dtype="<i4", count=1, offset=9)
    assert impedance > 14_000
