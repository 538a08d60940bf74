"""The control API in one table: each route of the daemon's socket, what it takes and what it answers.

From it comes its OpenAPI document (docs/contracts/control-api.json). The socket is for programs on the box: the unix group decides who
may open it, and what the web process says of a browser decides what a request may do (control/acting.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from daemon import __version__
from daemon.control import (
    clouds,
    confirmed,
    confirming,
    crashes,
    exports,
    firmware,
    imports,
    messages,
    ownership,
    people,
    proof,
    reports,
    sessions,
    settings,
    technician,
    tokens,
    wishes,
)

_REF = "#/components/schemas/{model}"
_TEXT: Mapping[str, Any] = {"type": "string"}
_COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**53}


@dataclass(frozen=True, slots=True)
class Route:
    """`body` is what it takes, `answer` what 200 holds (None: 204, or what `media` names); `query` its parameters with their schemas."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    media: str = "application/json"
    refusals: tuple[int, ...] = ()
    """Further answers than 200, 204, 400, 403 and 503."""


def _most(default: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


_AUDIT = dict.fromkeys(("actor", "act", "bed", "subject"), _TEXT)
_PAGE = {"find": _TEXT, "offset": {"type": "integer", "minimum": 0, "maximum": 1_000_000}}

# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    # server.py
    Route("GET", "/live", "A WebSocket: state, numbers, alarms as text, waves as binary frames", None, media="websocket"),
    Route("GET", "/status", "What the box and its beds are doing", messages.State),
    Route("GET", "/limits", "The alarm limits of a bed, and what is proposed from the present values", messages.LimitsTold, query={"bed": _TEXT}, refusals=(404,)),
    Route("POST", "/command", "An act on a bed's alarms or display", messages.Acted, messages.Act),
    Route("POST", "/screens", "Which pages are open", None, messages.ScreensSeen),
    # people
    Route("GET", "/who", "Whose the sign-in is that came with the request", people.WhoTold),
    Route("POST", "/sign-in", "Sign in by password or PIN", people.SignInTold, people.SignIn),
    Route("POST", "/sign-out", "End the sign-in that came with the request", people.PersonActed),
    Route("POST", "/sign-in/people", "Who may come back at this screen with a PIN", people.FacesTold, people.SignIn),
    Route("GET", "/setup", "Whether the box has nobody yet", people.SetUpTold),
    Route("POST", "/setup", "Make the first administrator", people.SignInTold, people.SetUp),
    Route("GET", "/people", "Accounts", people.PeopleTold, query={**_PAGE, "role": _TEXT, "most": _most(50, people.MOST_TOLD)}),
    Route("POST", "/people", "An act on an account", people.PersonActed, people.PersonAct),
    Route("POST", "/account", "One's own password or PIN", people.PersonActed, people.AccountAct),
    Route("GET", "/audit", "Rows of the audit, newest first", people.AuditTold, query={**_AUDIT, "from": _COUNT, "to": _COUNT, "before": _COUNT, "most": _COUNT}),
    Route("POST", "/audit", "A note for the audit", people.PersonActed, people.Note),
    Route("GET", "/audit/chain", "Whether the chain of the audit is whole", people.ChainTold),
    # patients and sessions
    Route("POST", "/sessions", "Admit, discharge, move, begin and end recordings", sessions.SessionActed, sessions.SessionAct),
    Route("GET", "/sessions", "Sessions, newest first", sessions.SessionsTold, query={"bed": _TEXT, "patient": _TEXT, "most": _most(50, sessions.MOST_SESSIONS)}),
    Route("GET", "/patients", "Who is at the beds, or who fits", sessions.PatientsTold, query={"find": _TEXT}),
    # settings
    Route("GET", "/settings", "What is set, by level", settings.SettingsTold),
    Route("POST", "/settings", "Set something", settings.SettingsActed, settings.SettingsAct),
    Route("GET", "/settings/limits", "The ward's alarm limits", settings.WardLimitsTold),
    Route("GET", "/settings/file", "All settings as one document", settings.Document),
    Route("POST", "/settings/file", "Take in such a document", settings.SettingsActed, settings.SettingsFile),
    # devices
    Route("GET", "/ownership", "Whose devices are", ownership.OwnershipTold, query={"device": _TEXT}),
    Route("POST", "/ownership", "Claim, confirm, hand on, release", ownership.OwnershipActed, ownership.OwnershipAct),
    Route("POST", "/wishes", "What a cloud proposes for a device", wishes.WishTold, wishes.Wished),
    Route("GET", "/proposals", "What is proposed", wishes.ProposalsTold, query={"bed": _TEXT}),
    Route("POST", "/proposals", "Accept or refuse", wishes.ProposalActed, wishes.ProposalAct),
    Route("POST", "/firmware", "What a cloud offers as firmware", firmware.FirmwareTold, firmware.FirmwareWished),
    Route("GET", "/firmware", "Firmware that is offered", firmware.FirmwaresTold),
    Route("POST", "/firmware/act", "Decide on an offer", firmware.FirmwareActed, firmware.FirmwareAct),
    # machines
    Route("GET", "/tokens", "Machines' tokens", tokens.TokensTold, query={**_PAGE, "state": _TEXT, "most": _most(50, 200)}),
    Route("POST", "/tokens", "Make or revoke a token", tokens.TokenActed, tokens.TokenAct),
    Route("POST", "/tokens/check", "What a token is good for", tokens.TokenKnown, tokens.TokenCheck),
    # reports, exports, imports
    Route("POST", "/reports", "The worker: a file that is made", reports.Written, reports.ReportGiven),
    Route("POST", "/reports/uploads", "The forwarder: what came of uploads", reports.Written, reports.UploadsGiven),
    Route("POST", "/reports/seen", "Somebody opens a report", reports.Written, reports.SeenGiven),
    Route("POST", "/reports/gone", "Files that made room", reports.Written, reports.GoneGiven),
    Route("GET", "/reports", "Reports, newest first", reports.ReportsTold, query={**dict.fromkeys(("find", "kind", "state", "bed", "session", "since", "until", "before"), _TEXT), "most": _most(20, reports.MOST)}),
    Route("GET", "/reports/uploads", "The upload log", reports.UploadsTold),
    Route("GET", "/reports/{id}", "A report", reports.ReportTold, refusals=(404,)),
    Route("POST", "/reports/{id}/identifiers", "Two identifiers before a report is confirmed", confirming.Compared, confirming.IdentifiersGiven),
    Route("POST", "/exports", "Who takes what out of the box", exports.Noted, exports.ExportAsked),
    Route("POST", "/imports/samples", "Samples of a card", imports.Taken, imports.SamplesGiven, refusals=(413,)),
    Route("POST", "/imports/session", "A night of a card", imports.Taken, imports.SessionGiven, refusals=(413,)),
    Route("POST", "/imports/day", "A day's figures of a card", imports.Taken, imports.DayGiven, refusals=(413,)),
    # clouds, errors, service
    Route("POST", "/clouds", "The forwarder: how the clouds are", None, clouds.CloudsSeen),
    Route("POST", "/confirmed", "The forwarder: what the clouds have confirmed", None, confirmed.ConfirmedSeen),
    Route("GET", "/crashes", "Errors of the box's own programs", crashes.CrashesTold),
    Route("GET", "/crashes/{fingerprint}", "What is sent of one", crashes.CrashShown, refusals=(404,)),
    Route("GET", "/proof", "The last proof of the alarm chain", proof.ProofLast),
    Route("POST", "/proof", "Prove the alarm chain now", proof.ProofTold, refusals=(409,)),
    Route("GET", "/health", "What the doctor asks the daemon", technician.HealthTold),
    Route("GET", "/tap", "The bytes of a port, as they come", None, query={"port": _TEXT, "seconds": _TEXT, "force": _TEXT}, media="application/octet-stream", refusals=(404, 409)),
)
# fmt: on


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vitald control API",
            "version": __version__,
            "description": "HTTP over the daemon's Unix socket, for programs on the box. It changes with vitald; machines elsewhere use the box API.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    taken = {route.body for route in ROUTES if route.body is not None}
    given = {route.answer for route in ROUTES if route.answer is not None}
    models = sorted(taken | given, key=lambda model: model.__name__)
    modes = [(model, "validation" if model in taken else "serialization") for model in models]
    _, made = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]  # the two words are the modes
    found: dict[str, Any] = made["$defs"]
    return dict(sorted(found.items()))


def _operation(route: Route) -> dict[str, Any]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": dict(_TEXT)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    asked = [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in route.query.items()]
    made: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*parts, *asked],
        "responses": _responses(route),
    }
    if route.body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return made


def _responses(route: Route) -> dict[str, Any]:
    if route.media == "websocket":
        well: dict[str, Any] = {"101": {"description": "The connection is a WebSocket now"}}
    elif route.answer is not None:
        well = {"200": {"description": "Done", "content": {route.media: {"schema": _ref(route.answer)}}}}
    elif route.media != "application/json":
        well = {"200": {"description": "Bytes", "content": {route.media: {}}}}
    else:
        well = {"204": {"description": "Heard"}}
    refused = {
        400: "What was sent is none of this",
        403: "Whoever acts may not",
        503: "The disk does not answer",
    }
    refused |= {404: "There is none", 409: "Not now", 413: "Too much at once"}
    wanted = (400, 403, 503, *route.refusals)
    return well | {str(status): {"description": refused[status]} for status in sorted(wanted)}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
