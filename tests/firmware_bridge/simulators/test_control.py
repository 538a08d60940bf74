"""The line-oriented control: every command, every refusal, and the socket."""

from __future__ import annotations

import asyncio
import inspect

import numpy as np
import pytest

from firmware_bridge.frames import Channel, Quantity
from firmware_bridge.recordings import Recording
from firmware_bridge.simulators.commands import COMMANDS
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.control import Control, ask, obey
from firmware_bridge.simulators.dm_ecg import DmEcg
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet
from firmware_bridge.simulators.replay import Player


@pytest.fixture
def outlets(tmp_path):
    outlet = Outlet("ttyECG0", DmEcg(Patient(500)), tmp_path)
    outlet.plug()
    other = Outlet("ttyO2", DmEcg(Concentrator(50)), tmp_path)
    yield {"ecg": outlet, "o2": other}
    outlet.close()


EXAMPLES = {
    "rate 120": lambda o, p: p.rate_bpm == 120,
    "rhythm vf": lambda o, p: p.rhythm == "vf",
    "ec13 3c": lambda o, p: (p.rhythm, p.rate_bpm) == ("alternating", 120),
    "vt 206": lambda o, p: p.vt_bpm == 206,
    "pvc 6": lambda o, p: p.pvc_per_minute == 6,
    "pause 3": lambda o, p: p._pause_s == 3,
    "st 0.2 V3": lambda o, p: (p.st_mv, p.st_lead) == (0.2, "V3"),
    "t 1.2": lambda o, p: p.t_mv == 1.2,
    "amplitude 0.5": lambda o, p: p.amplitude == 0.5,
    "breaths 20": lambda o, p: p.breaths_per_minute == 20,
    "spo2 88": lambda o, p: p.spo2_pct == 88,
    "electrode V4 off": lambda o, p: p.electrodes_off == {"V4"},
    "loose noise": lambda o, p: p.loose == "noise",
    "noise muscle 0.1": lambda o, p: p.muscle_mv == 0.1,
    "pops 30": lambda o, p: p.pops_per_hour == 30,
    "mains 60": lambda o, p: p.mains_hz == 60,
    "apnoea 20 obstructive": lambda o, p: "obstructive_apnoea" in after(p, 10),
    "apnoea 15 central": lambda o, p: "central_apnoea" in after(p, 10),
    "hypopnoea 20": lambda o, p: "hypopnoea" in after(p, 10),
    "cheyne on": lambda o, p: "cheyne_stokes" in after(p, 1),
    "tidal 700": lambda o, p: p.lungs.tidal_ml == 700,
    "flattening 0.6": lambda o, p: p.lungs.flow_limitation == 0.6,
    "snore 2": lambda o, p: p.lungs.snore == 2,
    "mask off": lambda o, p: not p.lungs.mask_on,
    "leak 30": lambda o, p: p.lungs.leak_lpm == 30,
    "cpap 12": lambda o, p: p.lungs.cpap_cm_h2o == 12,
    "support 6": lambda o, p: p.lungs.support_cm_h2o == 6,
    "epr 2": lambda o, p: p.lungs.epr_cm_h2o == 2,
    "ramp 600": lambda o, p: not after(p, 5) and p.lungs.set_pressure_cm_h2o < 5,
    "desat 84 60": lambda o, p: "desaturation" in after(p, 30),
    "finger off": lambda o, p: p.numbers.spo2_pct is None,
    "perfusion 0.4": lambda o, p: p.blood.perfusion_pct == 0.4,
    "events": lambda o, p: True,
    "unplug": lambda o, p: not o.plugged,
    "plug ttyECG7": lambda o, p: o.path.name == "ttyECG7" and o.path.exists(),
    "stall 3": lambda o, p: o.faults.apply(b"x", 0) == b"",
    "drop 1": lambda o, p: o.faults.apply(b"abc", 0) == b"",
    "dropbyte 1": lambda o, p: o.faults.apply(b"abc", 0) == b"ac",
    "duplicate 1": lambda o, p: o.faults.apply(b"abc", 0) == b"aabbcc",
    "corrupt 1": lambda o, p: o.faults.apply(b"abc", 0) != b"abc",
    "garbage 200": lambda o, p: len(o.faults.apply(b"", 0)) == 200,
    "state": lambda o, p: True,
}


OF_A_CONCENTRATOR = {
    "purity 80": lambda m: m.purity_pct == 80,
    "o2flow 2": lambda m: m.flow_lpm == 2,
    "motor 2000": lambda m: m.motor_rpm == 2000,
    "valve stuck": lambda m: m.faults == {"stuck_valve"},
    "compressor worn": lambda m: m.faults == {"worn_compressor"},
    "fan stopped": lambda m: m.faults == {"still_fan"},
    "outlet blocked": lambda m: m.faults == {"blocked_outlet"},
    "power battery": lambda m: not m.on_mains,
    "battery 15": lambda m: m.battery_pct == 15,
}


def after(body, seconds):
    """The kinds of events that have begun within so many seconds."""
    body.take(round(seconds * body.rate_hz))
    return [str(event.kind) for event in body.events]


def test_every_command_has_an_example():
    assert {line.split()[0] for line in [*EXAMPLES, *OF_A_CONCENTRATOR]} == set(COMMANDS)


