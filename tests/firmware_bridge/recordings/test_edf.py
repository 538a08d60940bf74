"""EDF: the file's own digital values, its scale, and one clear line for each kind of bad file."""

from __future__ import annotations

import edfio
import numpy as np
import pytest

from firmware_bridge.frames import Quantity
from firmware_bridge.recordings import BadRecording, open_recording


def signal(label, rate_hz=500, seconds=4, unit="mV", seed=0, **options):
    data = np.random.default_rng(seed).uniform(-1, 1, int(rate_hz * seconds))
    options.setdefault("physical_range", (-2.0, 2.0))
    return edfio.EdfSignal(data, sampling_frequency=rate_hz, label=label, physical_dimension=unit, **options)


@pytest.fixture
def write(tmp_path):
    def write(*signals, name="night.edf"):
        path = tmp_path / name
        edfio.Edf(list(signals), data_record_duration=1).write(path)
        return path

    return write


def test_counts_are_the_files_own_and_scale_to_its_values(write):
    signals = [signal(label, seed=k) for k, label in enumerate(("ECG I", "ECG II", "ecg v1"))]
    recording = open_recording(write(*signals))

    assert [c.name for c in recording.channels] == ["I", "II", "V1"]
    assert (recording.name, recording.rate_hz, recording.n) == ("night", 500, 2000)
    counts = recording.counts(0, 2000)
    assert counts.dtype == np.int32
    assert counts.flags.c_contiguous
    for k, s in enumerate(signals):
        channel = recording.channels[k]
        assert np.array_equal(counts[k], s.digital)
        assert np.allclose((counts[k] - channel.offset) * channel.gain, s.data, atol=1e-12)
        assert (channel.unit, channel.quantity) == ("mV", Quantity.ECG)
        assert (channel.low, channel.high) == (-32768, 32767)


def test_any_span_is_the_same_samples(write):
    recording = open_recording(write(signal("II", seconds=6)))
    whole = recording.counts(0, recording.n)
    for start, stop in ((0, 1), (499, 501), (1234, 2777), (2999, 3000), (5, 5)):
        assert np.array_equal(recording.counts(start, stop), whole[:, start:stop])
    with pytest.raises(ValueError, match="are not within"):
        recording.counts(0, recording.n + 1)


def test_microvolts_are_given_in_millivolts(write):
    s = signal("V5", unit="uV", physical_range=(-3000.0, 3000.0))
    recording = open_recording(write(s))
    channel = recording.channels[0]
    values = (recording.counts(0, 100)[0] - channel.offset) * channel.gain
    assert channel.unit == "mV"
    assert np.allclose(values, s.data[:100] / 1000, atol=1e-12)


def test_highest_rate_of_the_ecg_channels_is_taken_and_the_rest_is_named(write):
    recording = open_recording(
        write(signal("ECG II", 250), signal("V1", 500), signal("Flow", 25, unit="L/s"), signal("V2", 500))
    )
    assert recording.rate_hz == 500
    assert [c.name for c in recording.channels] == ["V1", "V2"]
    assert recording.left_out == ("II (250 Hz)", "Flow (25 Hz)")


def test_equal_names_are_told_apart(write):
    recording = open_recording(write(signal("ECG"), signal("ECG"), signal("MLII")))
    assert [c.name for c in recording.channels] == ["ECG", "ECG 2", "MLII"]


def test_bad_files_get_one_clear_line(write, tmp_path):
    good = write(signal("II")).read_bytes()
    cases = {
        "missing.edf": (None, "no such file"),
        "empty.edf": (b"", "the file is empty"),
        "text.edf": (b"hello", "not an EDF file"),
        "noise.edf": (bytes(range(256)) * 9, "not an EDF file"),
        "header.edf": (good[:300], "the EDF header is damaged"),
        "torn.edf": (good[:-700], r"truncated"),
        "letters.edf": (good[:236] + b"xx      " + good[244:], "the EDF header is damaged"),
        "pieces.edf": (good[:192] + b"EDF+D" + good[197:], "discontinuous"),
        "scale.edf": (good.replace(b"-32768  ", b"32767   "), "scale|not a readable"),
    }
    for name, (data, says) in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(BadRecording, match=says) as caught:
            open_recording(path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_file_without_signals_or_records(write, tmp_path):
    good = write(signal("II")).read_bytes()
    path = tmp_path / "short.edf"
    path.write_bytes(good[:236] + b"0       " + good[244:512])
    with pytest.raises(BadRecording):
        open_recording(path)


@pytest.mark.recordings
def test_real_edf_files_read_as_edfio_says(recordings):
    path = next(iter(sorted((recordings / "resmed").rglob("*BRP.edf"))))
    recording = open_recording(path)
    expected = edfio.read_edf(path)
    by_rate = [s for s in expected.signals if s.sampling_frequency == recording.rate_hz]
    assert len(by_rate) == len(recording.channels)
    counts = recording.counts(0, recording.n)
    for k, s in enumerate(by_rate):
        assert np.array_equal(counts[k], s.digital)
        channel = recording.channels[k]
        assert np.allclose((counts[k] - channel.offset) * channel.gain, s.data, atol=1e-9)
