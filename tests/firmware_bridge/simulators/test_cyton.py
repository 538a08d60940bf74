"""Cyton: its bytes against the reference's golden frames, and how it and its dongle answer."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.cyton import Cyton, frames_of, from_reference
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS

SECOND = 1_000_000_000
golden = bytes.fromhex


def streaming():
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(b"b", 0)
    return board


UV_24 = 4_500_000 / 24 / (2**23 - 1)


def cyton_of(given, channels_uv, before=0):
    """A streaming Cyton whose channels 1..8 see these microvolts, after `before` frames of nothing."""
    against_ra = np.array(channels_uv) / 1000
    leads = against_ra.copy()
    leads[2:] -= (against_ra[0] + against_ra[1]) / 3
    rows = np.zeros((before + 1, len(COLUMNS)))
    rows[before, :8] = leads
    board = Cyton(given(rows, 250))
    board.power_on(0)
    board.feed(b"b", 0)
    return board


def test_cyton_frames_are_the_golden_ones(given):
    counts = np.array([1000, 2000, 3000, 4000, -1000, -2000, -3000, -4000])
    board = cyton_of(given, counts * UV_24)
    board.feed(b"/4`5", 0)
    assert board.due(SECOND) == golden(
        "A0 00 00 03 E8 00 07 D0 00 0B B8 00 0F A0 FF FC 18 FF F8 30 FF F4 48 FF F0 60 00 35 00 00 00 00 C1"
    )
    saturated = [999.9947, -999.9947, 0, 200_000, -200_000, 0.0224, -0.0224, 500.0085]
    sent = cyton_of(given, saturated, before=7).due(SECOND)
    assert sent[-33:-7] == golden(
        "A0 07 00 AE C3 FF 51 3D 00 00 00 7F FF FF 80 00 00 00 00 01 FF FF FF 00 57 62"
    )
    assert sent[-7:] == golden("00 00 00 00 00 00 C0")


@pytest.mark.parametrize(
    ("counter", "aux", "footer", "expected"),
    [
        (8, "FE 00 00 01 E2 40", 0xC3, "A0 08" + " 00 01 00" * 8 + " FE 00 00 01 E2 40 C3"),
        (19, "1F 40 00 01 E2 6C", 0xC4, "A0 13" + " 00 01 00" * 8 + " 1F 40 00 01 E2 6C C4"),
    ],
)
def test_cyton_stamped_frames_are_the_golden_ones(counter, aux, footer, expected):
    aux = np.frombuffer(golden(aux), dtype=np.uint8)[None, :]
    assert frames_of(np.full((1, 8), 256), counter, aux, np.array([footer])) == golden(expected)


def test_cyton_counter_wraps_and_goes_on_where_it_stopped():
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(b"b", 0)
    counters = list(board.due(2 * SECOND)[1::33])
    board.feed(b"s", 2 * SECOND)
    assert board.due(3 * SECOND) == b""
    board.feed(b"b", 3 * SECOND)
    counters += board.due(4 * SECOND)[1::33]
    assert counters == [k % 256 for k in range(750)]


def test_cyton_accelerometer_comes_at_25_hz():
    sent = np.frombuffer(streaming().due(SECOND), dtype=np.uint8).reshape(-1, 33)
    assert (sent[:, 32] == 0xC0).all()
    z = sent[:, 30:32].copy().view(">i2")[:, 0]
    assert sorted(set(z.tolist())) == [0, 8000]
    assert (z == 8000).sum() == 25


def test_cyton_time_stamps_are_the_boards_uptime():
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(b"<", 100 * SECOND)
    assert board.due(101 * SECOND) == b",Time stamp ON$$$"
    board.feed(b"b", 123 * SECOND)
    sent = np.frombuffer(board.due(124 * SECOND), dtype=np.uint8).reshape(-1, 33)
    stamps = sent[:, 28:32].copy().view(">u4")[:, 0]
    assert sent[0, 32] == 0xC3
    assert (sent[1:, 32] == 0xC4).all()
    assert stamps[0] == 123_004
    assert (np.diff(stamps) == 4).all()
    z = sent[:, 26:28].copy().view(">i2")[:, 0]
    assert (z == np.where(sent[:, 1] % 10 == 9, 8000, 0)).all()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"V", b"v3.1.5$$$"),
        (b"D", b"060110$$$"),
        (b"d", b"updating channel settings to default$$$"),
        (b"C", b"no daisy to attach!8$$$"),
        (b"c", b""),
        (b"3", b""),
        (b"x1030110X", b"Success: Channel set for 1$$$"),
        (b"x1030110Y", b"Failure: Err: 9th char not X$$$"),
        (b"z110Z", b"Success: Lead off set for 1$$$"),
        (b"//", b"Success: default$$$"),
        (b"~~", b"Success: Sample rate is 250Hz$$$"),
        (b"0", b"Success: Configured internal test signal.$$$"),
        (b"\xf0\x07", b"Success: System is Up$$$"),
        (b"\xf0\x00", b"Success: Host and Device on Channel number: 5\x05$$$"),
        (b"\xf0\x01\x07", b""),
        (b"\r\nA", b""),
    ],
)
def test_cyton_answers_while_idle(command, answer):
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(command, 0)
    assert board.due(SECOND) == answer


def test_cyton_settings_while_streaming_get_no_answer_but_count(given):
    board = cyton_of(given, [1000.0, 0, 0, 0, 0, 0, 0, 0])
    board.feed(b"x1030110X", 0)
    sent = board.due(SECOND)
    assert len(sent) == 33
    assert int.from_bytes(sent[2:5], "big") == round(1000 / (UV_24 * 4))


def test_cyton_banner_after_soft_reset():
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(b"bv", 0)
    text = board.due(2 * SECOND)
    assert text.startswith(b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n")
    assert text.endswith(b"Firmware: v3.1.2\n$$$")


def test_cyton_command_left_unfinished_times_out():
    board = Cyton(Patient(250))
    board.power_on(0)
    board.feed(b"x10", 0)
    board.feed(b"V", 2 * SECOND)
    answers = board.due(3 * SECOND)
    assert answers.startswith(
        b"Timeout processing multi byte message - please send all commands at once as of v2$$$"
    )
    assert answers.endswith(b"v3.1.5$$$")


def test_cyton_out_of_reach_is_answered_by_the_dongle():
    board = Cyton(Patient(250), system_up=False)
    board.feed(b"\xf0\x07b", 0)
    assert board.due(SECOND) == (
        b"Failure: System is Down$$$Failure: Communications timeout - Device failed to poll Host$$$"
    )


def test_cyton_channels_are_electrodes_against_right_arm():
    patient = Patient(250, 4)
    leads = patient.next(500)
    channels = from_reference(leads)
    wilson = (channels[:, 0] + channels[:, 1]) / 3
    assert np.allclose(channels[:, 2:] - wilson[:, None], leads[:, 2:], atol=1e-12)
