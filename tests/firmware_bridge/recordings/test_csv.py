"""CSV: decimals kept as counts, rates from a comment or a time column, one clear line for bad files."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.recordings import BadRecording, open_recording


@pytest.fixture
def write(tmp_path):
    def write(text, name="strip.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_decimals_become_counts(write):
    recording = open_recording(write("# rate_hz=500\nECG I,ii,V1\n0.125,-1.5,0\n0.130,2.25,3\n"))
    assert (recording.rate_hz, recording.n, recording.name) == (500, 2, "strip")
    assert [c.name for c in recording.channels] == ["I", "II", "V1"]
    assert recording.counts(0, 2).tolist() == [[125, 130], [-150, 225], [0, 3]]
    assert [c.gain for c in recording.channels] == [0.001, 0.01, 1.0]
    assert recording.gaps() == []


@pytest.mark.parametrize("decimals", [1, 3, 4, 6])
def test_values_come_back_exactly(write, decimals):
    values = np.round(np.random.default_rng(1).uniform(-5, 5, (300, 2)), decimals)
    lines = [",".join(f"{v:.{decimals}f}" for v in row) for row in values]
    recording = open_recording(write("# rate_hz = 250\nI,II\n" + "\n".join(lines)))
    gain = np.array([c.gain for c in recording.channels])[:, None]
    assert np.abs(recording.counts(0, 300) * gain - values.T).max() < 1e-9


@pytest.mark.parametrize(("header", "step"), [("time", 0.002), ("t", 0.002), ("time_ms", 2.0)])
def test_rate_follows_from_a_time_column(write, header, step):
    rows = "\n".join(f"{k * step:.3f};{k % 7}" for k in range(1000))
    recording = open_recording(write(f"{header};II\n{rows}\n"))
    assert recording.rate_hz == pytest.approx(500)
    assert [c.name for c in recording.channels] == ["II"]


def test_rate_of_a_coarsely_written_time_column(write):
    rows = "\n".join(f"{k / 360:.3f},{k % 7}" for k in range(2000))
    assert open_recording(write(f"t,II\n{rows}\n")).rate_hz == pytest.approx(360, rel=1e-4)


def test_units_in_the_header(write):
    recording = open_recording(write("# rate_hz=100\nII [uV],RESP (ohm)\n500,1\n-250,2\n"))
    two, respiration = recording.channels
    assert (two.name, two.unit, respiration.name, respiration.unit) == ("II", "mV", "RESP", "ohm")
    assert recording.counts(0, 2)[0] * two.gain == pytest.approx([0.5, -0.25])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("\n\n", "has no header row"),
        ("# rate_hz=500\nI,II\n", "holds no samples"),
        ("I,II\n1,2\n", "no rate"),
        ("# rate_hz=500\n1,2\n3,4\n", "line 2: the header row"),
        ("# rate_hz=fast\nI\n1\n", "line 1: 'fast' is no rate"),
        ("# rate_hz=-5\nI\n1\n", "'-5' is no rate"),
        ("# rate_hz=500\nI,II\n1,2\n1,x\n", "line 4: not 2 numbers"),
        ("# rate_hz=500\nI,II\n1,2\n1\n", "line 4: not 2 numbers"),
        ("# rate_hz=500\nI,II\n1,2\n1,\n", "line 4: not 2 numbers"),
        ("# rate_hz=500\nI,II\n1,2,3\n1,2,3\n", "rows have 3 columns, the header has 2"),
        ("# rate_hz=500\nI,II\n1,2\n1,nan\n", "sample 1 is not a finite number"),
        ("# rate_hz=500\nI\n1e30\n", "beyond 32 bits"),
        ("t,II\n0,1\n0.002,1\n0.5,1\n", "does not rise in even steps"),
        ("t\n0\n0.002\n", "has no channels"),
    ],
)
def test_bad_files_get_one_clear_line(write, text, says):
    with pytest.raises(BadRecording, match=says) as caught:
        open_recording(write(text))
    assert "strip.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_file_is_no_csv(tmp_path):
    (tmp_path / "x.csv").write_bytes(bytes(range(256)))
    with pytest.raises(BadRecording, match="not a text file"):
        open_recording(tmp_path / "x.csv")
