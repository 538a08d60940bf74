"""Settings of a VLP device, in two steps: asked, echoed by the device, confirmed."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import BOARDS, Commanded, vlp
from firmware_bridge.frames import (
    Reply,
    Setting,
    Settings,
)
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import CONFIRM, PROPOSE, Hello, Offer
from firmware_bridge.vlp.wire import ACK_WANTED, AGAIN, Letter, Type
from firmware_bridge.vlp.wire import Status as Answer
from tests.firmware_bridge.boards.vlp_script import (
    ECG,
    MS,
    PRESSURE,
    SECOND,
    WHO,
    Script,
    acquainted,
    said,
)


def settable() -> tuple[vlp.Vlp, Script]:
    board, device, _ = acquainted(*ECG)
    foreign = Offer(3, 0, 1000, 1000, 0, "factory_reset", "1")
    wrong = Offer(4, 0, 1000, 1000, 0, "flow_rate", "m3/h")
    frames = board.feed(device.say(Type.SETTINGS, messages.settings((PRESSURE, foreign, wrong))), SECOND)
    assert frames == [Settings((("target_pressure", "10"),))]
    board.due(SECOND)
    return board, device


def asked(board: vlp.Vlp, now_ns: int) -> tuple[Letter, int, str]:
    (letter,) = said(board, now_ns, Type.COMMAND)
    number, _, argument = messages.read_command(letter.payload)
    return letter, number, argument


def answer(board: vlp.Vlp, device: Script, letter: Letter, status: int, text: str = "") -> list:
    return board.feed(device.say(Type.ACK, messages.ack(letter.sequence, status, text)), 2 * SECOND)


def test_only_what_is_ours_to_set_is_offered():
    board, _ = settable()

    assert isinstance(board, Commanded)
    assert board.settable == (Setting("target_pressure", "cmH2O", 4.0, 20.0, 0.2),)
    assert [kind for kind in BOARDS if isinstance(BOARDS[kind].board({}), Commanded)] == ["vlp"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("target_pressure", 3.8, "out_of_range"),
        ("target_pressure", 20.2, "out_of_range"),
        ("target_pressure", 10.1, "out_of_range"),
        ("target_pressure", float("nan"), "out_of_range"),
        ("target_pressure", float("inf"), "out_of_range"),
        ("factory_reset", 1.0, "unknown_setting"),
        ("flow_rate", 1.0, "unknown_setting"),
    ],
)
def test_what_the_device_does_not_offer_is_not_begun(name, value, why):
    board, _ = settable()

    assert board.command("r", name, value, SECOND) == why
    assert said(board, SECOND, Type.COMMAND) == []


def test_a_setting_goes_in_two_steps():
    board, device = settable()
    assert board.command("r", "target_pressure", 12.4, SECOND) == ""
    assert board.command("r2", "target_pressure", 12.6, SECOND) == "busy"
    proposal, number, argument = asked(board, SECOND)
    assert (number, argument, proposal.flags) == (PROPOSE, "target_pressure=12.4", ACK_WANTED)
    assert answer(board, device, proposal, Answer.OK, "target_pressure=12.4") == []
    confirmation, number, argument = asked(board, 2 * SECOND)
    assert (number, argument) == (CONFIRM, "target_pressure=12.4")
    frames = answer(board, device, confirmation, Answer.OK)

    assert frames == [Reply("r", ok=True, text="12.4")]
    assert board.lapsed(100 * SECOND) == []
    assert board.command("r3", "target_pressure", 12.6, 3 * SECOND) == ""


@pytest.mark.parametrize("echo", ["target_pressure=12.6", "humidity_level=12.4", "", "12.4"])
def test_an_echo_that_differs_is_never_confirmed(echo):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    (reply,) = answer(board, device, asked(board, SECOND)[0], Answer.OK, echo)

    assert not reply.ok
    assert reply.text.startswith("echo_differs")
    assert said(board, 3 * SECOND, Type.COMMAND) == []


@pytest.mark.parametrize("step", [1, 2])
def test_a_refusal_at_either_step_ends_it_in_the_devices_words(step):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    letter = asked(board, SECOND)[0]
    if step == 2:
        answer(board, device, letter, Answer.OK, "target_pressure=12.4")
        letter = asked(board, 2 * SECOND)[0]

    assert answer(board, device, letter, Answer.REFUSED, "the mask is off") == [
        Reply("r", ok=False, text="the mask is off")
    ]


@pytest.mark.parametrize(
    ("status", "text"), [(1, "unknown_setting"), (3, "bad_argument"), (4, "busy"), (77, "refused")]
)
def test_a_status_without_words_has_ours(status, text):
    board, device = settable()
    board.command("r", "target_pressure", 12.4, SECOND)

    assert answer(board, device, asked(board, SECOND)[0], status) == [Reply("r", ok=False, text=text)]


def test_without_an_answer_it_is_asked_again_under_its_number_and_then_given_up():
    board, _ = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    letters = {ms: found for ms in range(1000, 3000, 20) for found in said(board, ms * MS, Type.COMMAND)}
    assert list(letters) == [1000 + 260 * k for k in range(8)]
    assert len({letter.sequence for letter in letters.values()}) == 1
    assert [letter.flags & AGAIN for letter in letters.values()] == [0] + [AGAIN] * 7
    assert board.lapsed(2999 * MS) == []

    assert board.lapsed(3000 * MS) == [Reply("r", ok=False, text="no_answer")]
    assert said(board, 3020 * MS, Type.COMMAND) == []


def test_a_device_that_starts_anew_has_forgotten_what_it_was_asked():
    board, _ = settable()
    board.command("r", "target_pressure", 12.4, SECOND)
    frames = board.feed(Script().hello(Hello(512, 7, WHO.unit, 77, "VT-30", "2.1")), 2 * SECOND)

    assert Reply("r", ok=False, text="device_restarted") in frames
    assert board.settable == ()
    assert board.command("r2", "target_pressure", 12.4, 2 * SECOND) == "unknown_setting"
