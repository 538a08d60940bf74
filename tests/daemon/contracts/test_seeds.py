"""The seeds' examples are what the adapters say, key for key, number form and all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from daemon.contracts import envelope, registry
from daemon.contracts.faults import BadMessage
from daemon.contracts.seeds import Chunk, Sender, plan, rest, roadmap, settings
from daemon.contracts.times import nanoseconds

VECTORS = Path(__file__).parent / "seeds"
SENDER = Sender(user_id="unique_user_id", box="BOX-1")
SESSION = "session_20250108_123456"
ECG_METRICS = {
    "signal_quality": "good",
    "is_recording": True,
    "demo_mode": False,
    "sampling_rate_hz": 80,
}


def said(message, body, at, device="ECG-12345", session=SESSION):
    return envelope.wrap(
        message,
        registry.said(message, body),
        key="0190a3b4-0000-7000-8000-000000000001",
        seq=1,
        device=device,
        session=session,
        utc_ns=nanoseconds(at),
        synced=True,
        sent_at="2025-11-24T10:15:33.000Z",
    )


def text(name):
    return (VECTORS / f"{name}.json").read_text(encoding="utf-8")


def check(name, told):
    """As text: key order and the form of numbers count."""
    assert json.dumps(json.loads(text(name)), indent=2) == json.dumps(told, indent=2)


METRICS = {
    **ECG_METRICS,
    "heart_rate_bpm": 75.2,
    "pr_ms": 160,
    "qrs_ms": 85,
    "qrs_axis_deg": 45,
    "st_uv": {"I": 20, "II": 0},
    "qt_ms": 380,
    "qtc_ms": 400.4,
    "hrv_rmssd_ms": 45.0,
    "hrv_sdnn_ms": 61.0,
    "rr_ms": 800.0,
}


def test_a1_metrics_update():
    told = plan.metrics(said("ecg.metrics/1", METRICS, "2025-01-08T12:34:56.789Z"), SENDER)

    check("a1_metrics_update", told)


def test_a1_says_null_where_nothing_was_measured():
    told = plan.metrics(said("ecg.metrics/1", ECG_METRICS, "2025-01-08T12:34:56.789Z"), SENDER)

    assert {"sampling_rate"} == {name for name, value in told["metrics"].items() if value is not None}


def test_a1_does_not_pass_another_formula_off_as_bazetts():
    body = {**METRICS, "qtc_method": "fridericia"}

    told = plan.metrics(said("ecg.metrics/1", body, "2025-01-08T12:34:56.789Z"), SENDER)

    assert told["metrics"]["qtc_interval"] is None


def waveform_chunk(counts, names, *, gain=0.001, rate=80, first=0, unit="mV", offset=0):
    body = {
        "segment": "seg",
        "stream": "ecg",
        "first": first,
        "n": counts.shape[1],
        "rate_hz": rate,
        "period_ns": 1e9 / rate,
        "channels": [{"name": n, "unit": unit, "gain": gain, "offset": offset} for n in names],
        "codec": 1,
        "crc32": 0,
        "data": "AAAA",
    }
    return Chunk(said("ecg.waveform/1", body, "2025-01-08T12:34:56.789Z"), counts)


def test_a2_ecg_waveform():
    """The example's arrays are cut short; what it shows is the head of ours. It writes 0.200, which JSON has as 0.2."""
    example = json.loads(text("a2_ecg_waveform"))
    counts = np.zeros((12, 400), np.int32)
    for row, values in enumerate(example["leads"].values()):
        counts[row, : len(values)] = np.rint(np.array(values) * 1000)

    told = plan.waveform([waveform_chunk(counts, list(example["leads"]))], SENDER)

    assert {400} == {len(values) for values in told["leads"].values()}
    told["leads"] = {n: values[: len(example["leads"][n])] for n, values in told["leads"].items()}
    check("a2_ecg_waveform", told)


