"""The past as the items and findings that it was: what is stored, told again.

Samples come as blocks, cut where their fits change. Findings come by the time at which they were due, numbers with the
time that they are about (to the second: the store keeps one a second); a decision stored without its due time counts as
due when it was about.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from daemon.model.findings import (
    Beat,
    BeatClass,
    Event,
    Evidence,
    Finding,
    Grade,
    Metric,
    Quality,
    Rhythm,
    Trouble,
    Why,
)
from daemon.model.signals import (
    Command,
    DeviceSeen,
    DeviceStatus,
    Fact,
    FactState,
    Item,
    LeadState,
    LinkState,
    Nanos,
    Reading,
    SampleBlock,
    Segment,
    Settable,
    Stream,
)
from daemon.store.answers import StoredBeat, StoredEvent, StoredNumber, StoredSegment, Trace
from daemon.store.reader import Reader

KINDS = ("quality", "rhythm", "event", "leads", "device", "status", "fact", "command")
"""Kinds of stored events that are told again."""

Said = tuple[Nanos, Item | Finding]
"""What was said, and when it was due."""


def segment_of(stored: StoredSegment) -> Segment:
    """The segment that samples were stored of."""
    stream = Stream(stored.device, stored.name, stored.rate_hz, stored.channels)
    return Segment(stored.id, stored.bed, stream, stored.boot, stored.connection, stored.began_ns)


def blocks(trace: Trace) -> Iterator[SampleBlock]:
    """The samples of a trace as blocks; a gap stands between two of them as a leap in their numbers."""
    n = trace.counts.shape[1]
    if not n:
        return
    segment = segment_of(trace.segment)
    edges = np.flatnonzero(np.diff(trace.present)) + 1
    cuts = {0, n, *edges.tolist(), *(f.first - trace.first for f in trace.fits)}
    bounds = sorted(cut for cut in cuts if 0 <= cut <= n)
    for begin, end in pairwise(bounds):
        if not trace.present[begin]:
            continue
        first = trace.first + begin
        fit = max((f for f in trace.fits if f.first <= first), key=lambda f: f.first, default=trace.fits[0])
        t0_ns = fit.t0_ns + round((first - fit.first) * fit.period_ns)
        counts = np.ascontiguousarray(trace.counts[:, begin:end])
        arrived_ns = t0_ns + round((end - begin) * fit.period_ns)
        yield SampleBlock(segment, first, t0_ns, fit.period_ns, counts, arrived_ns, fit.error_ns)


def numbers(reader: Reader, boot: str, bed: str, t0_ns: Nanos, t1_ns: Nanos) -> list[Said]:
    """Numbers and beats of a span, in the order in which they were due."""
    told: list[Said] = [
        (stored.t_ns, _number(stored)) for stored in reader.metrics(boot, t0_ns, t1_ns, bed=bed)
    ]
    told += [(stored.due_ns, _beat(stored)) for stored in reader.beats(boot, t0_ns, t1_ns, bed=bed)]
    return sorted(told, key=lambda said: said[0])


def happenings(reader: Reader, boot: str, bed: str, t0_ns: Nanos, t1_ns: Nanos) -> list[Said]:
    """All else that is said now and then, of a span by the times of what it is about, in the order in which it was due."""
    segments = {s.id: segment_of(s) for s in reader.segments(boot, t0_ns, t1_ns, bed=bed)}
    told: list[Said] = [
        (s.began_ns, SampleBlock(s, 0, s.began_ns, 1e9 / s.stream.rate_hz, _none(s), s.began_ns))
        for s in segments.values()
    ]
    for stored in reader.events(boot, t0_ns, t1_ns, bed=bed, kinds=KINDS):
        one = _happening(stored, segments)
        if one is not None:
            told.append((getattr(one, "due_ns", stored.t_ns), one))
    return sorted(told, key=lambda said: said[0])


def _none(segment: Segment) -> np.ndarray[Any, np.dtype[np.int32]]:
    """No samples: a block that says only which channels there are."""
    return np.zeros((len(segment.stream.channels), 0), np.int32)


def _number(stored: StoredNumber) -> Reading | Metric:
    if stored.device:
        device = (stored.bed, stored.device, stored.name)
        return Reading(*device, stored.value, stored.unit, stored.t_ns, stored.why or "")
    evidence = None
    if stored.segment is not None and stored.first is not None and stored.last is not None:
        evidence = Evidence(stored.segment, stored.first, stored.last, stored.rule or "")
    why = None if stored.why is None else Why(stored.why)
    when = (stored.t_ns, stored.t_ns)
    return Metric(*when, stored.name, stored.value, stored.unit, why, stored.lead, stored.quality, evidence)


def _beat(stored: StoredBeat) -> Beat:
    evidence = Evidence(stored.segment, stored.first, stored.last, stored.rule)
    label = BeatClass(stored.label)
    return Beat(stored.t_ns, stored.due_ns, stored.sample, label, stored.rr_ms, evidence, stored.late)


def _happening(stored: StoredEvent, segments: dict[str, Segment]) -> Item | Finding | None:
    """A stored event as what it was; None for a state of electrodes whose segment is not of the span."""
    body: dict[str, Any] = dict(stored.body)
    t_ns = stored.t_ns
    match stored.kind:
        case "quality":
            graded = (body["lead"], Grade(body["grade"]), Trouble(body["trouble"]))
            due_ns = body.get("due_ns", t_ns)
            return Quality(t_ns, due_ns, *graded, tuple(body["electrodes"]), body["score"])
        case "rhythm":
            due_ns = body.get("due_ns", body["end_ns"] or t_ns)
            return Rhythm(t_ns, due_ns, body["end_ns"], body["label"], Evidence(**body["evidence"]))
        case "event":
            went_by = tuple((name, value, unit) for name, value, unit in body["numbers"])
            due_ns = body.get("due_ns", t_ns)
            return Event(t_ns, due_ns, body["name"], went_by, Evidence(**body["evidence"]), body["detail"])
        case "leads":
            segment = segments.get(stored.segment or "")
            attached = tuple(body["attached"].items())
            return None if segment is None else LeadState(segment, stored.first or 0, t_ns, attached)
        case "device":
            settable = tuple(Settable(**one) for one in body.get("settable", ()))
            told = body | {"state": LinkState(body["state"]), "settable": settable}
            return DeviceSeen(**told, bed=stored.bed, t_ns=t_ns)
        case "status":
            return DeviceStatus(**body, bed=stored.bed, t_ns=t_ns)
        case "fact":
            state = FactState(body["state"])
            return Fact(body["source"], state, body["since_ns"], t_ns, body["detail"], stored.bed)
    values = tuple(sorted(body["values"].items()))
    return Command(body["id"], t_ns, stored.bed, body["actor"], body["verb"], values)
