"""`vitald analyse`: JSON lines in the order in which they were said; bad input is one line and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import edfio
import numpy as np
import pytest

from daemon.cli import analyse, main
from daemon.words import say
from firmware_bridge.recordings import open_recording
from firmware_bridge.simulators.patient import Patient
from tests.accuracy import ec57


def lines_of(capsys, *arguments):
    assert main(["analyse", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def edf(tmp_path):
    """An EDF file made by edfio: lead II of a plain rhythm of 75 bpm, and a channel that is no ECG."""
    rate, seconds = 250, 40
    t = np.arange(rate * seconds) / rate
    beat = sum(
        a * np.exp(-(((t % 0.8) - c) ** 2) / (2 * s * s))
        for a, c, s in ((1.0, 0.3, 0.012), (0.2, 0.55, 0.05))
    )
    noise = np.random.default_rng(1).normal(0, 0.01, t.size)
    signals = [
        edfio.EdfSignal(beat + noise, rate, label="ECG II", physical_dimension="mV", physical_range=(-3, 3)),
        edfio.EdfSignal(np.sin(t), rate, label="SpO2", physical_dimension="%", physical_range=(-2, 2)),
    ]
    path = tmp_path / "rec.edf"
    edfio.Edf(signals).write(path)
    return path


def test_edf_beats_and_rate_in_the_order_they_were_said(edf, capsys):
    lines = lines_of(capsys, edf)
    beats = [line["t"] for line in lines if line["type"] == "beat"]
    rates = [line["heart_rate"] for line in lines if line.get("heart_rate") is not None]
    said = [line["reported_at"] for line in lines]

    assert said == sorted(said)
    assert all(line["reported_at"] >= line["t"] - 1e-3 for line in lines)
    assert np.allclose(np.diff(beats[2:]), 0.8, atol=0.03)
    assert 45 <= len(beats) <= 50
    assert rates[-1] == pytest.approx(75, abs=1)


def test_a_lead_is_chosen_by_name_or_place(edf, capsys):
    assert lines_of(capsys, edf, "--lead", "II") == lines_of(capsys, edf, "--lead", "1")


@pytest.mark.recordings
def test_mlii_answers_to_ii(recordings):
    recording = open_recording(recordings / "mitdb" / "100")
    (by_name, rows), by_place = analyse.chosen(recording, "MLII"), analyse.chosen(recording, "1")

    assert (by_name, rows) == analyse.chosen(recording, "II") == by_place
    assert [channel.name for channel in by_name.channels] == ["MLII"]
    assert rows == [0]


@pytest.mark.recordings
def test_a_wfdb_record_is_read_to_its_end(recordings, capsys):
    record = recordings / "cpsc2021" / "data_101_6"
    lines = lines_of(capsys, record, "--lead", "1")
    _, marks, _, _, seconds = ec57.read_reference(str(record.parent), record.name, "atr")
    beats = [line["t"] for line in lines if line["type"] == "beat"]

    assert len(beats) == pytest.approx(sum(mark in ec57.BEATS for mark in marks), abs=3)
    assert seconds - 3 < beats[-1] < lines[-1]["reported_at"] <= seconds + 0.1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none", None),
        ("empty.edf", b""),
        ("garbage.edf", b"\x00\xff" * 400),
        ("text", b"hello"),
        ("x.csv", b"a,b\n1,2\n"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, capsys, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    assert main(["analyse", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert name in said.err


def test_an_unknown_lead_names_those_there_are(edf, capsys):
    assert main(["analyse", str(edf), "--lead", "V9"]) == 2
    assert "there are II" in capsys.readouterr().err


def test_a_reader_that_stops_early_is_no_error(edf):
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "analyse", str(edf)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(20) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def twelve_leads(path, seconds=10):
    """An EDF file of a heart of the simulator, as a 12-lead recorder writes it."""
    mv = Patient(500.0, seed=3).next(seconds * 500).T
    names = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    signals = [
        edfio.EdfSignal(x, 500, label=f"ECG {name}", physical_dimension="mV", physical_range=(-5, 5))
        for name, x in zip(names, mv, strict=True)
    ]
    edfio.Edf(signals).write(path)
    return path


def test_ten_seconds_of_twelve_leads_end_with_measurements_and_unconfirmed_conclusions(tmp_path, capsys):
    lines = lines_of(capsys, twelve_leads(tmp_path / "twelve.edf"))
    last = [line for line in lines if line["type"] == "conclusions"][-1]
    st = [line for line in lines if line.get("st_j60") is not None]

    assert {line["lead"] for line in st} == {
        "I",
        "II",
        "III",
        "aVR",
        "aVL",
        "aVF",
        *(f"V{k}" for k in range(1, 7)),
    }
    assert all(line["unit"] == "mV" for line in st)
    assert last["reported_at"] == 10.0
    assert all(one["unconfirmed"] is True for one in last["statements"])
    sinus = next(one for one in last["statements"] if one["statement"] == "sinus_rhythm")
    assert sinus["text"] == say("statement.sinus_rhythm") != "statement.sinus_rhythm"
    assert {"name", "lead", "value", "unit", "relation", "limit"} == set(sinus["criteria"][0])


def stopping(path, sinus_s=20, still_s=15):
    """An EDF file of one lead: a heart of the simulator that stops, and beats again."""
    heart = Patient(250.0, seed=3)
    parts = []
    for rhythm, seconds in (("sinus", sinus_s), ("asystole", still_s), ("sinus", sinus_s)):
        heart.rhythm = rhythm
        parts.append(heart.next(seconds * 250).T[1])
    edfio.Edf(
        [
            edfio.EdfSignal(
                np.concatenate(parts), 250, label="ECG II", physical_dimension="mV", physical_range=(-5, 5)
            )
        ]
    ).write(path)
    return path


def test_an_alarm_is_said_when_it_begins_and_when_its_condition_is_gone(tmp_path, capsys):
    lines = lines_of(capsys, stopping(tmp_path / "stops.edf"))
    alarms = [line for line in lines if line["type"] == "alarm"]
    on, off = [line for line in alarms if line["alarm"] in {"ASYSTOLE", "FLAT ECG"}]
    said = [line["reported_at"] for line in lines]

    assert said == sorted(said)
    assert (on["state"], off["state"], on["priority"]) == ("on", "off", "high")
    assert 18 <= on["t"] <= 22
    assert 20 < on["reported_at"] <= on["t"] + 10
    assert 35 <= off["reported_at"] <= 45
    assert {"alarm", "priority", "state", "value", "limit", "t", "reported_at"} <= set(on)


def test_alarms_do_not_depend_on_how_the_recording_is_cut(tmp_path, capsys, monkeypatch):
    path = stopping(tmp_path / "stops.edf")
    whole = lines_of(capsys, path)
    monkeypatch.setattr(analyse, "SECONDS_A_BLOCK", 0.7)
    cut = lines_of(capsys, path)
    assert [x for x in whole if x["type"] == "alarm"] == [x for x in cut if x["type"] == "alarm"]


def test_limits_of_a_file_and_of_the_challenge(edf, tmp_path, capsys):
    limits = tmp_path / "limits.json"
    limits.write_text('{"hr_high": {"above": 70, "delay_s": 0}}')
    plain, strict, challenge = (
        [x for x in lines_of(capsys, edf, *options) if x["type"] == "alarm"]
        for options in ((), ("--limits", limits), ("--limits", "challenge"))
    )
    assert plain == challenge == []
    [alarm] = strict
    assert (alarm["alarm"], alarm["state"], alarm["limit"], alarm["priority"]) == (
        "HR HIGH",
        "on",
        70.0,
        "medium",
    )
    assert alarm["value"] == pytest.approx(75, abs=2)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "[1]",
        "{",
        '{"hr_high": 5}',
        '{"hr_high": {"above": 5}}',
        '{"hr_high": {"above": "x"}}',
        '{"no_such": {"above": 5}}',
        '{"asystole": {"on": false}}',
    ],
)
def test_limits_that_cannot_be_are_one_line_and_exit_2(edf, tmp_path, capsys, content):
    limits = tmp_path / "limits.json"
    if content is not None:
        limits.write_text(content)
    assert main(["analyse", str(edf), "--limits", str(limits)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "limits.json" in said.err
