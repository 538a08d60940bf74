"""The DM-ECG board: golden frames, losses, electrodes, byte orders, and its start-up conversation."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.boards import dm_ecg
from firmware_bridge.boards.dm_ecg import DmEcg
from firmware_bridge.frames import Damage, Frame, Identity, Leads, Reply, Samples, Settings

MS = 1_000_000
S = 1_000 * MS

G1 = bytes.fromhex("E8 00 11 20 00 30 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E")
G2 = bytes.fromhex("E8 07 11 20 00 35 48 7B 0F 2C 55 31 0E 34 39 38 72 37 64 35 47 8E")
G3 = bytes.fromhex("E8 3F 11 20 00 30 34 20 00 30 00 30 00 1F 7F 30 00 30 00 30 00 8E")
G4 = bytes.fromhex("E8 00 11 20 00 2E 6C 71 7C 20 00 20 00 20 00 20 00 2F 7F 20 01 8E")
G5 = bytes.fromhex("E8 0C 11 20 00 30 00 50 00 30 00 30 00 30 00 30 00 30 00 30 00 8E")
G6 = bytes.fromhex("E8 21 11 20 00 10 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E")
START = bytes.fromhex("E8 00 11 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
STOP = bytes.fromhex("E8 00 11 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
SERIAL = bytes.fromhex("E8 01 11 13 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
VERSION = bytes.fromhex("E8 01 11 14 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
CLOSE = bytes.fromhex("E8 00 11 15 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
ACK_STOP = bytes.fromhex("E8 00 11 21 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
VERSION_IS = bytes.fromhex("E8 02 11 24 00 54 54 45 43 47 4D 30 30 56 5F 30 31 30 31 30 31 8E")
SERIAL_IS = bytes.fromhex("E8 02 11 23 00 44 4D 20 45 43 47 20 56 31 2E 30 20 41 39 38 39 8E")


def frame(counter: int) -> bytes:
    return G1[:1] + bytes([counter % 64]) + G1[2:]


def stream(first: int, count: int) -> bytes:
    return b"".join(frame(first + n) for n in range(count))


def decoded(golden: bytes, **options: str) -> list[Frame]:
    """What a board that is in step with the stream makes of one golden frame."""
    board = dm_ecg.board(options)
    board.feed(stream(golden[1] - 2, 2), 0)
    return board.feed(golden, 2 * MS)


def samples(frames: list[Frame]) -> list[Samples]:
    return [f for f in frames if isinstance(f, Samples)]


def electrodes(frames: list[Frame]) -> set[str]:
    """The electrodes that are off after these frames."""
    last = [f for f in frames if isinstance(f, Leads)][-1]
    return {name for name, attached in last.attached if not attached}


@pytest.mark.parametrize(
    ("golden", "counts"),
    [
        (G1, [2048] * 8),
        (G2, [2760, 3471, 1621, 2190, 2617, 3186, 3044, 2759]),
        (G3, [2100, 0, 2048, 2048, 4095, 2048, 2048, 2048]),
        (G4, [1900, 2300, 0, 0, 0, 0, 2047, 1]),
        (G5, [2048] * 8),
        (G6, [2048] * 8),
    ],
)
def test_golden_frames_decode_to_their_counts(golden, counts):
    (block,) = samples(decoded(golden))

    assert block.counts.tolist() == [[count] for count in counts]
    assert block.lost == 0


def test_golden_counts_are_the_reference_millivolts():
    (block,) = samples(decoded(G2))
    channels = dm_ecg.FACTS.streams[0].channels
    gain, offset = np.array([[c.gain, c.offset] for c in channels]).T

    np.testing.assert_allclose(
        (block.counts[:, 0] - offset) * gain,
        [0.5004, 1.0, -0.3001, 0.0998, 0.3999, 0.7997, 0.6999, 0.4996],
        atol=5e-5,
    )


@pytest.mark.parametrize(("golden", "off"), [(G3, {"LL", "V3"}), (G5, {"RA"}), (G6, {"LA"})])
def test_golden_electrode_bits(golden, off):
    assert electrodes(decoded(golden)) == off


def test_a_counter_that_wraps_loses_nothing_and_g5_after_g4_loses_eleven():
    board = dm_ecg.board({})
    board.feed(stream(61, 2), 0)
    frames = board.feed(G3 + G4, 4 * MS)
    frames += board.feed(G5 + frame(13), 28 * MS)

    assert [block.lost for block in samples(frames)] == [0, 0, 11, 0]


@pytest.mark.parametrize("lost", [11, 11 + 64, 11 + 3 * 64])
def test_time_tells_how_often_the_counter_went_round(lost):
    board = dm_ecg.board({})
    board.feed(stream(0, 10), 20 * MS)
    frames = board.feed(stream(10 + lost, 10), (20 + 2 * (lost + 10)) * MS + 9 * MS)  # a late burst

    assert [block.lost for block in samples(frames)] == [lost]


def test_a_late_read_of_an_unbroken_stream_loses_nothing():
    board = dm_ecg.board({})
    board.feed(stream(0, 10), 20 * MS)
    frames = board.feed(stream(10, 100), 3 * S)

    assert [block.lost for block in samples(frames)] == [0]


def test_a_hit_counter_costs_its_frame_and_not_sixty_losses():
    board = dm_ecg.board({})
    frames = board.feed(stream(0, 5) + frame(9) + stream(6, 5), 0)

    assert [block.lost for block in samples(frames)] == [0, 1]
    assert [f.byte_count for f in frames if isinstance(f, Damage)] == [22]


def with_bits(counter: int, *, la: bool, ll: bool) -> bytes:
    data = bytearray(frame(counter))
    data[5] = 0x30 if la else 0x10
    data[7] = 0x70 if ll else 0x30
    return bytes(data)


def test_la_and_ll_off_together_is_rl_off_and_holds_for_50_ms():
    board = dm_ecg.board({})
    chatter = [with_bits(n, la=n % 2 == 0, ll=n % 3 == 0) for n in range(40)]
    quiet = [with_bits(n, la=True, ll=True) for n in range(40, 90)]
    frames = board.feed(b"".join(chatter + quiet), 0)
    changes = [
        (sum(b.counts.shape[1] for b in samples(frames[:at])), electrodes([f]))
        for at, f in enumerate(frames)
        if isinstance(f, Leads)
    ]

    # The last frame with both off is number 37; 25 frames later the bits count again.
    assert changes == [(0, set()), (1, {"LA", "LL", "RL"}), (37 + 25 + 1, set())]


@pytest.mark.parametrize("order", ["msb_first", "lsb_first"])
def test_the_byte_order_is_found_from_128_frames(order):
    rng = np.random.default_rng(5)
    wave = 2048 + 400 * np.sin(np.arange(200) / 20)[None, :] + rng.normal(0, 3, (8, 200))
    data = bytearray()
    for n in range(200):
        pairs = [(0x20 | int(c) >> 7, int(c) & 0x7F) for c in wave[:, n]]
        pairs[1] = (pairs[1][0] | 0x40, pairs[1][1])
        data += bytes((0xE8, n % 64, 0x11, 0x20, 0))
        data += bytes(b for pair in pairs for b in (pair if order == "msb_first" else pair[::-1])) + b"\x8e"
    board = dm_ecg.board({"byte_order": "auto"})
    frames = [f for n in range(0, len(data), 220) for f in board.feed(bytes(data[n : n + 220]), n * MS)]
    counts = np.concatenate([block.counts for block in samples(frames)], axis=1)

    assert Settings((("byte_order", order),)) in frames
    np.testing.assert_array_equal(counts, wave.astype(np.int32))
    assert electrodes(frames) == set()


class Unit:
    """The other end, as the reference describes it: answers, and counts the stream from 0."""

    def __init__(self, ack: int = 0x21, *, auto: bool = False, names: bool = True) -> None:
        self.ack, self.auto, self.names = ack, auto, names
        self.streaming = auto
        self.counter = 0
        self.heard: list[int] = []

    def hear(self, data: bytes) -> bytes:
        opcode = data[3]
        self.heard.append(opcode)
        if self.auto:
            return b""
        self.streaming = opcode == 0x10 or (self.streaming and opcode not in {0x11, 0x15})
        if opcode == 0x10:
            self.counter = 0
        reply = bytes((0xE8, 0, 0x11, self.ack, 0, opcode)) + bytes(15) + b"\x8e"
        if opcode in {0x13, 0x14}:
            return reply + {0x13: SERIAL_IS, 0x14: VERSION_IS}[opcode] if self.names else b""
        return reply

    def tick(self) -> bytes:
        if not self.streaming:
            return b""
        self.counter += 5
        return stream(self.counter - 5, 5)


def converse(board: DmEcg, unit: Unit, begin_ns: int, end_ns: int) -> list[Frame]:
    """Ten milliseconds at a time."""
    frames: list[Frame] = []
    for now_ns in range(begin_ns, end_ns, 10 * MS):
        sent = board.due(now_ns)
        answer = unit.hear(sent) if sent else b""
        frames += board.feed(unit.tick() + answer if not unit.streaming else answer + unit.tick(), now_ns)
    return frames


@pytest.mark.parametrize("ack", [0x21, 0x20])
def test_start_up_asks_version_and_serial_and_starts_the_stream(ack):
    board, unit = dm_ecg.board({}), Unit(ack)
    board.opened(0)
    frames = converse(board, unit, 0, 2 * S)

    assert unit.heard == [0x11, 0x14, 0x11, 0x13, 0x10]
    assert [f.request for f in frames if isinstance(f, Reply) and f.ok] == [
        "stop",
        "version",
        "stop",
        "serial",
        "start",
    ]
    assert Identity("dm_ecg", "DM ECG V1.0 A989", "TTECGM00V_010101", "DM-ECG") in frames
    assert sum(b.counts.shape[1] + b.lost for b in samples(frames)) > 600
    assert not any(isinstance(f, Damage) for f in frames)


def test_commands_are_the_golden_ones():
    assert dm_ecg.command(dm_ecg.START) == START
    assert dm_ecg.command(dm_ecg.STOP) == STOP
    assert dm_ecg.command(dm_ecg.SERIAL, 1) == SERIAL
    assert dm_ecg.command(dm_ecg.VERSION, 1) == VERSION
    assert dm_ecg.command(dm_ecg.CLOSE) == CLOSE
    assert [dm_ecg.board({}).closing()[n] for n in (3, 25)] == [dm_ecg.STOP, dm_ecg.CLOSE]


def test_firmware_that_streams_by_itself_is_left_alone():
    board, unit = dm_ecg.board({}), Unit(auto=True)
    board.opened(0)
    frames = converse(board, unit, 0, 5 * S)

    assert unit.heard == [0x11]
    assert Settings((("auto_stream", "yes"),)) in frames
    assert sum(b.counts.shape[1] for b in samples(frames)) == 2500
    assert sum(b.lost for b in samples(frames)) == 0


def test_a_unit_that_names_itself_not_is_started_all_the_same():
    board, unit = dm_ecg.board({}), Unit(names=False)
    board.opened(0)
    frames = converse(board, unit, 0, 12 * S)

    assert unit.heard == [0x11, *[0x14] * 3, 0x11, *[0x13] * 3, 0x10]
    assert [f.request for f in frames if isinstance(f, Reply) and not f.ok] == ["version", "serial"]
    assert samples(frames)


def test_a_stalled_stream_is_asked_for_again_after_a_second_and_its_loss_is_told_by_time():
    board, unit = dm_ecg.board({}), Unit()
    board.opened(0)
    before = converse(board, unit, 0, 3 * S)
    unit.streaming = False
    after = converse(board, unit, 3 * S, 6 * S)
    total = sum(b.counts.shape[1] + b.lost for b in samples(before + after))
    gap = max(b.lost for b in samples(after))

    assert unit.heard[5:] == [0x11, 0x10]
    assert 500 <= gap <= 600
    first_ns = samples(before)[0].arrived_ns
    assert total == pytest.approx((6 * S - first_ns) / (2 * MS), abs=10)


def test_a_sample_that_looks_like_an_acknowledgement_stays_a_sample():
    board = dm_ecg.board({})
    board.opened(0)
    assert board.due(300 * MS) == STOP
    looks_like_stop = bytes.fromhex("E8 05 11 20 00 11 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E")
    frames = board.feed(stream(3, 2) + looks_like_stop, 310 * MS)

    assert not any(isinstance(f, Reply) for f in frames)
    assert samples(frames)[-1].counts[0, -1] == 2176


def test_a_single_reply_is_believed_only_while_it_is_awaited():
    board = dm_ecg.board({})
    assert board.feed(ACK_STOP, 0) == [Settings((("counts_per_mv", "1423"), ("byte_order", "msb_first")))]
    asked = dm_ecg.board({})
    asked.opened(0)
    asked.due(300 * MS)

    assert Reply("stop", ok=True) in asked.feed(ACK_STOP, 310 * MS)


def test_a_name_that_is_no_text_is_shown_as_hexadecimal():
    board = dm_ecg.board({})
    board.opened(0)
    now_ns = 300 * MS
    assert board.due(now_ns) == STOP
    board.feed(ACK_STOP, now_ns)
    assert board.due(now_ns + 100 * MS) == VERSION
    odd = VERSION_IS[:5] + bytes([0xC3]) + VERSION_IS[6:]

    assert Reply("version", ok=True, text="C3544543474D3030565F303130313031") in board.feed(
        odd, now_ns + 110 * MS
    )


def test_the_calibration_is_reported_and_used():
    board = dm_ecg.board({"counts_per_mv": "1400"})

    assert board.facts.streams[0].channels[0].gain == pytest.approx(1 / 1400)
    assert board.feed(b"", 0) == [Settings((("counts_per_mv", "1400"), ("byte_order", "msb_first")))]
    with pytest.raises(ValueError, match="counts_per_mv"):
        dm_ecg.board({"counts_per_mv": "nan"})


def test_recognised_by_ten_frames_or_by_the_answer_to_stop():
    assert dm_ecg.recognise(stream(40, 11)[5:]) == 1.0
    assert dm_ecg.recognise(stream(40, 9)) < 0.9
    assert dm_ecg.recognise(ACK_STOP) == 1.0
    assert dm_ecg.questions() == ((STOP, 500),)