START = {
    "session_id": SESSION,
    "session_uuid": "0190a3b4-0000-7000-8000-000000000009",
    "bed": "1",
    "patient": {
        "patient_id": "unique_user_id",
        "full_name": "John Doe",
        "age": 45,
        "gender": "Male",
        "phone": "+1234567890",
        "address": "123 Main St, City, State",
        "registration_date": "2025-01-01",
    },
    "device_info": {"os": "darwin 25.0.0", "app_version": "1.0.0", "sampling_rate_hz": 80},
    "automatic": False,
}
END = {
    "session_id": SESSION,
    "session_uuid": START["session_uuid"],
    "ended_by": "person",
    "summary": {
        "duration_seconds": 1800,
        "total_heartbeats": 2250,
        "average_heart_rate_bpm": 75.04,
        "arrhythmias_detected": ["PVC", "PAC"],
        "signal_quality": "good",
    },
}
REPORT = {
    "report_id": "0190a3b4-0000-7000-8000-00000000000a",
    "filename": "ECG_Report_20250108_130000.pdf",
    "sha256": "0" * 64,
    "size_bytes": 1234567,
    "kind": "ecg",
    "metrics": {"heart_rate_bpm": 75, "pr_ms": 160, "qrs_ms": 85, "qtc_ms": 400, "st_uv.II": 0},
    "conclusion": "Normal sinus rhythm. No significant abnormalities detected.",
    "patient": START["patient"],
}


def test_a3_session_start():
    check(
        "a3_session_start",
        plan.session_start(said("box.session_start/1", START, "2025-01-08T12:30:00Z"), SENDER),
    )


def test_a4_session_end():
    check("a4_session_end", plan.session_end(said("box.session_end/1", END, "2025-01-08T13:00:00Z"), SENDER))


def test_a5_report_generated():
    record = said("box.report/1", REPORT, "2025-01-08T13:00:00Z")
    url = "https://storage.example.com/reports/ECG_Report_20250108_130000.pdf"

    check("a5_report_generated", plan.report(record, SENDER, url))


def test_a5_has_no_url_before_the_upload():
    record = said("box.report/1", REPORT, "2025-01-08T13:00:00Z")

    request = rest.request(record, SENDER, beside=False)

    assert request.multipart
    assert "file_url" not in request.body["report"]


def test_a6_arrhythmia_detected():
    body = {
        "type": "PVC",
        "severity": "mild",
        "description": "Premature Ventricular Contraction",
        "heart_rate_bpm": 78,
        "lead": "II",
    }
    record = said("ecg.arrhythmia/1", body, "2025-01-08T12:35:23.456Z")

    check("a6_arrhythmia_detected", plan.arrhythmia(record, SENDER, [0.123, 0.456, 0.789]))


def test_a7_error_report():
    body = {
        "error_type": "serial_communication_error",
        "error_message": "Failed to read from port /dev/ttyUSB0",
        "stack_trace": "...",
        "system_info": {"os": "darwin 25.0.0", "python_version": "3.13", "memory_usage_mb": 450},
    }

    check("a7_error_report", plan.error(said("box.error/1", body, "2025-01-08T12:40:00Z"), SENDER))


def test_b_cpap_metrics():
    body = {
        "pressure_cm_h2o": 12.4,
        "respiratory_rate_per_min": 18,
        "leak_rate_lpm": 24.1,
        "mode": "AutoCPAP",
        "firmware": "v4.2.1",
    }
    record = said("cpap.metrics/1", body, "2025-11-24T10:15:32Z", "CPAP-2301-9912")

    check("b_cpap_metrics", roadmap.payload(record, SENDER))


def test_b_oxygen_metrics():
    body = {
        "oxygen_purity_pct": 94.6,
        "flow_rate_lpm": 2.5,
        "temperature_c": 37.2,
        "battery_pct": 82,
        "alarm_code": None,
        "status": "online",
    }
    record = said("oxygen.metrics/1", body, "2025-11-24T10:22:07Z", "OXY-8844-5521")

    check("b_oxygen_metrics", roadmap.payload(record, SENDER))


B_ECG = {**ECG_METRICS, "heart_rate_bpm": 78, "qrs_ms": 92, "qt_ms": 380, "arrhythmias": []}


def test_b_ecg_metrics():
    record = said("ecg.metrics/1", B_ECG, "2025-11-24T10:30:11Z", "ECG-7711-0045")

    check("b_ecg_metrics", roadmap.payload(record, SENDER))


@pytest.mark.parametrize(("codes", "word"), [(None, None), ([], "none"), (["PVC", "AFIB"], "PVC,AFIB")])
def test_b_tells_nothing_found_from_not_analysed(codes, word):
    record = said("ecg.metrics/1", {**B_ECG, "arrhythmias": codes}, "2025-11-24T10:30:11Z", "ECG-7711-0045")

    assert word == roadmap.payload(record, SENDER)["metrics"]["arrhythmia"]


def test_b_keeps_milliseconds_that_say_something():
    record = said("ecg.metrics/1", B_ECG, "2025-11-24T10:30:11.250Z", "ECG-7711-0045")

    assert roadmap.payload(record, SENDER)["timestamp"] == "2025-11-24T10:30:11.250Z"


