"""The gap certificate: of a bed and a span, nothing is missing, or exactly these seconds of this stream, and why.

Every sample number of a segment is in one chunk or in one gap (store/ranges.py), so the gaps, the pauses between segments and
the times at which nothing ran at all say everything; with `check` every stored chunk is read as well, and what no row
explains or what cannot be decoded is missing too. The certificate names the rows it was computed from by their digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from daemon.control.review import CertificateTold, CloudTold, GapsAsked, MissingTold, StreamTold
from daemon.model.outgoing import Lane
from daemon.model.signals import GapCause, Nanos
from daemon.review import line_of_time
from daemon.review.line_of_time import MS
from daemon.review.load import Span
from daemon.review.paper import text
from daemon.store import ranges
from daemon.store.answers import DAMAGED, Missing, StoredSegment
from daemon.store.places import PLACES
from daemon.store.places import span as places
from daemon.store.reader import Reader

OFF = "off"
"""Cause: nothing recorded this bed then; the box, or vitald on it, was off."""

UNEXPLAINED = "unexplained"
"""Cause: no chunk holds these samples and no gap speaks of them. The store is at fault."""

SETTLED_NS = 5_000_000_000
"""What is younger may be on its way to the disk still."""

MOST_LISTED = 5000
MOST_CHECKED_H = 48.0


@dataclass(frozen=True, slots=True)
class Box:
    """Who certifies: name and serial number."""

    name: str
    serial: str


@dataclass(frozen=True, slots=True)
class Cloud:
    """What a destination says: all of lane WAVEFORM up to `seq` has arrived there."""

    name: str
    state: str
    seq: int


def losses(reader: Reader, bed: str, from_ns: int, to_ns: int) -> list[MissingTold]:
    """All that is not stored of each stream that was seen in the span (UTC), by stream and time."""
    found = line_of_time.recorded(reader, bed, from_ns, to_ns)
    return _losses(reader, bed, found, from_ns, to_ns)


def certificate(
    reader: Reader, asked: GapsAsked, box: Box, clouds: Sequence[Cloud] | None, now_ns: int
) -> CertificateTold:
    """The certificate of a span, up to what is settled on the disk at `now_ns` (UTC)."""
    from_ns = line_of_time.ns(asked.from_ms)
    to_ns = max(from_ns, min(line_of_time.ns(asked.to_ms), now_ns - SETTLED_NS))
    recorded = line_of_time.recorded(reader, asked.bed, from_ns, to_ns)
    missing = _losses(reader, asked.bed, recorded, from_ns, to_ns)
    parts = _parts(reader, asked.bed, recorded)
    rows = list(ledger_rows(reader, asked.bed, recorded, parts, check=asked.check))
    if asked.check:
        for span, segment in parts:
            missing += [_told(one, span) for one in _checked(reader, segment, span)]
    missing.sort(key=lambda one: (one.stream, one.from_ms))
    streams = _streams(parts, missing, (to_ns - from_ns) / 1e9)
    told = CertificateTold(
        box=box.name,
        serial=box.serial,
        bed=asked.bed,
        from_ms=asked.from_ms,
        to_ms=to_ns / MS,
        asked_to_ms=asked.to_ms,
        made_ms=now_ns / MS,
        clock=line_of_time.clock(reader, recorded),
        checked=asked.check,
        complete=not missing and bool(streams) and to_ns > from_ns,
        streams=tuple(streams),
        missing=tuple(missing[:MOST_LISTED]),
        left_out=max(0, len(missing) - MOST_LISTED),
        clouds=None if clouds is None else tuple(_cloud(reader, one, parts) for one in clouds),
        rows=len(rows),
        digest=digest(rows),
    )
    return told.model_copy(update={"text": text(told)})


def digest(rows: Iterable[Sequence[object]]) -> str:
    """SHA-256 of rows, each as one line of JSON."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()


def ledger_rows(
    reader: Reader,
    bed: str,
    recorded: Sequence[Span],
    parts: Sequence[tuple[Span, StoredSegment]],
    *,
    check: bool,
) -> Iterable[tuple[object, ...]]:
    """What a certificate is computed from, cut to its span, so that the same is said of a recording that goes on."""
    for span in recorded:
        yield ("run", bed, span.boot, span.t0_ns, span.t1_ns, span.utc_offset_ns)
    for span, segment in parts:
        ended_ns = min(segment.stored_until_ns, span.t1_ns)
        yield ("segment", segment.id, segment.stream, segment.boot, segment.began_ns, ended_ns)
        for gap in reader.gaps_of(segment, span.t0_ns, span.t1_ns):
            yield ("gap", segment.id, gap.first, gap.count, gap.t0_ns, gap.cause, gap.received)
        if check:
            low, high = _around(reader, segment, span)
            sums = reader.db.execute(
                "SELECT count(*), sum(n), sum(crc32) FROM chunks WHERE place >= ? AND place < ?", (low, high)
            ).fetchone()
            yield ("chunks", segment.id, low % PLACES, *sums)


def _losses(
    reader: Reader, bed: str, recorded: Sequence[Span], from_ns: int, to_ns: int
) -> list[MissingTold]:
    boots = line_of_time.boots(recorded)
    parts = _parts(reader, bed, recorded)
    streams = sorted({segment.stream for _, segment in parts})
    out: list[MissingTold] = []
    for stream in streams or [""]:
        for span in boots:
            if any(of is span or of.boot == span.boot for of, one in parts if one.stream == stream):
                found = ranges.missing(reader, span.boot, span.t0_ns, span.t1_ns, bed=bed, stream=stream)
            elif stream:
                found = [Missing(stream, span.t0_ns, span.t1_ns, GapCause.CABLE)]
            else:
                found = []  # recorded, and nothing ever streamed: nothing says that something should have
            out += [_told(one, span) for one in found]
        out += [
            MissingTold(stream=stream, from_ms=begin / MS, to_ms=end / MS, cause=OFF)
            for begin, end in _between(boots, from_ns, to_ns)
        ]
    return out


