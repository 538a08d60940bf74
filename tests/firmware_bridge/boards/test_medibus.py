"""MEDIBUS: golden messages and samples, both conversations on one line, what may be sent, and what a damaged line costs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from firmware_bridge.boards import medibus
from firmware_bridge.boards.medibus_line import (
    Command,
    MedibusLine,
    Response,
    Torn,
    Values,
    command,
    response,
)
from firmware_bridge.frames import Damage, Identity, Number, Quantity, Reply, Samples, Settings, Status
from firmware_bridge.simulators.medibus import Ventilator, message
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, COLUMNS, FLOW, PLETH, Numbers

MS = 1_000_000
S = 1000 * MS

CONFIGURATION = b"\x01S00   10000  -50  150FFF01   10000 -200  2005FA9E\r"


class Breathing:
    """0.5 L/s in for a second and 0.25 L/s out for two, at 20 and 5 cmH2O."""

    rate_hz = 62.5
    electrodes_off: frozenset[str] = frozenset()
    numbers = Numbers(
        breaths_per_minute=20,
        tidal_volume_ml=500,
        minute_volume_lpm=10.0,
        spo2_pct=97,
    )

    def __init__(self):
        self.taken = 0

    def take(self, n):
        t_s = (self.taken + np.arange(n)) / self.rate_hz
        inward = t_s % 3 < 1
        rows = np.zeros((n, len(COLUMNS)))
        rows[:, FLOW] = np.where(inward, 0.5, -0.25)
        rows[:, AIRWAY_PRESSURE] = np.where(inward, 20.0, 5.0)
        rows[:, PLETH] = 0.5
        self.taken += n
        return rows


def talk(simulator, board, seconds, faults=None, until_ns=0):
    """(frames, what was sent) of a board and a ventilator that share a line, seen every 20 ms."""
    frames, sent = [], []
    board.opened(until_ns)
    for now_ns in range(until_ns, until_ns + round(seconds * S), 20 * MS):
        heard = simulator.due(now_ns)
        frames += board.feed(faults(heard, now_ns) if faults else heard, now_ns)
        said = board.due(now_ns)
        if said:
            sent.append(said)
            simulator.feed(said, now_ns + 10 * MS)
    return frames, sent


def streams(frames):
    out = {}
    for frame in frames:
        if isinstance(frame, Samples):
            out.setdefault(frame.stream, []).append(frame)
    return out


# --- golden ----------------------------------------------------------------------------------------------


def test_golden_commands_and_answers():
    assert command(0x51) == bytes.fromhex("1B 51 36 43 0D")
    assert response(0x51) == bytes.fromhex("01 51 35 32 0D")
    assert command(0x52) == bytes.fromhex("1B 52 36 44 0D")
    assert command(0x30) == bytes.fromhex("1B 30 34 42 0D")
    assert response(0x30) == bytes.fromhex("01 30 33 31 0D")
    assert command(0x24) == bytes.fromhex("1B 24 33 46 0D")
    assert command(0x29) == bytes.fromhex("1B 29 34 34 0D")
    assert command(0x54, b"00010101") == bytes.fromhex("1B 54 30 30 30 31 30 31 30 31 46 32 0D")
    assert response(0x15) == bytes.fromhex("01 15 31 36 0D")
    assert medibus.switched(2) == bytes.fromhex("D0 C1 C3 C0 C0")
    assert medibus.switched(4) == bytes.fromhex("D0 C1 CF C0 C0")
    assert medibus.switched(0) == bytes.fromhex("D0 C1 C0 C0 C0")


def test_golden_identity():
    frames = medibus.board({}).feed(b"\x01R8210'Evita 4'04.20:04.00D9\r", 0)
    assert Identity("medibus", firmware="04.20", model="Evita 4") in frames
    assert Settings((("MEDIBUS", "04.00"),)) in frames


def test_golden_measured_data():
    line = (
        b"\x01\x2473  1274  2478 5.07D  26D6  16B8 8.2F0  40EB  97\x2c"  # as printed; its check sum is "2C"
    )
    line = line[:-1] + b"2C\r"
    numbers = [f for f in medibus.board({}).feed(line, 0) if isinstance(f, Number)]
    assert numbers == [
        Number("vent_paw_mean", 12.0, "mbar"),
        Number("vent_plateau", 24.0, "mbar"),
        Number("vent_peep", 5.0, "mbar"),
        Number("vent_pip", 26.0, "mbar"),
        Number("vent_rate", 16.0, "/min"),
        Number("vent_minute_volume", 8.2, "L/min"),
        Number("vent_fio2", 40.0, "%"),
        Number("spo2", 97.0, "%"),
    ]


def test_golden_settings():
    frames = medibus.board({}).feed(b"\x01)01   400B  5.009   16C4\r", 0)
    assert Settings((("FiO2", "40 %"), ("PEEP", "5.0 mbar"), ("rate", "16 /min"))) in frames


def test_golden_curves_and_samples():
    board = medibus.board({})
    board.feed(CONFIGURATION, 0)
    (stream,) = board.facts.streams
    assert (stream.name, stream.rate_hz) == ("flow", 100.0)
    flow, pressure = stream.channels
    assert (flow.name, flow.quantity, flow.unit) == ("flow", Quantity.FLOW, "L/s")
    assert (pressure.name, pressure.quantity, pressure.unit) == (
        "pressure",
        Quantity.AIRWAY_PRESSURE,
        "cmH2O",
    )
    one, other = board.feed(bytes.fromhex("D3 B5 93 8A 8A  D3 C6 C0 82 97 A9 8E"), 0)
    for sample, mbar, lpm in ((one, 11.98, -30.07), (other, 21.99, 44.97)):
        n_flow, n_pressure = sample.counts[:, 0]
        assert (n_pressure - pressure.offset) * pressure.gain == pytest.approx(1.019716 * mbar, abs=0.01)
        assert (n_flow - flow.offset) * flow.gain == pytest.approx(lpm / 60, abs=0.0001)
    assert one.counts.tolist() == [[650], [1269]]


def test_the_simulator_agrees_with_the_golden_messages():
    assert message(0x01, 0x53, CONFIGURATION[2:-3].decode()) == CONFIGURATION
    assert message(0x1B, 0x51) == bytes.fromhex("1B 51 36 43 0D")


# --- a conversation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [False, True])
def test_called_identified_curves_chosen_and_everything_asked(calls):
    simulator, board = Ventilator(Breathing(), calls=calls), medibus.board({})
    simulator.alarms = [("8", "19", "MV LOW"), ("5", "C0", "")]
    frames, sent = talk(simulator, board, 12)
    assert [f for f in frames if isinstance(f, Identity)][-1].model == "Evita 4"
    numbers = {f.name: f.value for f in frames if isinstance(f, Number)}
    assert numbers["vent_pip"] == pytest.approx(20 / 1.019716, abs=0.5)
    assert numbers["vent_peep"] == pytest.approx(5 / 1.019716, abs=0.05)
    assert (numbers["vent_rate"], numbers["vent_fio2"], numbers["spo2"]) == (20.0, 40.0, 97.0)
    assert numbers["pulse_rate"] is None
    assert {f.name: f.text for f in frames if isinstance(f, Status)} == {
        "alarm_code": "MV LOW; O2 low",
        "mode": "BIPAP",
    }
    values = {name: value for f in frames if isinstance(f, Settings) for name, value in f.values}
    assert values == {
        "MEDIBUS": "04.00",
        "curves": "flow, pressure, pleth",
        "FiO2": "40 %",
        "PEEP": "4.9 mbar",
        "rate": "16 /min",
    }
    found = streams(frames)
    assert set(found) == {"flow", "pleth"}
    flow, pressure = board.facts.streams[0].channels
    counts = np.concatenate([f.counts for f in found["flow"]], axis=1)
    assert set(np.round((counts[0] - flow.offset) * flow.gain, 2)) == {0.5, -0.25}
    assert set(np.round((counts[1] - pressure.offset) * pressure.gain, 1)) == {20.0, 5.0}
    assert counts.shape[1] > 10 * 62.5
    assert not any(f.lost for f in found["flow"])
    assert not [f for f in frames if isinstance(f, Damage)]
    assert simulator.strange == []
    assert board.closing() == medibus.switched(0) + command(0x55)


def test_numbers_come_every_second_and_alarms_too():
    simulator, board = Ventilator(Breathing()), medibus.board({})
    frames, _ = talk(simulator, board, 22)
    assert sum(isinstance(f, Number) and f.name == "vent_rate" for f in frames) >= 20
    assert sum(isinstance(f, Status) and f.name == "alarm_code" for f in frames) >= 20


def test_whatever_the_device_asks_is_answered_at_once():
    board = medibus.board({})
    talk(Ventilator(Breathing()), board, 2)
    for code in (0x30, 0x52, 0x49, 0x6C):
        board.feed(command(code), 2 * S)
        assert board.due(2 * S) == response(code)
    board.feed(b"\x1b\x30FF\r", 2 * S)
    assert board.due(2 * S) == response(0x15)


def test_a_device_that_starts_anew_is_set_up_anew():
    simulator, board = Ventilator(Breathing(), calls=True), medibus.board({})
    talk(simulator, board, 4)
    simulator.power_on(4 * S)
    frames = []
    for now_ns in range(4 * S, 10 * S, 20 * MS):
        frames += board.feed(simulator.due(now_ns), now_ns)
        if said := board.due(now_ns):
            simulator.feed(said, now_ns + 10 * MS)
    assert [f for f in frames if isinstance(f, Identity)]
    assert len(streams(frames)["flow"]) > 3 * 62.5


def test_changed_curves_are_asked_for_again():
    simulator, board = Ventilator(Breathing()), medibus.board({})
    talk(simulator, board, 3)
    board.feed(command(0x56), 3 * S)
    said = [board.due(3 * S + k * 20 * MS) for k in range(10)]
    assert said[0] == response(0x56)
    assert command(0x53) in said


def test_curves_that_stop_are_switched_on_again():
    simulator, board = Ventilator(Breathing()), medibus.board({})
    talk(simulator, board, 4)
    simulator._on = 0
    frames = []
    for now_ns in range(4 * S, 8 * S, 20 * MS):
        frames += board.feed(simulator.due(now_ns), now_ns)
        if said := board.due(now_ns):
            simulator.feed(said, now_ns + 10 * MS)
    assert len(streams(frames)["flow"]) > 62


def test_a_silent_device_is_called_every_three_seconds():
    board = medibus.board({})
    board.opened(0)
    sent = [(ms, said) for ms in range(0, 31_000, 20) if (said := board.due(ms * MS))]
    assert {said for _, said in sent} == {command(0x51)}
    assert len(sent) == 11
    assert any(isinstance(f, Reply) and not f.ok for f in board.feed(b"", 31 * S))
    assert board.closing() == b""


def test_what_a_device_refuses_is_left_out_and_the_link_stays_alive():
    simulator = Ventilator(Breathing(), without=b"\x2e\x23\x29\x2a\x24\x27\x53")
    board = medibus.board({})
    frames, sent = talk(simulator, board, 20)
    assert not streams(frames)
    late = sent[-5:]
    assert set(late) <= {command(0x30), response(0x30)}
    assert simulator._linked


def test_without_curves_none_are_asked_for():
    simulator, board = Ventilator(Breathing()), medibus.board({"curves": "no"})
    frames, sent = talk(simulator, board, 5)
    assert not streams(frames)
    assert not [said for said in sent if said[:2] in {command(0x53)[:2], command(0x54)[:2]}]
    assert any(isinstance(f, Number) for f in frames)


# --- what may be sent ------------------------------------------------------------------------------------


def test_only_the_listed_commands_are_ever_sent():
    """Whatever the device says: commands of the list, answers with the device's own code, and switches of curves."""
    draw = random.Random(11)
    for seed in range(6):
        board, simulator = medibus.board({}), Ventilator(Breathing(), calls=seed % 2 == 1)

        def noisy(data, _now_ns):
            data = bytearray(data)
            for _ in range(draw.randrange(3) if data else 0):
                data[draw.randrange(len(data))] = draw.randrange(256)
            if draw.random() < 0.02:
                data += command(draw.randrange(0x20, 0x7F), draw.randbytes(3).hex().encode())
            return bytes(data)

        _, sent = talk(simulator, board, 15, faults=noisy)
        commands = set()
        for piece in MedibusLine().cut(b"".join([*sent, board.closing()])):
            if isinstance(piece, Command):
                commands.add(piece.code)
            else:
                assert isinstance(
                    piece, Response | Values | Torn
                )  # a switch of curves reads as a torn sample
                if isinstance(piece, Response):
                    assert piece.data == b""
        assert commands <= medibus.SAYS
        assert not commands & {0x49, 0x4A}, "the device's clock and its configuration are never touched"
        switches = [said for said in sent if said[0] == 0xD0]
        assert set(switches) <= {medibus.switched(n) for n in range(5)}


def test_a_line_with_errors_still_gives_almost_everything():
    draw = random.Random(2)

    def noisy(data, _now_ns):
        return bytes(b ^ 1 << draw.randrange(8) if draw.random() < 0.002 else b for b in data)

    simulator, board = Ventilator(Breathing()), medibus.board({})
    frames, _ = talk(simulator, board, 40, faults=noisy)
    flow = streams(frames)["flow"]
    assert len(flow) > 0.95 * 62.5 * 38
    rates = [f.value for f in frames if isinstance(f, Number) and f.name == "vent_rate"]
    assert len(rates) > 25
    assert set(rates) == {20.0}


# --- probe -----------------------------------------------------------------------------------------------


def test_an_answer_or_a_call_proves_it_and_our_own_echo_of_nothing_does_not():
    ((question, wait_ms),) = medibus.questions()
    assert question == bytes.fromhex("1B 51 36 43 0D")
    assert wait_ms == 1000
    assert medibus.recognise(bytes.fromhex("01 51 35 32 0D")) == 1.0
    assert medibus.recognise(bytes.fromhex("01 51 35 33 0D")) == 0.0
    assert medibus.recognise(random.Random(1).randbytes(4000)) == 0.0
