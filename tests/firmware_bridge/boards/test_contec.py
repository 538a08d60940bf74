"""Contec CMS50, old and new: golden frames, numbers without a check sum, and keeping a stream alive."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import contec, contec7
from firmware_bridge.frames import Identity, Number
from firmware_bridge.simulators.contec import Contec, Contec7, packet
from firmware_bridge.simulators.patient import Patient
from tests.firmware_bridge.boards.talking import numbers, samples, talk, words

OLD = {
    "plain": bytes.fromhex("87 32 06 48 61"),
    "beep": bytes.fromhex("C7 60 0F 48 61"),
    "fast": bytes.fromhex("85 28 43 16 5C"),
    "off": bytes.fromhex("80 00 10 00 00"),
}
NEW = {
    "plain": bytes.fromhex("01 80 87 B2 86 C8 E1 80 80"),
    "beep": bytes.fromhex("01 A0 C7 E0 8F C8 E1 AE 81"),
    "fast": bytes.fromhex("01 88 85 A8 83 96 DC 80 80"),
    "off": bytes.fromhex("01 88 80 80 90 FF FF 80 80"),
}
BOTH = [(contec, OLD), (contec7, NEW)]


def said(kind, data):
    return kind.board({}).feed(data, 0)


def patient(rate_hz=60):
    return Patient(rate_hz, 1)


@pytest.mark.parametrize(("kind", "golden"), BOTH)
def test_golden_frames(kind, golden):
    for name, pleth, rate, spo2 in (("plain", 50, 72, 97), ("beep", 96, 72, 97), ("fast", 40, 150, 92)):
        frames = said(kind, golden[name] * 2)
        assert samples(frames, "pleth") == [pleth] * 2
        shown = numbers(frames)
        assert (shown["spo2"], shown["pulse_rate"]) == (spo2, rate)
        assert words(frames, "signal") == [""]


@pytest.mark.parametrize(("kind", "golden"), BOTH)
def test_a_finger_that_is_off_has_no_numbers(kind, golden):
    frames = said(kind, golden["off"] * 2)
    shown = numbers(frames)
    assert (shown["spo2"], shown["pulse_rate"]) == (None, None)
    assert words(frames, "signal") == ["finger out"]


def test_the_newer_one_says_perfusion():
    assert numbers(said(contec7, NEW["beep"] * 2))["perfusion_index"] == pytest.approx(4.30)
    assert numbers(said(contec7, NEW["plain"] * 2))["perfusion_index"] is None


def test_golden_requests():
    asked = {
        contec7.START: "7D 81 A1 80 80 80 80 80 80",
        contec7.STOP: "7D 81 A2 80 80 80 80 80 80",
        contec7.KEEP_ALIVE: "7D 81 AF 80 80 80 80 80 80",
    }
    assert {request: bytes.fromhex(text) for request, text in asked.items()} == {r: r for r in asked}
    assert bytes.fromhex("F6 F6 F6") == contec.LIVE


def test_the_simulators_packets_are_the_golden_ones():
    assert packet(0x01, bytes((7, 50, 6, 72, 97, 0, 0))) == NEW["plain"]
    assert packet(0x01, bytes((5, 40, 3, 150, 92, 0, 0))) == NEW["fast"]
    assert packet(0x03, b"Contec ") == bytes.fromhex("03 80 C3 EF EE F4 E5 E3 A0")


@pytest.mark.parametrize(("kind", "golden"), BOTH)
def test_a_number_that_only_one_frame_says_is_not_believed(kind, golden):
    frames = said(kind, golden["plain"] * 5 + golden["fast"] + golden["plain"] * 5)
    assert {f.value for f in frames if isinstance(f, Number) and f.name == "spo2"} == {97.0}
    assert samples(frames, "pleth").count(40) == 1


@pytest.mark.parametrize(("kind", "golden"), BOTH)
def test_numbers_are_said_on_a_change_and_once_a_second(kind, golden):
    frames = said(kind, golden["plain"] * 181 + golden["fast"] * 2)
    said_spo2 = [f.value for f in frames if isinstance(f, Number) and f.name == "spo2"]
    assert said_spo2 == [97.0] * 3 + [92.0]


@pytest.mark.parametrize(("kind", "golden"), BOTH)
@pytest.mark.parametrize("harm", ["dropped", "inserted"])
def test_no_harmed_byte_makes_a_wrong_number(kind, golden, harm):
    stream = golden["plain"] * 6
    for at in range(2 * len(golden["plain"]), 3 * len(golden["plain"])):
        for value in range(0, 256, 5):
            data = bytearray(stream)
            if harm == "dropped":
                del data[at]
            else:
                data.insert(at, value)
            frames = said(kind, bytes(data))
            values = {f.value for f in frames if isinstance(f, Number) and f.name != "perfusion_index"}
            assert values == {97.0, 72.0}, (harm, at, value)


def test_the_old_one_streams_by_itself_and_is_told_to_only_while_it_is_silent():
    body = patient()
    frames, sent = talk(Contec(body), contec.board({}), 20)
    assert sent == []
    assert len(samples(frames, "pleth")) == pytest.approx(1200, abs=2)
    assert numbers(frames) == {"spo2": 97, "pulse_rate": pytest.approx(72, abs=1)}
    assert max(samples(frames, "pleth")) > 90

    _, sent = talk(Contec(body), contec.board({}), 12, deaf_s=(0, 12))
    assert sent == [contec.LIVE] * 3


def test_the_newer_one_is_started_named_and_kept_alive():
    simulator = Contec7(patient())
    frames, sent = talk(simulator, contec7.board({}), 60)
    assert sent[:4] == [contec7.STOP_UPLOAD, contec7.STOP, contec7.ASK_MODEL, contec7.START]
    assert set(sent[4:]) == {contec7.KEEP_ALIVE}
    assert len(sent[4:]) == pytest.approx(11, abs=1)
    assert len(samples(frames, "pleth")) == pytest.approx(60 * 59.5, rel=0.01)
    assert numbers(frames) == {"spo2": 97, "pulse_rate": pytest.approx(72, abs=1), "perfusion_index": 2.0}
    assert Identity("contec7", model="CMS50F") in frames
    assert simulator.writes == []
    assert contec7.board({}).closing() == contec7.STOP


def test_the_newer_one_falls_asleep_without_being_asked():
    simulator = Contec7(patient())
    simulator.feed(contec7.START, 0)
    assert len(simulator.due(30_000_000_000)) == pytest.approx(600 * 9, abs=9)
    assert not simulator.streaming


def test_the_newer_one_is_started_again_when_it_has_fallen_silent():
    simulator, board = Contec7(patient()), contec7.board({})
    talk(simulator, board, 10)
    simulator.power_on(10_000_000_000)
    frames, sent = talk(simulator, board, 10, from_s=10)
    assert contec7.START in sent
    assert len(samples(frames, "pleth")) > 300


def test_what_would_erase_or_set_cannot_be_built_and_the_simulator_would_tell():
    safe = {0xA1, 0xA2, 0xA7, 0xA8, 0xAF}
    asked = {value[2] for name, value in vars(contec7).items() if name.isupper() and isinstance(value, bytes)}
    assert asked == safe
    simulator = Contec7(patient())
    simulator.feed(contec7.request(0xAE), 0)
    assert simulator.writes == [contec7.request(0xAE)]


def test_a_finger_that_comes_off_and_on_again():
    body = patient()
    simulator, board = Contec7(body), contec7.board({})
    talk(simulator, board, 5)
    body.blood.finger(on=False)
    off, _ = talk(simulator, board, 5, from_s=5)
    body.blood.finger(on=True)
    on, _ = talk(simulator, board, 5, from_s=10)
    assert words(off, "signal") == ["finger out"]
    assert numbers(off)["spo2"] is None
    assert words(on, "signal") == [""]
    assert numbers(on)["spo2"] == 97


def test_a_model_that_is_no_text_is_not_named():
    frames = said(contec7, packet(0x02, b"\x00\xff\xfe\xfd\xfc\xfb\xfa") + packet(0x02, b"\x01      "))
    assert frames == said(contec7, b"")


def test_recognised_by_their_rhythm_and_not_by_each_others():
    body = patient()
    old = Contec(body)
    old.power_on(0)
    stream = old.due(1_000_000_000)
    assert contec.recognise(stream[3:93]) == 1.0
    assert contec7.recognise(stream) == 0.0
    assert contec7.recognise(NEW["plain"][4:] + NEW["plain"] * 4) == 1.0
    assert contec.recognise(NEW["plain"] * 20) < 0.5
    impossible = bytes.fromhex("89 32 06 48 61")
    assert contec.recognise(impossible * 40) == 0.0


def test_the_newer_one_answers_the_probes_question():
    simulator = Contec7(patient())
    ((question, wait_ms),) = contec7.questions()
    simulator.feed(question, 0)
    assert contec7.recognise(simulator.due(wait_ms * 1_000_000)) == 1.0
    assert contec.questions() == ()
