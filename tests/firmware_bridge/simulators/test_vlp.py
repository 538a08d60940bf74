"""The four VLP devices through the real board, and what is set on them acting on the body."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.boards import vlp
from firmware_bridge.frames import Identity, Leads, Number, Quantity, Reply, Samples, Settings, Status
from firmware_bridge.simulators import SIMULATORS, simulator
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import COLUMNS, FLOW, LEADS
from firmware_bridge.simulators.wire import Conversation, Wire

KINDS = ("vlp_cpap", "vlp_ecg", "vlp_oximeter", "vlp_oxygen")


class Talk:
    """A device and its board, talking."""

    def __init__(self, kind: str, body=None, **options) -> None:
        self.body = body or (Concentrator(50.0, seed=1) if kind == "vlp_oxygen" else Patient(500.0, seed=1))
        self.device = simulator(kind, self.body, **options)
        self.board = vlp.board({})
        self.frames: list = []
        self.device.power_on(0)
        self.line = Conversation(
            self.board,
            self.device,
            there=Wire(jitter_s=0.002),
            back=Wire(jitter_s=0.002),
            heard=lambda new, _now: self.frames.extend(new),
        )

    def run(self, seconds: float) -> list:
        before = len(self.frames)
        self.line.run(seconds)
        return self.frames[before:]

    def set(self, name: str, value: float) -> Reply:
        assert self.board.command("r", name, value, self.line.now_ns) == ""
        (reply,) = [f for f in self.run(1.0) if isinstance(f, Reply)]
        return reply


def last(frames: list, name: str):
    return [f for f in frames if isinstance(f, Number | Status) and f.name == name][-1]


@pytest.mark.parametrize(
    ("kind", "serial", "stream", "rate_hz", "channels"),
    [
        ("vlp_cpap", "CPAP-2301-9912", "flow", 25.0, ("flow", "pressure")),
        ("vlp_oxygen", "OXY-8844-5521", "oxygen", 50.0, ("purity", "flow", "bed_a", "bed_b")),
        ("vlp_oximeter", "SPO-6120-0177", "pleth", 75.0, ("pleth",)),
        ("vlp_ecg", "ECG-7711-0045", "ecg", 500.0, LEADS),
    ],
)
def test_each_says_who_it_is_and_streams_what_it_has(kind, serial, stream, rate_hz, channels):
    talk = Talk(kind)
    frames = talk.run(5.0)
    (spec,) = talk.board.facts.streams
    samples = [f for f in frames if isinstance(f, Samples)]

    assert [f.serial for f in frames if isinstance(f, Identity)] == [serial]
    assert (spec.name, spec.rate_hz, tuple(c.name for c in spec.channels)) == (stream, rate_hz, channels)
    assert sum(f.counts.shape[1] for f in samples) == pytest.approx(5 * rate_hz, abs=0.2 * rate_hz)
    assert sum(f.lost for f in samples) == 0
    assert not [f for f in frames if isinstance(f, Settings) and "ignored" in dict(f.values)]


def test_the_ecg_is_the_bodys_to_a_microvolt():
    talk = Talk("vlp_ecg")
    frames = talk.run(4.0)
    counts = np.concatenate([f.counts for f in frames if isinstance(f, Samples)], axis=1)
    gain = talk.board.facts.streams[0].channels[0].gain
    want = Patient(500.0, seed=1).next(counts.shape[1]).T

    assert np.abs(counts * gain - want).max() <= 0.0005 + 1e-9
    assert all(c.quantity is Quantity.ECG for c in talk.board.facts.streams[0].channels)


def test_electrodes_are_told_when_they_change():
    talk = Talk("vlp_ecg")
    assert all(on for f in talk.run(2.0) if isinstance(f, Leads) for _, on in f.attached)
    talk.body.electrode("V3", attached=False)
    told = [f for f in talk.run(0.5) if isinstance(f, Leads)]

    assert [name for name, on in told[-1].attached if not on] == ["V3"]
    assert len(told[-1].attached) == 10


def test_the_cpap_shows_the_patient_in_our_names_and_units():
    talk = Talk("vlp_cpap")
    frames = talk.run(30.0)
    counts = np.concatenate([f.counts for f in frames if isinstance(f, Samples)], axis=1)
    flow, pressure = talk.board.facts.streams[0].channels

    assert (flow.quantity, pressure.quantity) == (Quantity.FLOW, Quantity.AIRWAY_PRESSURE)
    assert np.median(counts[1] * pressure.gain) == pytest.approx(10.0, abs=0.6)
    assert 0.2 < (counts[0] * flow.gain).max() < 1.5
    assert last(frames, "cpap_set_pressure") == Number("cpap_set_pressure", 10.0, "cmH2O")
    assert last(frames, "cpap_respiration_rate") == Number("cpap_respiration_rate", 15.0, "/min")
    assert last(frames, "cpap_leak").unit == "L/min"
    assert last(frames, "cpap_pressure").value == pytest.approx(
        np.mean(counts[1, -25:]) * pressure.gain, abs=0.5
    )
    assert last(frames, "cpap_hours") == Number("cpap_hours", 4321.01, "h")
    assert last(frames, "mode") == Status("mode", "CPAP")
    assert last(frames, "mask") == Status("mask", "on")


def test_the_concentrator_alarms_in_its_own_words():
    talk = Talk("vlp_oxygen")
    talk.body.fault("blocked_outlet", present=True)
    frames = talk.run(20.0)

    assert last(frames, "alarm_code") == Status("alarm_code", "NO_FLOW")
    assert last(frames, "o2_purity").unit == "%"
    assert last(frames, "o2_battery") == Number("o2_battery", 100.0, "%")


def test_a_finger_that_is_out_has_no_numbers():
    talk = Talk("vlp_oximeter")
    assert last(talk.run(10.0), "spo2") == Number("spo2", 97.0, "%")
    talk.body.blood.finger(on=False)
    frames = talk.run(3.0)

    assert last(frames, "spo2") == Number("spo2", None, "%")
    assert last(frames, "pulse_rate").value is None
    assert last(frames, "signal") == Status("signal", "finger out")


def test_target_pressure_acts_on_the_lungs():
    talk = Talk("vlp_cpap")
    talk.run(3.0)
    assert {s.name for s in talk.board.settable} == {"target_pressure", "humidity_level"}
    assert talk.set("target_pressure", 13.6) == Reply("r", ok=True, text="13.6")

    assert talk.body.lungs.cpap_cm_h2o == 13.6
    told = [dict(f.values) for f in talk.frames if isinstance(f, Settings)]
    assert [values["target_pressure"] for values in told if "target_pressure" in values][-1] == "13.6"


def test_flow_and_night_mode_act_on_the_concentrator():
    talk = Talk("vlp_oxygen")
    talk.run(3.0)
    assert talk.set("flow_rate", 3.5).ok
    assert talk.set("night_mode", 1).ok

    assert talk.body.flow_lpm == 3.5
    assert last(talk.frames, "o2_set_flow") == Number("o2_set_flow", 3.5, "L/min")
    assert last(talk.frames, "o2_hours") == Number("o2_hours", 8765.0, "h")
    assert last(talk.run(2.0), "night_mode") == Status("night_mode", "on")


def test_with_the_mask_off_the_pressure_is_refused():
    talk = Talk("vlp_cpap")
    talk.run(3.0)
    talk.body.lungs.mask(on=False)
    before = talk.body.lungs.cpap_cm_h2o

    assert talk.set("target_pressure", 14.0) == Reply("r", ok=False, text="the mask is off")
    assert talk.body.lungs.cpap_cm_h2o == before
    assert talk.set("humidity_level", 4).ok


def test_a_device_that_is_unsafe_between_the_steps_does_nothing():
    talk = Talk("vlp_cpap")
    talk.run(3.0)
    talk.board.command("r", "target_pressure", 14.0, talk.line.now_ns)
    while talk.device._proposal is None:
        talk.run(0.001)
    talk.device.unsafe = "service mode"

    assert [f for f in talk.run(1.0) if isinstance(f, Reply)] == [Reply("r", ok=False, text="service mode")]
    assert talk.body.lungs.cpap_cm_h2o == 10.0


def test_a_recording_cannot_be_set(given):
    rows = np.zeros((1000, len(COLUMNS)))
    rows[:, FLOW] = 0.1
    talk = Talk("vlp_cpap", given(rows, 25.0))
    talk.run(3.0)

    assert talk.set("target_pressure", 14.0) == Reply("r", ok=False, text="a recording is played")


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_recognised_and_nothing_else_is(kind):
    talk = simulator(kind, Patient(500.0))
    talk.power_on(0)

    assert vlp.recognise(talk.due(500_000_000)[7:]) == 1.0
    for other in SIMULATORS:
        if other not in KINDS:
            board = simulator(other, Patient(500.0))
            board.power_on(0)
            assert vlp.recognise(board.due(3_000_000_000)[:8192]) == 0.0
