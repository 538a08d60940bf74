"""ResMed AirSense 10: golden frames, what may be sent and nothing else, its numbers, and how fast it is asked."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from firmware_bridge.boards import resmed
from firmware_bridge.boards.resmed import REQUESTS, Variable, raw_value
from firmware_bridge.boards.resmed_frames import QFrames, Whole
from firmware_bridge.frames import Damage, Identity, Number, Reply, Samples, Settings, Status
from firmware_bridge.simulators.resmed import AirSense10, frame
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, COLUMNS, FLOW, Numbers

MS = 1_000_000
S = 1000 * MS

SAFE = frozenset(
    ("BID", "PNA", "SRN", "MID", "VID", "BLS", "ZRM", "MST", "MKP", "RFL", "LKF", "MV5", "RR1", "TID")
    + ("SNI", "FFL", "SAO", "HRT", "DAC", "TIC")
)
"""The list of what may be asked, copied from the protocol's description: never more."""


class Steady:
    """A source whose flow counts up by one raw unit a row, at a steady 10 cmH2O."""

    rate_hz = 50.0
    electrodes_off: frozenset[str] = frozenset()

    def __init__(self, numbers=None):
        self.numbers = numbers or Numbers(
            mask_on=True,
            leak_lpm=7.2,
            minute_volume_lpm=6.5,
            breaths_per_minute=15,
            tidal_volume_ml=460,
            snore=0.5,
            flow_limitation=0.25,
            spo2_pct=96,
            pulse_bpm=61,
        )
        self.taken = 0

    def take(self, n):
        rows = np.zeros((n, len(COLUMNS)))
        rows[:, FLOW] = np.arange(self.taken, self.taken + n) / 500
        rows[:, AIRWAY_PRESSURE] = 10.0
        self.taken += n
        return rows


def said(text: bytes, board=None, now_ns=0):
    board = board or resmed.board({})
    return [f for f in board.feed(text, now_ns) if not isinstance(f, Identity) or f.serial]


