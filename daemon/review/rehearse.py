"""What would have alarmed under other limits: the alarm engine of the bed over what is stored, twice, beside what happened.

The engine is pure and is given the stored findings (stored.py), not the samples: analysis does not depend on limits. It runs
with the present limits too, so that what the replay itself changes (numbers once a second; a person's pauses and changes of
limits are not replayed, acknowledgements are taken for all that stands) can be seen and is not taken for the effect of limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.control.work import RehearsalAsked, RehearsalState, RehearsedRow
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Finding
from daemon.model.signals import TICK_NS, Command, Item, Nanos, Tick
from daemon.review.load import HOUR_NS, Span, spans
from daemon.review.stored import Said, happenings, numbers
from daemon.store.reader import ask
from daemon.words import say

WARM_NS: Nanos = 300_000_000_000
"""The engine runs over so much before the span: it is armed, and its delays have begun, when counting begins."""

STANDING_NS: Nanos = HOUR_NS
"""How far back states are looked for that were said once (a device that sends, an electrode that is off)."""

SLICE_NS: Nanos = 600_000_000_000
"""Read at once: a question of seconds must not hold the write-ahead log."""

_FINDINGS = get_args(Finding)


class Cancelled(Exception):
    """Whoever asked wants it no more."""


def refusal(asked: RehearsalAsked) -> str:
    """In words, why these limits cannot be; "" if they can."""
    for own in (asked.present, asked.other):
        refused = Limits(own=own).refused
        if refused:
            filled = {name: v if isinstance(v, str) else f"{v:g}" for name, v in refused[0].values}
            name = say("alarm." + filled["row"]) + ": " if "row" in filled else ""
            return name + say(refused[0].text, **filled)
    return ""


def rehearse(
    store: Path,
    asked: RehearsalAsked,
    now_utc_ns: int,
    told: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> RehearsalState:
    """Replay the last hours of a bed. `told` hears of progress (0 .. 1). Raises `Cancelled`, sqlite3.Error."""
    from_utc_ns = now_utc_ns - round(asked.hours * HOUR_NS)
    recorded = ask(store, lambda reader: spans(reader, asked.bed, from_utc_ns, now_utc_ns))
    ends = ask(store, lambda reader: {boot.boot: reader.newest_ns(boot.boot) for boot in reader.boots()})
    recorded = [_known(span, ends[span.boot]) for span in recorded if ends[span.boot] > span.t0_ns]
    total_ns = max(1, sum(span.t1_ns - span.t0_ns + WARM_NS for span in recorded))
    done_ns = 0
    happened: Counter[str] = Counter()
    replayed: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for span in recorded:
        happened += _happened(store, asked.bed, span)
        engines = [AlarmEngine(Limits(own=own)) for own in (asked.present, asked.other)]
        begin_ns = span.t0_ns - WARM_NS
        for until_ns, said in _slices(store, asked.bed, span, begin_ns):
            if cancelled():
                raise Cancelled
            for engine, count in zip(engines, replayed, strict=True):
                for change in _run(engine, said, max(begin_ns, until_ns - SLICE_NS), until_ns):
                    if _counts(change) and change.due_ns >= span.t0_ns:
                        count[change.row] += 1
            told(min(1.0, (done_ns + until_ns - begin_ns) / total_ns))
        done_ns += span.t1_ns - begin_ns
    present, other = replayed
    names = sorted({*happened, *present, *other}, key=lambda row: (-happened[row], -present[row], row))
    rows = (
        RehearsedRow(row=row, happened=happened[row], present=present[row], other=other[row]) for row in names
    )
    return RehearsalState(
        state="done",
        asked=asked,
        progress=1.0,
        from_utc_ms=from_utc_ns // 1_000_000,
        recorded_s=sum(span.t1_ns - span.t0_ns for span in recorded) / 1e9,
        rows=tuple(rows),
    )


def _known(span: Span, newest_ns: Nanos) -> Span:
    """A span that goes on ends with what is stored."""
    return Span(span.boot, span.t0_ns, min(span.t1_ns, newest_ns), span.utc_offset_ns)


def _happened(store: Path, bed: str, span: Span) -> Counter[str]:
    alarms = ask(store, lambda reader: reader.log.between(bed, span.boot, span.t0_ns, span.t1_ns))
    return Counter(one.row for one in alarms if not one.covered_by and not one.row.startswith("test_"))


def _counts(change: Change) -> bool:
    return change.kind is ChangeKind.BEGAN and not change.covered_by


def _slices(store: Path, bed: str, span: Span, begin_ns: Nanos) -> Iterator[tuple[Nanos, list[Said]]]:
    """What was said, slice by slice: (end of the slice, what was due before it), from `begin_ns` on."""
    back_ns = begin_ns - STANDING_NS
    rare = ask(store, lambda reader: happenings(reader, span.boot, bed, back_ns, span.t1_ns))
    at = 0
    for from_ns in range(begin_ns, span.t1_ns, SLICE_NS):
        until_ns = min(from_ns + SLICE_NS, span.t1_ns)
        said = ask(store, lambda r, a=from_ns, b=until_ns: numbers(r, span.boot, bed, a, b))  # type: ignore[misc]  # mypy takes no defaults in a lambda
        while at < len(rare) and rare[at][0] < until_ns:
            said.append(rare[at])
            at += 1
        yield until_ns, sorted(said, key=lambda one: one[0])


def _run(engine: AlarmEngine, said: Sequence[Said], from_ns: Nanos, until_ns: Nanos) -> Iterator[Change]:
    """Tick by tick over a slice."""
    at = 0
    first = -(-from_ns // TICK_NS) * TICK_NS
    for t_ns in range(first, until_ns, TICK_NS):
        tick = Tick(t_ns)
        while at < len(said) and said[at][0] <= t_ns:
            _give(engine, said[at][1], tick)
            at += 1
        yield from engine.step(tick)
    for _, one in said[at:]:
        _give(engine, one, Tick(until_ns))


def _give(engine: AlarmEngine, one: Item | Finding, tick: Tick) -> None:
    if isinstance(one, Command):
        if one.verb == "acknowledge":
            engine.step(Command(one.id, one.t_ns, one.bed, one.actor, one.verb))
    elif isinstance(one, _FINDINGS):
        engine.seen.collect(tick, (one,))
    else:
        engine.step(one)  # type: ignore[arg-type]  # all that is no finding is an item
