"""The MQTT side as an AsyncAPI 3.0 document, from the box's point of view: what it sends, what it receives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from daemon.contracts import shadow, topics
from daemon.contracts.envelope import Envelope
from daemon.contracts.registry import CONTRACTS
from daemon.model.outgoing import Lane
from tests.daemon.contracts.documents.schemas import components, ref

Json = dict[str, Any]

SEEDS = Path(__file__).parents[1] / "seeds"
SERVICES = ("ecg", "cpap", "oxygen", "oximeter", "box")
LANE_OF = {
    "alarm": Lane.ALARMS,
    "metrics": Lane.METRICS,
    "waveform": Lane.WAVEFORM,
    "report": Lane.REPORTS,
}
PARAMETERS = {
    "kind": {"enum": list(SERVICES), "description": "The service"},
    "serial": {"description": "Serial number; / + # become -"},
    "lane": {"enum": list(topics.LANES.values())},
    "thing": {"description": "The device's name at AWS IoT: its serial number"},
    "jobId": {"description": "The job's id"},
}


def document() -> Json:
    """The whole AsyncAPI document."""
    models: dict[str, type[BaseModel]] = {"Envelope": Envelope}
    models |= {f"{m.replace('/', '-')}": contract.model for m, contract in CONTRACTS.items()}
    models |= {
        "shadow.Delta": shadow.Delta,
        "shadow.Document": shadow.Document,
        "shadow.NextJob": shadow.NextJob,
    }
    messages = {**_canonical(), **_seeds(), **_others()}
    channels = _channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "What a vitald box says and hears over MQTT",
            "version": "1.0.0",
            "description": "QoS 1, nothing retained but status and config. A payload is one canonical envelope, or one message in the "
            "roadmap's form where the destination is so configured. MQTT 5 user properties: key, schema, seq. See "
            "docs/contracts/README.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(),
        "components": {"schemas": components(models), "messages": messages},
    }


def _channels() -> Json:
    here = {
        "data": (
            topics.data("{kind}", "{serial}", Lane.ALARMS).replace("alarms", "{lane}"),
            _data_messages(),
        ),
        "status": (topics.status("{kind}", "{serial}"), ["status"]),
        "receipts": (topics.receipts("{serial}"), ["box.receipt-1"]),
        "config": (topics.config("{kind}", "{serial}"), ["desired"]),
        "configReported": (topics.config_reported("{kind}", "{serial}"), ["reported"]),
        "shadowGet": (topics.shadow("{thing}", "get"), ["empty"]),
        "shadowGetAccepted": (topics.shadow("{thing}", "get/accepted"), ["shadow"]),
        "shadowDelta": (topics.shadow("{thing}", "update/delta"), ["desired"]),
        "shadowUpdate": (topics.shadow("{thing}", "update"), ["reported"]),
        "jobsNotifyNext": (topics.jobs("{thing}", "notify-next"), ["job"]),
        "jobsUpdate": (topics.jobs("{thing}", "{jobId}/update"), ["jobUpdate"]),
    }
    return {
        name: {
            "address": address,
            "parameters": {p: PARAMETERS[p] for p in PARAMETERS if f"{{{p}}}" in address},
            "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
        }
        for name, (address, messages) in here.items()
    }


def _operations() -> Json:
    sends = ("data", "status", "configReported", "shadowGet", "shadowUpdate", "jobsUpdate")
    receives = ("receipts", "config", "shadowGetAccepted", "shadowDelta", "jobsNotifyNext")
    made = {}
    for action, names in (("send", sends), ("receive", receives)):
        for name in names:
            made[f"{action}{name[0].upper()}{name[1:]}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
            }
    return made


def _data_messages() -> list[str]:
    up = [message.replace("/", "-") for message, contract in CONTRACTS.items() if not contract.down]
    return [*up, *_seeds()]


def _canonical() -> Json:
    made: Json = {}
    for message, contract in CONTRACTS.items():
        name = message.replace("/", "-")
        if contract.down:
            continue
        kind = message.partition(".")[2].partition("/")[0]
        schema = {
            "allOf": [
                ref("Envelope"),
                {"properties": {"schema": {"const": f"vitald.{message}"}, "body": ref(name)}},
            ]
        }
        made[name] = {
            "name": f"vitald.{message}",
            "summary": (contract.model.__doc__ or "").partition("\n")[0],
            "payload": schema,
            "x-vitald-lane": topics.LANES[LANE_OF.get(kind, Lane.EVENTS)],
        }
    return made


def _seeds() -> Json:
    made: Json = {}
    for name in ("cpap_metrics", "oxygen_metrics", "ecg_metrics", "ecg_report"):
        example = json.loads((SEEDS / f"b_{name}.json").read_text(encoding="utf-8"))
        schema = {
            "type": "object",
            "required": list(example),
            "properties": {field: _shape(value) for field, value in example.items()},
        }
        made[f"seed.{name}"] = {
            "name": f"seed.{name}",
            "summary": "The roadmap's form",
            "payload": schema,
            "examples": [{"payload": example}],
        }
    return made


def _shape(value: Any) -> Json:
    """The type of an example's field. Whatever is measured may be null."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: _shape(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"type": ["array", "null"], "items": {"type": "string"}}
    if isinstance(value, str) or value is None:
        return {"type": ["string", "null"]}
    return {"type": ["number", "null"]}


def _others() -> Json:
    return {
        "box.receipt-1": {"name": "receipt", "payload": ref("box.receipt-1")},
        "status": {
            "name": "status",
            "summary": "Retained; offline is the will",
            "payload": {"type": "object", "properties": {"status": {"enum": ["online", "offline"]}}},
        },
        "desired": {
            "name": "desired",
            "summary": "state: cpap.config/1 or oxygen.config/1, in the roadmap's names or ours",
            "payload": ref("shadow.Delta"),
        },
        "shadow": {"name": "shadow", "payload": ref("shadow.Document")},
        "reported": {
            "name": "reported",
            "summary": "Settings as they are at the device, after consent at the bed",
            "payload": {
                "type": "object",
                "required": ["state"],
                "properties": {
                    "state": {
                        "type": "object",
                        "required": ["reported"],
                        "properties": {"reported": {"type": "object"}},
                    },
                    "version": {"type": "integer"},
                },
            },
        },
        "job": {
            "name": "job",
            "summary": "The box does not take part in jobs yet",
            "payload": ref("shadow.NextJob"),
        },
        "jobUpdate": {
            "name": "jobUpdate",
            "summary": "The box does not take part in jobs yet",
            "payload": {
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {"enum": ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"]},
                    "statusDetails": {"type": "object"},
                    "expectedVersion": {"type": "integer"},
                },
            },
        },
        "empty": {"name": "empty", "payload": {"type": "object", "maxProperties": 0}},
    }
