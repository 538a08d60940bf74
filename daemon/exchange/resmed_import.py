"""A ResMed card as pieces that the daemon takes in: night by night, session by session, each named after what it holds.

Nothing is interpreted here: counts stay as they are, and what the machine noticed keeps the machine's word. A stretch whose check
failed is handed in as a hole. Names come from the machine's serial number and its own clock, so the same card gives the same
names whenever and wherever it is read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from daemon.control.imports import (
    MOST_CHUNKS,
    ChannelGiven,
    ChunkGiven,
    DayGiven,
    FigureGiven,
    HoleGiven,
    MarkGiven,
    OwnerGiven,
    SamplesGiven,
    SessionGiven,
)
from daemon.store import codec
from firmware_bridge.recordings.resmed_card import (
    Card,
    CardEvent,
    CardSession,
    CardStream,
    DaySummary,
    Night,
)

CHUNK_S = 60.0
"""A record of the card is as long: a damaged one costs a whole chunk and no more."""

PIECE_BYTES = 200_000
CLOCK_ERROR_NS = 1e9
"""The card's stamps are whole seconds; how far its clock is off the true time nobody knows."""

KIND = "resmed_card"
NAMES = uuid5(NAMESPACE_URL, "vitald:resmed-card")
LPM = 60.0  # of one L/s

Given = SamplesGiven | SessionGiven | DayGiven


class Reading:
    """How the sessions of one card become pieces. `zone` is that of the card's clock, None = the box's own."""

    def __init__(self, card: Card, bed: str, zone: tzinfo | None, patient_id: str, actor: str) -> None:
        self._card = card
        self._bed = bed
        self._zone = zone
        self._patient_id = patient_id
        self._actor = actor

    def utc_ns(self, at: datetime) -> int:
        """UTC in ns of a time of the card; of one that the change to winter time gives twice, the first."""
        local = at.replace(tzinfo=self._zone) if self._zone is not None else at
        return round(local.astimezone(UTC).timestamp() * 1_000_000) * 1000

    def uuid(self, session: CardSession) -> str:
        """What the session is called for ever."""
        return str(uuid5(NAMES, f"{session.serial}/{session.start.isoformat()}"))

    def end_ns(self, session: CardSession) -> int:
        """When it ended, in UTC: by its length, whatever the clocks did meanwhile."""
        return self.utc_ns(session.start) + _ns(session.end - session.start)

    def samples(self, session: CardSession) -> Iterator[SamplesGiven]:
        """All samples of a session."""
        for stream in session.streams:
            yield from self._stream(session, stream)

    def session(self, night: Night, session: CardSession) -> SessionGiven:
        """The session itself, for after its samples."""
        marks = [self._mark(event) for event in _events_of(night, session)]
        return SessionGiven(
            owner=self._owner(session.serial),
            uuid=self.uuid(session),
            segment=_segment(session, session.streams[0]),
            began_ns=self.utc_ns(session.start),
            ended_ns=self.end_ns(session),
            actor=self._actor,
            patient_id=self._patient_id,
            marks=tuple(marks),
            summary=_summary(session, marks),
        )

    def day(self, night: Night, told: DaySummary | None) -> DayGiven | None:
        """What the machine says of a day; None where it says nothing, or nobody knows which machine."""
        serial = night.sessions[0].serial if night.sessions else self._card.machine.serial
        if told is None or not serial:
            return None
        noon = datetime.combine(told.day, datetime.min.time()) + timedelta(hours=12)
        t_ns = self.end_ns(night.sessions[-1]) if night.sessions else self.utc_ns(noon)
        body: dict[str, Any] = {
            "mode": told.mode,
            "settings": dict(told.settings),
            "values": {key: value for key, value in told.values.items() if not key.startswith("S.")},
            "mask": [[on.isoformat(), off.isoformat()] for on, off in told.mask],
        }
        return DayGiven(
            owner=self._owner(serial),
            day=told.day.isoformat(),
            t_ns=t_ns,
            body=body,
            figures=tuple(_figures(told)),
        )

    def _owner(self, serial: str) -> OwnerGiven:
        machine = self._card.machine
        own = serial == machine.serial
        return OwnerGiven(
            device=serial,
            kind=KIND,
            title=machine.model if own and machine.model else "ResMed",
            firmware=machine.firmware if own else "",
            bed=self._bed,
        )

    def _mark(self, event: CardEvent) -> MarkGiven:
        return MarkGiven(
            t_ns=self.utc_ns(event.at), name=event.kind, text=event.text, duration_s=event.duration_s
        )

    def _stream(self, session: CardSession, stream: CardStream) -> Iterator[SamplesGiven]:
        began_ns, period_ns = self.utc_ns(stream.start), 1e9 / stream.rate_hz
        frame: dict[str, Any] = {
            "owner": self._owner(session.serial),
            "segment": _segment(session, stream),
            "stream": stream.name,
            "rate_hz": stream.rate_hz,
            "channels": tuple(ChannelGiven(**asdict(channel)) for channel in stream.channels),
            "began_ns": began_ns,
            "ended_ns": began_ns + round(stream.n * period_ns),
            "chunk_n": max(1, round(CHUNK_S * stream.rate_hz)),
            "error_ns": CLOCK_ERROR_NS,
            "session_ns": self.utc_ns(session.start),
            "until_ns": self.end_ns(session),
        }
        holes = [
            HoleGiven(first=first, count=stop - first, t0_ns=began_ns + round(first * period_ns))
            for first, stop in stream.damaged
        ]
        for start in range(0, len(holes), MOST_CHUNKS):
            yield SamplesGiven(**frame, holes=tuple(holes[start : start + MOST_CHUNKS]))
        chunks: list[ChunkGiven] = []
        size = 0
        for first, stop in _cut(stream, frame["chunk_n"]):
            counts = np.ascontiguousarray(stream.counts[:, first:stop])
            data = codec.encode(counts)
            if chunks and (len(chunks) == MOST_CHUNKS or size + len(data) > PIECE_BYTES):
                yield SamplesGiven(**frame, chunks=tuple(chunks))
                chunks, size = [], 0
            chunks.append(
                ChunkGiven.model_construct(
                    first=first,
                    n=stop - first,
                    t0_ns=began_ns + round(first * period_ns),
                    crc32=codec.checksum(counts),
                    data=data,
                )
            )
            size += len(data)
        if chunks:
            yield SamplesGiven(**frame, chunks=tuple(chunks))


