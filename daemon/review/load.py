"""How alarms load a bed: how many of which, how long they stood, how soon somebody acknowledged them, hour by hour.

Too many alarms make slow answers (alarm fatigue), and few rules make most of them: the page that shows this lets a nurse see
which. Only what was itself shown as an alarm counts: one that a worse alarm of the same event spoke for does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from daemon.control.work import LoadState, RowLoadState
from daemon.model.alarms import Priority
from daemon.model.signals import Nanos
from daemon.store.answers import Boot
from daemon.store.occurrences import Occurrence
from daemon.store.reader import Reader

HOUR_NS: Nanos = 3_600_000_000_000
SHORT_NS: Nanos = 10_000_000_000
_RANKS = {priority.value: priority.rank for priority in Priority}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one boot in which the bed was recorded, and what UTC is there: t_ns + utc_offset_ns."""

    boot: str
    t0_ns: Nanos
    t1_ns: Nanos
    utc_offset_ns: int


def spans(reader: Reader, bed: str, from_utc_ns: int, until_utc_ns: int) -> list[Span]:
    """When the bed was recorded within a span of UTC. Of a boot whose clock was never set its own idea of UTC is taken."""
    found = []
    boots: dict[str, Boot] = {boot.boot: boot for boot in reader.boots()}
    for boot, began_ns, ended_ns in reader.log.runs(bed):
        offset_ns = boots[boot].utc_offset_ns or 0
        t0_ns = max(began_ns, from_utc_ns - offset_ns)
        t1_ns = min(2**62 if ended_ns is None else ended_ns, until_utc_ns - offset_ns)
        if t0_ns < t1_ns:
            found.append(Span(boot, t0_ns, t1_ns, offset_ns))
    return found


def load(reader: Reader, bed: str, hours: int, now_utc_ns: int) -> LoadState:
    """The last `hours` hours up to now."""
    from_utc_ns = now_utc_ns - hours * HOUR_NS
    recorded = spans(reader, bed, from_utc_ns, now_utc_ns)
    began: list[tuple[int, Occurrence, Nanos]] = []  # hour, alarm, when it was over at the latest
    for span in recorded:
        for one in reader.log.between(bed, span.boot, span.t0_ns, span.t1_ns):
            if one.covered_by or one.row.startswith("test_"):
                continue
            hour = (one.began_ns + span.utc_offset_ns - from_utc_ns) // HOUR_NS
            over_ns = span.t1_ns if one.over_ns is None else min(one.over_ns, span.t1_ns)
            began.append((min(hour, hours - 1), one, max(over_ns, one.began_ns)))
    names = {one.row for _, one, _ in began}
    rows = [_row(name, hours, [b for b in began if b[1].row == name]) for name in names]
    rows.sort(key=lambda row: (-row.count, row.row))
    total = _row("", hours, began)
    recorded_s = sum(span.t1_ns - span.t0_ns for span in recorded) / 1e9
    share = min(total.in_alarm_s / recorded_s, 1.0) if recorded_s else 0.0
    return LoadState(
        bed=bed,
        from_utc_ms=from_utc_ns // 1_000_000,
        hours=hours,
        recorded_s=recorded_s,
        share_in_alarm=share,
        total=total,
        rows=tuple(rows),
    )


def _row(name: str, hours: int, began: Sequence[tuple[int, Occurrence, Nanos]]) -> RowLoadState:
    by_hour = [0] * hours
    for hour, _, _ in began:
        by_hour[hour] += 1
    answers = [
        (one.acknowledged_ns - one.began_ns) / 1e9 for _, one, _ in began if one.acknowledged_ns is not None
    ]
    worst = max((one.priority for _, one, _ in began), key=lambda p: _RANKS[p], default="low")
    return RowLoadState.model_validate(
        {
            "row": name,
            "priority": worst,
            "count": len(began),
            "short": sum(over_ns - one.began_ns < SHORT_NS for _, one, over_ns in began),
            "hours": tuple(by_hour),
            "in_alarm_s": _covered_s((one.boot, one.began_ns, over_ns) for _, one, over_ns in began),
            "acknowledged": len(answers),
            "median_to_acknowledge_s": median(answers) if answers else None,
            "worst_to_acknowledge_s": max(answers, default=None),
        }
    )


def _covered_s(stretches: Iterable[tuple[str, Nanos, Nanos]]) -> float:
    """The time that stretches (boot, from, to) cover together, s."""
    covered, boot, until_ns = 0, "", 0
    for of, begin_ns, end_ns in sorted(stretches):
        if of != boot:
            boot, until_ns = of, begin_ns
        covered += max(0, end_ns - max(begin_ns, until_ns))
        until_ns = max(until_ns, end_ns)
    return covered / 1e9
