"""One line of UTC over boots: when a bed was recorded, who was there, what happened. What all pages of the past share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from daemon.control.review import MarkTold, StayTold
from daemon.model.alarms import ChangeKind
from daemon.review.load import Span, spans
from daemon.store.occurrences import ACTS, Occurrence
from daemon.store.reader import Reader

MS = 1_000_000
MOST_MARKS = 400

_RANKS = {"high": 0, "medium": 1, "low": 2}
_ACTED = (*ACTS, ChangeKind.ACKNOWLEDGED)
_QUIET = {ChangeKind.PAUSE_ENDED, ChangeKind.ADMITTED, ChangeKind.DISCHARGED}
"""A pause that ran out is no act; admission and discharge come as commands."""

_VERBS = ("admit", "discharge", "session_start", "session_end", "set_device")


def ns(ms: float) -> int:
    """UTC in nanoseconds of UTC in milliseconds, to the microsecond: nanoseconds of today do not fit a float."""
    return round(ms * 1000) * 1000


def clock(reader: Reader, recorded: Iterable[Span]) -> Literal["set", "unset"]:
    """Whether the clock could be believed in all of these spans."""
    sure = {boot.boot: boot.clock_is_set for boot in reader.boots()}
    return "set" if all(sure[span.boot] for span in recorded) else "unset"


def recorded(reader: Reader, bed: str, from_ns: int, to_ns: int) -> list[Span]:
    """As `load.spans`, in order of UTC."""
    return sorted(spans(reader, bed, from_ns, to_ns), key=lambda span: span.t0_ns + span.utc_offset_ns)


def boots(found: Sequence[Span]) -> list[Span]:
    """One span a boot: from the first moment of its runs to the last."""
    whole: dict[str, Span] = {}
    for span in found:
        known = whole.setdefault(span.boot, span)
        t0_ns, t1_ns = min(known.t0_ns, span.t0_ns), max(known.t1_ns, span.t1_ns)
        whole[span.boot] = Span(span.boot, t0_ns, t1_ns, span.utc_offset_ns)
    return list(whole.values())


def stays(reader: Reader, bed: str, from_ns: int, to_ns: int) -> list[StayTold]:
    """Who was at the bed in a span of UTC, oldest first: neighbouring sessions of one patient are one stay."""
    offsets = {boot.boot: boot.utc_offset_ns or 0 for boot in reader.boots()}
    rows = reader.db.execute(
        "SELECT boots.boot, s.began_ns, s.ended_ns, s.patient FROM sessions s JOIN boots ON boots.id = s.boot"
        " JOIN bedsides b ON b.id = s.bed WHERE b.bed = ? AND boots.boot NOT LIKE 'import:%' ORDER BY s.id",
        (bed,),
    ).fetchall()
    found: list[StayTold] = []
    for boot, began_ns, ended_ns, patient in rows:
        begin = max(began_ns + offsets[boot], from_ns)
        end = to_ns if ended_ns is None else min(ended_ns + offsets[boot], to_ns)
        if begin >= end:
            continue
        known = json.loads(patient) if patient else {}
        who = str(known.get("patient_id") or "")
        last = found[-1] if found else None
        if last is not None and last.patient_id == who:
            found[-1] = last.model_copy(update={"to_ms": end / MS})
        else:
            name = str(known.get("full_name") or "")
            found.append(StayTold(from_ms=begin / MS, to_ms=end / MS, patient_id=who, full_name=name))
    return found


def marks(reader: Reader, bed: str, found: Iterable[Span]) -> tuple[list[MarkTold], int]:
    """Alarms, what people did, settings of devices, in order of time; the worst and the newest alarms, and how many are left out."""
    alarms: list[MarkTold] = []
    others: list[MarkTold] = []
    for span in found:
        alarms += [
            _alarm(one, span)
            for one in reader.log.between(bed, span.boot, span.t0_ns, span.t1_ns)
            if not one.covered_by and not one.row.startswith("test_")
        ]
        others += _acts(reader, bed, span)
    alarms.sort(key=lambda mark: (_RANKS[mark.priority], -mark.t_ms))
    others.sort(key=lambda mark: -mark.t_ms)
    kept = alarms[:MOST_MARKS] + others[:MOST_MARKS]
    return sorted(kept, key=lambda mark: mark.t_ms), len(alarms) + len(others) - len(kept)


def _alarm(one: Occurrence, span: Span) -> MarkTold:
    over = None if one.over_ns is None else (one.over_ns + span.utc_offset_ns) / MS
    return MarkTold(
        kind="alarm",
        name=one.row,
        t_ms=(one.onset_ns + span.utc_offset_ns) / MS,
        to_ms=over,
        boot=one.boot,
        t_ns=one.onset_ns,
        priority=one.priority,
        detail=one.instance,
        occurrence=one.occurrence,
    )


def _acts(reader: Reader, bed: str, span: Span) -> list[MarkTold]:
    """What people did in one boot: to alarms, to the patient's stay, to devices."""
    line = (
        "SELECT e.t_ns, e.kind, e.body FROM events e JOIN boots ON boots.id = e.boot JOIN bedsides b ON b.id = e.bed"
        " WHERE boots.boot = ? AND e.t_ns >= ? AND e.t_ns < ? AND b.bed = ?"
    )
    rows: list[tuple[int, str, str]] = []
    for kind, key, names in (("alarm", "kind", _ACTED), ("command", "verb", _VERBS)):
        # Two questions: the first has an index of its own.
        rows += reader.db.execute(
            f"{line} AND e.kind = '{kind}' AND e.body ->> '$.{key}' IN (SELECT value FROM json_each(?))",  # noqa: S608 - no input
            (span.boot, span.t0_ns, span.t1_ns, bed, json.dumps(names)),
        ).fetchall()
    out = []
    for t_ns, kind, text in rows:
        body: dict[str, Any] = json.loads(text)
        name = str(body["kind"] if kind == "alarm" else body["verb"])
        if name in _QUIET:
            continue
        about = {"t_ms": (t_ns + span.utc_offset_ns) / MS, "boot": span.boot, "t_ns": t_ns}
        device = name == "set_device"
        detail = str(body.get("values", {}).get("device", "") if device else body.get("row", ""))
        who = str(body.get("actor", ""))
        out.append(
            MarkTold.model_validate(
                {"kind": "device" if device else "act", "name": name, "who": who, "detail": detail, **about}
            )
        )
    return out
