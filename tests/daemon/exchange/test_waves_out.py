"""Waves, read back by readers that are not ours: bit for bit where the format can, and what cannot be said refused."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pydicom
import pyedflib
import pytest
import wfdb

from daemon.exchange.session_dicom import AMBULATORY, GENERAL, GENERAL_32, TWELVE_LEAD, kind_of
from daemon.exchange.session_wfdb import coded_marks
from daemon.exchange.stretch import NotExportable
from firmware_bridge.recordings import open_recording
from tests.daemon.exchange.readers import aecg_rows, biosig, dciodvfy
from tests.daemon.exchange.recorded_house import LEADS, record, stream, walk


def test_edf_by_pyedflib(whole):
    path, made = whole.made("edf", "out.edf")
    with pyedflib.EdfReader(str(path)) as file:
        rows = [file.readSignal(i, digital=True) for i in range(file.signals_in_file)]
        assert file.getSignalLabels() == [f"ECG {lead}" for lead in LEADS]
        assert file.getStartdatetime() == datetime(2025, 1, 8, 12, 34, 56)  # noqa: DTZ001 - as pyedflib has it
    np.testing.assert_array_equal(np.stack(rows), whole.counts)
    assert made.count == whole.counts.size


@pytest.mark.parametrize("form", ["edf", "bdf"])
def test_edf_and_bdf_with_gaps_by_pyedflib(torn, form):
    path, _ = torn.made(form, f"out.{form}")
    with pyedflib.EdfReader(str(path)) as file:
        rows = np.stack([file.readSignal(i, digital=True) for i in range(8)])
        lowest = [file.getDigitalMinimum(i) for i in range(8)]
        notes = list(zip(*file.readAnnotations(), strict=True))
        volts = file.readSignal(1)
    for row, counts, bottom in zip(rows, torn.counts, lowest, strict=True):
        np.testing.assert_array_equal(row, np.where(torn.present, counts, bottom))
        assert bottom < counts[torn.present].min()
    np.testing.assert_allclose(volts[torn.present], torn.counts[1][torn.present] * 0.005, atol=1e-5)
    told = {(float(onset), text) for onset, _, text in notes}
    assert {(4.0, "missing: noise"), (2.0, "rhythm: AFIB"), (3.0, "alarm: hr_high")} <= told


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-163.84, "-163.84"),
        (1 / 3, "0.333333"),
        (-1 / 3, "-0.33333"),
        (-1e-7, "-0.00000"),
        (12345678.9, "12345679"),
        (5242.875, "5242.875"),
    ],
)
def test_numbers_of_the_header_have_eight_letters(value, text):
    from daemon.exchange.edf_file import number

    assert number(value) == text


@pytest.mark.parametrize("bits", [16, 24, 32])
async def test_wfdb_is_bit_for_bit_in_every_width(tmp_path, bits):
    scale = {16: 1, 24: 200, 32: 60_000}[bits]
    recorded = await record(
        tmp_path, 4, of=stream(500.0, bits=bits, offset=3.0), counts=walk(8, 2000, scale=scale)
    )
    folder, _ = recorded.made("wfdb")
    read = wfdb.rdrecord(str(folder / recorded.name), physical=False)
    np.testing.assert_array_equal(read.d_signal.T, recorded.counts)
    assert (read.fmt, read.fs, read.sig_name) == ([str(bits)] * 8, 500, list(LEADS))
    assert read.baseline == [3] * 8
    physical = wfdb.rdrecord(str(folder / recorded.name)).p_signal.T
    np.testing.assert_allclose(physical, (recorded.counts - 3) * 0.005, rtol=1e-9)


async def test_wfdb_of_a_device_that_said_too_little_is_wider(tmp_path):
    """A sample beyond what the device said of its converter is not cut: the record becomes wider."""
    counts = walk(8, 1000)
    counts[3, 500] = 2**15
    recorded = await record(tmp_path, 2, counts=counts)
    folder, _ = recorded.made("wfdb")
    read = wfdb.rdrecord(str(folder / recorded.name), physical=False)
    assert set(read.fmt) == {"24"}
    np.testing.assert_array_equal(read.d_signal.T, counts)


def test_wfdb_has_gaps_beats_and_rhythms_at_their_samples(torn):
    folder, _ = torn.made("wfdb")
    read = wfdb.rdrecord(str(folder / torn.name))
    np.testing.assert_array_equal(np.isnan(read.p_signal[:, 0]), ~torn.present)
    marks = wfdb.rdann(str(folder / torn.name), "atr")
    told = list(zip(marks.sample.tolist(), marks.symbol, marks.aux_note, strict=True))
    assert (1625, "V", "") in told
    assert (1000, "+", "(AFIB") in told
    assert (2000, '"', "missing: noise") in told
    assert {s for s, symbol, _ in told if symbol == "N"} == {
        125 + 500 * k for k in (0, 1, 2, 5, 6, 7, 9, 10, 11)
    } | {2225}
    assert read.base_datetime == datetime(2025, 1, 8, 12, 34, 56)  # noqa: DTZ001 - as wfdb has it


def test_annotations_far_apart_are_read_where_they_are(tmp_path):
    marks = [(0, 1, ""), (1023, 5, ""), (2047, 28, "(VT"), (70_000_000, 1, ""), (70_000_001, 22, "odd")]
    (tmp_path / "far.atr").write_bytes(coded_marks(marks))
    read = wfdb.rdann(str(tmp_path / "far"), "atr")
    assert read.sample.tolist() == [at for at, _, _ in marks]
    assert read.aux_note == [text for _, _, text in marks]


@pytest.mark.parametrize("form", ["whole", "torn"])
def test_dicom_by_pydicom_and_dciodvfy(request, form):
    recorded = request.getfixturevalue(form)
    path, _ = recorded.made("dicom", "out.dcm")
    data = pydicom.dcmread(path)
    (group,) = data.WaveformSequence
    counts = np.frombuffer(group.WaveformData, "<i2").reshape(-1, group.NumberOfWaveformChannels).T
    np.testing.assert_array_equal(counts, np.where(recorded.present, recorded.counts, -(2**15)))
    assert data.SOPClassUID == TWELVE_LEAD
    np.testing.assert_allclose(
        data.waveform_array(0)[:, 0][recorded.present], recorded.counts[0][recorded.present] * 5.0
    )
    sources = [c.ChannelSourceSequence[0] for c in group.ChannelDefinitionSequence]
    assert [(c.CodeValue, c.CodingSchemeDesignator) for c in sources] == [
        (f"2:{n}", "MDC") for n in range(1, 9)
    ]
    assert (data.PatientName, data.PatientID, data.PatientSex, data.PatientAge) == (
        "Müller-Žák^Erika",
        "MRN-77",
        "F",
        "074Y",
    )
    assert data.AcquisitionDateTime == "20250108123456.000000+0000"
    dciodvfy(path)


@pytest.mark.parametrize(
    ("rate_hz", "n", "bits", "kind"),
    [
        (500.0, 2000, 16, TWELVE_LEAD),
        (500.0, 20_000, 16, GENERAL),
        (125.0, 500, 16, AMBULATORY),
        (250.0, 500, 24, GENERAL_32),
    ],
)
async def test_each_kind_of_dicom_waveform_is_without_errors(tmp_path, rate_hz, n, bits, kind):
    counts = walk(8, n, scale=200 if bits == 24 else 1)
    recorded = await record(
        tmp_path, round(n / rate_hz), rate_hz=rate_hz, of=stream(rate_hz, bits=bits), counts=counts
    )
    path, _ = recorded.made("dicom", "out.dcm")
    data = pydicom.dcmread(path)
    assert data.SOPClassUID == kind
    word = "<i4" if kind == GENERAL_32 else "<i2"
    np.testing.assert_array_equal(
        np.frombuffer(data.WaveformSequence[0].WaveformData, word).reshape(-1, 8).T, counts
    )
    if kind != GENERAL_32:  # younger than Debian's dciodvfy
        dciodvfy(path)


def test_a_channel_that_is_no_lead_makes_it_a_general_ecg():
    channels = list(stream(500.0, leads=("I", "A1")).channels)
    assert kind_of(500.0, 100, channels, wide=False) == GENERAL
    assert kind_of(500.0, 100, channels[:1], wide=False) == GENERAL


def test_a_report_within_dicom(whole, tmp_path):
    pdf = tmp_path / "report.pdf"
    pdf.write_bytes(b"%PDF-1.7\nodd" + b"x" * 1000)
    path, _ = whole.made("dicom-pdf", "out.dcm", pdf=pdf)
    data = pydicom.dcmread(path)
    assert data.EncapsulatedDocument[: data.EncapsulatedDocumentLength] == pdf.read_bytes()
    assert data.MIMETypeOfEncapsulatedDocument == "application/pdf"
    dciodvfy(path)
    with pytest.raises(NotExportable, match="--pdf"):
        whole.made("dicom-pdf", "no.dcm")
    pdf.write_bytes(b"hello")
    with pytest.raises(NotExportable, match="not a PDF"):
        whole.made("dicom-pdf", "no.dcm", pdf=pdf)


def test_aecg_has_a_sequence_set_for_each_unbroken_stretch(torn):
    path, _ = torn.made("aecg", "out.xml")
    sets = aecg_rows(path)
    assert [head for head, _ in sets] == [
        "20250108123456.000+0000",
        "20250108123500.200+0000",
        "20250108123505.000+0000",
    ]
    joined = np.concatenate([np.stack(list(rows.values())) for _, rows in sets], axis=1)
    np.testing.assert_array_equal(joined, torn.counts[:, torn.present])
    assert list(sets[0][1]) == [f"MDC_ECG_LEAD_{lead.upper()}" for lead in LEADS]


def test_aecg_by_biosig(whole, tmp_path):
    path, _ = whole.made("aecg", "out.xml")
    np.testing.assert_allclose(biosig(path, tmp_path, 6000), whole.counts * 5.0, atol=1e-6)


def test_scp_by_biosig_and_by_our_own_reader(whole, tmp_path):
    path, _ = whole.made("scp", "out.scp")
    np.testing.assert_allclose(biosig(path, tmp_path, 6000), whole.counts * 5.0, atol=1e-6)
    read = open_recording(path)
    np.testing.assert_array_equal(read.counts(0, 6000), whole.counts)
    assert [c.name for c in read.channels] == list(LEADS)
    assert (read.rate_hz, read.channels[0].gain, read.channels[0].unit) == (500.0, pytest.approx(0.005), "mV")


async def test_scp_of_a_gain_that_is_no_whole_nanovolts_is_within_half_a_step(tmp_path):
    recorded = await record(tmp_path, 3, of=stream(500.0, gain=0.0024153, offset=0.5))
    path, _ = recorded.made("scp", "out.scp")
    read = open_recording(path)
    step = read.channels[0].gain
    wanted = (recorded.counts - 0.5) * 0.0024153
    assert np.abs(read.counts(0, 1500) * step - wanted).max() <= step / 2 + 1e-9
    assert step < 0.0024153


@pytest.mark.parametrize(
    ("seconds", "kwargs", "said"),
    [
        (12, {"gaps": True}, "cannot say so"),
        (70, {"rate_hz": 500.0}, "at most"),
        (4, {"rate_hz": 300.0}, "microseconds"),
    ],
)
async def test_what_scp_cannot_hold_is_refused_in_words(tmp_path, seconds, kwargs, said):
    recorded = await record(tmp_path, seconds, **kwargs)
    with pytest.raises(NotExportable, match=said):
        recorded.made("scp", "out.scp")
    assert not (tmp_path / "out.scp").exists()


@pytest.mark.parametrize("form", ["edf", "wfdb", "dicom", "aecg", "scp"])
def test_a_part_of_a_session(whole, form):
    path, _ = whole.made(form, "part.scp" if form == "scp" else "", start_s=2.0, end_s=5.0)
    wanted = whole.counts[:, 1000:2500]
    match form:
        case "edf":
            with pyedflib.EdfReader(str(path)) as file:
                read = np.stack([file.readSignal(i, digital=True) for i in range(8)])
        case "wfdb":
            read = wfdb.rdrecord(str(path / whole.name), physical=False).d_signal.T
        case "dicom":
            read = (
                np.frombuffer(pydicom.dcmread(path).WaveformSequence[0].WaveformData, "<i2").reshape(-1, 8).T
            )
        case "aecg":
            read = np.stack(list(aecg_rows(path)[0][1].values()))
        case _:
            read = open_recording(path).counts(0, 1500)
    np.testing.assert_array_equal(read, wanted)


async def test_a_long_session_is_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    """What is given at once stays as small as a slice, whatever the session's length; the same for a gap of an hour."""
    from daemon.exchange import waves

    recorded = await record(tmp_path, 200, rate_hz=50.0)
    largest = 0
    pieces = waves.Waves.pieces

    def watched(self):
        nonlocal largest
        for piece in pieces(self):
            largest = max(largest, piece.counts.size)
            yield piece

    monkeypatch.setattr(waves.Waves, "pieces", watched)
    folder, made = recorded.made("wfdb")
    assert made.count == recorded.counts.size
    assert largest <= 60 * 50 * 8
    np.testing.assert_array_equal(
        wfdb.rdrecord(str(folder / recorded.name), physical=False).d_signal.T, recorded.counts
    )