def talk(simulator, board, seconds, round_ms=20.0, deaf=(0, 0), jitter=None):
    """(frames, requests sent) of a board and a machine that share a line, seen every `round_ms`."""
    sent, frames, heard = [], [], b""
    board.opened(0)
    now = 0.0
    while now < seconds * 1000:
        now_ns = round(now * MS)
        heard = simulator.due(now_ns)
        if heard and not deaf[0] <= now < deaf[1]:
            frames += board.feed(heard, now_ns)
        request = board.due(now_ns)
        if request:
            sent.append((now_ns, request))
            simulator.feed(request, now_ns + len(request) * 10 * S // 57600)
        now += round_ms + (jitter.uniform(-4, 6) if jitter else 0)
    return frames, sent


# --- golden ----------------------------------------------------------------------------------------------


def test_golden_requests():
    assert REQUESTS["BID"] == bytes.fromhex("55 51 30 31 31 47 20 53 20 23 42 49 44 36 36 43 45")
    assert REQUESTS["MKP"] == b"UQ011G S #MKP7E28"


def test_golden_answers():
    pressure = said(b"UR018G S #MKP = 01F44D4E")
    assert [f.counts.tolist() for f in pressure if isinstance(f, Samples)] == [[[500]]]
    assert Number("cpap_pressure", 10.0, "cmH2O") in pressure
    (flow,) = (f for f in said(b"UR018G S #RFL = FF38F30D") if isinstance(f, Samples))
    channel = resmed.FACTS.streams[0].channels[0]
    assert (flow.stream, flow.counts.tolist()) == ("flow", [[-200]])
    assert (flow.counts[0, 0] - channel.offset) * channel.gain == pytest.approx(-0.40)


def test_golden_frames_with_doubled_bytes_errors_and_live_lines():
    line = b"UQ012G S #STUU259C" + b"UR019G S #STUU = 00C83BF0" + b"UE018G S #XYZ = 0003F027"
    line += b"UL016PMD0A1F4FCE06E827"
    assert list(QFrames().cut(line)) == [
        Whole("Q", b"G S #STU"),
        Whole("R", b"G S #STU = 00C8"),
        Whole("E", b"G S #XYZ = 0003"),
        Whole("L", b"PMD0A1F4FCE06"),
    ]
    assert [f for f in said(line) if isinstance(f, Samples | Number | Damage)] == []


def test_the_simulators_frames_are_the_golden_ones():
    """Two programs of two hands: the simulator's check sum is its own."""
    assert frame("R", b"G S #MKP = 01F4") == b"UR018G S #MKP = 01F44D4E"
    assert frame("R", b"G S #STU = 00C8") == b"UR019G S #STUU = 00C83BF0"
    assert frame("E", b"G S #XYZ = 0003") == b"UE018G S #XYZ = 0003F027"


@pytest.mark.parametrize(
    ("text", "value"), [("0000", 0), ("01F4", 500), ("FF38", -200), ("7FFF", 32767), ("8000", -32768)]
)
def test_raw_values_are_two_s_complement(text, value):
    assert raw_value(text) == value


def test_what_is_no_number_is_damage():
    assert raw_value("on") is None
    found = said(frame("R", b"G S #RFL = on"))
    assert [type(f) for f in found if not isinstance(f, Damage)] == [type(f) for f in said(b"")]


# --- what may be sent ------------------------------------------------------------------------------------


def test_every_request_there_is_reads_a_safe_variable():
    assert set(REQUESTS) <= SAFE
    assert {variable.value for variable in Variable} == set(REQUESTS)
    for variable, request in REQUESTS.items():
        assert request[:2] == b"UQ"
        assert request[5:-4] == b"G S #" + variable.encode(), "a get, never a put, a flash or a boot command"
        assert int(request[2:5], 16) == len(request)


def test_nothing_that_can_happen_makes_it_send_anything_else():
    """Answers, errors, noise, requests and commands of others, at any time: what it sends is of the closed list."""
    allowed = set(REQUESTS.values())
    random_ = random.Random(5)
    hostile = [
        b"UQ011G S #MKP7E28",
        frame("Q", b"P S #SPP 0190"),
        frame("R", b"P S #SPP 0190 = 0190"),
        frame("R", b"G S #SPP = P S #SPP 0190"),
        frame("R", b"G S #SRN = UUQ016P F 1"),
        frame("E", b"G S #RFL = 0003"),
        frame("R", b"G S #RFL = 0001"),
    ]
    sent = set()
    for seed in range(8):
        board, simulator = resmed.board({}), AirSense10(Steady(), without=frozenset({"MV5", "SRN"}))
        board.opened(0)
        now_ns = 0
        for _ in range(400):
            now_ns += random_.choice((5, 20, 20, 20, 400)) * MS
            board.feed(simulator.due(now_ns), now_ns)
            if random_.random() < 0.2:
                board.feed(random_.choice([*hostile, random_.randbytes(30)]), now_ns)
            request = board.due(now_ns)
            if request is not None:
                sent.add(request)
                simulator.feed(request, now_ns)
        assert board.closing() == b"", seed
        assert simulator.writes == []
    assert sent <= allowed
    assert len(sent) == len(allowed), "each of them was sent, so that this test means something"


def test_the_simulator_would_have_told():
    simulator = AirSense10(Steady())
    simulator.feed(frame("Q", b"P S #SPP 0190"), 0)
    assert simulator.writes == [b"P S #SPP 0190"]
    assert b"E" in simulator.due(S)


def test_it_takes_no_options_and_no_commands():
    with pytest.raises(ValueError, match="resmed"):
        resmed.board({"live": "1"})
    assert not hasattr(resmed.board({}), "command")
    assert not hasattr(resmed.board({}), "settable")


def test_a_board_that_was_not_opened_says_nothing():
    board = resmed.board({})
    assert board.due(S) is None


# --- a conversation --------------------------------------------------------------------------------------


def test_who_it_is_and_what_it_says():
    frames, _ = talk(AirSense10(Steady()), resmed.board({}), 4)
    assert [f.serial for f in frames if isinstance(f, Identity) and f.serial] == ["22181234567"]
    assert [f.model for f in frames if isinstance(f, Identity)][-1] == "AirSense 10 AutoSet"
    settings = {name: value for f in frames if isinstance(f, Settings) for name, value in f.values}
    assert settings == {"bootloader": "SX577-020079BA", "machine": "0024", "variant": "0027"}
    numbers = {f.name: (f.value, f.unit) for f in frames if isinstance(f, Number)}
    assert numbers == {
        "cpap_pressure": (10.0, "cmH2O"),
        "cpap_leak": (pytest.approx(7.2), "L/min"),
        "cpap_minute_volume": (6.5, "L/min"),
        "cpap_respiration_rate": (15.0, "/min"),
        "cpap_tidal_volume": (pytest.approx(460.0), "mL"),
        "cpap_snore": (0.5, "1"),
        "cpap_flow_limitation": (0.25, "1"),
        "spo2": (96.0, "%"),
        "pulse_rate": (61.0, "bpm"),
    }
    statuses = {f.name: f.text for f in frames if isinstance(f, Status)}
    assert statuses == {"mode": "therapy", "mask": "on", "alarm_code": ""}
    assert not [f for f in frames if isinstance(f, Reply) and not f.ok]


def test_standby_mask_off_and_no_oximeter():
    simulator = AirSense10(Steady(Numbers(mask_on=False)), running=False)
    frames, _ = talk(simulator, resmed.board({}), 4)
    statuses = {f.name: f.text for f in frames if isinstance(f, Status)}
    assert statuses == {"mode": "standby", "mask": "off", "alarm_code": ""}
    numbers = {f.name: f.value for f in frames if isinstance(f, Number)}
    assert numbers["spo2"] is None
    assert numbers["pulse_rate"] is None
    assert numbers["cpap_pressure"] == 0.0


def test_what_the_machine_does_not_know_has_no_value():
    frames, _ = talk(AirSense10(Steady(), without=frozenset({"MV5"})), resmed.board({}), 4)
    numbers = {f.name: f.value for f in frames if isinstance(f, Number)}
    assert numbers["cpap_minute_volume"] is None
    assert numbers["cpap_leak"] is not None


def test_system_error_and_the_boot_loader_are_said():
    assert Status("alarm_code", "system error") in said(frame("R", b"G S #ZRM = 0007"))
    assert Status("mode", "state 9") in said(frame("R", b"G S #ZRM = 0009"))
    assert Status("mode", "boot loader") in said(frame("R", b"G S #BLS = 0001"))
    assert not [f for f in said(frame("R", b"G S #MST = 0002")) if isinstance(f, Status)]


# --- how fast --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 3])
def test_flow_25_and_pressure_12_times_a_second_and_each_number_every_second(seed):
    jitter = None if seed is None else random.Random(seed)
    board = resmed.board({})
    frames, sent = talk(AirSense10(Steady()), board, 21, jitter=jitter)
    flow = [f for f in frames if isinstance(f, Samples) and f.stream == "flow"]
    pressure = [f for f in frames if isinstance(f, Samples) and f.stream == "pressure"]
    seconds = 21 - 0.2
    assert len(flow) + sum(f.lost for f in flow) == pytest.approx(25 * seconds, abs=4)
    assert len(pressure) + sum(f.lost for f in pressure) == pytest.approx(12.5 * seconds, abs=3)
    assert sum(f.lost for f in flow) <= (0 if jitter is None else 0.02 * len(flow))
    counts = Counter(f.name for f in frames if isinstance(f, Number))
    least = 0.9 if jitter is None else 0.5
    assert min(counts.values()) >= least * seconds
    asked = Counter(request for _, request in sent)
    assert sum(len(request) + 24 for request in asked.elements()) / 21 < 0.45 * 5760


def test_a_slow_machine_still_says_everything(monkeypatch):
    """Answers that take two rounds leave no time beside flow: it gives way now and then, and what it loses is counted."""
    monkeypatch.setattr("firmware_bridge.simulators.resmed.LATENCY_NS", 30 * MS)
    frames, _ = talk(AirSense10(Steady()), resmed.board({}), 31)
    flow = [f for f in frames if isinstance(f, Samples) and f.stream == "flow"]
    pressure = [f for f in frames if isinstance(f, Samples) and f.stream == "pressure"]
    assert len(flow) > 18 * 30
    assert len(flow) + sum(f.lost for f in flow) == pytest.approx(25 * 30.4, abs=10)
    assert len(pressure) > 2 * 30
    assert len(pressure) + sum(f.lost for f in pressure) == pytest.approx(12.5 * 30.4, abs=10)
    counts = Counter(f.name for f in frames if isinstance(f, Number))
    assert len(counts) == 9
    assert min(counts.values()) >= 5


def test_samples_stand_on_their_grid():
    """The source counts up by one every 20 ms: samples 40 ms apart differ by 2, but for the jitter of a round."""
    frames, _ = talk(AirSense10(Steady()), resmed.board({}), 21)
    values = np.array([f.counts[0, 0] for f in frames if isinstance(f, Samples) and f.stream == "flow"])
    line = np.polyfit(np.arange(len(values)), values, 1)
    assert line[0] == pytest.approx(2.0, abs=0.002)
    assert np.abs(values - np.polyval(line, np.arange(len(values)))).max() <= 2.0


def test_one_request_at_a_time():
    simulator, board = AirSense10(Steady()), resmed.board({})
    board.opened(0)
    waiting = False
    for now_ms in range(0, 5000, 5):
        heard = simulator.due(now_ms * MS)
        waiting = waiting and not heard
        board.feed(heard, now_ms * MS)
        request = board.due(now_ms * MS)
        if request:
            assert not waiting
            waiting = True
            simulator.feed(request, now_ms * MS + 3 * MS)


def test_unanswered_questions_are_counted_as_lost_samples():
    frames, _ = talk(AirSense10(Steady()), resmed.board({}), 10, deaf=(4000, 5000))
    flow = [f for f in frames if isinstance(f, Samples) and f.stream == "flow"]
    pressure = [f for f in frames if isinstance(f, Samples) and f.stream == "pressure"]
    assert sum(f.lost for f in flow) == pytest.approx(25, abs=6)
    assert sum(f.lost for f in pressure) == pytest.approx(12, abs=4)
    assert len(flow) + sum(f.lost for f in flow) == pytest.approx(25 * 9.8, abs=3)


def test_a_silent_machine_is_asked_who_it_is_again_and_again():
    board = resmed.board({})
    board.opened(0)
    sent = [(ms, r) for ms in range(0, 10_000, 20) if (r := board.due(ms * MS)) is not None]
    assert {request for _, request in sent} == {REQUESTS["BID"]}
    assert len(sent) >= 10
    replies = [f for f in board.feed(b"", 10 * S) if isinstance(f, Reply)]
    assert replies
    assert all(not reply.ok for reply in replies)
    assert len(replies) <= 32


def test_a_machine_that_comes_back_is_asked_who_it_is():
    simulator, board = AirSense10(Steady()), resmed.board({})
    frames, _ = talk(simulator, board, 10, deaf=(4000, 7000))
    assert len([f for f in frames if isinstance(f, Identity) and f.serial]) == 2


def test_a_late_answer_is_not_taken_for_the_newer_question():
    board = resmed.board({})
    talk(AirSense10(Steady()), board, 2)
    late, now_ns, asked = frame("R", b"G S #RFL = 7000"), 3 * S, set()
    for _ in range(20):
        now_ns += 400 * MS
        request = board.due(now_ns)
        asked.add(request)
        flow = [f for f in board.feed(late, now_ns) if isinstance(f, Samples) and f.stream == "flow"]
        assert len(flow) == (request == REQUESTS["RFL"])
    assert len(asked) > 2


# --- probe -----------------------------------------------------------------------------------------------


def test_an_answer_proves_it_and_an_echo_does_not():
    ((question, wait_ms),) = resmed.questions()
    simulator = AirSense10(Steady())
    simulator.feed(question, 0)
    assert resmed.recognise(simulator.due(wait_ms * MS)) == 1.0
    assert resmed.recognise(question) == 0.0
    assert resmed.recognise(b"UL016PMD0A1F4FCE06E827") == 1.0
    assert resmed.recognise(b"UR018G S #MKP = 01F44D4F") == 0.0
