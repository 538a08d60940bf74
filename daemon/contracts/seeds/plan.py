"""Form A: the seven messages of the REST plan, and ours in the same style for what it has no message for.

Key order and number form are the plan's. Its numbers are whole (INT columns); what was not measured is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from daemon.contracts.box import v1 as box
from daemon.contracts.ecg import v1 as ecg
from daemon.contracts.envelope import Envelope
from daemon.contracts.seeds import Chunk, Sender, body_of, plain, waves, whole

REFERENCE_LEAD: Final = "II"
"""The seeds have one ST value and one lead: that of lead II, or of the first one where there is no II."""

Json = dict[str, Any]

_OURS: Final = {"alarm": "alarm", "event": "event", "fact": "fact", "dropped": "records_dropped"}


def metrics(envelope: Envelope, sender: Sender) -> Json:
    """A1. `st_segment` is mV at the reference lead, `hrv` is RMSSD, `qtc_interval` Bazett's or null."""
    body = body_of(envelope, ecg.Metrics)
    numbers = {
        "heart_rate": whole(body.heart_rate_bpm),
        "pr_interval": whole(body.pr_ms),
        "qrs_duration": whole(body.qrs_ms),
        "qrs_axis": whole(body.qrs_axis_deg),
        "st_segment": _st_segment(body.st_uv),
        "qt_interval": whole(body.qt_ms),
        "qtc_interval": whole(body.qtc_ms) if body.qtc_method == "bazett" else None,
        "hrv": whole(body.hrv_rmssd_ms),
        "rr_interval": whole(body.rr_ms),
        "sampling_rate": plain(body.sampling_rate_hz),
    }
    status = {
        "is_recording": body.is_recording,
        "signal_quality": body.signal_quality,
        "demo_mode": body.demo_mode,
    }
    return _message("metrics_update", envelope, sender, {"metrics": numbers, "status": status})


def waveform(chunks: Sequence[Chunk], sender: Sender) -> Json:
    """A2 of contiguous chunks of an ECG stream."""
    bodies = [body_of(chunk.envelope, ecg.Waveform) for chunk in chunks]
    rate = bodies[0].rate_hz
    return _message(
        "ecg_waveform",
        chunks[0].envelope,
        sender,
        {
            "sampling_rate": plain(rate),
            "duration_seconds": plain(round(sum(body.n for body in bodies) / rate, 3)),
            "leads": waves.leads(chunks),
        },
    )


def session_start(envelope: Envelope, sender: Sender) -> Json:
    """A3. Without a known patient the user is the account."""
    body = body_of(envelope, box.SessionStart)
    patient = body.patient or box.Patient(patient_id=sender.user_id)
    user = {"user_id": patient.patient_id, **patient.model_dump(exclude={"patient_id"}, exclude_none=True)}
    return {
        "type": "session_start",
        "timestamp": envelope.measured_at,
        "device_serial": sender.serial(envelope),
        "user": user,
        "session_id": body.session_id,
        "device_info": device_info(body.device_info),
    }


def device_info(info: box.DeviceInfo) -> Json:
    """The plan's `device_info`; an unknown rate is left out."""
    told: Json = {"os": info.os, "app_version": info.app_version}
    if info.sampling_rate_hz is not None:
        told["sampling_rate"] = plain(info.sampling_rate_hz)
    return told


def session_end(envelope: Envelope, sender: Sender) -> Json:
    """A4."""
    body = body_of(envelope, box.SessionEnd)
    return {
        "type": "session_end",
        "timestamp": envelope.measured_at,
        "session_id": body.session_id,
        "device_serial": sender.serial(envelope),
        "user_id": sender.user_id,
        "summary": summary(body.summary),
    }


def summary(said: box.Summary) -> Json:
    """The plan's `summary`."""
    return {
        "duration_seconds": whole(said.duration_seconds),
        "total_heartbeats": said.total_heartbeats,
        "average_heart_rate": whole(said.average_heart_rate_bpm),
        "arrhythmias_detected": said.arrhythmias_detected,
        "signal_quality": said.signal_quality,
    }


def report(envelope: Envelope, sender: Sender, file_url: str | None = None) -> Json:
    """A5. The URL is the server's: before the upload there is none, and the field is left out."""
    body = body_of(envelope, box.Report)
    patient = body.patient
    printed = body.metrics
    told: Json = {"filename": body.filename}
    if file_url is not None:
        told["file_url"] = file_url
    told |= {
        "file_size_bytes": body.size_bytes,
        "patient_name": patient.full_name if patient else None,
        "patient_age": patient.age if patient else None,
        "metrics": {
            "heart_rate": whole(printed.get("heart_rate_bpm")),
            "pr_interval": whole(printed.get("pr_ms")),
            "qrs_duration": whole(printed.get("qrs_ms")),
            "qtc_interval": whole(printed.get("qtc_ms")),
            "st_segment": _millivolts(printed.get(f"st_uv.{REFERENCE_LEAD}")),
        },
        "conclusion": body.conclusion,
    }
    return _message("report_generated", envelope, sender, {"report": told})


def arrhythmia(envelope: Envelope, sender: Sender, snippet: Sequence[float] | None = None) -> Json:
    """A6. `snippet` is 2 to 3 s of the lead around the event, mV; null where it is not at hand."""
    body = body_of(envelope, ecg.Arrhythmia)
    told = {
        "type": body.type,
        "severity": body.severity,
        "description": body.description,
        "heart_rate_at_event": whole(body.heart_rate_bpm),
        "lead": body.lead,
        "waveform_snippet": None if snippet is None else list(snippet),
    }
    return _message("arrhythmia_detected", envelope, sender, {"arrhythmia": told})


def error(envelope: Envelope, sender: Sender) -> Json:
    """A7."""
    body = body_of(envelope, box.Error)
    return _message("error_report", envelope, sender, {"error": body.model_dump()})


def other(envelope: Envelope, sender: Sender) -> Json:
    """Our messages in the plan's style: alarm, event, fact, records_dropped; the body is canonical."""
    name = _OURS.get(envelope.kind, envelope.kind)
    return _message(name, envelope, sender, {envelope.kind: envelope.body})


def _message(kind: str, envelope: Envelope, sender: Sender, content: Json) -> Json:
    return {
        "type": kind,
        "timestamp": envelope.measured_at,
        "device_serial": sender.serial(envelope),
        "user_id": sender.user_id,
        "session_id": envelope.session,
        **content,
    }


def reference_lead(leads: Sequence[str]) -> str:
    """The lead that stands for all where the seeds have room for one."""
    return REFERENCE_LEAD if REFERENCE_LEAD in leads or not leads else leads[0]


def _st_segment(st_uv: dict[str, float]) -> float | None:
    return _millivolts(st_uv.get(reference_lead(tuple(st_uv))))


def _millivolts(microvolts: float | None) -> float | None:
    return None if microvolts is None else plain(round(microvolts / 1000, 3))
