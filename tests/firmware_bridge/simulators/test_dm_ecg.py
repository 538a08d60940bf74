"""DM-ECG: its bytes against the reference's golden frames, and how it answers."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.dm_ecg import DmEcg, frame
from firmware_bridge.simulators.patient import Patient

MS = 1_000_000
SECOND = 1000 * MS
START, STOP, SERIAL, VERSION, CLOSE = (frame(0, code, b"") for code in (0x10, 0x11, 0x13, 0x14, 0x15))
golden = bytes.fromhex


def started(board, now_ns=0):
    """A DM-ECG that streams; what it sent up to its ACK is taken."""
    board.power_on(now_ns)
    board.feed(START, now_ns)
    assert board.due(now_ns + 2 * MS) == frame(0, 0x21, b"\x10")
    return board


def from_counts(*counts):
    """The row that the DM-ECG turns into these counts."""
    return [*((np.array(counts) - 2048) / 1423), 0, 1, 1]


@pytest.mark.parametrize(
    ("counter", "counts", "off", "expected"),
    [
        (0, [2048] * 8, (), "E8 00 11 20 00 30 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E"),
        (
            7,
            [2760, 3471, 1621, 2190, 2617, 3186, 3044, 2759],
            (),
            "E8 07 11 20 00 35 48 7B 0F 2C 55 31 0E 34 39 38 72 37 64 35 47 8E",
        ),
        (
            63,
            [2100, 0, 2048, 2048, 4095, 2048, 2048, 2048],
            ("LL", "V3"),
            "E8 3F 11 20 00 30 34 20 00 30 00 30 00 1F 7F 30 00 30 00 30 00 8E",
        ),
        (12, [2048] * 8, ("RA",), "E8 0C 11 20 00 30 00 50 00 30 00 30 00 30 00 30 00 30 00 30 00 8E"),
        (33, [2048] * 8, ("LA",), "E8 21 11 20 00 10 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E"),
    ],
)
def test_dm_ecg_stream_frames_are_the_golden_ones(given, counter, counts, off, expected):
    rows = [from_counts(*[2048] * 8)] * counter + [from_counts(*counts)]
    board = started(DmEcg(given(rows, 500, off=off)))
    sent = board.due(SECOND)
    assert len(sent) == 22 * (counter + 1)
    assert sent[-22:] == golden(expected)


def test_dm_ecg_pinned_leads_keep_their_electrode_bits(given):
    board = started(DmEcg(given([from_counts(1900, 2300, 5, 5, 5, 5, 2047, 5)], 500)))
    board.pinned = {"V1": 0, "V2": 0, "V3": 0, "V4": 0, "V6": 1}
    expected = "E8 00 11 20 00 2E 6C 71 7C 20 00 20 00 20 00 20 00 2F 7F 20 01 8E"
    assert board.due(SECOND) == golden(expected)


def test_dm_ecg_commands_and_replies_are_the_golden_ones():
    board = DmEcg(Patient(500))
    board.power_on(0)
    assert board.due(SECOND) == b""  # idle after power-on
    board.feed(golden("E8 00 11 11 00" + " 00" * 16 + " 8E"), SECOND)
    stopped = golden("E8 00 11 21 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
    assert board.due(SECOND + 50 * MS) == stopped
    board.feed(golden("E8 01 11 14 00" + " 00" * 16 + " 8E"), 2 * SECOND)
    assert board.due(2 * SECOND + 4 * MS) == frame(0, 0x21, b"\x14")
    version = golden("E8 02 11 24 00 54 54 45 43 47 4D 30 30 56 5F 30 31 30 31 30 31 8E")
    assert board.due(2 * SECOND + 20 * MS) == version
    board.feed(golden("E8 01 11 13 00" + " 00" * 16 + " 8E"), 3 * SECOND)
    serial = golden("E8 02 11 23 00 44 4D 20 45 43 47 20 56 31 2E 30 20 41 39 38 39 8E")
    assert board.due(3 * SECOND + 20 * MS) == frame(0, 0x21, b"\x13") + serial


def test_dm_ecg_hears_commands_in_noise_and_in_pieces():
    board = DmEcg(Patient(500))
    board.power_on(0)
    for byte in b"\xe8\x00AT\r\n\xe8" + STOP + b"\x8e\xe8\xe8" + STOP:
        board.feed(bytes([byte]), 0)
    assert board.due(SECOND) == frame(0, 0x21, b"\x11") * 2


def test_dm_ecg_start_while_streaming_says_nothing_and_stop_ends_it():
    board = started(DmEcg(Patient(500)))
    board.feed(START, 10 * MS)
    assert len(board.due(102 * MS)) == 50 * 22
    board.feed(STOP, 102 * MS)
    assert board.due(SECOND) == frame(0, 0x21, b"\x11")
    assert board.next_due_ns is None


@pytest.mark.parametrize("answers", [True, False])
def test_dm_ecg_asked_while_streaming(answers):
    board = started(DmEcg(Patient(500), answers_while_streaming=answers))
    board.feed(VERSION, 2 * MS)
    sent = board.due(102 * MS)
    codes = [sent[k + 3] for k in range(0, len(sent), 22)]
    assert codes.count(0x20) == 50
    assert (codes.index(0x21), codes.index(0x24)) == (1, 7) if answers else 0x24 not in codes


def test_dm_ecg_firmware_variants(given):
    old = DmEcg(Patient(500), auto_stream=True)
    old.power_on(0)
    assert len(old.due(SECOND)) == 500 * 22
    acknowledges = DmEcg(Patient(500), ack_code=0x20)
    acknowledges.feed(CLOSE, 0)
    assert acknowledges.due(SECOND) == frame(0, 0x20, b"\x15")
    swapped = started(DmEcg(given([from_counts(2760, *[2048] * 7)], 500), byte_order="lsb_first"))
    assert swapped.due(SECOND)[5:9] == golden("48 35 00 70")


def test_dm_ecg_limb_bits_chatter_without_right_leg():
    patient = Patient(500)
    patient.electrode("RL", attached=False)
    sent = np.frombuffer(started(DmEcg(patient)).due(SECOND), dtype=np.uint8).reshape(-1, 22)
    la, ll, ra = sent[:, 5] & 0x20, sent[:, 7] & 0x40, sent[:, 7] & 0x20
    assert 0.3 < (la > 0).mean() < 0.7
    assert 0.3 < (ll > 0).mean() < 0.7
    assert ra.all()


def test_dm_ecg_clips_a_tall_wave_at_its_rails():
    patient = Patient(500)
    patient.amplitude = 3
    sent = np.frombuffer(started(DmEcg(patient)).due(10 * SECOND), dtype=np.uint8).reshape(-1, 22)
    ii = (sent[:, 7].astype(int) & 0x1F) << 7 | sent[:, 8]
    assert ii.max() == 4095
