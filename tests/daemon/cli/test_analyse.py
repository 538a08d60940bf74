"""`vitald analyse`: JSON lines in the order in which they were said; bad input is one line and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import edfio
import numpy as np
import pytest

from daemon.cli import main


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
def test_a_wfdb_record_is_read_and_mlii_answers_to_ii(recordings, capsys):
    record = recordings / "mitdb" / "100"
    by_name = lines_of(capsys, record, "--lead", "MLII")
    assert by_name == lines_of(capsys, record, "--lead", "II")
    assert sum(line["type"] == "beat" for line in by_name) == pytest.approx(2273, abs=3)


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
