"""Messages: strict in what we say, tolerant in what we hear, and old ones are read for ever."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.contracts import consent, envelope, registry, shadow, times, topics
from daemon.contracts.box.v1 import CHANGES
from daemon.contracts.ecg.v1 import ARRHYTHMIAS
from daemon.contracts.faults import BadMessage
from daemon.model import arrhythmias
from daemon.model.alarms import ChangeKind
from daemon.model.outgoing import Lane
from daemon.store import codec

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("*-*.[0-9].json"))
METRICS = {"signal_quality": "good", "is_recording": True, "demo_mode": False, "sampling_rate_hz": 500}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_version_ever_shipped_is_still_read(path):
    """Read as sent, nothing lost on the way, and (what we still say) said again as it stands."""
    text = path.read_text(encoding="utf-8")

    read = envelope.read(text)
    body = registry.heard(read.message, read.body)

    assert json.loads(text) == read.as_dict()
    assert json.loads(text)["body"] == body.model_dump()
    assert json.loads(text)["body"] == registry.said(read.message, read.body)


def test_there_is_a_golden_sample_of_every_message():
    shipped = {path.stem.rpartition(".")[0].replace("-", "/") for path in SAMPLES}

    assert set(registry.CONTRACTS) == shipped


def test_the_golden_waveform_gives_its_counts():
    body = json.loads((GOLDEN / "ecg.waveform-1.0.json").read_text(encoding="utf-8"))["body"]
    counts = json.loads((GOLDEN / "ecg.waveform-1.0.counts.json").read_text(encoding="utf-8"))

    decoded = codec.decode(
        base64.b64decode(body["data"]), len(body["channels"]), body["n"], body["crc32"], body["codec"]
    )

    assert np.array_equal(counts, decoded)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"heart_rate": 75}, "heart_rate"),
        ({"heart_rate_bpm": -1}, "heart_rate_bpm"),
        ({"heart_rate_bpm": float("nan")}, "heart_rate_bpm"),
        ({"heart_rate_bpm": "75"}, "heart_rate_bpm"),
        ({"heart_rate_bpm": True}, "heart_rate_bpm"),
        ({"signal_quality": "fine"}, "signal_quality"),
        ({"leads_quality": {"II": "fine"}}, "leads_quality.II"),
        ({"arrhythmias": ["PVC", "HICCUP"]}, "arrhythmias.1"),
        ({"is_recording": None}, "is_recording"),
    ],
)
def test_what_we_say_is_checked(change, field):
    with pytest.raises(BadMessage) as bad:
        registry.said("ecg.metrics/1", {**METRICS, **change})

    assert field == bad.value.field


def test_what_we_hear_may_hold_more_than_we_know():
    body = {**METRICS, "of_tomorrow": 1, "arrhythmias": ["HICCUP"], "leads_quality": {"II": "splendid"}}

    heard = registry.heard("ecg.metrics/1", body)

    assert heard.arrhythmias == ["HICCUP"]
    assert heard.leads_quality == {"II": "splendid"}
    assert not hasattr(heard, "of_tomorrow")


def test_a_number_keeps_its_form():
    said = registry.said("oxygen.metrics/1", {"flow_rate_lpm": 3.0, "battery_pct": 82, "status": "online"})

    assert envelope.compact([said["flow_rate_lpm"], said["battery_pct"]]) == b"[3.0,82]"


def test_a_complaint_does_not_repeat_the_value():
    with pytest.raises(BadMessage) as bad:
        registry.said("box.error/1", {"error_type": "x", "error_message": 4711})

    assert "4711" not in str(bad.value)


def test_a_message_that_is_none_of_ours_is_refused():
    for message in ("ecg.metrics/2", "ecg.nothing/1", "", "ecg"):
        with pytest.raises(BadMessage):
            registry.contract(message)


def test_every_stream_has_the_waveforms_contract():
    assert registry.contract("ecg.waveform/1") is registry.contract("flow.waveform/1")


def test_all_that_can_happen_to_an_alarm_has_a_word():
    words = {"began": "onset", "ended": "end"}

    assert {words.get(kind, kind) for kind in ChangeKind} == set(CHANGES)


def test_all_arrhythmias_have_a_code():
    assert set(arrhythmias.ARRHYTHMIAS) <= set(ARRHYTHMIAS)


def test_lines_are_read_as_written():
    sent = [envelope.read(path.read_text(encoding="utf-8")) for path in SAMPLES]

    assert sent == envelope.read_lines(b"".join(envelope.line(one) for one in sent))


def test_a_bad_line_is_named():
    good = envelope.line(envelope.read(SAMPLES[0].read_text(encoding="utf-8")))
    bad = good.replace(b'"seq":', b'"sequel":')

    with pytest.raises(BadMessage) as refused:
        envelope.read_lines(good + bad)

    assert refused.value.field == "1.seq"


@given(st.integers(0, 253402300799999_999_999))
def test_times_come_back_to_the_millisecond(utc_ns):
    text = times.instant(utc_ns)

    assert utc_ns // 1_000_000 == times.nanoseconds(text) // 1_000_000
    assert len(text) == 24


def test_times_before_1970_are_times():
    """A box without a clock may guess anything."""
    assert times.nanoseconds(times.instant(-1)) == -1_000_000


def test_a_requests_key_says_when_it_was_sealed():
    """The example of RFC 9562, appendix A.6."""
    assert times.uuid7_instant("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == "2022-02-22T19:22:22.000Z"


def test_only_an_id_is_left_of_a_patient():
    read = envelope.read((GOLDEN / "box.session_start-1.0.json").read_text(encoding="utf-8"))
    patient = {"patient_id": "p-4711", "full_name": "John Doe", "age": 45, "phone": "1", "address": "a",
               "gender": "Male", "registration_date": "2025-01-01"}  # fmt: skip
    named = read.model_copy(update={"body": {**read.body, "patient": patient}})

    bare = consent.pseudonymous(named)

    assert bare.body["patient"] == {"patient_id": "p-4711"}
    assert registry.heard(bare.message, bare.body)
    assert consent.pseudonymous(bare.model_copy(update={"body": {"patient": None}})).body == {"patient": None}


def test_topics():
    assert topics.data("cpap", "CPAP-2301-9912", Lane.METRICS) == "v1/cpap/CPAP-2301-9912/metrics"
    assert topics.data("ecg", "a/+#b", Lane.ALARMS) == "v1/ecg/a---b/alarms"
    assert topics.receipts("BOX-1") == "v1/BOX-1/ack"
    assert topics.shadow("CPAP-1", "update/delta") == "$aws/things/CPAP-1/shadow/update/delta"


def test_a_shadows_delta():
    data = b'{"version":12,"timestamp":1,"state":{"target_pressure":12},"metadata":{}}'

    assert shadow.delta(data) == shadow.Delta(state={"target_pressure": 12}, version=12, timestamp=1)
    for bad in (b"", b"[]", b'{"state":{}}', b'{"state":[],"version":1}', b'{"state":{},"version":"1"}'):
        with pytest.raises(BadMessage):
            shadow.delta(bad)


def test_jobs_may_be_none():
    assert shadow.next_job(b'{"timestamp":1}').execution is None
    job = shadow.next_job(
        b'{"execution":{"jobId":"j","status":"QUEUED","versionNumber":1,"jobDocument":{"a":1}}}'
    )
    assert job.execution is not None
    assert job.execution.jobDocument == {"a": 1}
