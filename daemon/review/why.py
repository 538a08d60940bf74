"""Why this number? What a value, a beat or an alarm was decided from, and the same computed again from what is stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from daemon.control.review import AgainTold, EvidenceTold, WhyAsked, WhyTold
from daemon.model.findings import Beat, BeatClass, Evidence, Finding, Metric
from daemon.model.signals import Nanos
from daemon.review import again, line_of_time
from daemon.review.again import AFTER_NS, ALARM_S, BEAT_S, MEMORY_S, Learned, S
from daemon.review.line_of_time import MS
from daemon.store.answers import StoredBeat, StoredNumber, StoredSegment
from daemon.store.occurrences import Occurrence
from daemon.store.reader import Reader

TOLERANCE = {
    "bpm": 1.0,
    "/min": 1.0,
    "ms": 4.0,
    "mV": 0.03,
    "mV/s": 0.7,
    "deg": 10.0,
    "ms2": 60.0,
    "%": 1.5,
    "L/min": 0.5,
    "mL": 15.0,
}
"""How far a number computed again may be off and still agree, by its unit: two steps of saying it (dsp/ecg/measures/telling.py)
or two samples, whichever is more."""

SHARE = 0.02
"""And of its size, where that is more."""

SAME_NS: Nanos = 1_500_000_000
"""Two decisions so near to each other are about the same."""

SAID_AGAIN_NS: Nanos = 66 * S
"""A number that has not moved is said once a minute: the last one said before stands until then."""

ALARM_APART_NS: Nanos = 5 * S
BEAT_APART_NS: Nanos = 80_000_000
BESIDE_NS: Nanos = 5 * S


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where in the store it is."""

    boot: str
    t_ns: Nanos
    offset_ns: int
    sure: bool

    @property
    def ms(self) -> float:
        return (self.t_ns + self.offset_ns) / MS


def why(reader: Reader, asked: WhyAsked, learned: Learned, now_ns: int) -> WhyTold | None:
    """The answer; None where nothing like it is stored."""
    match asked.kind:
        case "number":
            return _why_number(reader, asked, learned, now_ns)
        case "beat":
            return _why_beat(reader, asked, learned)
        case "alarm":
            return _why_alarm(reader, asked, learned)


# --- numbers -------------------------------------------------------------------------------------------------


def _why_number(reader: Reader, asked: WhyAsked, learned: Learned, now_ns: int) -> WhyTold | None:
    found = _number(reader, asked, now_ns)
    if found is None:
        return None
    moment, stored = found
    done = _number_again(reader, moment, stored, learned)
    evidence = _of_number(stored)
    return _told(
        reader,
        asked,
        moment,
        [evidence] if evidence else [],
        done,
        name=stored.name,
        lead=stored.lead,
        device=stored.device,
        unit=stored.unit,
        value=stored.value,
        why=stored.why,
        quality=None if stored.device else stored.quality,
    )


def _number(reader: Reader, asked: WhyAsked, now_ns: int) -> tuple[_Moment, StoredNumber] | None:
    """The number that is asked for, and its moment."""
    at_ns = line_of_time.ns(asked.t_ms) if asked.t_ms else now_ns
    within_ns = line_of_time.ns(asked.within_ms)
    best: tuple[float, _Moment, StoredNumber] | None = None
    for span in line_of_time.boots(
        line_of_time.recorded(reader, asked.bed, at_ns - within_ns, at_ns + within_ns)
    ):
        sure = line_of_time.clock(reader, [span]) == "set"
        for one in reader.metrics(span.boot, span.t0_ns, span.t1_ns, bed=asked.bed, names=[asked.name]):
            if (one.device, one.lead if asked.lead else "") != (asked.device, asked.lead):
                continue
            far = abs(one.t_ns + span.utc_offset_ns - at_ns) / within_ns
            if asked.value is not None:
                far = far * 1e-9 + (abs(one.value - asked.value) if one.value is not None else 1e9)
            if best is None or far < best[0]:
                best = far, _Moment(span.boot, one.t_ns, span.utc_offset_ns, sure), one
    return None if best is None else best[1:]


def _number_again(reader: Reader, moment: _Moment, stored: StoredNumber, learned: Learned) -> AgainTold:
    if stored.device:
        return AgainTold(state="cannot", reason="review.why.device_said")
    memory_s = MEMORY_S.get(stored.name)
    if memory_s is None:
        return AgainTold(state="cannot", reason="review.why.adds_up")
    from_ns = moment.t_ns - round(memory_s * S)
    found = again.findings(reader, moment.boot, stored.bed, from_ns, moment.t_ns + AFTER_NS, learned)
    one = _same(found, moment.t_ns, stored)
    if one is None:
        return AgainTold(state="cannot", reason="review.why.not_said", warm_s=memory_s)
    rule = one.evidence.rule if one.evidence else ""
    told = AgainTold(
        state="differs",
        value=one.value,
        why=one.why,
        rule=rule,
        warm_s=memory_s,
        off_ms=(one.t_ns - moment.t_ns) / MS,
    )
    if stored.value is None or one.value is None:
        agrees = stored.value is None and one.value is None and stored.why == one.why
        return told.model_copy(update={"state": "agrees" if agrees else "differs"})
    far = one.value - stored.value
    tolerance = max(TOLERANCE.get(stored.unit, 0.0), SHARE * abs(stored.value))
    state = "agrees" if abs(far) <= tolerance else "differs"
    return told.model_copy(update={"state": state, "difference": far, "tolerance": tolerance})


