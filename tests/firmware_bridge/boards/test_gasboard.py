"""Gasboard 7500 and OCS-3F: golden frames, what is never sent, and a concentrator behind it."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import gasboard
from firmware_bridge.frames import Damage, Identity
from firmware_bridge.recordings import open_recording
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.gasboard import Gasboard, answer
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.replay import Player
from tests.firmware_bridge.boards.talking import numbers, samples, talk

AIR = bytes.fromhex("16 09 01 00 D1 00 00 00 DF 00 00 30")
GOOD = bytes.fromhex("16 09 01 03 A8 00 32 01 0C 00 00 F6")
RICH = bytes.fromhex("16 09 01 03 BB 00 19 01 3A 00 00 CE")
HUMID = bytes.fromhex("16 09 01 03 A8 00 32 29 1B 00 00 BF")
VERSION = bytes.fromhex("16 09 1E 31 2E 30 30 2E 30 30 33 43")


def said(data, **options):
    return gasboard.board(options).feed(data, 0)


@pytest.mark.parametrize(
    ("frame", "purity", "flow", "celsius"),
    [(AIR, 20.9, 0.0, 22.3), (GOOD, 93.6, 5.0, 26.8), (RICH, 95.5, 2.5, 31.4)],
)
def test_golden_frames(frame, purity, flow, celsius):
    frames = said(frame)
    assert numbers(frames) == pytest.approx({"o2_purity": purity, "o2_flow": flow, "o2_temperature": celsius})
    stream = gasboard.FACTS.streams[0]
    assert [c.name for c in stream.channels] == ["purity", "flow"]
    assert samples(frames, "oxygen")[0] * stream.channels[0].gain == pytest.approx(purity)
    assert samples(frames, "oxygen", 1)[0] * stream.channels[1].gain == pytest.approx(flow)


def test_golden_version():
    assert Identity("gasboard", firmware="1.00.003") in said(VERSION)


def test_golden_requests():
    assert bytes.fromhex("11 01 01 ED") == gasboard.READ
    assert bytes.fromhex("11 01 1E D0") == gasboard.ASK_VERSION
    assert bytes.fromhex("11 01 1F CF") == gasboard.ASK_SERIAL


def test_other_models_say_temperature_and_flow_otherwise():
    assert numbers(said(HUMID, model="ocs3f_humidity"))["o2_temperature"] == 27.0
    assert numbers(said(HUMID))["o2_temperature"] is None  # 1052 degrees are none
    tenths = answer(1, bytes.fromhex("03 A8 00 32 05 1B 00 00"))
    assert numbers(said(tenths, model="ocs3f"))["o2_temperature"] == 27.5
    assert numbers(said(GOOD, model="7500opc"))["o2_flow"] == 0.5


@pytest.mark.parametrize(
    ("flow", "shown"), [(65437, None), (64707, None), (65526, -1.0), (250, 25.0), (251, None)]
)
def test_a_flow_that_is_none_is_seen_in_real_logs_and_has_no_value(flow, shown):
    frames = said(answer(1, b"\x03\xa8" + flow.to_bytes(2, "big") + b"\x01\x0c\0\0"))
    assert numbers(frames)["o2_flow"] == shown
    channel = gasboard.FACTS.streams[0].channels[1]
    inside = channel.low <= samples(frames, "oxygen", 1)[0] <= channel.high
    assert inside == (shown is not None)


def test_oxygen_beyond_all_is_no_value():
    assert numbers(said(answer(1, b"\x03\xe9\x00\x32\x01\x0c\0\0")))["o2_purity"] is None


def test_reading_from_the_middle_of_a_frame_shows_nothing_of_it():
    frames = said(GOOD[5:] + RICH)
    assert samples(frames, "oxygen") == [955]
    assert [f for f in frames if isinstance(f, Damage)] == [Damage(7)]


@pytest.mark.parametrize("at", range(12))
def test_every_changed_bit_is_found(at):
    for bit in range(8):
        harmed = bytearray(GOOD)
        harmed[at] ^= 1 << bit
        assert samples(said(bytes(harmed) + RICH + AIR), "oxygen") == [955, 209]


def test_a_concentrator_is_heard_and_named():
    machine = Concentrator(50)
    machine.take(50 * 120)
    frames, sent = talk(Gasboard(machine), gasboard.board({}), 10)

    assert numbers(frames) == pytest.approx(
        {"o2_purity": 93.2, "o2_flow": 5.0, "o2_temperature": 25.7}, abs=0.5
    )
    assert len(samples(frames, "oxygen")) == pytest.approx(20, abs=1)
    assert Identity("gasboard", serial="2019050042") in frames
    assert Identity("gasboard", firmware="1.00.003") in frames
    assert sent == [gasboard.ASK_VERSION, gasboard.ASK_SERIAL]


def test_a_unit_that_only_answers_is_asked_twice_a_second():
    simulator = Gasboard(Concentrator(50), talking=False)
    frames, sent = talk(simulator, gasboard.board({}), 10)
    assert len(samples(frames, "oxygen")) >= 12
    assert set(sent) <= {gasboard.READ, gasboard.ASK_VERSION, gasboard.ASK_SERIAL}
    assert simulator.writes == []


def test_a_unit_that_does_not_name_itself_is_heard_all_the_same():
    simulator = Gasboard(Concentrator(50))
    board = gasboard.board({})
    board.opened(0)
    frames = []
    for step in range(1, 500):
        board.due(step * 20_000_000)
        frames += board.feed(simulator.due(step * 20_000_000), step * 20_000_000)
    assert len(samples(frames, "oxygen")) == pytest.approx(20, abs=1)


def test_the_simulator_would_have_told_of_a_calibration():
    simulator = Gasboard(Concentrator(50))
    simulator.feed(bytes.fromhex("11 01 07 E7"), 0)
    assert simulator.writes == [bytes.fromhex("11 01 07 E7")]


def test_at_a_patient_it_stands_in_the_room():
    frames, _ = talk(Gasboard(Patient(50)), gasboard.board({}), 3)
    assert numbers(frames)["o2_purity"] == 20.9
    assert numbers(frames)["o2_flow"] == 0.0


@pytest.mark.recordings
def test_the_bench_log_comes_through(recordings):
    player = Player(open_recording(recordings / "o2conc" / "devilbiss_psa_50hz.csv"))
    frames, _ = talk(Gasboard(player), gasboard.board({}), 200)
    purity = samples(frames, "oxygen")
    above = next(k for k, value in enumerate(purity) if value > 820)

    assert len(purity) == pytest.approx(400, abs=2)
    assert above / 2 == pytest.approx(47.4, abs=0.6)
    assert max(purity) == 881


def test_recognised_by_two_frames_or_an_answer():
    assert gasboard.recognise(GOOD[4:] + GOOD + AIR) == 1.0
    assert gasboard.recognise(GOOD) >= 0.9
    assert gasboard.recognise(VERSION[1:]) == 0.0
    assert gasboard.questions() == ((gasboard.READ, 500),)


def test_a_wrong_model_is_named():
    with pytest.raises(ValueError, match="gasboard: model is '7600', must be one of 7500"):
        gasboard.board({"model": "7600"})
