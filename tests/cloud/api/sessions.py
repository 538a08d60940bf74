"""Sessions: they start, end, and are read."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from daemon.contracts.box import v1 as box
from daemon.contracts.ecg.v1 import ChannelOf
from daemon.contracts.envelope import Envelope
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import Done, End, SessionData, Sessions, SessionSeen, Start, Started
from daemon.contracts.seeds import body_of, waves
from daemon.contracts.times import instant
from tests.cloud import rows
from tests.cloud.api.calls import Call, Refused
from tests.cloud.ingest import keep


async def start(call: Call) -> Started:
    said = call.body(Start)
    envelope = beside(said.vitald, "box.session_start/1")
    told = None if envelope is None else _told(envelope, box.SessionStart)
    name = told.session_id if told is not None else said.session_id or ""
    if call.replied is not None:
        session = str(call.replied["session_id"])
    else:
        session = await rows.session_named(
            call.db, call.user_id, name, told.session_uuid if told else "", own=call.state.own_ids
        )
    at = _now() if envelope is None else envelope.measured_at
    await rows.session_started(call.db, call.user_id, session, said.device_serial, at, told)
    if name and name != session:
        await call.db.execute(
            "UPDATE sessions SET named = $3 WHERE user_id = $1 AND session_id = $2",
            call.user_id,
            session,
            name,
        )
    if envelope is not None:
        await keep(call.db, [envelope], call.way)
    return Started(session_id=session)


async def end(call: Call) -> Done:
    said = call.body(End)
    envelope = beside(said.vitald, "box.session_end/1")
    told = None if envelope is None else _told(envelope, box.SessionEnd)
    at = _now() if envelope is None else envelope.measured_at
    summary = said.summary.model_dump(exclude_none=True)
    session = await rows.session_of(call.db, call.user_id, call.part("session_id"))
    await rows.session_ended(call.db, call.user_id, session, at, summary, told)
    if envelope is not None:
        await keep(call.db, [envelope], call.way)
    return Done()


def beside(envelopes: list[Envelope] | None, message: str) -> Envelope | None:
    """The one envelope of this message that came beside a request. Raises `BadMessage` for another."""
    if not envelopes:
        return None
    if len(envelopes) != 1 or envelopes[0].message != message:
        raise BadMessage("vitald", f"should be one {message}")
    return envelopes[0]


def _told(envelope: Envelope, model: Any) -> Any:
    try:
        return body_of(envelope, model)
    except BadMessage as bad:
        raise bad.within("vitald.0.body") from None


def _now() -> str:
    return instant(time.time_ns())


async def of_user(call: Call) -> Sessions:
    if call.part("user_id") != call.user_id:
        raise Refused(403, "these are not your sessions")
    found = await call.db.fetch(
        "SELECT * FROM sessions WHERE user_id = $1 ORDER BY start_time DESC NULLS LAST, session_id",
        call.user_id,
    )
    return Sessions(
        sessions=[
            SessionSeen(
                session_id=row["session_id"],
                start_time=_text(row["start_time"]),
                end_time=_text(row["end_time"]),
                duration_seconds=row["duration_seconds"],
                average_heart_rate=row["average_heart_rate"],
            )
            for row in found
        ]
    )


async def data(call: Call) -> SessionData:
    """All of a session. Samples are mV as in an upload, the same numbers as were sent; counts where they are known."""
    session = await rows.session_of(call.db, call.user_id, call.part("session_id"))
    here = (call.user_id, session)
    known = await call.db.fetchval("SELECT 1 FROM sessions WHERE user_id = $1 AND session_id = $2", *here)
    if known is None:
        raise Refused(404, "no such session")
    where = "WHERE user_id = $1 AND session_id = $2"
    metrics = await call.db.fetch(
        f"SELECT timestamp, kind, metrics FROM metrics {where} ORDER BY timestamp", *here
    )
    waveforms = await call.db.fetch(f"SELECT * FROM waveforms {where} ORDER BY timestamp, first", *here)
    reports = await call.db.fetch(
        f"SELECT report_id, filename, size_bytes, sha256, metadata FROM reports {where} ORDER BY created_at",
        *here,
    )
    return SessionData(
        session_id=session,
        metrics_timeline=[
            {"timestamp": _text(row["timestamp"]), "kind": row["kind"], "metrics": row["metrics"]}
            for row in metrics
        ],
        waveform_segments=[_segment(row) for row in waveforms],
        reports=[dict(row) for row in reports],
    )


def _segment(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"timestamp": _text(row["timestamp"]), "sampling_rate": row["sampling_rate"]}
    if row["counts"] is None:
        names = [channel["name"] for channel in row["channels"]]
        return {**told, "leads": dict(zip(names, row["millivolts"], strict=True))}
    channels = [ChannelOf.model_validate(channel) for channel in row["channels"]]
    counts = np.array(row["counts"], np.int32)
    told |= {
        "segment": row["segment"],
        "first": row["first"],
        "channels": row["channels"],
        "counts": row["counts"],
    }
    return {**told, "leads": waves.millivolts(channels, counts)} if waves.sayable(channels) else told


def _text(at: Any) -> str | None:
    return None if at is None else instant(int(at.timestamp() * 1000 + 0.5) * 1_000_000)
