"""The old ASCII firmware: its lines, and when it speaks."""

from __future__ import annotations

import numpy as np

from firmware_bridge.simulators.dm_ecg import frame
from firmware_bridge.simulators.dm_ecg_ascii import DmEcgAscii
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import LEADS

SECOND = 1_000_000_000
START = frame(0, 0x10, b"")
golden = bytes.fromhex


def from_counts(*counts):
    """The row that the DM-ECG turns into these counts."""
    return [*((np.array(counts) - 2048) / 1423), 0, 1, 1]


def test_dm_ecg_ascii_line_is_the_golden_one(given):
    counts = {"I": 2100, "V4": 2050, "V5": 2150, "II": 2200, "V3": 2050, "V6": 2100, "V1": 2150, "V2": 2200}
    board = DmEcgAscii(given([from_counts(*[counts[lead] for lead in LEADS])], 80))
    board.feed(b"1\r\n", 0)
    assert board.due(SECOND) == golden(
        "32 31 30 30 20 32 30 35 30 20 32 31 35 30 20 32 32 30 30 20 32 30 35 30 20 32 31 30 30 20 32 31 35 30"
        " 20 32 32 30 30 0D 0A"
    )


def test_dm_ecg_ascii_streams_between_its_commands_only():
    board = DmEcgAscii(Patient(80))
    board.power_on(0)
    assert board.due(SECOND) == b""
    board.feed(START, SECOND)  # the binary command means nothing to it
    assert board.due(2 * SECOND) == b""
    for piece in (b"1", b"\r", b"\n"):
        board.feed(piece, 2 * SECOND)
    assert board.due(3 * SECOND).count(b"\r\n") == 80
    board.feed(b"0\r\n", 3 * SECOND)
    assert board.due(4 * SECOND) == b""
