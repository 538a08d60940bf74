"""New firmware for a VLP device: whole and right or not at all, on good and bad lines, kept or taken back."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.boards import vlp
from firmware_bridge.frames import Reply
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.vlp import VlpOxygen
from firmware_bridge.simulators.vlp_banks import Banks, image
from firmware_bridge.vlp.updating import PIECE_BYTES, Step, Updating, read_begin, read_piece
from firmware_bridge.vlp.wire import Status
from tests.firmware_bridge.vlp import updating as can


def bench(*, corrupt: float = 0.0, **options) -> can.Bench:
    return can.Bench(VlpOxygen(Concentrator(), **options), corrupt=corrupt)


def test_it_is_taken_and_kept():
    can.check_taken_and_kept(bench(), image("2.0"))


def test_firmware_that_does_not_do_its_work_is_left_again_by_itself():
    can.check_gone_back_by_itself(bench(), image("bad-1"))


def test_a_device_on_trial_is_told_to_go_back():
    can.check_told_to_go_back(bench(), image("2.0"))


def test_it_goes_on_where_the_link_broke():
    can.check_goes_on_after_a_broken_link(bench(), image("2.0", 20_000))


def test_a_bad_line_makes_it_slower_and_not_wrong():
    one = bench(corrupt=0.002)
    one.run(10.0)
    assert one.send(image("2.0"), "2.0").ok
    one.run(5.0)
    assert one.versions[-1] == "2.0"


def test_what_is_not_for_the_device_is_refused_in_its_words():
    one = bench()
    one.run(3.0)
    assert one.send(b"some other file" * 40, "2.0") == Reply("r1", ok=False, text="not for this device")
    assert one.versions[-1] == "1.0"


def test_a_device_that_may_not_now_says_why():
    one = bench()
    one.run(3.0)
    one.device.unsafe = "the mask is on"
    assert one.send(image("2.0"), "2.0") == Reply("r1", ok=False, text="the mask is on")


def test_a_device_without_the_ability_is_asked_nothing():
    board = vlp.board({})
    assert not board.takes_firmware
    assert board.update("r1", b"x", "1", 0) == "read_only"
    assert board.told("r1", "keep", 0) == "read_only"


def test_one_at_a_time_and_a_silent_device_is_given_up():
    one = Updating()
    assert one.begin("r1", b"x" * 100, "2.0", 0) == ""
    assert one.begin("r2", b"x", "2.0", 0) == "busy"
    assert one.say("r2", "keep", 0) == "busy"
    one.sent(7, 0)
    assert one.lapsed(4_000_000_000) == []
    assert one.lapsed(5_000_000_000) == [Reply("r1", ok=False, text="no_answer")]
    assert one.say("r3", "explode", 0) == "unknown_setting"


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.text("0123456789x", max_size=6)), max_size=30))
@settings(max_examples=60)
def test_whatever_a_device_answers_it_ends_or_goes_on_within_the_image(answers):
    one, now = Updating(), 0
    data = bytes(range(256)) * 3
    assert one.begin("r", data, "2.0", now) == ""
    for sequence, (status, text) in enumerate(answers):
        asked = one.due(now)
        if asked is None:
            break
        payload, _ = asked
        one.sent(sequence, now)
        if payload[0] == Step.PIECE:
            offset, piece = read_piece(payload)
            assert piece == data[offset : offset + PIECE_BYTES]
        elif payload[0] == Step.BEGIN:
            assert read_begin(payload) == (len(data), hashlib.sha256(data).digest(), "2.0")
        one.answered(sequence, status, text, now)


def test_a_wrong_byte_never_starts():
    """The device checks what stands in its bank against the hash it was told at the beginning."""
    banks, data = Banks("1.0"), image("2.0", 600)
    one = Updating()
    one.begin("r", data, "2.0", 0)
    begun, _ = one.due(0)
    assert banks.obey(begun, "", 0) == (Status.OK, "0")
    wrong = can.damaged(data)
    for at in range(0, len(wrong), PIECE_BYTES):
        piece = bytes([Step.PIECE]) + at.to_bytes(4, "little") + wrong[at : at + PIECE_BYTES]
        status, _ = banks.obey(piece, "", 0)
        assert status == Status.OK
    assert banks.obey(bytes([Step.CHECK]), "", 0) == (Status.REFUSED, "hash differs")
    assert banks.obey(bytes([Step.START]), "", 0) == (Status.REFUSED, "not checked")


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01" * 20, b"\x02\0\0", b"\x63", bytes([Step.BACK])])
def test_words_that_cannot_be_read_change_nothing(payload):
    banks = Banks("1.0")
    try:
        status, _ = banks.obey(payload, "", 0)
        assert status != Status.OK
    except ValueError:
        pass
    assert not banks.watch(10**15)
