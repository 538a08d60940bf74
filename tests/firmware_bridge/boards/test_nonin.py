"""Nonin: golden frames of three formats, numbers that stand beside the pleth, and what a loss does to them."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import nonin
from firmware_bridge.boards.nonin import DF1, DF2, DF7, format_at_end, good
from firmware_bridge.frames import Damage, Identity, Number, Samples, Settings
from firmware_bridge.simulators.nonin import Nonin
from firmware_bridge.simulators.patient import Patient
from tests.firmware_bridge.boards.talking import numbers, samples, talk, words

GOLDEN_DF2 = [bytes.fromhex(text) for text in ("01 81 64 00 E6", "01 80 65 48 2E", "01 80 66 61 48")]
FINGER_OFF = [bytes.fromhex(text) for text in ("01 99 00 03 9D", "01 98 00 7F 18", "01 98 00 7F 18")]
GOLDEN_DF7 = [
    bytes.fromhex(text) for text in ("81 80 E8 00 E9", "80 81 4C 48 95", "80 81 E2 61 44", "82 9C 40 28 86")
]


def packet(first, fill=b"\x01\x80\x60\x00"):
    """A whole packet of 25 frames that begins with these."""
    form7 = len(fill) == 4 and fill[0] >= 0x80
    body = bytearray(fill)
    if not form7:
        body[1] = (first[-1][1] & ~1) | 0x80
    rest = bytes(body) + bytes((sum(body) & 0xFF,))
    return b"".join(first) + rest * (25 - len(first))


def said(data):
    return nonin.board({}).feed(data, 0)


def test_golden_df2():
    frames = said(packet(GOLDEN_DF2) * 2)
    assert samples(frames, "pleth")[:3] == [100, 101, 102]
    assert numbers(frames) == {"spo2": 97, "pulse_rate": 72}
    assert Settings((("format", "DF2"),)) in frames


def test_golden_df7_and_its_stream():
    board = nonin.board({})
    frames = board.feed(packet(GOLDEN_DF7, b"\x80\x80\x00\x00") * 2, 0)
    assert samples(frames, "pleth")[:4] == [33000, 33100, 33250, 40000]
    assert numbers(frames) == {"spo2": 97, "pulse_rate": 72}
    assert Identity("nonin", firmware="40") in frames
    channel = board.facts.streams[0].channels[0]
    assert 65535 * channel.gain == pytest.approx(1)


def test_golden_df7_at_150():
    rate = [bytes.fromhex("81 75 30 01 27"), bytes.fromhex("80 75 30 16 3B"), GOLDEN_DF7[2]]
    assert numbers(said(packet(rate, b"\x80\x80\x00\x00") * 2))["pulse_rate"] == 150


def test_golden_df1():
    board = nonin.board({})
    frames = board.feed(bytes.fromhex("80 48 61" * 5), 0)
    assert numbers(frames) == {"spo2": 97, "pulse_rate": 72}
    assert numbers(board.feed(bytes.fromhex("81 16 5C"), 0)) == {"spo2": 92, "pulse_rate": 150}
    lost = board.feed(bytes.fromhex("C3 7F 7F"), 0)
    assert numbers(lost) == {"spo2": None, "pulse_rate": None}
    assert words(lost, "signal") == ["no sensor"]
    assert board.facts.streams == ()


def test_a_finger_that_is_off_has_no_numbers_and_says_so():
    frames = said((packet(FINGER_OFF, b"\x01\x98\x00\x00")) * 2)
    assert numbers(frames) == {"spo2": None, "pulse_rate": None}
    assert words(frames, "signal") == ["finger out"]


@pytest.mark.parametrize(("bits", "word"), [(0b010, ""), (0b110, ""), (0b100, "weak"), (0b10000, "search")])
def test_perfusion_needs_both_its_bits(bits, word):
    body = bytes((1, 0x80 | bits, 0x60, 0))
    frame = body + bytes((sum(body) & 0xFF,))
    assert words(said(packet(GOLDEN_DF2)[:-5] + frame + packet(GOLDEN_DF2)), "signal") == [word]


def test_weak_holds_between_beats():
    red = bytes((1, 0x84, 0x60, 0, 0xE5))
    weak = packet(GOLDEN_DF2)[:-5] + red
    frames = said(weak + packet(GOLDEN_DF2) * 3 + GOLDEN_DF2[0])
    assert words(frames, "signal") == ["weak"]


def test_a_format_7_pleth_that_looks_like_a_status_is_no_trap():
    frames = []
    for n in range(75):
        body = bytes((0x80 | (n % 25 == 0), 0x81 + n % 3, 0x80 + n, 0))
        frames.append(body + bytes((sum(body) & 0xFF,)))
    data = b"".join(frames)
    for torn in range(5):
        got = samples(said(data[torn:]), "pleth")
        assert len(got) == 75 - (torn > 0)
        assert got[-1] == ((0x81 + 74 % 3) << 8) | 0x80 + 74


def test_numbers_are_said_on_a_change_and_once_a_second():
    board, frames = nonin.board({}), []
    for _ in range(12):
        frames.append(numbers(board.feed(packet(GOLDEN_DF2), 0)))
    assert [bool(n) for n in frames] == [
        False,
        True,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("lost", range(1, 25))
def test_frames_that_are_lost_whole_are_counted_and_lend_no_number_to_another_place(lost):
    board = nonin.board({})
    whole = packet(GOLDEN_DF2)
    board.feed(whole * 3, 0)
    changed = bytearray(whole)
    frames = board.feed(bytes(changed[:5]) + bytes(changed[5 + 5 * min(lost, 24) :]), 0) + board.feed(
        whole * 2, 0
    )
    assert sum(f.lost for f in frames if isinstance(f, Samples)) == lost
    assert {f.value for f in frames if isinstance(f, Number) and f.name == "spo2"} <= {97.0}


@pytest.mark.parametrize("at", range(125))
@pytest.mark.parametrize("harm", ["dropped", "doubled", "changed"])
def test_one_harmed_byte_is_counted_and_shows_no_wrong_number(at, harm):
    stream = packet(GOLDEN_DF2) * 4
    data = bytearray(stream)
    place = 125 + at
    if harm == "dropped":
        del data[place]
    elif harm == "doubled":
        data.insert(place, data[place])
    else:
        data[place] ^= 0x10
    frames = said(bytes(data) + stream)
    total = len(samples(frames, "pleth")) + sum(f.lost for f in frames if isinstance(f, Samples))
    assert total == 200
    assert {f.value for f in frames if isinstance(f, Number)} == {72.0, 97.0}


def test_a_format_that_changes_is_found_again():
    seven = packet(GOLDEN_DF7, b"\x80\x80\x00\x00")
    board = nonin.board({})
    board.feed(packet(GOLDEN_DF2) * 3, 0)
    frames = board.feed(seven * 4, 0)
    assert Settings((("format", "DF7"),)) in frames
    assert samples(frames, "pleth")[-1] == 0x8000
    assert sum(f.byte_count for f in frames if isinstance(f, Damage)) <= 75


@pytest.mark.parametrize("form", ["DF2", "DF7"])
def test_a_body_is_heard(form):
    patient = Patient(75, 1)
    patient.rate_bpm = 80
    board = nonin.board({})
    frames, sent = talk(Nonin(patient, form=form), board, 30)
    pleth = samples(frames, "pleth")

    assert sent == []
    assert len(pleth) == pytest.approx(75 * 30, abs=2)
    assert not any(f.lost for f in frames if isinstance(f, Samples))
    assert numbers(frames) == {"spo2": 97, "pulse_rate": pytest.approx(80, abs=1)}
    assert max(pleth) * board.facts.streams[0].channels[0].gain == pytest.approx(0.88, abs=0.08)
    assert words(frames, "signal") == [""]
    assert Identity("nonin", firmware="48") in frames
    patient.blood.finger(on=False)
    assert words(talk_on(board, patient, form), "signal") == ["finger out"]


def talk_on(board, patient, form):
    simulator = Nonin(patient, form=form)
    simulator.power_on(0)
    return board.feed(simulator.due(3_000_000_000), 33_000_000_000)


def test_poor_perfusion_is_weak():
    patient = Patient(75, 1)
    patient.blood.perfusion_pct = 0.3
    frames, _ = talk(Nonin(patient), nonin.board({}), 10)
    assert words(frames, "signal")[-1] == "weak"


def test_format_1_is_heard_at_one_frame_a_second():
    frames, _ = talk(Nonin(Patient(50, 1), form="DF1"), nonin.board({}), 20)
    assert numbers(frames) == {"spo2": 97, "pulse_rate": pytest.approx(72, abs=1)}
    assert Settings((("format", "DF1"),)) in frames


def test_recognised_by_sums_and_never_by_chance():
    assert nonin.recognise(packet(GOLDEN_DF2)[3:]) == 1.0
    assert nonin.recognise(packet(GOLDEN_DF7, b"\x80\x80\x00\x00")[3:]) == 1.0
    assert 0.9 <= nonin.recognise(bytes.fromhex("61" + "80 48 61" * 5)) < 1
    assert nonin.recognise(bytes.fromhex("80 48 61" * 4)) == 0.0
    assert nonin.recognise(bytes.fromhex("80 48 61" * 5 + "00")) == 0.9
    assert nonin.recognise(bytes.fromhex("80 48 61 00" * 9)) == 0.0
    assert format_at_end(b"") is None
    assert not good(DF1, b"\x80\x48\x70")
    assert not good(DF2, b"\x01\x00\x00\x00\x01")
    assert good(DF7, b"\x80\x00\x00\x00\x80")


def test_it_is_only_listened_to():
    board = nonin.board({})
    board.opened(0)
    assert [board.due(n * 10**9) for n in range(10)] == [None] * 10
    assert board.closing() == b""
    assert nonin.questions() == ()
