"""What every format keeps: demo data, nobody admitted, a clock that was never set, clocks that change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.parser import parse_message

from daemon.exchange.stretch import NotExportable
from tests.daemon.exchange.readers import dciodvfy, messages, table
from tests.daemon.exchange.recorded_house import S, record

ALL = ("edf", "wfdb", "csv", "dicom", "aecg", "scp", "fhir", "hl7")


@pytest.mark.parametrize("form", ALL)
async def test_demo_data_goes_only_where_that_is_said_and_is_marked(tmp_path, form):
    recorded = await record(tmp_path, 4, demo=True)
    with pytest.raises(NotExportable, match="--demo"):
        recorded.made(form)
    path, _ = recorded.made(form, demo=True)
    files = list(path.iterdir()) if path.is_dir() else [path]
    mark = {
        "edf": b"TEST", "fhir": b"HTEST", "hl7": b"ORU^R01^ORU_R01|", "dicom": b"TEST^", "aecg": b"TEST Erika", "scp": b"TEST",
    }.get(form, b"DEMO - NOT A PATIENT")  # fmt: skip
    assert any(mark in file.read_bytes() for file in files)
    if form == "hl7":
        assert all(parse_message(text).msh.msh_11.value == "T" for text in messages(path))


@pytest.mark.parametrize("form", ALL)
async def test_nobody_admitted_is_said_and_never_an_empty_id(tmp_path, form):
    recorded = await record(tmp_path, 4, patient=None)
    path, _ = recorded.made(form)
    if form == "hl7":
        assert all(f"|TEMP-{recorded.name}^" in text for text in messages(path))
    if form == "dicom":
        assert pydicom.dcmread(path).PatientID == f"TEMP-{recorded.name}"
        dciodvfy(path)
    if form == "fhir":
        bundle = Bundle.model_validate_json(path.read_text())
        assert not [e for e in bundle.entry if e.resource.get_resource_type() == "Patient"]


@pytest.mark.parametrize("form", ["wfdb", "csv", "dicom", "aecg", "scp", "fhir", "hl7"])
async def test_a_clock_that_was_never_set_is_said(tmp_path, form):
    recorded = await record(tmp_path, 4, clock_is_set=False)
    path, _ = recorded.made(form)
    files = list(path.iterdir()) if path.is_dir() else [path]
    assert any(b"never set" in file.read_bytes() for file in files)


async def test_when_the_clocks_change_the_offset_tells_which_of_two_hours_it_is(tmp_path):
    """Berlin, 26 October 2025: 02:59:58 summer time is followed by 02:00:00 winter time."""
    began = round(datetime(2025, 10, 26, 0, 59, 58, tzinfo=UTC).timestamp()) * S
    recorded = await record(tmp_path, 5, utc_ns=began)
    zone = ZoneInfo("Europe/Berlin")
    folder, _ = recorded.made("csv", zone=zone)
    times = [row[0] for row in table(folder, "numbers.csv")[1:]]
    assert times == [
        "2025-10-26T02:59:58.000+02:00", "2025-10-26T02:59:59.000+02:00", "2025-10-26T02:00:00.000+01:00",
        "2025-10-26T02:00:01.000+01:00", "2025-10-26T02:00:02.000+01:00",
    ]  # fmt: skip
    waves = [row[0] for row in table(folder, "waves-ECG-7711-0045-ecg.csv")[1:]]
    assert (waves[999], waves[1000]) == (
        "2025-10-26T02:59:59.998000+02:00",
        "2025-10-26T02:00:00.000000+01:00",
    )
    path, _ = recorded.made("hl7", "out.hl7", zone=zone)
    assert [text.split("|")[6] for text in messages(path)] == [
        "20251026025958.000+0200",
        "20251026020001.000+0100",
    ]
    bundle = json.loads(recorded.made("fhir", "out.json", zone=zone)[0].read_text())
    period = bundle["entry"][-1]["resource"]["effectivePeriod"]
    assert period == {"start": "2025-10-26T02:59:58.000+02:00", "end": "2025-10-26T02:00:03.000+01:00"}
