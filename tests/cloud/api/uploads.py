"""Data as it comes: numbers, samples, events, errors, whole batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daemon.contracts.ecg.v1 import ChannelOf
from daemon.contracts.envelope import Envelope, read_lines
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import (
    DeviceMetrics,
    ErrorUpload,
    EventDone,
    EventUpload,
    MetricsDone,
    MetricsUpload,
    RecordsDone,
    WaveformDone,
    WaveformUpload,
)
from daemon.contracts.seeds import waves
from tests.cloud import rows
from tests.cloud.api.calls import Call
from tests.cloud.coding import checksum
from tests.cloud.ingest import keep, take_all


async def metrics(call: Call) -> MetricsDone:
    said = call.body(MetricsUpload)
    place = await _place(call, said.vitald, said.timestamp)
    await rows.store(call.db, [rows.metrics(place, "ecg", said.metrics.model_dump())])
    await keep(call.db, said.vitald or (), call.way)
    return MetricsDone(metrics_id=f"metric_{place.key}")


async def device_metrics(call: Call) -> MetricsDone:
    """The roadmap's payloads; outside a session the ECG's too, in the plan's names."""
    said = call.body(DeviceMetrics)
    place = await _place(call, said.vitald, said.timestamp)
    kind = said.vitald[0].service if said.vitald else await _kind(call, place.serial)
    await rows.store(call.db, [rows.metrics(place, kind, said.metrics)])
    await keep(call.db, said.vitald or (), call.way)
    return MetricsDone(metrics_id=f"metric_{place.key}")


async def _kind(call: Call, serial: str) -> str:
    """By the registry; by the serial number's prefix where it is not registered."""
    kind = await call.db.fetchval("SELECT kind FROM devices WHERE serial = $1", serial)
    guess = await call.db.fetchval("SELECT backend FROM prefixes WHERE starts_with($1, prefix)", serial)
    return str(kind or guess or "unknown")


async def waveform(call: Call) -> WaveformDone:
    said = call.body(WaveformUpload)
    if said.coded is not None:
        try:
            await take_all(call.db, said.coded, call.way)
        except BadMessage as bad:
            raise bad.within("coded") from None
        return WaveformDone(waveform_id=f"waveform_{said.coded[0].key if said.coded else ''}")
    assert said.leads is not None
    place = await _place(call, said.vitald, said.timestamp)
    if said.vitald:
        await _counts(call, place, said, said.vitald)
    else:
        await rows.store(call.db, [rows.millivolts(place, said.sampling_rate, said.leads)])
    return WaveformDone(waveform_id=f"waveform_{place.key}")


async def _counts(call: Call, place: rows.Place, said: WaveformUpload, labels: Sequence[Envelope]) -> None:
    """Cut the arrays into the records they hold, and make counts of them: the checksum says that they are the box's own."""
    assert said.leads is not None
    at, made = 0, {}
    for number, label in enumerate(labels):
        n = label.body.get("n")
        channels = [ChannelOf.model_validate(channel) for channel in label.body.get("channels", [])]
        if not isinstance(n, int) or not channels:
            raise BadMessage(f"vitald.{number}.body", "should say n and channels")
        piece = {name: values[at : at + n] for name, values in said.leads.items()}
        at += n
        try:
            counts = np.array([waves.counts_of(piece[waves.lead_of(c.name)], c) for c in channels], np.int32)
        except (KeyError, ValueError):
            raise BadMessage("leads", f"does not hold what vitald.{number} says") from None
        if counts.shape[1] != n or checksum(counts) != label.body.get("crc32"):
            raise BadMessage("leads", f"is not what vitald.{number} says: the checksum differs")
        here = rows.Place(label.key, place.user_id, place.serial, place.session, label.measured_at)
        told = [channel.model_dump() for channel in channels]
        made[label.key] = rows.counts(
            here, said.sampling_rate, label.body["segment"], label.body["first"], told, counts
        )
    new = await keep(call.db, labels, call.way)
    await rows.store(call.db, [made[key] for key in new])


async def event(call: Call) -> EventDone:
    said = call.body(EventUpload)
    place = await _place(call, said.vitald, said.timestamp)
    body = said.model_dump(exclude={"vitald"}, exclude_none=True)
    await rows.store(call.db, [rows.event(place, said.type, body)])
    await keep(call.db, said.vitald or (), call.way)
    return EventDone(event_id=f"event_{place.key}")


async def error(call: Call) -> EventDone:
    said = call.body(ErrorUpload)
    place = await _place(call, said.vitald, said.timestamp, said.session_id, said.device_serial)
    await rows.store(call.db, [rows.event(place, said.type, said.model_dump(exclude={"vitald"}))])
    await keep(call.db, said.vitald or (), call.way)
    return EventDone(event_id=f"event_{place.key}")


async def records(call: Call) -> RecordsDone:
    """A batch of canonical envelopes: all of it, or nothing and the number and field of the first that is bad."""
    envelopes = read_lines(call.data)
    new = await take_all(call.db, envelopes, call.way)
    return RecordsDone(accepted=new, known=len(envelopes) - new)


async def _place(
    call: Call, envelopes: Sequence[Envelope] | None, at: str, session: str = "", serial: str = ""
) -> rows.Place:
    """Where a request's data belongs: by its path, else by what it says itself."""
    given = call.request.match_info
    session = given.get("session_id", session)
    if session:
        session = await rows.session_of(call.db, call.user_id, session)
    serial = given.get("serial", serial) or (envelopes[0].device_serial if envelopes else "")
    await rows.session_seen(call.db, call.user_id, session, serial)
    if session and not serial:
        serial = (
            await call.db.fetchval(
                "SELECT device_serial FROM sessions WHERE user_id = $1 AND session_id = $2",
                call.user_id,
                session,
            )
            or ""
        )
    key = call.state.key_or_new(envelopes[0].key if envelopes else call.key)
    return rows.Place(key, call.user_id, serial, session, at)