@pytest.mark.parametrize("line", OF_A_CONCENTRATOR)
def test_command_to_a_concentrator_does_what_it_says(outlets, line):
    machine = outlets["o2"].board.body
    assert obey(outlets, f"o2 {line}") == "ok"
    assert OF_A_CONCENTRATOR[line](machine)
    word = line.split()[0]
    if word in {"valve", "compressor", "outlet", "fan"}:
        assert obey(outlets, f"o2 {word} ok") == "ok"
        assert machine.faults == set()


def test_what_a_body_has_not_is_refused(outlets):
    assert "there is no oxygen concentrator" in obey(outlets, "ecg purity 80")
    assert "oxygen concentrator, there is no patient" in obey(outlets, "o2 apnoea 20 central")
    assert obey(outlets, "o2 state").startswith("ok dm_ecg unplugged idle")
    assert "oxygen=20.9" in obey(outlets, "o2 state")


def test_truth_is_told_last_event_first(outlets):
    assert obey(outlets, "ecg events") == "ok none"
    body = outlets["ecg"].board.body
    body.take(1000)
    obey(outlets, "ecg leak 40")
    obey(outlets, "ecg apnoea 12 central")
    body.take(500 * 30)
    told = obey(outlets, "ecg events").removeprefix("ok ").split("; ")
    assert [line.split()[0] for line in told] == ["central_apnoea", "leak"]
    assert told[1] == "leak 2.00 inf 40"


@pytest.mark.parametrize("line", EXAMPLES)
def test_command_does_what_it_says(outlets, line):
    answer = obey(outlets, f"ecg {line}")
    assert answer in {"ok", "ok none"} or (line == "state" and answer.startswith("ok dm_ecg"))
    assert EXAMPLES[line](outlets["ecg"], outlets["ecg"].board.body)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "say an outlet and a command, or help"),
        ("ecg", "say an outlet and a command, or help"),
        ("eeg rate 72", "no outlet 'eeg': one of ecg, o2"),
        ("ecg dance", "no command 'dance': one of rate, rhythm"),
        ("ecg rate", "a number is missing"),
        ("ecg rate fast", "'fast' is not a number"),
        ("ecg rate nan", "rate_bpm must be 15 to 300 bpm"),
        ("ecg rhythm", "no rhythm ''"),
        ("ecg rhythm vg", "no rhythm 'vg': one of sinus"),
        ("ecg electrode V4", "one of on, off is missing"),
        ("ecg electrode V9 off", "no electrode 'V9'"),
        ("ecg noise hum 1", "one of muscle, mains, wander is missing"),
        ("ecg plug ../x", "plain file name"),
        ("ecg drop 2", "a probability must be 0 to 1"),
        ("ecg apnoea 20", "one of obstructive, central is missing"),
        ("ecg apnoea 900 central", "an event must last 1 to 300 s"),
        ("ecg desat 99 60", "less than 97 %"),
        ("ecg mask", "one of on, off is missing"),
        ("ecg cpap 40", "cpap_cm_h2o must be 0 to 30 cmH2O"),
        ("o2 valve open", "one of stuck, ok is missing"),
        ("o2 purity 99", "purity_pct must be 20.9 to 95.6 %"),
        ("ecg garbage inf", "'inf' is not a whole number"),
    ],
)
def test_wrong_lines_get_one_line_of_reason(outlets, line, says):
    answer = obey(outlets, line)
    assert answer.startswith("error: ")
    assert says in answer
    assert "\n" not in answer


def test_a_recording_has_no_rhythm(tmp_path):
    channel = Channel("II", Quantity.ECG, "mV", 0.001)
    recording = Recording("r", 500, (channel,), 10, lambda a, b: np.zeros((1, b - a), dtype=np.int32))
    outlets = {"ecg": Outlet("tty", DmEcg(Player(recording)), tmp_path)}
    assert obey(outlets, "ecg rhythm vf").startswith("error: this board plays a recording")
    assert obey(outlets, "ecg state").startswith("ok dm_ecg unplugged idle")


def test_help_names_every_command_in_one_line(outlets):
    answer = obey(outlets, "help")
    assert all(command.usage in answer for command in COMMANDS.values())
    assert "\n" not in answer
    assert inspect.cleandoc(answer).startswith("ok ")


async def test_socket_answers_each_line_and_ends_clean(tmp_path, outlets):
    control = Control(tmp_path / "control.sock", outlets)
    task = asyncio.create_task(control.run(), name="control")
    await control.listening.wait()
    answers = [
        await asyncio.to_thread(ask, control.path, line)
        for line in ("ecg rate 120", "ecg rate 1", "nonsense")
    ]
    assert answers[0] == "ok"
    assert answers[1].startswith("error: rate_bpm must be")
    assert answers[2].startswith("error: ")

    reader, writer = await asyncio.open_unix_connection(control.path)
    writer.write(b"ecg rate 90\necg rhythm af\n")
    assert await reader.readline() == b"ok\n"
    assert await reader.readline() == b"ok\n"
    writer.write(b"x" * 5000 + b"\n")
    assert await reader.readline() == b"error: the line is too long\n"
    assert await reader.read() == b""
    writer.close()

    _, idle = await asyncio.open_unix_connection(control.path)
    control.close()
    async with asyncio.timeout(5):
        await task
    idle.close()
    assert not control.path.exists()
    assert outlets["ecg"].board.body.rate_bpm == 90
