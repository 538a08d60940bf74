"""What the writer's thread does with each thing it is given: which rows it becomes.

A `Rows` lives as long as one connection that has not failed: it remembers the ids of rows that are there. After an
error the writer makes a new one, so that what was rolled back is not believed in.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from daemon.model.alarms import Change
from daemon.model.findings import Beat, Conclusions, Event, Evidence, Metric, Quality, Rhythm
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import (
    Command,
    DeviceReply,
    DeviceSeen,
    DeviceStatus,
    Fact,
    Gap,
    GapCause,
    LeadState,
    Nanos,
    Quantity,
    Reading,
    Segment,
    Stream,
)
from daemon.store import codec
from daemon.store.cutting import Chunk, chunk_length
from daemon.store.entries import AlarmsKept, ClockOffset, Confirmed, Ended, Entry, Occupied, Opened, Stopped
from daemon.store.envelope import Envelope, row_span
from daemon.store.known import Known
from daemon.store.places import PLACES, place_of, stored_until
from daemon.store.sending import as_json, plain, send, send_chunk
from daemon.store.sessions import SESSION_VERBS, Box, Sessions
from daemon.store.usage import CHUNK_BYTES, ENVELOPE_BYTES, MESSAGE_BYTES, METRIC_BYTES, Class, Usage

RECEIVED = {GapCause.DISK}
"""Causes of gaps whose samples had come."""


class Rows:
    """Writes entries of one boot on `db`, within the caller's transaction; `box` is what sessions say of it."""

    def __init__(self, db: sqlite3.Connection, boot: str, began_ns: Nanos, box: Box | None = None) -> None:
        self._db = db
        self._boot_text = boot
        self._began_ns = began_ns
        self._boot = 0
        self._box = box or Box()
        self._usage = Usage(db)
        self._known = Known(db)
        self._segments: dict[str, int] = {}
        self._envelopes: dict[int, Envelope] = {}

    def write(self, bed: str, entry: Entry) -> None:
        """Insert the rows of one entry; writing the same sample twice leaves the first."""
        if not self._boot:
            sql = "INSERT INTO boots (boot, began_ns) VALUES (?, ?)"
            self._boot = self._known.find("boots", ("boot",), (self._boot_text,), sql, (self._began_ns,))
            self._sessions = Sessions(self._db, self._boot, self._box)
        match entry:
            case Chunk():
                self._chunk(entry)
            case Gap():
                self._gap(entry)
            case Beat():
                self._beat(entry)
            case Metric():
                self._metric(bed, "", entry.lead, entry, entry.why, entry.quality, entry.evidence)
            case Reading():
                self._metric(bed, entry.device, "", entry, entry.why or None, 1.0, None)
            case LeadState():
                place = (self._segment(entry.segment), entry.first)
                attached = {"attached": dict(entry.attached)}
                self._event(entry.segment.bed, entry.t_ns, "leads", attached, place)
            case DeviceStatus():
                self._event(bed, entry.t_ns, "status", _body(entry, "t_ns", "bed"))
            case DeviceReply():
                self._event(bed, entry.t_ns, "reply", _body(entry, "t_ns", "bed"))
            case Quality():
                self._event(bed, entry.t_ns, "quality", _body(entry, "t_ns"))
            case Rhythm():
                self._event(bed, entry.t_ns, "rhythm", _body(entry, "t_ns"))
            case Event():
                self._event(bed, entry.t_ns, "event", _body(entry, "t_ns"))
            case Conclusions():
                self._event(bed, entry.t_ns, "conclusions", _body(entry, "t_ns", "due_ns"))
            case Change():
                self._alarm(bed, entry)
            case AlarmsKept():
                self._alarms_kept(bed, entry)
            case Fact():
                self._event(entry.bed, entry.t_ns, "fact", _body(entry, "t_ns", "bed"))
            case Command():
                command = _body(entry, "t_ns", "bed") | {"values": dict(entry.values)}
                self._event(entry.bed, entry.t_ns, "command", command)
                if entry.verb in SESSION_VERBS:
                    self._sessions.obey(self._bed(entry.bed), entry)
            case DeviceSeen():
                self._device_seen(entry)
            case ClockOffset():
                self._insert(
                    "INSERT INTO clock_offsets (boot, t_ns, utc_offset_ns, state) VALUES (?, ?, ?, ?)",
                    (self._boot, entry.t_ns, entry.utc_offset_ns, "set" if entry.is_set else "unset"),
                )
            case Outgoing():
                self._send(bed, entry)
            case Confirmed():
                self._confirm(entry)
            case Occupied():
                self._sessions.occupy(self._bed(bed), entry.occupant)
            case Opened():
                self._segment(entry.segment)
            case Ended():
                self._end(entry)
            case Stopped():
                self._stop(entry.t_ns)

    # --- samples -----------------------------------------------------------------------------------------

    def _chunk(self, chunk: Chunk) -> None:
        segment = self._segment(chunk.segment)
        counts = chunk.counts()
        place = place_of(segment, chunk.first)
        self._envelope(segment, chunk).add(chunk.first, counts)
        data = codec.encode(counts)
        inserted = self._insert(
            "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                place,
                chunk.n,
                chunk.t0_ns,
                chunk.period_ns,
                chunk.error_ns,
                chunk.arrived_ns,
                codec.checksum(counts),
                codec.CODEC,
                data,
            ),
        )
        if not inserted:
            return
        self._usage.add(Class.WAVEFORM, len(data) + CHUNK_BYTES)
        stream, t0_ns = chunk.segment.stream, int(chunk.t0_ns)
        end_ns = t0_ns + round(chunk.n * chunk.period_ns)
        session = self._sessions.of_chunk(
            self._bed(chunk.segment.bed), self._stream(stream), t0_ns, end_ns, ecg=_is_ecg(stream)
        )
        send_chunk(self._db, self._boot, stream.name, t0_ns, stream.device, session, place)

    def _send(self, bed: str, outgoing: Outgoing) -> None:
        session = self._sessions.at(self._bed(bed), outgoing.t_ns) if bed else ""
        to = (outgoing.lane, outgoing.message, outgoing.t_ns, outgoing.device)
        size = send(self._db, self._boot, *to, session, outgoing.body)
        if outgoing.lane is Lane.METRICS:
            self._usage.add(Class.NUMBERS, size + MESSAGE_BYTES)

    def _confirm(self, confirmed: Confirmed) -> None:
        if confirmed.identity != self._db.execute("SELECT uuid FROM identity").fetchone()[0]:
            return  # seqs of another file
        sql = "INSERT INTO confirmed VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)"
        self._db.executemany(sql, [(int(lane), seq) for lane, seq in confirmed.lanes.items()])

    def _envelope(self, segment: int, chunk: Chunk) -> Envelope:
        """The row of extremes that the chunk belongs to; the row before it is stored when a new one begins."""
        envelope = self._envelopes.get(segment)
        if envelope is not None and chunk.first < envelope.end:
            return envelope
        if envelope is not None:
            self._store_envelope(segment, envelope)
        chunk_n = chunk_length(chunk.segment.stream.rate_hz)
        channels = len(chunk.segment.stream.channels)
        first = row_span(chunk.first, chunk_n)
        t0_ns = chunk.t0_ns + round((first - chunk.first) * chunk.period_ns)
        envelope = Envelope(first, chunk_n, channels, t0_ns, chunk.period_ns)
        self._envelopes[segment] = envelope
        # After an error the row is begun anew: what is stored of its minute counts too.
        span = (place_of(segment, envelope.first), place_of(segment, chunk.first))
        stored = "SELECT place, n, crc32, codec, data FROM chunks WHERE place >= ? AND place < ?"
        for place, n, crc32, coding, data in self._db.execute(stored, span):
            with contextlib.suppress(
                codec.Damaged
            ):  # gone for every reader; the chunk at hand is not to pay for it
                envelope.add(place % PLACES, codec.decode(data, channels, n, crc32, coding))
        return envelope

    def _store_envelope(self, segment: int, envelope: Envelope) -> None:
        rows = envelope.rows()
        span = (place_of(segment, envelope.first), rows.shape[1], envelope.t0_ns, envelope.period_ns)
        coded = (codec.checksum(rows), codec.CODEC, codec.encode(rows))
        self._insert("INSERT OR REPLACE INTO envelopes VALUES (?, ?, ?, ?, ?, ?, ?)", (*span, *coded))
        self._usage.add(Class.WAVEFORM, len(coded[2]) + ENVELOPE_BYTES)
        self._usage.store()

    def _gap(self, gap: Gap) -> None:
        place = place_of(self._segment(gap.segment), gap.first)
        self._insert(
            "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
            (place, gap.count, gap.t0_ns, gap.t_ns, gap.cause, gap.cause in RECEIVED),
        )

    def _end(self, ended: Ended) -> None:
        segment = self._segment(ended.segment)
        envelope = self._envelopes.pop(segment, None)
        if envelope is not None:
            self._store_envelope(segment, envelope)
        self._segments.pop(ended.segment.id)
        self._close_segment(segment, "reconnect")

    def _stop(self, t_ns: Nanos) -> None:
        for segment, envelope in self._envelopes.items():
            self._store_envelope(segment, envelope)
        for (segment,) in self._db.execute("SELECT id FROM segments WHERE ended_ns IS NULL").fetchall():
            self._close_segment(segment, "stop")
        self._insert("UPDATE runs SET ended_ns = ?, ended_by = 'stop' WHERE ended_ns IS NULL", (t_ns,))
        self._sessions.stop(t_ns)

    def _close_segment(self, segment: int, ended_by: str) -> None:
        sql = "UPDATE segments SET ended_ns = ?, ended_by = ? WHERE id = ?"
        self._db.execute(sql, (stored_until(self._db, segment), ended_by, segment))

    # --- findings and events -----------------------------------------------------------------------------

    def _beat(self, beat: Beat) -> None:
        evidence = beat.evidence
        segment = self._segment_of(evidence)
        if segment is None:
            raise LookupError(f"a beat of a segment that never was: {evidence.segment}")
        self._insert(
            "INSERT OR REPLACE INTO beats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                place_of(segment, beat.sample),
                beat.t_ns,
                beat.due_ns,
                beat.label,
                beat.rr_ms,
                beat.late,
                evidence.first,
                evidence.last,
                self._rule(evidence.rule),
            ),
        )

    def _metric(
        self,
        bed: str,
        device: str,
        lead: str,
        number: Metric | Reading,
        why: str | None,
        quality: float,
        evidence: Evidence | None,
    ) -> None:
        names = ("bed", "device", "name", "lead", "unit")
        key = (self._bed(bed), device, number.name, lead, number.unit)
        series = self._known.find("series", names, key)
        source: tuple[int | None, ...] = (None, None, None, None)
        if evidence is not None:
            source = (self._segment_of(evidence), evidence.first, evidence.last, self._rule(evidence.rule))
        self._insert(
            "INSERT INTO metrics (boot, t_ns, series, value, why, quality, segment, first, last, rule)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._boot, number.t_ns, series, number.value, why, quality, *source),
        )
        self._usage.add(Class.NUMBERS, METRIC_BYTES)

    def _alarm(self, bed: str, change: Change) -> None:
        """The log of alarms: at the time of the Tick that decided, with what it was decided from and the limits in force."""
        place = None
        if change.evidence:
            first = change.evidence[0]
            place = (self._segment_of(first), first.first)
        body = _body(change) | {"values": dict(change.values), "limits": dict(change.limits)}
        self._event(bed, change.due_ns, "alarm", body, place or (None, None))

    def _alarms_kept(self, bed: str, kept: AlarmsKept) -> None:
        self._insert(
            "INSERT OR REPLACE INTO alarm_states VALUES (?, ?, ?, ?, ?)",
            (self._bed(bed), self._boot, kept.t_ns, as_json(kept.limits), as_json(kept.state)),
        )

    def _device_seen(self, seen: DeviceSeen) -> None:
        if seen.device:
            self._device(seen.device)
            self._db.execute(
                "UPDATE devices SET kind = ?, title = ?, firmware = ? WHERE device = ?",
                (seen.kind, seen.title, seen.firmware, seen.device),
            )
        self._event(seen.bed, seen.t_ns, "device", _body(seen, "bed", "t_ns"))

    def _event(
        self,
        bed: str,
        t_ns: Nanos,
        kind: str,
        body: Mapping[str, object],
        place: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._insert(
            "INSERT INTO events (boot, t_ns, bed, kind, segment, first, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._boot, t_ns, self._bed(bed) if bed else None, kind, *place, as_json(body)),
        )

    def _insert(self, sql: str, values: Sequence[object]) -> int:
        """Execute with numbers that may be numpy's, as analysis makes them: SQLite knows Python's only. Rows changed."""
        return self._db.execute(sql, [plain(value) for value in values]).rowcount

    # --- what rows refer to ------------------------------------------------------------------------------

    def _segment(self, segment: Segment) -> int:
        known = self._segments.get(segment.id)
        if known is not None:
            return known
        bed, stream = self._bed(segment.bed), self._stream(segment.stream)
        values = (
            stream,
            bed,
            self._boot,
            self._known.run(bed, self._boot, segment.began_ns),
            segment.connection,
            segment.began_ns,
            chunk_length(segment.stream.rate_hz),
        )
        sql = (
            "INSERT INTO segments (uuid, stream, bed, boot, run, connection, began_ns, chunk_n)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        key = (segment.id,)
        known_there = self._db.execute("SELECT 1 FROM segments WHERE uuid = ?", key).fetchone()
        row = self._known.find("segments", ("uuid",), key, sql, values, keep=False)
        self._segments[segment.id] = row
        if known_there is None:
            self._sessions.opened(bed, stream, segment.began_ns, ecg=_is_ecg(segment.stream))
        return row

    def _segment_of(self, evidence: Evidence) -> int | None:
        """The segment's id, where it is known: analysis names it by its text."""
        known = self._segments.get(evidence.segment)
        if known is None:
            sql = "SELECT id FROM segments WHERE uuid = ?"
            found = self._db.execute(sql, (evidence.segment,)).fetchone()
            known = found[0] if found else None
        return known

    def _stream(self, stream: Stream) -> int:
        names = ("device", "name", "rate_hz", "channels")
        channels = as_json([asdict(channel) for channel in stream.channels])
        return self._known.find(
            "streams", names, (self._device(stream.device), stream.name, stream.rate_hz, channels)
        )

    def _bed(self, bed: str) -> int:
        return self._known.find("bedsides", ("bed",), (bed,))

    def _device(self, device: str) -> int:
        return self._known.find("devices", ("device",), (device,))

    def _rule(self, rule: str) -> int:
        return self._known.find("rules", ("rule",), (rule,))


def _body(
    entry: Quality
    | Rhythm
    | Event
    | Conclusions
    | Change
    | Fact
    | Command
    | DeviceSeen
    | DeviceStatus
    | DeviceReply,
    *without: str,
) -> dict[str, object]:
    """The fields of an entry, but for those that are columns."""
    return {key: value for key, value in asdict(entry).items() if key not in without}


def _is_ecg(stream: Stream) -> bool:
    return any(channel.quantity is Quantity.ECG for channel in stream.channels)