def test_b_ecg_report():
    body = {
        **REPORT,
        "report_id": "rpt_893445",
        "summary": {
            "average_heart_rate_bpm": 76,
            "max_heart_rate_bpm": 112,
            "min_heart_rate_bpm": 58,
            "arrhythmias_detected": ["PVC"],
        },
    }
    record = said("box.report/1", body, "2025-11-24T10:31:00Z", "ECG-7711-0045")

    told = roadmap.report(record, SENDER, "s3://ecg-reports/2025/11/24/rpt_893445.pdf")

    check("b_ecg_report", told)


@pytest.mark.parametrize(("service", "serial"), [("cpap", "CPAP-2301-9912"), ("oxygen", "OXY-8844-5521")])
def test_b_config_is_read_and_said_again(service, serial):
    asked = json.loads(text(f"b_{service}_config"))

    read = settings.desired(service, asked)

    check(f"b_{service}_config", settings.document(serial, read))


def test_config_is_read_in_our_names_and_as_a_state():
    seeds = settings.desired("cpap", {"target_pressure": 12, "alerts": {"rr_low": 10}})
    ours = settings.desired("cpap", {"target_pressure_cm_h2o": 12, "alerts": {"rr_low_per_min": 10}})

    assert seeds == ours


@pytest.mark.parametrize(
    ("service", "config", "field"),
    [
        ("cpap", {"target_pressure": 400}, "target_pressure"),
        ("cpap", {"target_pressure": "12"}, "target_pressure"),
        ("cpap", {"target_pressure": 12, "target_pressure_cm_h2o": 13}, "target_pressure_cm_h2o"),
        ("cpap", {"alerts": {"rr_low": -1}}, "alerts.rr_low"),
        ("cpap", {"alerts": {"rr_low": 30, "rr_high": 26}}, "alerts"),
        ("cpap", {"humidity_level": 2.5}, "humidity_level"),
        ("cpap", {"config": [12]}, "config"),
        ("oxygen", {"flow_rate_lpm": float("inf")}, "flow_rate_lpm"),
        ("oxygen", {"night_mode": "yes"}, "night_mode"),
        ("oxygen", {"maintenance_due_date": "2026-02-30"}, "maintenance_due_date"),
    ],
)
def test_a_bad_setting_is_refused_by_the_name_it_came_under(service, config, field):
    with pytest.raises(BadMessage) as bad:
        settings.desired(service, config)

    assert field == bad.value.field


def test_rest_bodies_are_those_of_the_plans_endpoint_list():
    metrics = rest.request(said("ecg.metrics/1", METRICS, "2025-01-08T12:34:56.789Z"), SENDER, beside=False)
    start = rest.request(said("box.session_start/1", START, "2025-01-08T12:30:00Z"), SENDER, beside=False)
    end = rest.request(said("box.session_end/1", END, "2025-01-08T13:00:00Z"), SENDER, beside=False)
    chunk = waveform_chunk(np.zeros((2, 80), np.int32), ["I", "II"])
    waveform = rest.waveform([chunk], SENDER, beside=False)

    assert (f"/sessions/{SESSION}/metrics", ["timestamp", "metrics"]) == (metrics.path, list(metrics.body))
    assert (start.path, list(start.body)) == ("/sessions/start", ["device_serial", "device_info"])
    assert (f"/sessions/{SESSION}/end", ["summary"]) == (end.path, list(end.body))
    assert f"/sessions/{SESSION}/waveform" == waveform.path
    assert list(waveform.body) == ["timestamp", "sampling_rate", "leads"]


def test_rest_carries_the_canonical_envelope_beside_the_seeds_form():
    record = said("ecg.metrics/1", METRICS, "2025-01-08T12:34:56.789Z")

    request = rest.request(record, SENDER)

    assert [record.as_dict()] == request.body["vitald"]


def test_what_is_outside_a_session_goes_to_its_device():
    record = said("ecg.metrics/1", METRICS, "2025-01-08T12:34:56.789Z", session="")
    alarm = said("box.fact/1", {"source": "store", "state": "ok", "since": "2025-01-08T12:34:56.789Z"},
                 "2025-01-08T12:34:56.789Z", device="", session="")  # fmt: skip

    assert rest.request(record, SENDER).path == "/devices/ECG-12345/metrics"
    assert rest.request(alarm, SENDER).path == "/devices/BOX-1/events"


def test_a_path_cannot_be_left_by_a_serial_number():
    record = said("ecg.metrics/1", METRICS, "2025-01-08T12:34:56.789Z", device="../x y", session="")

    assert rest.request(record, SENDER).path == "/devices/..%2Fx%20y/metrics"
