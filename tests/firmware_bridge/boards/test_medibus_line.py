"""MEDIBUS on the wire: two conversations on one line, what damage costs, and what codes mean."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.boards import medibus
from firmware_bridge.boards.medibus_codes import alarms, curves_in, measured, streams_of, texts
from firmware_bridge.boards.medibus_line import (
    Command,
    MedibusLine,
    Response,
    Torn,
    Unreadable,
    Values,
    command,
    response,
)
from firmware_bridge.frames import Damage, Number, Samples

MS = 1_000_000
S = 1000 * MS

CONFIGURATION = b"\x01S00   10000  -50  150FFF01   10000 -200  2005FA9E\r"


def streams(frames):
    out = {}
    for frame in frames:
        if isinstance(frame, Samples):
            out.setdefault(frame.stream, []).append(frame)
    return out


# --- the line --------------------------------------------------------------------------------------------


def test_samples_anywhere_between_slow_bytes_and_the_other_way_round():
    slow = response(0x24, b"F0  40")
    fast = bytes.fromhex("D3 B5 93 8A 8A")
    for seed in range(40):
        mixed, queues = bytearray(), [list(slow), list(fast * 3)]
        draw = random.Random(seed)
        while any(queues):
            mixed.append(draw.choice([q for q in queues if q]).pop(0))
        pieces = list(MedibusLine().cut(bytes(mixed)))
        assert pieces.count(Response(0x24, b"F0  40")) == 1
        assert pieces.count(Values(((0, 1269), (1, 650)), corrupt=False)) == 3
        assert len(pieces) == 4


def test_a_command_within_an_answer_does_not_end_it():
    answer = response(0x24, b"F0  40EB  97")
    for at in range(1, len(answer)):
        pieces = list(MedibusLine().cut(answer[:at] + command(0x30) + answer[at:]))
        assert pieces == [Command(0x30, b""), Response(0x24, b"F0  40EB  97")]


def test_a_wrong_check_sum_is_told():
    assert list(MedibusLine().cut(b"\x01\x24F0  4000\r")) == [Unreadable(11, command=False)]
    assert list(MedibusLine().cut(b"\x1b\x5100\r")) == [Unreadable(5, command=True)]
    assert list(MedibusLine().cut(b"\r\r")) == [Torn(2)]


def test_more_than_four_streams_and_corrupt_samples():
    (values,) = MedibusLine().cut(bytes.fromhex("D1 C4 C2 C0 C0  81 80  82 80"))
    assert values == Values(((0, 1), (5, 2)), corrupt=False)
    (values,) = MedibusLine().cut(bytes.fromhex("D1 CF C0 81 80"))
    assert values.corrupt


def test_a_corrupt_or_torn_sample_is_counted_as_lost():
    board = medibus.board({})
    board.feed(CONFIGURATION, 0)
    good, corrupt, torn = "D3 B5 93 8A 8A", "D3 CF C0 B5 93 8A 8A", "D3 B5 93 8A"
    frames = board.feed(bytes.fromhex(good + corrupt + torn + good), 0)
    assert [f.lost for f in frames if isinstance(f, Samples)] == [0, 2]
    assert [f.byte_count for f in frames if isinstance(f, Damage)] == [4]


def test_samples_before_the_curves_are_known_are_damage():
    frames = medibus.board({}).feed(bytes.fromhex("D3 B5 93 8A 8A"), 0)
    assert Damage(5, "curves not yet known") in frames
    assert not streams(frames)


# --- codes -----------------------------------------------------------------------------------------------


def test_what_cannot_be_measured_has_no_value():
    assert measured(b"EB----F0    E1 -- B8 8.2") == [
        Number("vent_minute_volume", 8.2, "L/min"),
        Number("vent_fio2", None, "%"),
        Number("spo2", None, "%"),
        Number("pulse_rate", None, "bpm"),
    ]


def test_of_two_codes_for_one_number_one_counts():
    assert measured(b"B4  11D6  16E3 5.0") == [
        Number("vent_rate", 16.0, "/min"),
        Number("vent_etco2", pytest.approx(37.503), "mmHg"),
    ]


def test_alarms_in_the_device_s_words_or_ours():
    assert alarms(b"819MV LOW      59A            7??" + b" " * 12) == ["MV LOW", "disconnection", "alarm ??"]


def test_texts_of_any_length_and_torn_ones():
    assert texts(b"0E5BIPAP\x0354" + b"0\x03") == [("0E", "BIPAP"), ("54", "")]
    assert texts(b"0E9BIPAP\x03") == []
    assert texts(b"0E") == []


def test_curves_of_different_pace_are_different_streams_and_nonsense_is_left_out():
    told = b"01   10000 -200  2005FA00   20000  -50  150FFF02   10000    0  100FFF06   40000    0  1003E8"
    curves = curves_in(told)
    assert [curve.code for curve in curves] == ["00", "01", "06", "02"]
    specs, places = streams_of(curves)
    assert {s.name: (s.rate_hz, [c.name for c in s.channels]) for s in specs} == {
        "flow": (100.0, ["flow"]),
        "pressure": (50.0, ["pressure"]),
        "co2": (25.0, ["co2"]),
        "pleth": (100.0, ["pleth"]),
    }
    assert places == [("pressure", 0), ("flow", 0), ("co2", 0), ("pleth", 0)]
    assert curves_in(b"00       0  -50  150FFF01   10000  200 -2005FA02   10000    0  100000") == []
