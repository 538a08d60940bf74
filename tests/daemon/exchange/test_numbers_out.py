"""Numbers, read back by readers that are not ours: CSV, FHIR, HL7 v2."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from daemon.exchange.session_csv import _safe
from tests.daemon.exchange.readers import messages, table
from tests.daemon.exchange.recorded_house import LEADS, record


def test_csv_says_units_offsets_and_gaps(torn):
    folder, _ = torn.made("csv", zone=ZoneInfo("Europe/Berlin"))
    header, *rows = table(folder, "waves-ECG-7711-0045-ecg.csv")
    assert header == ["time", *(f"{lead} [mV]" for lead in LEADS), "missing"]
    gaps = [row for row in rows if row[-1]]
    assert [row[0] for row in gaps] == ["2025-01-08T13:35:00.000+01:00", "2025-01-08T13:35:04.000+01:00"]
    assert gaps[0][-1] == "missing until 2025-01-08T13:35:00.200+01:00 (noise)"
    assert all(cell == "" for row in gaps for cell in row[1:-1])
    values = np.array([[float(v) for v in row[1:-1]] for row in rows if not row[-1]]).T
    np.testing.assert_allclose(values, torn.counts[:, torn.present] * 0.005, atol=1e-9)
    assert rows[1][0] == "2025-01-08T13:34:56.002000+01:00"
    numbers = table(folder, "numbers.csv")
    assert numbers[0][1:] == [
        "Heart rate II [bpm]",
        "PR interval [ms]",
        "QRS duration [ms]",
        "SpO2 OXI-1 [%]",
        "ST at J V2 [mV]",
    ]
    assert numbers[1] == ["2025-01-08T13:34:56.000+01:00", "60", "(no_wave)", "(noise)", "97", "0.12"]
    assert table(folder, "gaps.csv")[1][3:] == ["0.200", "noise"]
    assert ["2025-01-08T13:34:59.000+01:00", "alarm", "hr_high", "began"] in table(folder, "events.csv")


@pytest.mark.parametrize(("text", "cell"), [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("Erika", "Erika")])
def test_no_cell_is_a_formula(text, cell):
    assert _safe(text) == cell


def test_fhir_is_valid_and_its_waves_are_the_counts(torn):
    path, _ = torn.made("fhir", "out.json")
    bundle = Bundle.model_validate_json(path.read_text())
    resources = [entry.resource for entry in bundle.entry]
    kinds = [r.get_resource_type() for r in resources]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "Patient": 1,
        "Device": 3,
        "Observation": 6,
        "DiagnosticReport": 1,
    }
    assert all(entry.request.ifNoneExist.startswith("identifier=urn:uuid:") for entry in bundle.entry)
    (waves,) = [r for r in resources if r.get_resource_type() == "Observation" and r.component]
    for component, row in zip(waves.component, torn.counts, strict=True):
        data = component.valueSampledData
        told = data.data.split(" ")
        assert [text == "E" for text in told] == (~torn.present).tolist()
        np.testing.assert_array_equal([int(t) for t in told if t != "E"], row[torn.present])
        assert (float(data.period), float(data.factor), float(data.origin.value)) == (2.0, 0.005, 0.0)
    assert waves.component[0].code.coding[0].code == "131329"
    (spo2,) = [r for r in resources if r.get_resource_type() == "Observation" and r.code.text == "SpO2"]
    assert [c.code for c in spo2.code.coding] == ["59408-5", "2708-6", "150456"]
    (pr,) = [r for r in resources if r.get_resource_type() == "Observation" and r.code.text == "PR interval"]
    assert pr.dataAbsentReason is not None
    assert pr.valueQuantity is None


async def test_fhir_of_a_longer_stretch_is_a_median_a_minute(tmp_path):
    recorded = await record(tmp_path, 150, rate_hz=10.0)
    path, _ = recorded.made("fhir", "out.json")
    bundle = Bundle.model_validate_json(path.read_text())
    observations = {
        e.resource.code.text: e.resource
        for e in bundle.entry
        if e.resource.get_resource_type() == "Observation"
    }
    assert observations["Heart rate"].valueSampledData.data == "89.5 149.5 194.5"
    assert observations["Heart rate"].valueSampledData.period == 60_000
    assert observations["PR interval"].valueSampledData.data == "E E E"
    assert "ECG" not in observations


def test_fhir_sent_twice_is_known_by_the_same_identifiers(whole):
    one, two = (whole.made("fhir", name)[0].read_text() for name in ("one.json", "two.json"))
    assert one == two
    part, _ = whole.made("fhir", "part.json", end_s=6.0)
    known = [
        {
            e["request"]["ifNoneExist"]
            for e in json.loads(t)["entry"]
            if e["resource"]["resourceType"] == "Observation"
        }
        for t in (one, part.read_text())
    ]
    assert not known[0] & known[1]


def test_hl7_is_valid_and_says_what_could_not_be_measured(whole):
    path, made = whole.made("hl7", "out.hl7")
    told = messages(path)
    assert made.count == len(told) == 2
    for text in told:
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
        assert parsed.validate()
        assert (parsed.msh.msh_11.value, parsed.msh.msh_12.value, parsed.msh.msh_18.value) == (
            "P",
            "2.6",
            "UNICODE UTF-8",
        )
        pid = parsed.oru_r01_patient_result.oru_r01_patient.pid
        assert (pid.pid_3.pid_3_1.value, pid.pid_5.value) == ("MRN-77", "Müller-Žák^Erika^^^^^L")
    assert (
        "|146944^MDC_ECG_TIME_PD_PR_GL^MDC^8625-6^PR interval^LN|1.1.1.2||264338^MDC_DIM_MILLI_SEC^MDC^ms^ms^UCUM|||||X|"
        in told[0]
    )
    assert "\r" in told[0]
    assert "\n" not in told[0]
