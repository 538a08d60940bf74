"""WFDB, against the `wfdb` package: the record's own digital values, names, gaps, and one clear line for each kind of bad record."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.frames import Quantity
from firmware_bridge.recordings import GAP_S, BadRecording, open_recording
from firmware_bridge.recordings.wfdb_header import BadHeader, parse

# wfdb 4.3's writer (used here only) calls pandas in a way that pandas 3 announces the end of.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")


@pytest.fixture
def write(tmp_path):
    def write(counts, fmt="16", rate_hz=250, names=("MLII", "V5"), gain=200.0, baseline=0, units="mV"):
        k = counts.shape[1]
        wfdb.wrsamp(
            "rec",
            fs=rate_hz,
            units=[units] * k,
            sig_name=list(names)[:k],
            d_signal=counts,
            fmt=[fmt] * k,
            adc_gain=[gain] * k,
            baseline=[baseline] * k,
            write_dir=str(tmp_path),
        )
        return tmp_path / "rec"

    return write


def noise(n, low, high, channels=2, seed=0):
    return np.random.default_rng(seed).integers(low, high, (n, channels))


@pytest.mark.parametrize(
    ("fmt", "low", "high"), [("16", -32767, 32767), ("212", -2047, 2047), ("24", -(2**20), 2**20)]
)
def test_counts_are_the_records_own(write, fmt, low, high):
    counts = noise(1000, low, high)
    recording = open_recording(write(counts, fmt, baseline=7))
    assert np.array_equal(recording.counts(0, 1000), counts.T)
    assert np.array_equal(recording.counts(123, 456), counts.T[:, 123:456])
    assert [c.name for c in recording.channels] == ["MLII", "V5"]
    channel = recording.channels[0]
    assert (channel.gain, channel.offset, channel.unit, channel.quantity) == (1 / 200, 7, "mV", Quantity.ECG)
    assert recording.gaps() == []


def test_names_and_units(write):
    names = ("i", "avr", "PLETH", "RESP", "ABP", "V")
    recording = open_recording(write(noise(500, -100, 100, 6), names=names, units="NU"))
    assert [c.name for c in recording.channels] == ["I", "aVR", "PLETH", "RESP", "ABP", "V"]
    assert [c.quantity.value for c in recording.channels] == [
        "ecg",
        "ecg",
        "ppg_infrared",
        "respiration",
        "pressure",
        "ecg",
    ]
    assert recording.channels[0].unit == "1"


def test_samples_that_are_missing_never_look_like_signal(write):
    counts = noise(1000, -100, 100)
    counts[100:400] = -32768  # both gone: a gap
    counts[500:520] = -32768  # too short for one
    counts[600:900, 0] = -32768  # one channel only
    recording = open_recording(write(counts))

    assert recording.gaps() == [(100, 400)]
    assert GAP_S * recording.rate_hz > 20
    missing = recording.missing(0, 1000)
    read = recording.counts(0, 1000)
    assert np.array_equal(missing, counts.T == -32768)
    low = recording.channels[0].low
    assert (read[missing] < low).all()
    assert (read[~missing] >= low).all()


def test_gap_over_the_edge_of_a_block_and_to_the_end_is_one(write, monkeypatch):
    counts = noise(1000, -100, 100)
    counts[90:310] = counts[900:] = -32768
    recording = open_recording(write(counts))
    monkeypatch.setattr("firmware_bridge.recordings.BLOCK", 100)
    assert recording.gaps() == [(90, 310), (900, 1000)]


def test_channels_of_several_rates(tmp_path):
    fast, slow = np.arange(2000) % 1000, np.arange(500)
    wfdb.wrsamp(
        "multi",
        fs=125,
        units=["mV", "NU"],
        sig_name=["II", "RESP"],
        e_d_signal=[fast, slow],
        samps_per_frame=[4, 1],
        fmt=["16", "16"],
        adc_gain=[200, 1],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    recording = open_recording(tmp_path / "multi.hea")
    assert (recording.rate_hz, recording.n) == (500, 2000)
    assert np.array_equal(recording.counts(0, 2000), fast[None, :])
    assert recording.left_out == ("RESP (125 Hz)",)


def test_long_records_are_read_across_blocks(write):
    counts = noise(140_000, -2000, 2000)
    recording = open_recording(write(counts))
    assert np.array_equal(recording.counts(65_000, 131_500), counts.T[:, 65_000:131_500])
    assert np.array_equal(recording.counts(10, 20), counts.T[:, 10:20])


def test_bad_records_get_one_clear_line(write, tmp_path):
    record = write(noise(1000, -100, 100))
    header = (tmp_path / "rec.hea").read_text()
    dat = (tmp_path / "rec.dat").read_bytes()
    with pytest.raises(BadRecording, match=r"no such file, and no WFDB header nothing.hea"):
        open_recording(tmp_path / "nothing")
    with pytest.raises(BadRecording, match="is a folder"):
        open_recording(tmp_path)
    (tmp_path / "song.mp3").write_bytes(b"la")
    with pytest.raises(BadRecording, match="not a recording known here"):
        open_recording(tmp_path / "song.mp3")

    (tmp_path / "rec.dat").write_bytes(dat[:-100])
    with pytest.raises(BadRecording, match=r"holds 975 of 1000 samples \(truncated\)"):
        open_recording(record)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(BadRecording, match=r"signal file rec.dat is missing"):
        open_recording(record)
    (tmp_path / "rec.dat").write_bytes(dat)
    for text, says in (
        ("", "not a readable WFDB header"),
        ("nonsense\nmore", "not a readable WFDB header|has no signals"),
        (header.replace(" 16 ", " 77 "), "format 77 cannot be read|not a readable"),
        ("rec/2 1 250 2000\na 1000\nb 1000\n", "consists of several segments|not a readable"),
        ("rec 0 250 1000\n", "has no signals"),
        (header.split("\n")[0] + "\n", "not a readable|has no signals"),
        (header.replace("rec 2 250 ", "rec 2 0 "), "0 Hz is no rate|not a readable"),
    ):
        (tmp_path / "rec.hea").write_text(text)
        with pytest.raises(BadRecording, match=says) as caught:
            open_recording(record)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fmt", ["16", "24", "80", "160", "212", "310", "311"])
@pytest.mark.parametrize("start", [0, 1, 7, 100])
def test_every_format_reads_as_wfdb_reads_it(tmp_path, fmt, start):
    """Random bytes: each way of packing, from any sample on, behind a prolog, in frames of three and one samples."""
    raw = np.random.default_rng(int(fmt)).integers(0, 256, 4000, dtype=np.uint8)
    if fmt == "311":
        raw[3::4] &= 0x3F  # two bits of every word belong to no sample
    (tmp_path / "r.dat").write_bytes(raw.tobytes())
    (tmp_path / "r.hea").write_text(
        f"r 2 100/50(3) 180 12:00:00\n# a remark\nr.dat {fmt}x3+16 10(5)/uV 12 0 0 0 0 II\nr.dat {fmt}x3+16 0 12 7 0 0 0 V 1\n"
    )
    expected = wfdb.rdrecord(str(tmp_path / "r"), physical=False, smooth_frames=False).e_d_signal

    recording = open_recording(tmp_path / "r")

    assert np.array_equal(recording.counts(start, 540), np.stack(expected)[:, start:])
    assert [(c.name, c.gain, c.offset) for c in recording.channels] == [
        ("II", 1e-4, 5.0),
        ("V 1", 0.005, 7.0),
    ]


@pytest.mark.parametrize(("fmt", "kind"), [("32", "<i4"), ("61", ">i2")])
def test_formats_that_wfdb_cannot_read_in_frames(tmp_path, fmt, kind):
    raw = np.random.default_rng(5).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    (tmp_path / "r.dat").write_bytes(raw)
    (tmp_path / "r.hea").write_text(f"r 2 100\nr.dat {fmt} 200 12 0 0 0 0 I\nr.dat {fmt} 200 12 0 0 0 0 II\n")
    whole = np.frombuffer(raw, kind).reshape(-1, 2).T

    recording = open_recording(tmp_path / "r")

    assert recording.n == whole.shape[1]
    assert np.array_equal(recording.counts(3, 400), whole[:, 3:400])


def test_a_skewed_signal_is_moved_into_place(tmp_path):
    frames = np.arange(200, dtype="<i2").reshape(100, 2)
    (tmp_path / "r.dat").write_bytes(frames.tobytes())
    (tmp_path / "r.hea").write_text("r 2 100 100\nr.dat 16 200 12 0 0 0 0 I\nr.dat 16:3 200 12 0 0 0 0 II\n")

    recording = open_recording(tmp_path / "r")

    assert np.array_equal(recording.counts(0, 97)[1], frames[3:, 1])
    assert recording.missing(0, 100)[1].tolist() == [False] * 97 + [True] * 3
    assert np.array_equal(recording.counts(40, 50), np.stack([frames[40:50, 0], frames[43:53, 1]]))


@given(st.text(max_size=200))
def test_any_text_is_a_header_or_says_why_not(text):
    try:
        signals = parse(f"r {text}\nr.dat {text}\nr.dat 16 {text}").signals
    except BadHeader as error:
        assert str(error)  # noqa: PT017 - either is right
    else:
        assert all(np.isfinite(signal.gain) for signal in signals)


def test_reading_recordings_loads_no_heavy_package():
    code = (
        "import sys, firmware_bridge.recordings.csv, firmware_bridge.recordings.wfdb\n"
        "print(*{'wfdb', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == ""


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["mitdb/100", "ptbdb/s0010_re", "cinc2015/a104s", "ptbxl/HR06000", "ludb/1"])
def test_real_records_read_as_wfdb_says(recordings, name):
    recording = open_recording(recordings / name)
    expected = wfdb.rdrecord(str(recordings / name), physical=False)
    assert recording.rate_hz == expected.fs
    assert recording.n == expected.sig_len
    stop = min(recording.n, 100_000)
    counts = recording.counts(0, stop)
    assert np.array_equal(counts, expected.d_signal[:stop].T)
    physical = wfdb.rdrecord(str(recordings / name), sampto=stop).p_signal.T
    for k, channel in enumerate(recording.channels):
        values = (counts[k] - channel.offset) * channel.gain
        valid = ~recording.missing(0, stop)[k]
        assert np.allclose(values[valid], physical[k][valid], atol=1e-9)


@pytest.mark.recordings
def test_twelve_leads_of_a_real_record_have_their_names(recordings):
    recording = open_recording(recordings / "ptbdb" / "s0010_re")
    names = [c.name for c in recording.channels][:12]
    assert names == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