def _segment(session: CardSession, stream: CardStream) -> str:
    return str(uuid5(NAMES, f"{session.serial}/{stream.name}/{stream.start.isoformat()}"))


def _cut(stream: CardStream, chunk_n: int) -> Iterator[tuple[int, int]]:
    """Whole stretches, cut at the multiples of `chunk_n`."""
    for begin, end in stream.whole():
        first = begin
        while first < end:
            stop = min(end, (first // chunk_n + 1) * chunk_n)
            yield first, stop
            first = stop


def _events_of(night: Night, session: CardSession) -> list[CardEvent]:
    """Events of a session: each belongs to the last one that had begun when it ended, the earliest ones to the first."""
    out = []
    for event in night.events:
        begun = [other for other in night.sessions if other.start <= event.end]
        if (begun[-1] if begun else night.sessions[0]) is session:
            out.append(event)
    return out


def _summary(session: CardSession, marks: list[MarkGiven]) -> dict[str, Any]:
    """As box.session_end/1 has it, and what the machine noticed: there was no ECG."""
    return {
        "duration_seconds": (session.end - session.start).total_seconds(),
        "total_heartbeats": 0,
        "average_heart_rate_bpm": None,
        "min_heart_rate_bpm": None,
        "max_heart_rate_bpm": None,
        "arrhythmias_detected": [],
        "signal_quality": "off",
        "device_events": dict(sorted(Counter(mark.name for mark in marks).items())),
    }


def _figures(told: DaySummary) -> Iterator[FigureGiven]:
    """The machine's own statistics of a day, in our units and under our names."""
    for name, unit, label, factor in (
        ("cpap_ahi", "/h", "AHI", 1.0),
        ("cpap_hours", "h", "Duration", 1 / 60),
        ("cpap_leak_95", "L/min", "Leak.95", LPM),
        ("cpap_pressure_95", "cmH2O", "MaskPress.95", 1.0),
    ):
        value = told.value(label)
        given = None if value is None or not math.isfinite(value) else round(value * factor, 3)
        yield FigureGiven(name=name, unit=unit, value=given)


def _ns(length: timedelta) -> int:
    return round(length.total_seconds() * 1e6) * 1000
