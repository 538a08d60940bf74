"""The ledger: which samples of a stream were received, stored, dropped; what is missing between two and six, and why.

Every sample number from the first to the last of a segment is in exactly one chunk or in exactly one gap, so the gaps
say it all; `unexplained` proves that by looking at every chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from daemon.model.signals import GapCause, Nanos
from daemon.store.answers import DAMAGED, Missing, StoredSegment
from daemon.store.places import span
from daemon.store.reader import Reader

Span = tuple[int, int]
"""Sample numbers first .. last, both inclusive."""

FOREVER_NS: Nanos = 2**62

CLOCK_SLACK = 1.5
"""Between segments: pauses of fewer sample periods are the clocks' own uncertainty."""


STOPPING_NS: Nanos = 1_500_000_000
"""So long after the last sample the daemon may end and the cable still have been in."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sample ranges of a segment. `dropped` came and were not kept; received = stored and dropped together."""

    segment: StoredSegment
    received: tuple[Span, ...]
    stored: tuple[Span, ...]
    dropped: tuple[Span, ...]


def ledger(reader: Reader, segment: StoredSegment) -> Ledger:
    """The ranges of a segment, from its gaps and its ends."""
    gaps = reader.gaps_of(segment, -FOREVER_NS, FOREVER_NS)
    known = reader.extent(segment)
    stored = _without(known, [_span(gap) for gap in gaps]) if known else []
    received = _without(known, [_span(gap) for gap in gaps if not gap.received]) if known else []
    dropped = _merged([_span(gap) for gap in gaps if gap.received])
    return Ledger(segment, tuple(received), tuple(stored), tuple(dropped))


def missing(
    reader: Reader,
    boot: str,
    t0_ns: Nanos,
    t1_ns: Nanos,
    *,
    bed: str | None = None,
    stream: str | None = None,
) -> list[Missing]:
    """All that is not stored of each stream in the span, clipped to it, with its cause: gaps, and time between segments.

    Between segments the cause is "restart" from where the daemon had stopped or died, and "cable" as long as it ran.
    A stream with no segment in the span is not answered for: nothing says that it should be there.
    """
    out: list[Missing] = []
    segments = sorted(
        reader.segments_back(boot, t0_ns, t1_ns, bed=bed, stream=stream), key=lambda s: (s.stream, s.began_ns)
    )
    for _, group in groupby(segments, key=lambda s: s.stream):
        before: StoredSegment | None = None
        pauses, gaps = list[Missing](), list[Missing]()
        for segment in group:
            pauses += _pause(segment.stream, before, segment.began_ns, segment.rate_hz)
            gaps += reader.gaps_of(segment, t0_ns, t1_ns)
            before = _later(before, segment)
        if before is None or (before.ended_by and before.stored_until_ns <= t0_ns):
            continue
        pauses += _pause(before.stream, before, t1_ns, before.rate_hz)
        out += sorted(pauses + gaps, key=lambda m: m.t0_ns)
    clipped = (replace(m, t0_ns=max(m.t0_ns, t0_ns), t1_ns=min(m.t1_ns, t1_ns)) for m in out)
    return [m for m in clipped if m.t0_ns < m.t1_ns]


def _later(before: StoredSegment | None, segment: StoredSegment) -> StoredSegment:
    """The one of both that reaches further."""
    return segment if before is None or segment.stored_until_ns >= before.stored_until_ns else before


def _pause(stream: str, before: StoredSegment | None, until_ns: Nanos, rate_hz: float) -> list[Missing]:
    """From the end of a segment (None: for ever) to `until_ns` nothing was numbered: in one or two pieces."""
    if before is None:
        return [Missing(stream, -FOREVER_NS, until_ns, GapCause.CABLE)]
    from_ns = before.stored_until_ns
    if until_ns - from_ns <= CLOCK_SLACK * 1e9 / rate_hz:
        return []
    stopped_ns = before.daemon_until_ns
    if stopped_ns is None or stopped_ns >= until_ns or before.ended_by == "reconnect":
        return [Missing(stream, from_ns, until_ns, GapCause.CABLE)]
    if stopped_ns - from_ns <= STOPPING_NS:
        return [Missing(stream, from_ns, until_ns, GapCause.RESTART)]
    return [
        Missing(stream, from_ns, stopped_ns, GapCause.CABLE),
        Missing(stream, stopped_ns, until_ns, GapCause.RESTART),
    ]


def damaged(reader: Reader, segment: StoredSegment) -> list[Missing]:
    """Chunks of the segment that cannot be decoded; reads them all."""
    return [
        Missing(
            segment.stream,
            fit.t0_ns,
            fit.t0_ns + round(n * fit.period_ns),
            DAMAGED,
            segment.id,
            fit.first,
            n,
            received=True,
        )
        for fit, n, counts in reader.chunks(segment, *span(segment.key), FOREVER_NS)
        if counts is None
    ]


def unexplained(reader: Reader, segment: StoredSegment) -> list[Span]:
    """Sample numbers in no chunk and no gap, or in two: always empty, unless the store has a fault. Reads all chunks."""
    gaps = [_span(gap) for gap in reader.gaps_of(segment, -FOREVER_NS, FOREVER_NS)]
    chunks = [
        (fit.first, fit.first + n - 1) for fit, n, _ in reader.chunks(segment, *span(segment.key), FOREVER_NS)
    ]
    out: list[Span] = []
    spans = sorted(gaps + chunks)
    for (_, last), (first, _) in pairwise(spans):
        if first != last + 1:
            out.append((min(first, last + 1), max(first - 1, last)))
    return out


def _span(gap: Missing) -> Span:
    assert gap.first is not None
    assert gap.count is not None
    return gap.first, gap.first + gap.count - 1


def _merged(spans: list[Span]) -> list[Span]:
    out: list[Span] = []
    for first, last in sorted(spans):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return out


def _without(whole: Span, holes: list[Span]) -> list[Span]:
    out: list[Span] = []
    at, last = whole
    for first, end in _merged(holes):
        if first > at:
            out.append((at, first - 1))
        at = max(at, end + 1)
    if at <= last:
        out.append((at, last))
    return out
