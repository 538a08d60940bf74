"""Form B: the roadmap's payloads for MQTT. What it has no payload for travels as the canonical envelope.

Its times have whole seconds; ours keep their milliseconds where they say something, else two measurements of one second
would be one.
"""

from __future__ import annotations

from typing import Any

from daemon.contracts.box import v1 as box
from daemon.contracts.cpap import v1 as cpap
from daemon.contracts.ecg import v1 as ecg
from daemon.contracts.envelope import Envelope
from daemon.contracts.oximeter import v1 as oximeter
from daemon.contracts.oxygen import v1 as oxygen
from daemon.contracts.seeds import Sender, body_of, plan, whole
from daemon.contracts.times import to_the_second

Json = dict[str, Any]


def payload(envelope: Envelope, sender: Sender, *, beside: bool = False) -> Json:
    """The payload of one message. `beside` adds the canonical envelope as `vitald`. Raises `BadMessage`."""
    match envelope.message:
        case "ecg.metrics/1":
            told = _ecg(envelope, sender)
        case "cpap.metrics/1":
            told = _cpap(envelope, sender)
        case "oxygen.metrics/1":
            told = _oxygen(envelope, sender)
        case "oximeter.metrics/1":
            told = _head(envelope, sender) | {"metrics": body_of(envelope, oximeter.Metrics).model_dump()}
        case "box.report/1":
            told = report(envelope, sender)
        case _:
            return envelope.as_dict()
    return {**told, "vitald": [envelope.as_dict()]} if beside else told


def report(envelope: Envelope, sender: Sender, s3_url: str | None = None) -> Json:
    """A report's payload. The URL is known once the file is in its bucket; null before."""
    body = body_of(envelope, box.Report)
    said = body.summary
    codes = said.get("arrhythmias_detected")
    return {
        "serial": sender.serial(envelope),
        "report": {
            "report_id": body.report_id,
            "s3_url": s3_url,
            "summary": {
                "avg_hr": whole(said.get("average_heart_rate_bpm")),
                "max_hr": whole(said.get("max_heart_rate_bpm")),
                "min_hr": whole(said.get("min_heart_rate_bpm")),
                "alerts": None if codes is None else [f"{code} detected" for code in codes],
            },
        },
    }


def _head(envelope: Envelope, sender: Sender) -> Json:
    return {"serial": sender.serial(envelope), "timestamp": to_the_second(envelope.measured_at)}


def _ecg(envelope: Envelope, sender: Sender) -> Json:
    body = body_of(envelope, ecg.Metrics)
    return {
        **_head(envelope, sender),
        "metrics": {
            "heart_rate_bpm": whole(body.heart_rate_bpm),
            "qrs_ms": whole(body.qrs_ms),
            "qt_ms": whole(body.qt_ms),
            "arrhythmia": _codes(body.arrhythmias),
            "signal_quality": body.signal_quality,
        },
        "lead": plan.reference_lead(tuple(body.leads_quality)),
    }


def _codes(arrhythmias: list[str] | None) -> str | None:
    """The roadmap has one text: "none" is nothing found, null not analysed, several are joined by commas."""
    return None if arrhythmias is None else ",".join(arrhythmias) or "none"


def _cpap(envelope: Envelope, sender: Sender) -> Json:
    body = body_of(envelope, cpap.Metrics)
    return {
        **_head(envelope, sender),
        "metrics": {
            "pressure_cm_h2o": body.pressure_cm_h2o,
            "respiratory_rate": body.respiratory_rate_per_min,
            "leak_rate_lpm": body.leak_rate_lpm,
            "patient_mode": body.mode,
        },
        "firmware": body.firmware,
    }


def _oxygen(envelope: Envelope, sender: Sender) -> Json:
    body = body_of(envelope, oxygen.Metrics)
    return {
        **_head(envelope, sender),
        "metrics": body.model_dump(exclude={"status"}),
        "status": body.status,
    }
