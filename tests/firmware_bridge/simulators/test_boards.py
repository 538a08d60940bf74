"""What holds for every simulated board: its pace, and where it ends."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators import SIMULATORS, simulator
from firmware_bridge.simulators.dm_ecg import DmEcg, frame
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS, Source

MS = 1_000_000
SECOND = 1000 * MS
START = frame(0, 0x10, b"")


BEGIN = {
    "dm_ecg": START,
    "dm_ecg_ascii": b"1\r\n",
    "cyton": b"b",
    "contec7": bytes.fromhex("7D81A1") + b"\x80" * 6,
}
# Their own numbers are read when the frames are made.
OF_THE_MOMENT = {"healthypi4", "healthypi5", "gasboard", "nonin", "contec", "contec7"}
ASKED = {"medibus", "resmed"}  # they speak only when they are spoken to


QUICK = {"vt_settings": {"period_s": 1.0}}


def running(kind, **options):
    board = simulator(kind, Patient(max(SIMULATORS[kind].RATE_HZ, 50.0)), **QUICK.get(kind, {}), **options)
    board.power_on(0)
    board.feed(BEGIN.get(kind, b""), 0)
    return board


@pytest.mark.parametrize("kind", SIMULATORS)
def test_bytes_do_not_depend_on_when_they_are_asked_for(kind):
    often, seldom = running(kind), running(kind)
    for board in (often, seldom):
        board.body.electrode("RL", attached=False)
    rng, now, pieces = np.random.default_rng(1), 0, []
    while now < 4 * SECOND:
        now = min(now + int(rng.integers(1, 40 * MS)), 4 * SECOND)
        pieces.append(often.due(now))
    whole = seldom.due(4 * SECOND)
    if kind in OF_THE_MOMENT:
        assert len(b"".join(pieces)) == len(whole)
    else:
        assert b"".join(pieces) == whole


@pytest.mark.parametrize(
    ("kind", "size", "wait_s"),
    [
        ("dm_ecg", 22, 0),
        ("healthypi4", 27, 2),
        ("healthypi5", 29, 0),
        ("cyton", 33, 0),
        ("nonin", 5, 0),
        ("contec", 5, 0),
    ],
)
def test_frames_come_at_the_rate_of_a_wrong_crystal(kind, size, wait_s):
    board = running(kind, crystal_ppm=-1000)
    board.due((wait_s + 1) * SECOND)
    sent = board.due((wait_s + 41) * SECOND)
    assert len(sent) / size == pytest.approx(40 * board.rate_hz * 0.999, abs=1)


@pytest.mark.parametrize("kind", [kind for kind in SIMULATORS if kind not in ASKED])
def test_next_due_is_when_something_comes(kind):
    board = running(kind)
    for _ in range(20):
        at = board.next_due_ns
        assert board.due(at - 1) == b""
        assert board.due(at)


def test_board_falls_silent_where_the_source_ends(given):
    board = DmEcg(given(np.zeros((7, len(COLUMNS))), 500))
    board.feed(START, 0)
    assert len(board.due(SECOND)) == (1 + 7) * 22
    assert not board.streaming


def test_unknown_board_is_refused():
    with pytest.raises(ValueError, match="no board 'abacus' to simulate: one of dm_ecg"):
        simulator("abacus", Patient())


def test_patient_and_given_are_sources(given):
    sources: list[Source] = [Patient(), given(np.zeros((1, len(COLUMNS))), 500)]
    assert all(s.take(1).shape == (1, len(COLUMNS)) for s in sources)
