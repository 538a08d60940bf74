"""HealthyPi v4: golden packets, what it measured itself, its boot text."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import healthypi4
from firmware_bridge.frames import Damage, Frame, Leads, Number, Quantity, Samples

H1 = bytes.fromhex("0A FA 14 00 02 29 00 DB FF 52 3D 01 00 98 FF 00 00 47 0E 10 62 48 50 78 00 00 0B")
H2 = bytes.fromhex("0A FA 14 00 02 EC FF 2C 01 68 3C 01 00 E8 FD 00 00 47 0E 10 62 48 50 78 00 00 0B")
H3 = bytes.fromhex("0A FA 14 00 02 00 00 00 00 40 E2 01 00 CD 81 01 00 57 0E 00 61 00 50 78 1F 00 0B")


def decoded(data: bytes, **options: str) -> list[Frame]:
    return healthypi4.board(options).feed(data, 0)


def rows(frames: list[Frame]) -> list[list[int]]:
    return [row for f in frames if isinstance(f, Samples) for row in f.counts.T.tolist()]


def numbers(frames: list[Frame]) -> dict[str, float | None]:
    return {f.name: f.value for f in frames if isinstance(f, Number)}


def test_golden_packets():
    assert rows(decoded(H1 + H2 + H3)) == [
        [41, -37, 81234, 65432],
        [-20, 300, 81000, 65000],
        [0, 0, 123456, 98765],
    ]


def test_ecg_is_in_millivolts():
    channel = healthypi4.FACTS.streams[0].channels[0]

    assert channel.quantity is Quantity.ECG
    assert 41 * channel.gain == pytest.approx(1.0093, abs=5e-5)
    assert -20 * channel.gain == pytest.approx(-0.4924, abs=5e-5)


def test_numbers_of_the_device_are_said_on_change_and_once_a_second():
    frames = decoded(H1 * 124)
    board = healthypi4.board({})
    said = [[f for f in board.feed(H1, n) if isinstance(f, Number)] for n in range(300)]

    assert numbers(frames) == {"temperature": 36.55, "respiration_rate": 16, "spo2": 98, "heart_rate": 72}
    assert len([f for f in frames if isinstance(f, Number)]) == 4
    # The first packet waits for the second; then every 125 packets.
    assert [n for n, spoken in enumerate(said) if spoken] == [1, 125, 250]


def test_contact_lost_makes_its_rates_unknown_and_names_the_electrodes():
    frames = decoded(H1 + H3 + H1, lead="I")
    leads = [dict(f.attached) for f in frames if isinstance(f, Leads)]

    assert leads == [{}, {"LA": False, "RA": False, "RL": False}, {"LA": True, "RA": True, "RL": True}]
    assert numbers(decoded(H1 + H3)) == {
        "temperature": 36.71,
        "respiration_rate": None,
        "spo2": 97,
        "heart_rate": None,
    }


def test_zero_is_no_temperature_and_no_saturation():
    nothing = bytearray(H1)
    nothing[17:19], nothing[20] = b"\0\0", 0

    assert numbers(decoded(bytes(nothing) * 2)) | {"respiration_rate": 0, "heart_rate": 0} == {
        "temperature": None,
        "spo2": None,
        "respiration_rate": 0,
        "heart_rate": 0,
    }


def test_boot_text_is_counted_and_costs_nothing():
    text = b"Setting up Healthy pI V4...\r\nInitialization is complete\r\n"
    frames = decoded(text + H1 + H2)

    assert sum(f.byte_count for f in frames if isinstance(f, Damage)) == len(text)
    assert len(rows(frames)) == 2


def test_it_is_only_listened_to():
    board = healthypi4.board({})
    board.opened(0)

    assert [board.due(n * 10**9) for n in range(10)] == [None] * 10
    assert board.closing() == b""
    assert healthypi4.questions() == ()


def test_recognised_by_three_packets():
    assert healthypi4.recognise(H1[9:] + H1 + H2 + H3) == 1.0
    assert healthypi4.recognise(H1 + H2) < 0.9
