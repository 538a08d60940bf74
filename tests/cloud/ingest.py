"""Canonical envelopes into tables: each key once, by whatever way and however often it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daemon.contracts.box import v1 as box
from daemon.contracts.ecg.v1 import Waveform
from daemon.contracts.envelope import Envelope
from daemon.contracts.faults import BadMessage
from daemon.contracts.registry import contract, heard
from daemon.contracts.seeds import Sender, body_of, plan, roadmap
from tests.cloud import rows
from tests.cloud.coding import NotSamples, samples
from tests.cloud.database import Connection, moment

_SAMPLES = {"codec", "data"}


@dataclass(frozen=True, slots=True)
class Way:
    """How data came: over which account, and by rest, mqtt or file."""

    user_id: str
    source: str


async def take_all(db: Connection, envelopes: Sequence[Envelope], way: Way) -> int:
    """Store envelopes, all or none; how many were new. Raises `BadMessage` whose field begins with the number of the bad one."""
    for number, envelope in enumerate(envelopes):
        try:
            _checked(envelope)
        except BadMessage as bad:
            raise bad.within(str(number)) from None
    kept = await keep(db, envelopes, way)
    new = Counter(kept)
    sessions = _Sessions(db, way.user_id)
    made: list[rows.Row] = []
    for number, envelope in enumerate(envelopes):
        if not new[envelope.key]:
            continue
        new[envelope.key] -= 1
        try:
            made += await _told(db, envelope, way, await sessions.of(envelope))
        except BadMessage as bad:
            raise bad.within(str(number)) from None
    await rows.store(db, made)
    return len(kept)


async def take(db: Connection, envelope: Envelope, way: Way) -> bool:
    """Store one envelope; whether it was new. Raises `BadMessage`."""
    try:
        return bool(await take_all(db, [envelope], way))
    except BadMessage as bad:
        raise BadMessage(bad.field.partition(".")[2], bad.reason, bad.more) from None


class _Sessions:
    """Our ids of the sessions of a batch; each is asked for once."""

    def __init__(self, db: Connection, user_id: str) -> None:
        self._db = db
        self._user_id = user_id
        self._known: dict[tuple[str, str], str] = {}

    async def of(self, envelope: Envelope) -> str:
        where = envelope.session, envelope.device_serial
        if where not in self._known:
            name, serial = where
            session = await rows.session_of(self._db, self._user_id, name) if name else ""
            await rows.session_seen(self._db, self._user_id, session, serial)
            self._known[where] = session
        return self._known[where]


async def _told(db: Connection, envelope: Envelope, way: Way, session: str) -> list[rows.Row]:
    """What a new envelope says in the tables of its kind; sessions are written at once. Raises `BadMessage`."""
    sender = Sender(way.user_id, "")
    place = rows.Place(envelope.key, way.user_id, envelope.device_serial, session, envelope.measured_at)
    match envelope.kind:
        case "metrics":
            told = plan.metrics if envelope.service == "ecg" else roadmap.payload
            return [rows.metrics(place, envelope.service, told(envelope, sender)["metrics"])]
        case "waveform":
            return [_waveform(place, envelope)]
        case "session_start":
            start = body_of(envelope, box.SessionStart)
            named = session or start.session_id
            await rows.session_started(db, way.user_id, named, envelope.device_serial, place.at, start)
        case "session_end":
            end = body_of(envelope, box.SessionEnd)
            named = session or end.session_id
            await rows.session_ended(db, way.user_id, named, place.at, plan.summary(end.summary), end)
        case "report":
            said = body_of(envelope, box.Report)
            return [rows.report(place, said.report_id, plan.report(envelope, sender)["report"], said.sha256)]
        case "arrhythmia":
            return [rows.event(place, "arrhythmia_detected", plan.arrhythmia(envelope, sender))]
        case "error":
            return [rows.event(place, "error_report", plan.error(envelope, sender))]
        case _:
            other = plan.other(envelope, sender)
            return [rows.event(place, other["type"], other)]
    return []


async def keep(db: Connection, envelopes: Sequence[Envelope], way: Way) -> list[str]:
    """The envelopes alone, without samples; the keys of those that were new. For what has its rows by another form."""
    columns = list(zip(*(_record(envelope, way) for envelope in envelopes), strict=True))
    if not columns:
        return []
    found = await db.fetch(_KEEP, *columns)
    return [row["key"] for row in found]


_KEEP = """
    INSERT INTO records (key, seq, schema, device_serial, session, measured_at, clock, sent_at, body, source)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
        $8::timestamptz[], $9::json[], $10::text[])
    ON CONFLICT DO NOTHING RETURNING key"""


def _record(envelope: Envelope, way: Way) -> tuple[Any, ...]:
    body = envelope.body
    if envelope.kind == "waveform":
        body = {name: value for name, value in body.items() if name not in _SAMPLES}
    return (
        envelope.key,
        envelope.seq,
        envelope.schema_,
        envelope.device_serial,
        envelope.session,
        moment(envelope.measured_at),
        envelope.clock,
        moment(envelope.sent_at),
        body,
        way.source,
    )


def _checked(envelope: Envelope) -> None:
    if contract(envelope.message).down:
        raise BadMessage("schema", f"{envelope.message} is not sent by a box")
    try:
        heard(envelope.message, envelope.body)
    except BadMessage as bad:
        raise bad.within("body") from None


def _waveform(place: rows.Place, envelope: Envelope) -> rows.Row:
    body = body_of(envelope, Waveform)
    try:
        counts = samples(body.data, len(body.channels), body.n, body.codec, body.crc32)
    except NotSamples as bad:
        raise BadMessage("body.data", str(bad)) from None
    channels = [channel.model_dump() for channel in body.channels]
    return rows.counts(place, body.rate_hz, body.segment, body.first, channels, counts)