def _same(found: Sequence[Finding], t_ns: Nanos, stored: StoredNumber) -> Metric | None:
    """What was said of the same number: at that moment, else the last before it that still stood."""
    own = [
        one for one in found if isinstance(one, Metric) and (one.name, one.lead) == (stored.name, stored.lead)
    ]
    if (
        not own and stored.name == "heart_rate"
    ):  # the lead that is counted in may be another after another beginning
        own = [one for one in found if isinstance(one, Metric) and one.name == stored.name]
    near = min(own, key=lambda one: abs(one.t_ns - t_ns), default=None)
    if near is not None and abs(near.t_ns - t_ns) <= SAME_NS:
        return near
    before = [one for one in own if 0 <= t_ns - one.t_ns <= SAID_AGAIN_NS]
    return max(before, key=lambda one: one.t_ns, default=None)


def _of_number(stored: StoredNumber) -> Evidence | None:
    if stored.segment is None or stored.first is None or stored.last is None:
        return None
    return Evidence(stored.segment, stored.first, stored.last, stored.rule or "")


# --- beats ---------------------------------------------------------------------------------------------------


def _why_beat(reader: Reader, asked: WhyAsked, learned: Learned) -> WhyTold | None:
    segment = _segment(reader, asked.segment)
    if segment is None or segment.bed != asked.bed:
        return None
    row = reader.db.execute(
        "SELECT t_ns FROM beats WHERE place = (SELECT id FROM segments WHERE uuid = ?) * 1099511627776 + ?",
        (asked.segment, asked.sample),
    ).fetchone()
    stored = None if row is None else _beat_at(reader, segment, row[0], asked.sample)
    if stored is None:
        return None
    moment = _moment(reader, segment.boot, stored.t_ns)
    from_ns = stored.t_ns - round(BEAT_S * S)
    found = again.findings(reader, segment.boot, segment.bed, from_ns, stored.due_ns + AFTER_NS, learned)
    beats = [one for one in found if isinstance(one, Beat)]
    near = min(beats, key=lambda one: abs(one.t_ns - stored.t_ns), default=None)
    if near is None or abs(near.t_ns - stored.t_ns) > BEAT_APART_NS:
        reason = "review.why.no_beat" if beats else "review.why.not_said"
        done = AgainTold(state="differs" if beats else "cannot", reason=reason, warm_s=BEAT_S)
    else:
        same = near.label == stored.label
        far = None if stored.rr_ms is None or near.rr_ms is None else near.rr_ms - stored.rr_ms
        done = AgainTold(
            state="agrees" if same else "differs",
            value=near.rr_ms,
            text=near.label,
            difference=far,
            rule=near.evidence.rule,
            warm_s=BEAT_S,
            off_ms=(near.t_ns - stored.t_ns) / MS,
        )
    evidence = [Evidence(stored.segment, stored.first, stored.last, stored.rule)]
    unit = {"name": "rr_interval", "unit": "ms", "value": stored.rr_ms, "text": BeatClass(stored.label).value}
    return _told(reader, asked, moment, evidence, done, **unit)


def _beat_at(reader: Reader, segment: StoredSegment, t_ns: Nanos, sample: int) -> StoredBeat | None:
    near = reader.beats(segment.boot, t_ns, t_ns + 1, bed=segment.bed, stream=segment.stream)
    return next((one for one in near if (one.segment, one.sample) == (segment.id, sample)), None)


# --- alarms --------------------------------------------------------------------------------------------------


def _why_alarm(reader: Reader, asked: WhyAsked, learned: Learned) -> WhyTold | None:
    row = reader.db.execute(
        "SELECT boots.boot, e.t_ns, e.body FROM events e JOIN boots ON boots.id = e.boot JOIN bedsides b ON b.id = e.bed"
        " WHERE e.kind = 'alarm' AND b.bed = ? AND e.body ->> '$.occurrence' = ? AND e.body ->> '$.kind' = 'began'"
        " ORDER BY e.id DESC LIMIT 1",
        (asked.bed, asked.occurrence),
    ).fetchone()
    if row is None:
        return None
    boot, t_ns, text = row
    body: dict[str, Any] = json.loads(text)
    one = next(
        (o for o in reader.log.between(asked.bed, boot, t_ns, t_ns + 1) if o.occurrence == asked.occurrence),
        None,
    )
    if one is None:
        return None
    moment = replace(_moment(reader, boot, one.onset_ns))
    evidence = [Evidence(**part) for part in body.get("evidence", ())]
    return _told(
        reader,
        asked,
        moment,
        evidence,
        _alarm_again(reader, one, learned),
        name=one.row,
        device=one.instance,
        unit=one.unit,
        value=body["value"],
        text=one.text,
        priority=one.priority,
        limits=one.limits,
    )


