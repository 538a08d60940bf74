"""The REST side as an OpenAPI 3.1 document: the plan's endpoints as they are, ours marked `x-vitald-extension`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from daemon.contracts.envelope import Envelope
from daemon.contracts.registry import CONTRACTS
from daemon.contracts.rest import v1
from tests.daemon.contracts.documents.schemas import components, ref

Json = dict[str, Any]

EXAMPLES = Path(__file__).parents[1] / "rest"

FAULTS = {
    "400": "Not JSON",
    "401": "No token, a wrong one, or one that is over: refresh once, then ask a person",
    "403": "This account may not: a person must act; keep the data",
    "404": "No such place: a person must act; keep the data",
    "409": "It is there already; with `key` the request counts as done",
    "413": "Too large: send less at once",
    "415": "This coding is not taken: gzip, then none",
    "422": "Something in it is not as the contract says: `field` names it",
    "429": "Too fast: wait as `Retry-After` says",
    "503": "Not now: the same bytes under the same key later",
}


@dataclass(frozen=True)
class Operation:
    """One endpoint. `ours`: an extension of the seeds' plan. `once`: it takes an Idempotency-Key."""

    method: str
    path: str
    name: str
    summary: str
    reply: type[BaseModel] | None
    body: type[BaseModel] | None = None
    ours: bool = False
    once: bool = True
    open: bool = False
    faults: tuple[str, ...] = ("401", "403", "404", "409", "413", "422", "429", "503")
    media: Json = field(default_factory=dict)


REPORT_PARTS = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file", "metadata"],
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "metadata": ref("rest.ReportMetadata"),
            },
        },
        "encoding": {
            "file": {"contentType": "application/pdf"},
            "metadata": {"contentType": "application/json"},
        },
    }
}
LINES = {
    "application/x-ndjson": {
        "schema": {"type": "string", "description": "One envelope a line (components/schemas/Envelope)"}
    }
}

OPERATIONS = (
    Operation("post", "/auth/register", "register", "A new account", v1.Registered, v1.Register, once=False,
              open=True, faults=("403", "409", "422", "429", "503")),
    Operation("post", "/auth/login", "login", "A token for an account", v1.LoggedIn, v1.Login, once=False,
              open=True, faults=("401", "409", "422", "429", "503")),
    Operation("post", "/auth/refresh", "refresh", "A new token for one that is or was good", v1.Refreshed,
              ours=True, once=False, faults=("401", "429", "503")),
    Operation("post", "/sessions/start", "startSession", "A recording session begins", v1.Started, v1.Start),
    Operation("post", "/sessions/{session_id}/end", "endSession", "A recording session is over", v1.Done, v1.End),
    Operation("post", "/sessions/{session_id}/metrics", "uploadMetrics", "Measurements, every 1 to 2 s",
              v1.MetricsDone, v1.MetricsUpload),
    Operation("post", "/sessions/{session_id}/waveform", "uploadWaveform", "Samples, 5 to 10 s at once",
              v1.WaveformDone, v1.WaveformUpload),
    Operation("post", "/sessions/{session_id}/events", "uploadEvent", "Arrhythmias, alarms, events, facts, losses",
              v1.EventDone, v1.EventUpload, ours=True),
    Operation("post", "/errors", "uploadError", "An error of the box", v1.EventDone, v1.ErrorUpload, ours=True),
    Operation("post", "/reports/upload", "uploadReport", "A report's file and what it says", v1.Uploaded,
              media=REPORT_PARTS),
    Operation("post", "/records", "uploadRecords", "Canonical envelopes, a batch at once", v1.RecordsDone,
              media=LINES, ours=True),
    Operation("get", "/users/{user_id}/sessions", "listSessions", "An account's sessions", v1.Sessions, once=False,
              faults=("401", "403", "404")),
    Operation("get", "/sessions/{session_id}/data", "readSession", "What a session holds", v1.SessionData,
              once=False, faults=("401", "403", "404")),
    Operation("post", "/devices/{serial}/metrics", "uploadDeviceMetrics", "The roadmap's payloads over HTTPS",
              v1.MetricsDone, v1.DeviceMetrics, ours=True),
    Operation("post", "/devices/{serial}/waveform", "uploadDeviceWaveform", "Samples outside a session",
              v1.WaveformDone, v1.WaveformUpload, ours=True),
    Operation("post", "/devices/{serial}/events", "uploadDeviceEvent", "Events outside a session", v1.EventDone,
              v1.EventUpload, ours=True),
    Operation("get", "/devices/{serial}/config", "readConfig", "What is desired of a device", v1.DeviceConfig,
              ours=True, once=False, faults=("401", "403", "404", "503")),
    Operation("put", "/devices/{serial}/config", "writeConfig", "An operator's wish for a device", v1.DeviceConfig,
              v1.ConfigWish, ours=True, once=False, faults=("401", "404", "422")),
    Operation("post", "/devices/{serial}/config/reported", "reportConfig", "What was set of it", v1.Done,
              v1.ConfigReport, ours=True),
    Operation("get", "/registry", "readRegistry", "Which backend a serial number belongs to", v1.Registry, ours=True,
              once=False, faults=("401", "503")),
    Operation("get", "/registry/{serial}", "findDevice", "Which backend one serial number belongs to",
              v1.RegistryEntry, ours=True, once=False, faults=("401", "404")),
    Operation("put", "/registry/{serial}", "writeRegistry", "Register a device", v1.Done, v1.RegistryEntry,
              ours=True, once=False, faults=("401", "403", "422")),
)  # fmt: skip