def _between(boots: Sequence[Span], from_ns: int, to_ns: int) -> list[tuple[int, int]]:
    """The times (UTC) of a span at which no process recorded."""
    edges = [(from_ns, from_ns)]
    edges += sorted((one.t0_ns + one.utc_offset_ns, one.t1_ns + one.utc_offset_ns) for one in boots)
    edges.append((to_ns, to_ns))
    out, until_ns = [], from_ns
    for (_, end), (begin, _) in pairwise(edges):
        until_ns = max(until_ns, end)
        if begin > until_ns:
            out.append((until_ns, begin))
    return out


def _parts(reader: Reader, bed: str, recorded: Sequence[Span]) -> list[tuple[Span, StoredSegment]]:
    """Segments that touch the span, each with what of its boot is within."""
    return [
        (span, segment)
        for span in line_of_time.boots(recorded)
        for segment in reader.segments(span.boot, span.t0_ns, span.t1_ns, bed=bed)
    ]


def _told(one: Missing, span: Span) -> MissingTold:
    begin, end = max(one.t0_ns, span.t0_ns), min(one.t1_ns, span.t1_ns)
    return MissingTold(
        stream=one.stream,
        from_ms=(begin + span.utc_offset_ns) / MS,
        to_ms=(end + span.utc_offset_ns) / MS,
        cause=one.cause,
        segment=one.segment,
        first=one.first,
        count=one.count,
        received=one.received,
    )


def _around(reader: Reader, segment: StoredSegment, span: Span) -> tuple[int, int]:
    """Places of the chunks of a segment that touch a span."""
    low, high = reader.seek(segment, span.t0_ns), places(segment.key)[1]
    if span.t1_ns <= segment.stored_until_ns:
        high = reader.seek(segment, span.t1_ns) + 1
    return low, high


def _checked(reader: Reader, segment: StoredSegment, span: Span) -> list[Missing]:
    """What no row explains, and what cannot be decoded, of a segment in a span. Reads its chunks."""
    low, high = _around(reader, segment, span)
    out: list[Missing] = []
    until: tuple[int, Nanos] | None = None  # the sample number and the time after what is explained
    gaps = [
        (gap.first or 0, gap.count or 0, gap.t0_ns) for gap in reader.gaps_of(segment, span.t0_ns, span.t1_ns)
    ]
    period_ns = 1e9 / segment.rate_hz
    chunks = []
    for fit, n, counts in reader.chunks(segment, low, high, span.t1_ns):
        chunks.append((fit.first, n, fit.t0_ns))
        if counts is None:
            ends = fit.t0_ns, fit.t0_ns + round(n * fit.period_ns)
            out.append(Missing(segment.stream, *ends, DAMAGED, segment.id, fit.first, n, received=True))
    for first, n, t0_ns in sorted(chunks + gaps):
        if until is not None and first > until[0]:
            out.append(
                Missing(segment.stream, until[1], t0_ns, UNEXPLAINED, segment.id, until[0], first - until[0])
            )
        end = (first + n, t0_ns + round(n * period_ns))
        until = end if until is None else max(until, end)
    return [one for one in out if one.t1_ns > span.t0_ns and one.t0_ns < span.t1_ns]


def _streams(
    parts: Sequence[tuple[Span, StoredSegment]], missing: Sequence[MissingTold], span_s: float
) -> list[StreamTold]:
    told = []
    for name in sorted({segment.stream for _, segment in parts}):
        one = next(segment for _, segment in parts if segment.stream == name)
        lost_s = covered_s([gap for gap in missing if gap.stream == name])
        channels = tuple(channel.name for channel in one.channels)
        told.append(
            StreamTold(
                stream=name,
                channels=channels,
                rate_hz=one.rate_hz,
                stored_s=max(0.0, span_s - lost_s),
                missing_s=lost_s,
            )
        )
    return told


def covered_s(gaps: Iterable[MissingTold]) -> float:
    """Seconds that gaps cover together."""
    total, until = 0.0, float("-inf")
    for gap in sorted(gaps, key=lambda one: one.from_ms):
        total += max(0.0, gap.to_ms - max(gap.from_ms, until))
        until = max(until, gap.to_ms)
    return total / 1000


def _cloud(reader: Reader, cloud: Cloud, parts: Sequence[tuple[Span, StoredSegment]]) -> CloudTold:
    """Up to when a destination has the samples of the devices in the span: the first message that it has not."""
    devices = json.dumps(sorted({segment.device for _, segment in parts}))
    row = reader.db.execute(
        "SELECT o.t_ns + coalesce((SELECT utc_offset_ns FROM clock_offsets c WHERE c.boot = o.boot ORDER BY c.id DESC), 0)"
        " FROM outbox o WHERE o.lane = ? AND o.seq > ? AND o.device IN (SELECT value FROM json_each(?)) ORDER BY o.seq LIMIT 1",
        (Lane.WAVEFORM, cloud.seq, devices),
    ).fetchone()
    until_ms = None if row is None else row[0] / MS
    return CloudTold(name=cloud.name, state=cloud.state, everything=row is None, until_ms=until_ms)