def _alarm_again(reader: Reader, one: Occurrence, learned: Learned) -> AgainTold:
    from_ns = one.onset_ns - round(ALARM_S * S)
    until_ns = one.began_ns + ALARM_APART_NS
    found = again.findings(reader, one.boot, one.bed, from_ns, until_ns, learned)
    own = {one.row: _settings(one.limits)} if one.limits else {}
    begun = again.alarms(reader, one.boot, one.bed, from_ns, until_ns, own, found)
    same = [change for change in begun if change.row == one.row and change.instance == one.instance]
    near = min(same, key=lambda change: abs(change.due_ns - one.began_ns), default=None)
    if near is None:
        return AgainTold(state="differs", reason="review.why.no_alarm", warm_s=ALARM_S)
    agrees = abs(near.due_ns - one.began_ns) <= ALARM_APART_NS
    far = None if near.value is None or one.value is None else near.value - one.value
    return AgainTold(
        state="agrees" if agrees else "differs",
        value=near.value,
        text=near.row,
        difference=far,
        rule=near.evidence[0].rule if near.evidence else "",
        warm_s=ALARM_S,
        off_ms=(near.due_ns - one.began_ns) / MS,
    )


def _settings(limits: Sequence[tuple[str, float]]) -> dict[str, float | bool]:
    return dict(limits)


# --- what all of them say ------------------------------------------------------------------------------------


def _told(
    reader: Reader,
    asked: WhyAsked,
    moment: _Moment,
    evidence: Sequence[Evidence],
    done: AgainTold,
    **said: Any,
) -> WhyTold:
    beside = reader.beats(moment.boot, moment.t_ns - BESIDE_NS, moment.t_ns + BESIDE_NS, bed=asked.bed)
    empty = {
        "lead": "",
        "device": "",
        "value": None,
        "why": None,
        "text": "",
        "priority": "",
        "quality": None,
    }
    return WhyTold(
        kind=asked.kind,
        bed=asked.bed,
        t_ms=moment.ms,
        boot=moment.boot,
        t_ns=moment.t_ns,
        clock="set" if moment.sure else "unset",
        evidence=tuple(told for one in evidence if (told := _evidence(reader, one)) is not None),
        again=done,
        beats=tuple(
            ((beat.t_ns + moment.offset_ns) / MS, beat.label, beat.segment, beat.sample) for beat in beside
        ),
        **{**empty, **said},
    )


def _evidence(reader: Reader, one: Evidence) -> EvidenceTold | None:
    """Where the samples were, and how many of them are not stored; None for a segment that is not in this store."""
    segment = _segment(reader, one.segment)
    if segment is None:
        return None
    moment = _moment(reader, segment.boot, 0)
    edges = [_time_of(reader, segment, sample) for sample in (one.first, one.last)]
    gaps = reader.gaps_of(segment, edges[0], edges[1])
    missing = sum(min(gap.t1_ns, edges[1]) - max(gap.t0_ns, edges[0]) for gap in gaps)
    return EvidenceTold(
        segment=one.segment,
        stream=segment.stream,
        rate_hz=segment.rate_hz,
        first=one.first,
        last=one.last,
        from_ms=(edges[0] + moment.offset_ns) / MS,
        to_ms=(edges[1] + moment.offset_ns) / MS,
        rule=one.rule,
        missing_s=max(0, missing) / 1e9,
    )


def _time_of(reader: Reader, segment: StoredSegment, sample: int) -> Nanos:
    """The time of a sample by the fit of its chunk; by the segment's beginning where there is no chunk."""
    row = reader.db.execute(
        "SELECT place - ? * 1099511627776, t0_ns, period_ns FROM chunks WHERE place <= ? * 1099511627776 + ?"
        " AND place >= ? * 1099511627776 ORDER BY place DESC LIMIT 1",
        (segment.key, segment.key, sample, segment.key),
    ).fetchone()
    first, t0_ns, period_ns = row or (0, segment.began_ns, 1e9 / segment.rate_hz)
    return int(t0_ns + round((sample - first) * period_ns))


def _segment(reader: Reader, identity: str) -> StoredSegment | None:
    row = reader.db.execute(
        "SELECT boots.boot, g.began_ns FROM segments g JOIN boots ON boots.id = g.boot WHERE g.uuid = ?",
        (identity,),
    ).fetchone()
    if row is None:
        return None
    near = reader.segments_back(row[0], row[1], row[1] + 1)
    return next((one for one in near if one.id == identity), None)


def _moment(reader: Reader, boot: str, t_ns: Nanos) -> _Moment:
    known = next(one for one in reader.boots() if one.boot == boot)
    return _Moment(boot, t_ns, known.utc_offset_ns or 0, known.clock_is_set)