def document() -> Json:
    """The whole OpenAPI document."""
    models: dict[str, type[BaseModel]] = {"Envelope": Envelope, "rest.ReportMetadata": v1.ReportMetadata}
    models |= {_message_name(message): contract.model for message, contract in CONTRACTS.items()}
    for operation in OPERATIONS:
        for model in (operation.reply, operation.body):
            if model is not None:
                models[f"rest.{model.__name__}"] = model
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "What a vitald box says over HTTPS",
            "version": "1.0.0",
            "description": "The base URL is configuration (the seeds: .../api/v1). Operations marked x-vitald-extension are ours, "
            "all others the REST plan's as it stands. See docs/contracts/README.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:3000/api/v1"}],
        "security": [{"token": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": components(models | {"rest.Fault": v1.Fault}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "parameters": {"IdempotencyKey": IDEMPOTENCY},
        },
    }


IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Extension. UUIDv7 of the request, the same at every try of the same bytes. A key that is known answers as the first "
    "time did and stores nothing; the same key with other bytes is 422.",
    "schema": {"type": "string", "format": "uuid"},
}


def _message_name(message: str) -> str:
    service, _, rest = message.partition(".")
    kind, _, major = rest.partition("/")
    return f"{service}.{kind}-{major}"


def _operation(operation: Operation) -> Json:
    parameters: list[Json] = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in ("session_id", "user_id", "serial")
        if f"{{{part}}}" in operation.path
    ]
    if operation.once:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    made: Json = {"operationId": operation.name, "summary": operation.summary, "parameters": parameters}
    if operation.open:
        made["security"] = []
    if operation.ours:
        made["x-vitald-extension"] = True
    content = operation.media
    if operation.body is not None:
        content = {"application/json": {"schema": ref(f"rest.{operation.body.__name__}")}}
        if examples := _examples(operation.name):
            content["application/json"]["examples"] = examples
    if content:
        made["requestBody"] = {"required": True, "content": content}
    made["responses"] = _responses(operation)
    return made


def _responses(operation: Operation) -> Json:
    assert operation.reply is not None
    done = {"application/json": {"schema": ref(f"rest.{operation.reply.__name__}")}}
    fault = {"application/json": {"schema": ref("rest.Fault")}}
    made: Json = {"200": {"description": "Done", "content": done}}
    if operation.name == "readRegistry":
        made["304"] = {"description": "As before (If-None-Match)"}
    for code in operation.faults:
        made[code] = {"description": FAULTS[code], "content": fault}
    if "429" in made:
        after = {"description": "Seconds, or an HTTP date", "schema": {"type": "string"}}
        made["429"] = {**made["429"], "headers": {"Retry-After": after}}
    return made


def _examples(name: str) -> Json:
    return {
        path.stem.partition("-")[2] or "example": {"value": json.loads(path.read_text(encoding="utf-8"))}
        for path in sorted(EXAMPLES.glob(f"{name}*.json"))
        if path.stem.partition("-")[0] == name
    }
