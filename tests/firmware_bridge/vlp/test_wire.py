"""Frames on the wire: the reference's golden bytes, byte stuffing and check for any content, and a hostile line."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.vlp import cobs, messages
from firmware_bridge.vlp.crc32c import crc32c
from firmware_bridge.vlp.wire import ACK_WANTED, MOST_MTU, Letter, Opener, Spoilt, Type, sealed, wrapped

UNIT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
CHANNELS = (
    messages.Entry(0, 1, 1, 25.0, 0.002, 0.0, 0.0, "flow", "L/s"),
    messages.Entry(1, 1, 1, 1.0, 1.0, 0.0, 0.0, "spo2", "%"),
)
RAW = bytes.fromhex("00 00 6A FF FA 00 F4 01")

# What the reference computed by script, in the order in which it lists them.
GOLDEN = {
    "PING": (
        sealed(Type.PING, 1, messages.ping(100_000_000)),
        "03 01 20 01 02 01 01 01 01 04 E1 F5 05 01 01 01 05 4F 6E E4 40 00",
    ),
    "PONG": (
        sealed(Type.PONG, 2, messages.pong(100_000_000, 1_000_000, 1_000_100)),
        "03 01 21 01 02 02 01 01 01 04 E1 F5 05 01 01 01 04 40 42 0F 01 01 01 01 04 A4 42 0F 01 01 01 01 05 EE 8F 51 99 00",
    ),
    "HELLO": (
        sealed(Type.HELLO, 0, messages.hello(messages.Hello(512, 2, UNIT, 0xA51C, "vsim", "1.0"))),
        "03 01 01 01 01 01 01 01 01 03 02 02 01 12 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 1C A5 01 0E 04 76 73 69 6D 03 31 2E 30 64 A5 D1 83 00",
    ),
    "DICT": (
        sealed(Type.DICT, 1, messages.dictionary(1, CHANNELS)),
        "03 01 02 01 02 01 01 01 02 01 02 02 03 01 01 01 01 07 C8 41 6F 12 03 3B 01 01 01 01 01 01 01 0D 04 66 6C 6F 77 03 4C 2F 73 01 01 01 01 01 03 80 3F 01 03 80 3F 01 01 01 01 01 01 01 0C 04 73 70 6F 32 01 25 D2 31 D6 44 00",
    ),
    "SAMPLES": (
        sealed(Type.SAMPLES, 7, bytes.fromhex("01 00 00 04 40 42 0F 00 00 00 00 00") + RAW),
        "03 01 10 01 02 07 01 01 02 01 01 05 04 40 42 0F 01 01 01 01 01 01 04 6A FF FA 07 F4 01 76 E4 EA 24 00",
    ),
    "RESEND": (
        sealed(Type.RESEND, 9, messages.resend(4, 6)),
        "03 01 11 01 02 09 01 01 02 04 01 01 02 06 01 01 05 7D 1F 3F E9 00",
    ),
    "COMMAND": (
        sealed(Type.COMMAND, 10, messages.command(0x0101, 0x0042, "start"), ACK_WANTED),
        "04 01 30 01 02 0A 01 01 04 01 01 42 0B 05 73 74 61 72 74 5A 2B F6 44 00",
    ),
    "ACK": (
        sealed(Type.ACK, 11, messages.ack(10, 0)),
        "03 01 31 01 02 0B 01 01 02 0A 01 01 01 01 05 DB D4 C1 B2 00",
    ),
    "LOG": (
        sealed(Type.LOG, 12, messages.log(2, 1_234_567, "probe ok")),
        "03 01 40 01 02 0C 01 01 05 02 87 D6 12 01 01 01 01 0D 70 72 6F 62 65 20 6F 6B 09 3D B8 D3 00",
    ),
}


def opened(data: bytes) -> list[Letter | Spoilt]:
    return list(Opener().cut(data))


@pytest.mark.parametrize("name", GOLDEN)
def test_frames_are_the_golden_ones(name):
    made, golden = GOLDEN[name]

    assert made.hex(" ").upper() == golden
    (letter,) = opened(bytes.fromhex(golden))
    assert isinstance(letter, Letter)
    assert letter.type == Type[name]
    assert letter.size == len(made)


def test_golden_payloads_read_back():
    hello = messages.read_hello(opened(GOLDEN["HELLO"][0])[0].payload)
    assert (hello.mtu, hello.boot, hello.name, hello.firmware) == (512, 0xA51C, "vsim", "1.0")
    assert hello.serial == UNIT.hex()
    number, channels = messages.read_dictionary(opened(GOLDEN["DICT"][0])[0].payload)
    assert number == 1
    assert [(e.ch, e.rate_hz, e.name, e.unit) for e in channels] == [
        (0, 25.0, "flow", "L/s"),
        (1, 1.0, "spo2", "%"),
    ]
    assert messages.read_command(opened(GOLDEN["COMMAND"][0])[0].payload) == (0x0101, 0x0042, "start")
    assert messages.read_ack(opened(GOLDEN["ACK"][0])[0].payload) == (10, 0, "")
    assert messages.read_log(opened(GOLDEN["LOG"][0])[0].payload) == (2, 1_234_567, "probe ok")
    assert messages.read_pong(opened(GOLDEN["PONG"][0])[0].payload) == (100_000_000, 1_000_000, 1_000_100)


def test_a_unit_id_of_text_is_the_serial_number():
    said = messages.Hello(512, 0, b"CPAP-2301-9912\0\0", 1, "", "")

    assert said.serial == "CPAP-2301-9912"


def test_the_check_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # its published check value
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720 B.4
    assert crc32c(bytes([0xFF]) * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(data=st.binary(max_size=1024))
def test_the_check_by_table_is_the_check_bit_by_bit(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)

    assert crc32c(data) == crc ^ 0xFFFFFFFF


@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 600), st.sampled_from([b"\0", b"\0\0", b"\x01", b"\xff\0", b""])), max_size=4
    )
)
def test_stuffing_has_no_zero_and_comes_back(pieces):
    data = b"".join(b"\x55" * count + tail for count, tail in pieces)
    stuffed = cobs.encode(data)

    assert 0 not in stuffed
    assert cobs.decode(stuffed) == data
    assert len(stuffed) <= len(data) + len(data) // 254 + 1


@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        (b"", "01"),
        (b"\0", "01 01"),
        (b"\x11\x22\0\x33", "03 11 22 02 33"),
        (bytes(range(1, 255)), "FF" + bytes(range(1, 255)).hex()),
        (b"\0" + bytes(range(1, 255)), "01 FF" + bytes(range(1, 255)).hex()),
        (bytes(range(1, 256)), "FF" + bytes(range(1, 255)).hex() + "02 FF"),
        (bytes(range(2, 256)) + b"\0", "FF" + bytes(range(2, 256)).hex() + "01 01"),
    ],
)
def test_stuffing_at_its_edges(data, stuffed):
    assert cobs.encode(data) == bytes.fromhex(stuffed)
    assert cobs.decode(bytes.fromhex(stuffed)) == data


@given(data=st.binary(max_size=700))
def test_bytes_that_are_no_stuffing_are_refused_or_read_never_raised_at(data):
    decoded = cobs.decode(data.replace(b"\0", b"\x01"))

    assert decoded is None or len(decoded) <= len(data)


def test_empty_frames_are_nothing():
    assert opened(b"\0\0\0") == []


def test_another_version_is_told_with_its_number():
    wire = wrapped(bytes([2, Type.PING, 0, 0, 9, 0, 0, 0]))

    assert opened(wire) == [Spoilt(len(wire), "version", 9)]


def test_a_frame_longer_than_the_mtu_is_not_taken():
    wire = sealed(Type.LOG, 0, bytes(600))
    wide = Opener()
    wide.mtu = MOST_MTU

    assert opened(wire) == [Spoilt(len(wire), "too long")]
    assert isinstance(next(wide.cut(wire)), Letter)
    with pytest.raises(ValueError, match="at most 1024"):
        sealed(Type.LOG, 0, bytes(1024))


@pytest.mark.parametrize("harm", ["lost", "hit"])
def test_a_zero_that_is_lost_or_hit_costs_no_frame(harm):
    one, two = GOLDEN["SAMPLES"][0], GOLDEN["LOG"][0]
    joint = one[:-1] + (b"" if harm == "lost" else b"\x40") + two

    assert [p.type for p in opened(joint) if isinstance(p, Letter)] == [Type.SAMPLES, Type.LOG]
    assert sum(p.size for p in opened(joint)) == len(joint)


@given(cuts=st.lists(st.integers(0, 400), max_size=12), seed=st.integers(0, 1000))
def test_any_cut_gives_the_same_frames_and_every_byte_is_counted(cuts, seed):
    draw = random.Random(seed)
    data = bytearray(b"".join(wire for wire, _ in GOLDEN.values()))
    for _ in range(draw.randrange(8)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    opener = Opener()
    edges = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    cut = [piece for a, b in zip(edges, edges[1:], strict=False) for piece in opener.cut(bytes(data[a:b]))]

    assert cut == opened(bytes(data))
    zeros = sum(1 for at in range(len(data)) if data[at] == 0 and (at == 0 or data[at - 1] == 0))
    tail = len(data) - (bytes(data).rfind(b"\0") + 1)
    assert sum(piece.size for piece in cut) == len(data) - zeros - tail


@pytest.mark.parametrize("byte", [b"\x01", b"\xff", b"\x41"])
def test_a_line_that_never_ends_a_frame_is_counted_and_not_kept(byte):
    opener = Opener()
    spoilt = sum(piece.size for _ in range(50) for piece in opener.cut(byte * 1000))

    assert spoilt > 48_000
    assert len(opener._rest) <= 2000
    (letter,) = [p for p in opener.cut(b"\0" + GOLDEN["PING"][0]) if isinstance(p, Letter)]
    assert letter.type == Type.PING
