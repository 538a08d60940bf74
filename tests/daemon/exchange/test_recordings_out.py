"""Real recordings through the store and out again: read by somebody else, every count is the file's own."""

from __future__ import annotations

import numpy as np
import pydicom
import pyedflib
import pytest
import wfdb

from daemon.model.signals import Stream
from firmware_bridge.recordings import open_recording
from tests.daemon.exchange.recorded_house import record

pytestmark = pytest.mark.recordings


async def stored(tmp_path, path, seconds):
    """The first seconds of a recording, as a device would have given them."""
    recording = open_recording(path)
    n = round(seconds * recording.rate_hz)
    of = Stream("REC-1", "ecg", recording.rate_hz, recording.channels)
    return await record(tmp_path, seconds, rate_hz=recording.rate_hz, of=of, counts=recording.counts(0, n))


async def test_a_twelve_lead_ecg_of_a_patient(tmp_path, recordings):
    """PTB s0010_re: 1000 Hz, fifteen channels of which twelve are leads."""
    (path,) = (recordings / "ptbdb").rglob("s0010_re.hea")
    recorded = await stored(tmp_path, path, 10)
    folder, _ = recorded.made("wfdb")
    read = wfdb.rdrecord(str(folder / recorded.name), physical=False)
    np.testing.assert_array_equal(read.d_signal.T, recorded.counts)
    data = pydicom.dcmread(recorded.made("dicom", "out.dcm")[0])
    group = data.WaveformSequence[0]
    counts = np.frombuffer(group.WaveformData, "<i2").reshape(-1, group.NumberOfWaveformChannels).T
    labels = [c.ChannelLabel for c in group.ChannelDefinitionSequence]
    assert labels[:12] == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    original = wfdb.rdrecord(str(path)[:-4], physical=False, sampto=10_000)
    names = [name.lower() for name in original.sig_name]
    for label, row in zip(labels[:12], counts, strict=False):
        np.testing.assert_array_equal(row, original.d_signal[:, names.index(label.lower())])


async def test_two_leads_of_a_day(tmp_path, recordings):
    """MIT-BIH 100: 360 Hz, an offset of 1024 counts."""
    path = recordings / "mitdb" / "100.hea"
    recorded = await stored(tmp_path, path, 30)
    original = wfdb.rdrecord(str(path)[:-4], physical=False, sampto=10_800).d_signal.T
    file, _ = recorded.made("edf", "out.edf")
    with pyedflib.EdfReader(str(file)) as read:
        np.testing.assert_array_equal(np.stack([read.readSignal(k, digital=True) for k in (0, 1)]), original)
    folder, _ = recorded.made("wfdb")
    again = wfdb.rdrecord(str(folder / recorded.name))
    first = wfdb.rdrecord(str(path)[:-4], sampto=10_800)
    np.testing.assert_allclose(again.p_signal, first.p_signal, atol=1e-9)
