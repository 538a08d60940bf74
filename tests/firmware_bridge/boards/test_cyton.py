"""The Cyton: golden packets, its settings, its start-up, and twelve leads from eight channels."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.boards import cyton
from firmware_bridge.boards.cyton import Cyton
from firmware_bridge.frames import Damage, Frame, Identity, Quantity, Reply, Samples

MS = 1_000_000
Y1 = bytes.fromhex(
    "A0 07 00 AE C3 FF 51 3D 00 00 00 7F FF FF 80 00 00 00 00 01 FF FF FF 00 57 62 00 10 FF E0 1F 40 C0"
)
Y2 = bytes.fromhex(
    "A0 FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 C0"
)
Y3 = bytes.fromhex(
    "A0 08 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 FE 00 00 01 E2 40 C3"
)
Y4 = bytes.fromhex(
    "A0 13 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 00 01 00 1F 40 00 01 E2 6C C4"
)
Y5 = bytes.fromhex(
    "A0 00 00 03 E8 00 07 D0 00 0B B8 00 0F A0 FF FC 18 FF F8 30 FF F4 48 FF F0 60 00 35 00 00 00 00 C1"
)
BANNER = b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"


def packet(counter: int, footer: int = 0xC0, aux: bytes = bytes(6)) -> bytes:
    return bytes((0xA0, counter % 256)) + bytes(24) + aux + bytes((footer,))


def decoded(golden: bytes, **options: str) -> list[Frame]:
    """What a board that is in step makes of one golden packet."""
    board = cyton.board({"setup": "no"} | options)
    board.feed(packet(golden[1] - 2) + packet(golden[1] - 1), 0)
    return board.feed(golden, 4 * MS)


def rows(frames: list[Frame], stream: str = "eeg") -> list[list[int]]:
    return [
        row for f in frames if isinstance(f, Samples) and f.stream == stream for row in f.counts.T.tolist()
    ]


@pytest.mark.parametrize(
    ("golden", "counts"),
    [
        (Y1, [44739, -44739, 0, 8388607, -8388608, 1, -1, 22370]),
        (Y2, [0] * 8),
        (Y3, [256] * 8),
        (Y4, [256] * 8),
        (Y5, [1000, 2000, 3000, 4000, -1000, -2000, -3000, -4000]),
    ],
)
def test_golden_packets(golden, counts):
    assert rows(decoded(golden)) == [counts]


def test_golden_microvolts_at_gain_24_and_rails():
    channel = cyton.FACTS.streams[0].channels[0]
    microvolts = [1000 * channel.gain * n for n in (44739, -44739, 8388607, 1, 22370, 1000)]

    np.testing.assert_allclose(
        microvolts, [999.9947, -999.9947, 187500.0, 0.0224, 500.0085, 22.3517], atol=5e-5
    )
    assert (channel.low, channel.high) == (-8388608, 8388607)


@pytest.mark.parametrize(
    ("gain", "microvolts"), [("1", 0.536441867), ("6", 0.089406978), ("12", 0.044703489)]
)
def test_the_gain_is_in_the_facts(gain, microvolts):
    channel = cyton.board({"gain": gain}).facts.streams[0].channels[7]

    assert 1000 * channel.gain == pytest.approx(microvolts, abs=1e-9)


def test_acceleration_comes_when_it_is_new():
    assert rows(decoded(Y1), "acceleration") == [[16, -32, 8000]]
    assert rows(decoded(Y2), "acceleration") == []
    gain = cyton.FACTS.streams[1].channels[0].gain
    assert [gain * n for n in (16, -32, 8000)] == pytest.approx([0.002, -0.004, 1.0])


def test_with_time_stamps_the_axes_come_one_after_another():
    board = cyton.board({"setup": "no"})
    board.feed(packet(5, 0xC4) + packet(6, 0xC4), 0)
    seventh = packet(7, 0xC4, b"\x00\x10" + bytes(4))
    eighth, ninth = Y3, bytes((0xA0, 9)) + Y4[2:]
    frames = board.feed(seventh + eighth + ninth + packet(10, 0xC4, b"\x00\x01\x00\x01\xe2\x70"), 0)

    assert rows(frames, "acceleration") == [[16, -512, 8000]]
    assert len(rows(frames)) == 4
    assert rows(decoded(Y4), "acceleration") == []  # X and Y were not heard


@pytest.mark.parametrize("footer", range(0xC0, 0xC7))
def test_every_footer_is_known(footer):
    assert len(rows(decoded(packet(40, footer, b"\x00\x35\0\0\0\0")))) == 1


@pytest.mark.parametrize("footer", [0xBF, 0xC7, 0xD0])
def test_another_footer_is_no_packet(footer):
    assert rows(decoded(packet(40, footer))) == []


def test_lost_packets_and_a_full_turn_of_the_counter():
    board = cyton.board({"setup": "no"})
    board.feed(packet(0) + packet(1), 8 * MS)
    frames = board.feed(packet(65) + packet(66), (8 + 65 * 4) * MS)
    frames += board.feed(packet(70) + packet(71), (8 + 65 * 4 + (5 + 256) * 4) * MS)

    assert [f.lost for f in frames if isinstance(f, Samples)] == [63, 3 + 256]


def test_a_false_start_inside_the_packets_is_not_believed():
    # Constant bytes that look like header and footer, one packet apart, at the wrong place.
    false = bytes((0x00, 0x00, 0xC1, 0xA0)) + bytes(20)
    data = b"".join(bytes((0xA0, n % 256)) + false + bytes(6) + b"\xc0" for n in range(40))
    frames = cyton.board({"setup": "no"}).feed(data[3:], 0)

    assert len(rows(frames)) == 39
    assert [f.byte_count for f in frames if isinstance(f, Damage)] == [30]


def test_text_of_the_dongle_inside_the_stream_is_told_and_costs_nothing():
    text = b"Failure: Board RFduino buffer overflowed. Soft reset command sent to Board.$$$"
    board = cyton.board({"setup": "no"})
    frames = board.feed(packet(0) + packet(1) + text + packet(2), 0)

    assert Reply("", ok=False, text=text[:-3].decode()) in frames
    assert len(rows(frames)) == 3
    assert not any(isinstance(f, Damage) for f in frames)


def test_twelve_leads_come_out_of_eight_channels():
    stream = cyton.board({"leads": "12"}).facts.streams[0]

    assert stream.name == "ecg"
    assert [c.name for c in stream.channels] == ["I", "II", *(f"V{n}-RA" for n in range(1, 7))]
    assert {c.quantity for c in stream.channels} == {Quantity.ECG}
    assert 1000 * stream.channels[0].gain == pytest.approx(
        0.089406978, abs=1e-9
    )  # gain 6: offsets would rail 24
    inverted = cyton.board({"leads": "12", "polarity": "inverted"}).facts.streams[0]
    assert inverted.channels[0].gain == -stream.channels[0].gain


class Dongle:
    """The other end: answers as the board does, and streams between b and s."""

    def __init__(self, *, daisy: bool = False, deaf: int = 0) -> None:
        self.daisy, self.deaf = daisy, deaf
        self.streaming = False
        self.counter = 0
        self.heard: list[bytes] = []

    def hear(self, data: bytes) -> bytes:
        self.heard.append(data)
        if self.deaf:
            self.deaf -= 1
            return b""
        if data in {b"b", b"s"}:
            self.streaming = data == b"b"
        if data == b"v":
            return (
                BANNER.replace(b"LIS3DH", b"On Daisy ADS1299 Device ID: 0x3E\nLIS3DH")
                if self.daisy
                else BANNER
            )
        if data == b"c":
            return b"daisy removed$$$"
        if data[:1] == b"x":
            return b"Success: Channel set for " + data[1:2] + b"$$$"
        return b""

    def tick(self) -> bytes:
        if not self.streaming:
            return b""
        self.counter += 5
        return b"".join(packet(n) for n in range(self.counter - 5, self.counter))


def converse(board: Cyton, dongle: Dongle, begin_ms: int, end_ms: int) -> list[Frame]:
    frames: list[Frame] = []
    for now_ms in range(begin_ms, end_ms, 20):
        sent = board.due(now_ms * MS)
        answer = dongle.hear(sent) if sent else b""
        frames += board.feed(answer + dongle.tick(), now_ms * MS)
    return frames


def test_start_up_resets_sets_every_gain_and_starts():
    board, dongle = cyton.board({"gain": "6"}), Dongle()
    board.opened(0)
    frames = converse(board, dongle, 0, 2000)

    assert dongle.heard == [b"s", b"v", *(f"x{n}030110X".encode() for n in range(1, 9)), b"b"]
    assert cyton.channel_command(1, 3) == bytes.fromhex("78 31 30 33 30 31 31 30 58")
    assert Identity("cyton", firmware="v3.1.2", model="Cyton") in frames
    assert len(rows(frames)) > 300
    assert not any(isinstance(f, Damage) for f in frames)
    assert board.closing() == b"s"


def test_samples_of_unknown_gain_are_not_believed():
    board = cyton.board({})
    board.opened(0)
    frames = board.feed(b"".join(packet(n) for n in range(5)), 0)

    assert rows(frames) == []
    assert any(isinstance(f, Damage) and f.reason == "gain not yet set" for f in frames)


def test_a_setting_that_is_not_confirmed_is_never_streamed_with():
    board, dongle = cyton.board({}), Dongle(deaf=4)
    board.opened(0)
    frames = converse(board, dongle, 0, 15_000)

    assert [f.request for f in frames if isinstance(f, Reply) and not f.ok] == ["reset"]
    assert dongle.heard[:6] == [b"s", b"v", b"v", b"s", b"v", b"x1060110X"]
    assert len(rows(frames)) > 300


def test_the_late_answer_to_another_setting_confirms_nothing():
    board = cyton.board({})
    board.opened(0)
    assert [board.due(0), board.due(100 * MS)] == [b"s", b"v"]
    board.feed(BANNER, 200 * MS)
    assert board.due(200 * MS) == b"x1060110X"
    frames = board.feed(b"Success: Channel set for 2$$$", 210 * MS)

    assert frames == [Reply("channel 1", ok=False, text="Success: Channel set for 2")]
    assert board.due(220 * MS) is None
    assert board.feed(b"Success: Channel set for 1$$$", 230 * MS)[0].ok
    assert board.due(240 * MS) == b"x2060110X"


def test_a_daisy_is_switched_off():
    board, dongle = cyton.board({}), Dongle(daisy=True)
    board.opened(0)
    frames = converse(board, dongle, 0, 3000)

    assert dongle.heard[2] == b"c"
    assert len(rows(frames)) > 300


def test_a_stall_sets_it_up_again():
    board, dongle = cyton.board({}), Dongle()
    board.opened(0)
    converse(board, dongle, 0, 2000)
    dongle.streaming = False
    frames = converse(board, dongle, 2000, 5000)

    assert dongle.heard.count(b"v") == 2
    (gap,) = [f.lost for f in frames if isinstance(f, Samples) and f.lost]
    assert 300 < gap < 450


def test_recognised_by_five_packets_or_by_the_answer_of_the_dongle():
    assert cyton.recognise(packet(1)[4:] + b"".join(packet(n) for n in range(7, 12))) == 1.0
    assert cyton.recognise(b"".join(packet(n) for n in range(7, 11))) < 0.9
    assert cyton.recognise(b"Success: System is Up$$$") == 1.0
    assert cyton.questions() == ((b"\xf0\x07", 300),)
