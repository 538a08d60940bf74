"""The probe: whose bytes these are, and that it asks only where it may."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.boards import BOARDS, cyton, dm_ecg
from firmware_bridge.probe import HEARD_BYTES, SPEAKING_NS, Probe, Verdict
from firmware_bridge.simulators import simulator
from firmware_bridge.simulators.patient import Patient

MS = 1_000_000
FRAME = bytes.fromhex("E8 00 11 20 00 30 00 70 00 30 00 30 00 30 00 30 00 30 00 30 00 8E")
ACK_STOP = bytes.fromhex("E8 00 11 21 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 8E")
HEALTHYPI = bytes.fromhex("0A FA 14 00 02 29 00 DB FF 52 3D 01 00 98 FF 00 00 47 0E 10 62 48 50 78 00 00 0B")


def frames(count: int) -> bytes:
    return b"".join(FRAME[:1] + bytes([n % 64]) + FRAME[2:] for n in range(count))


def run(probe: Probe, heard: dict[int, bytes], until_ms: int, answers: dict[bytes, bytes] | None = None):
    """(verdict, when in ms, what was asked) with `heard` arriving at these ms, a step each 20 ms."""
    asked: list[bytes] = []
    answer = b""
    for now_ms in range(0, until_ms, 20):
        data = answer + heard.get(now_ms, b"")
        answer = b""
        if data:
            probe.feed(data, now_ms * MS)
        sent = probe.due(now_ms * MS)
        if sent:
            asked.append(sent)
            answer = (answers or {}).get(sent, b"")
        verdict = probe.verdict(now_ms * MS)
        if verdict:
            return verdict, now_ms, asked
    return None, until_ms, asked


def test_a_streaming_board_is_named_within_300_ms_and_never_asked():
    stream = frames(200)
    heard = {ms: stream[ms * 11 : ms * 11 + 220] for ms in range(0, 400, 20)}
    probe = Probe(BOARDS, ask=True)
    verdict, when_ms, asked = run(probe, heard, 2000)

    assert verdict == Verdict("dm_ecg", 1.0)
    assert when_ms <= 300
    assert asked == []
    assert probe.heard == stream[: len(probe.heard)]


def test_a_silent_port_is_not_asked_unless_allowed():
    verdict, when_ms, asked = run(Probe(BOARDS, ask=False), {}, 5000)

    assert verdict == Verdict("", 0.0, "silent")
    assert when_ms <= 1500
    assert asked == []


def test_a_silent_port_is_asked_and_the_answer_names_the_board():
    answers = {dm_ecg.command(dm_ecg.STOP): ACK_STOP}
    verdict, _, asked = run(Probe(BOARDS, ask=True), {}, 5000, answers)

    assert verdict == Verdict("dm_ecg", 1.0)
    assert asked == [cyton.questions()[0][0], dm_ecg.command(dm_ecg.STOP)]


@pytest.mark.parametrize("answer", [b"Success: System is Up$$$", b"Failure: System is Down$$$"])
def test_the_dongle_answers_for_the_cyton_and_nothing_else_is_asked(answer):
    verdict, _, asked = run(Probe(BOARDS, ask=True), {}, 5000, {b"\xf0\x07": answer})

    assert verdict == Verdict("cyton", 1.0)
    assert asked == [b"\xf0\x07"]


def test_an_answer_that_nobody_knows_ends_the_asking():
    verdict, when_ms, asked = run(Probe(BOARDS, ask=True), {}, 20_000, {b"\xf0\x07": b"?ERR\r\n"})

    assert verdict == Verdict("", 0.0, "unrecognised")
    assert asked == [b"\xf0\x07"]
    assert when_ms * MS <= SPEAKING_NS + 2_000 * MS


def test_a_port_that_speaks_unknown_words_is_never_asked():
    draw = random.Random(9)
    heard = {ms: draw.randbytes(50) for ms in range(400, 20_000, 100)}
    verdict, _, asked = run(Probe(BOARDS, ask=True), heard, 20_000)

    assert verdict == Verdict("", 0.0, "unrecognised")
    assert asked == []


def test_nobody_answers():
    verdict, when_ms, asked = run(Probe(BOARDS, ask=True), {}, 20_000)

    assert verdict == Verdict("", 0.0, "silent")
    assert len(asked) == sum(len(kind.questions()) for kind in BOARDS.values())
    assert when_ms < 1000 + 1000 * len(asked)


def test_a_board_that_talks_while_it_starts_is_waited_for():
    heard = {200: b"Setting up Healthy pI V4...\r\n", 3800: HEALTHYPI * 4}
    verdict, when_ms, _ = run(Probe(BOARDS, ask=True), heard, 20_000)

    assert verdict == Verdict("healthypi4", 1.0)
    assert when_ms < 3900


def test_start_is_no_question():
    asked = [question for kind in BOARDS.values() for question, _ in kind.questions()]

    assert dm_ecg.command(dm_ecg.START)[3] not in {question[3] for question in asked if len(question) == 22}
    assert b"b" not in asked


def test_lines_of_text_are_never_taken_for_the_ascii_board():
    heard = dict.fromkeys(range(0, 10_000, 20), b"2100 2050 2150 2200 2050 2100 2150 2200\r\n" * 3)
    verdict, _, _ = run(Probe(BOARDS, ask=True), heard, 20_000)

    assert verdict == Verdict("", 0.0, "unrecognised")


def test_what_is_kept_is_bounded():
    probe = Probe(BOARDS, ask=False)
    for n in range(100):
        probe.feed(bytes(1000), n)

    assert len(probe.heard) == HEARD_BYTES


def test_what_was_heard_feeds_the_board():
    probe = Probe(BOARDS, ask=False)
    probe.feed(frames(30), 60 * MS)
    verdict = probe.verdict(60 * MS)
    assert verdict is not None
    board = BOARDS[verdict.kind].board({})
    board.opened(60 * MS)

    assert len(board.feed(probe.heard, 60 * MS)) == 3  # settings, electrodes, samples


SENSORS = [
    ("gasboard", {}, 1_500),
    ("gasboard", {"talking": False}, 8_000),
    ("nonin", {"form": "DF2"}, 400),
    ("nonin", {"form": "DF7"}, 400),
    ("nonin", {"form": "DF1"}, 6_500),
    ("contec", {}, 500),
    ("contec7", {}, 8_000),
    ("vt_settings", {"period_s": 1.0}, 2_500),
]


@pytest.mark.parametrize(("kind", "options", "within_ms"), SENSORS)
def test_a_sensor_is_named_by_its_own_words_or_its_answer(kind, options, within_ms):
    simulated = simulator(kind, Patient(50, 1), **options)
    simulated.power_on(0)
    probe = Probe(BOARDS, ask=True)
    for now_ms in range(0, 20_000, 20):
        probe.feed(simulated.due(now_ms * MS), now_ms * MS)
        if asked := probe.due(now_ms * MS):
            simulated.feed(asked, now_ms * MS)
        if verdict := probe.verdict(now_ms * MS):
            break

    assert verdict.kind == kind
    assert now_ms <= within_ms
    assert not getattr(simulated, "writes", [])
