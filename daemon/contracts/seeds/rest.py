"""Form A as requests: method, path below the base URL, and body. Bodies are the plan's, trimmed as its endpoint list has them.

Beside them, as `vitald`, travel the canonical envelopes of what the request holds (not their samples), so that a receiver that
knows us loses nothing and can tell records apart; `beside=False` leaves that out, and the body is the plan's alone. What the plan
has no path for goes to our own: data outside a session, alarms, events, errors, and whole batches (`/records`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from daemon.contracts.box import v1 as box
from daemon.contracts.ecg import v1 as ecg
from daemon.contracts.envelope import Envelope, line
from daemon.contracts.seeds import Chunk, Sender, body_of, plain, plan, roadmap, waves

RECORDS_PATH: Final = "/records"
"""Our extension: canonical envelopes as NDJSON, application/x-ndjson, gzip if so marked."""

RECORDS_MEDIA: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Request:
    """A request below the base URL. `multipart`: the body is the field `metadata`, and the file goes beside it."""

    path: str
    body: dict[str, Any]
    method: str = "POST"
    multipart: bool = False


def request(envelope: Envelope, sender: Sender, *, beside: bool = True) -> Request:
    """The request for one message that is no waveform. Raises `BadMessage`."""
    path, body = _request(envelope, sender)
    if beside:
        body = {**body, "vitald": [envelope.as_dict()]}
    return Request(path, body, multipart=envelope.kind == "report")


def waveform(chunks: Sequence[Chunk], sender: Sender, *, coded: bool = False, beside: bool = True) -> Request:
    """The request for contiguous chunks of one stream. Raises `BadMessage`.

    `coded` sends the canonical envelopes, samples coded, in place of arrays of millivolts: a tenth of the bytes. Streams that are no ECG
    go so always.
    """
    first = body_of(chunks[0].envelope, ecg.Waveform)
    body: dict[str, Any] = {
        "timestamp": chunks[0].envelope.measured_at,
        "sampling_rate": plain(first.rate_hz),
    }
    if coded or not waves.is_ecg(first):
        body["coded"] = [chunk.envelope.as_dict() for chunk in chunks]
    else:
        body["leads"] = waves.leads(chunks)
        if beside:
            body["vitald"] = [_label(chunk.envelope) for chunk in chunks]
    return Request(_place(chunks[0].envelope, sender, "waveform"), body)


def records(envelopes: Sequence[Envelope]) -> bytes:
    """A batch in the canonical form, for `RECORDS_PATH`."""
    return b"".join(line(envelope) for envelope in envelopes)


def _request(envelope: Envelope, sender: Sender) -> tuple[str, dict[str, Any]]:
    match envelope.message:
        case "ecg.metrics/1":
            return _place(envelope, sender, "metrics"), {
                "timestamp": envelope.measured_at,
                "metrics": plan.metrics(envelope, sender)["metrics"],
            }
        case "cpap.metrics/1" | "oxygen.metrics/1" | "oximeter.metrics/1":
            return _device(envelope, sender, "metrics"), roadmap.payload(envelope, sender)
        case "box.session_start/1":
            info = body_of(envelope, box.SessionStart).device_info
            return "/sessions/start", {
                "device_serial": sender.serial(envelope),
                "device_info": plan.device_info(info),
            }
        case "box.session_end/1":
            said = body_of(envelope, box.SessionEnd)
            return f"/sessions/{_part(said.session_id)}/end", {"summary": plan.summary(said.summary)}
        case "box.report/1":
            return "/reports/upload", plan.report(envelope, sender)
        case "ecg.arrhythmia/1":
            return _place(envelope, sender, "events"), plan.arrhythmia(envelope, sender)
        case "box.error/1":
            return "/errors", plan.error(envelope, sender)
        case _:
            return _place(envelope, sender, "events"), plan.other(envelope, sender)


def _label(envelope: Envelope) -> dict[str, Any]:
    body = {name: value for name, value in envelope.body.items() if name not in {"codec", "data"}}
    return {**envelope.as_dict(), "body": body}


def _place(envelope: Envelope, sender: Sender, what: str) -> str:
    """Below the session; below the device where there is none (the plan knows no data outside a session)."""
    if envelope.session:
        return f"/sessions/{_part(envelope.session)}/{what}"
    return _device(envelope, sender, what)


def _device(envelope: Envelope, sender: Sender, what: str) -> str:
    return f"/devices/{_part(sender.serial(envelope))}/{what}"


def _part(text: str) -> str:
    return quote(text, safe="")
