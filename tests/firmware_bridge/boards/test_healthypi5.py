"""HealthyPi 5: golden packets of the current firmware and of the one before."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import healthypi5
from firmware_bridge.frames import Damage, Frame, Number, Samples, Settings

P1 = bytes.fromhex("0A FA 16 00 02 00 F6 28 00 98 3A 00 00 00 00 14 00 00 00 18 00 00 47 0E 62 48 10 00 0B")
P2 = bytes.fromhex("0A FA 16 00 02 00 FF FF FF FF FF FF FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0B")
P3 = bytes.fromhex("0A FA 16 00 02 00 FF FF 01 00 00 00 00 00 FF 1F 00 00 00 E0 FF FF 76 0E 00 FF 00 00 0B")
P4 = bytes.fromhex(
    "0A FA 32 00 03 00 01 00 00 00 02 00 00 00 FF FF FF 00 FE FF FF 00 00 00 00 00 64 00 00 00 00 00 00 00 9C FF FF "
    "E8 03 00 00 E9 03 00 00 EA 03 00 00 FF FF FF FF 48 10 00 0B"
)
P5 = bytes.fromhex("0A FA 13 00 04 64 00 65 00 66 00 67 00 FF FF 00 00 FF 7F 00 80 62 0E 0E 00 0B")


def decoded(data: bytes) -> list[Frame]:
    return healthypi5.board({}).feed(data, 0)


def rows(frames: list[Frame], stream: str = "vitals") -> list[list[int]]:
    return [
        row for f in frames if isinstance(f, Samples) and f.stream == stream for row in f.counts.T.tolist()
    ]


def numbers(frames: list[Frame]) -> dict[str, float | None]:
    return {f.name: f.value for f in frames if isinstance(f, Number)}


def test_golden_packets():
    assert rows(decoded(P1 + P2 + P3)) == [
        [2684416, 15000, 5120, 6144],
        [-256, -1, 0, 0],
        [33554176, 0, 8191, -8192],
    ]


def test_ecg_is_in_millivolts_and_saturates_at_its_rail():
    channel = healthypi5.FACTS.streams[0].channels[0]

    assert 2684416 * channel.gain == pytest.approx(1.0, abs=5e-5)
    assert -256 * channel.gain == pytest.approx(-95.4e-6, abs=5e-8)
    assert channel.high == 33554176


def test_numbers_of_the_device():
    assert numbers(decoded(P1 + P1)) == {
        "temperature": 36.55,
        "spo2": 98,
        "heart_rate": 72,
        "respiration_rate": 16,
    }
    assert numbers(decoded(P1 + P3)) == {
        "temperature": 37.02,
        "spo2": None,
        "heart_rate": 255,
        "respiration_rate": None,
    }


def test_golden_packets_of_the_older_firmware():
    board = healthypi5.board({})
    frames = board.feed(P4 + P5, 0)

    assert rows(frames, "ecg") == [[n] for n in (256, 512, -256, -512, 0, 25600, 0, -25600)]
    assert rows(frames, "bioimpedance") == [[n] for n in (1000, 1001, 1002, -1)]
    assert rows(frames, "ppg") == [[n] for n in (100, 101, 102, 103, -1, 0, 32767, -32768)]
    assert numbers(frames) == {"heart_rate": 72, "respiration_rate": 16, "spo2": 98}
    assert Settings((("format", "OV3"),)) in frames
    assert [stream.name for stream in board.facts.streams] == ["ecg", "bioimpedance", "ppg"]


@pytest.mark.parametrize("words", [3, 6, 9])
def test_a_short_packet_of_the_older_firmware_is_read_although_its_header_says_50(words):
    short = P4[:5] + P4[5 : 5 + 4 * words] + P4[-4:]
    frames = decoded(P4 + P5 + short + P5 + P4 + P5)

    assert len(rows(frames, "ecg")) == 16 + 2 * words // 3
    assert len(rows(frames, "bioimpedance")) == 8 + words // 3
    assert not any(isinstance(f, Damage) for f in frames)


@pytest.mark.parametrize("cut", range(1, 83))
def test_the_older_firmware_may_be_cut_anywhere(cut):
    data = (P4 + P5) * 3
    board = healthypi5.board({})
    frames = [f for n in range(0, len(data), cut) for f in board.feed(data[n : n + cut], 0)]

    for stream in ("ecg", "bioimpedance", "ppg"):
        assert rows(frames, stream) == rows(decoded(data), stream)


def test_it_is_only_listened_to_with_dtr_asserted():
    board = healthypi5.board({})
    board.opened(0)

    assert board.facts.port.dtr is True
    assert [board.due(n * 10**9) for n in range(10)] == [None] * 10
    assert board.closing() == b""


def test_recognised_by_three_packets():
    assert healthypi5.recognise(P1[3:] + P1 + P2 + P3) == 1.0
    assert healthypi5.recognise(P4 + P5 + P4) == 1.0
    assert healthypi5.recognise(P1) < 0.9
