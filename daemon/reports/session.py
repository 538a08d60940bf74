"""The session report: what there was, over time, how often, at which moments, and how far it can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from daemon.control.reports import StatementMade
from daemon.model.signals import Nanos
from daemon.reports import charts, strips
from daemon.reports.flow import Column, Flow
from daemon.reports.job import Drawn, Job
from daemon.reports.paper import RED, Style
from daemon.reports.quantities import name_of, quantity, unit_of
from daemon.reports.session_source import (
    QUIET,
    Beats,
    Stretch,
    Trend,
    alarms,
    beats,
    graded_before,
    quality,
    recorded,
    rhythms,
    trends,
)
from daemon.reports.session_statements import Sums, statements, sums_of
from daemon.reports.statements import opinion, standing
from daemon.reports.whose import DASH, Whose, duration, number
from daemon.store.answers import Missing, StoredEvent
from daemon.store.occurrences import Occurrence
from daemon.store.reader import Reader
from daemon.words import say

KINDS = ("quality", "rhythm", "event", "conclusions")
MOST_ALARMS, MOST_GAPS = 120, 40
CHART_MM = 27.0
PRIORITIES = ("high", "medium", "low")


def draw(reader: Reader, job: Job, told: Callable[[float], None], to: Path) -> Drawn:
    """Write the file. Raises `NotMakeable`, OSError, sqlite3.Error."""
    whose = Whose.of(reader, job)
    events = reader.events(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed, kinds=KINDS)
    heart, shown_alarms = beats(reader, whose), alarms(reader, whose)
    told(0.1)
    found = rhythms(events, whose.t1_ns)
    seconds = (whose.t1_ns - whose.t0_ns) / 1e9
    n = int(np.clip(seconds / 60.0, min(300.0, max(seconds / 2, 10.0)), 1500))
    curves = trends(reader, whose.bed, whose.boot, whose.t0_ns, whose.t1_ns, n)
    graded = quality([*graded_before(reader, whose), *events], whose.t0_ns, whose.t1_ns)
    stored_s, gaps = recorded(reader, whose)
    told(0.3)
    sums = sums_of(heart, found, events, shown_alarms, graded, stored_s, seconds)
    made = statements(sums)
    drawn_strips = strips.strips(
        reader,
        whose,
        strips.moments(whose, events, found, shown_alarms, heart),
        lambda p: told(0.3 + 0.5 * p),
    )

    span = f"{whose.when(whose.t0_ns, zone=True)} {DASH} {whose.when(whose.t1_ns)}"
    flow = Flow(whose, say("report.title.session"), span)
    _summary(flow, job, sums, shown_alarms, made)
    _trends(flow, whose, curves, shown_alarms, gaps)
    _rhythm(flow, whose, heart, found, events, sums)
    strips.draw(flow, drawn_strips)
    _alarms(flow, whose, shown_alarms)
    _believed(flow, whose, graded, gaps, stored_s, events)
    flow.finish()
    told(0.95)
    flow.paper.save(to)
    return Drawn(
        about_utc_ns=whose.utc_ns(whose.t0_ns),
        pages=flow.paper.pages,
        missing=tuple(flow.paper.missing),
        device=whose.device,
        options=job.asked.model_dump(exclude={"signing", "actor", "by"}),
        made=made if job.signed is None else job.signed.made,
        metrics={"heart_rate_bpm": sums.hr_mean},
        summary=dict(whose.session.summary or {}),
        conclusion="; ".join(opinion(job, made)),
    )


def conclusions(flow: Flow, job: Job, made: Sequence[StatementMade]) -> None:
    """What is concluded, each with what it was concluded from; and how it stands."""
    flow.heading(say("report.conclusions"))
    signed = job.signed
    if signed is not None and signed.lines is not None:
        for line in signed.lines:
            flow.note(line, Style(9, bold=True))
        flow.note(say("report.as_made"))
    for one in made if signed is None else signed.made:
        flow.note(f"{one.text}  [{one.key}]", Style(8.5, bold=signed is None or signed.lines is None))
        if one.criteria:
            flow.note("; ".join(one.criteria))
    colour = RED if signed is None else (0, 90, 30)
    flow.note(standing(job), Style(9, bold=True, colour=colour))


def _summary(
    flow: Flow, job: Job, sums: Sums, shown: Sequence[Occurrence], made: Sequence[StatementMade]
) -> None:
    whose = flow.whose
    flow.facts([*whose.person(), *whose.place()])
    flow.heading(say("report.summary"))
    counted = Counter(one.priority for one in shown)
    waited = [(a.acknowledged_ns - a.began_ns) / 1e9 for a in shown if a.acknowledged_ns is not None]
    at = {
        name: "" if t is None else f" ({whose.clock(t)})"
        for name, t in (("low", sums.hr_low_ns), ("high", sums.hr_high_ns))
    }
    rows = [
        (say("report.length"), duration(sums.seconds)),
        (say("report.stored"), duration(sums.stored_s)),
        (say("report.usable"), f"{number(sums.usable_s / 60, 1)} min"),
        (say("report.beats"), number(sums.beats)),
        (say("report.hr_mean"), quantity(sums.hr_mean, "bpm")),
        (say("report.hr_low"), quantity(sums.hr_low, "bpm") + at["low"]),
        (say("report.hr_high"), quantity(sums.hr_high, "bpm") + at["high"]),
        (say("report.ventricular"), number(sums.ventricular)),
        (say("report.supraventricular"), number(sums.supraventricular)),
        (say("report.pauses"), number(sums.pauses)),
        (say("report.runs"), number(sums.runs)),
        (say("report.af"), f"{number(sums.af_s / 60, 1)} min"),
        *((say(f"report.alarms.{priority}"), number(counted.get(priority, 0))) for priority in PRIORITIES),
        (say("report.to_acknowledge"), f"{number(float(np.median(waited)) if waited else None, 0)} s"),
    ]
    flow.facts(rows, 3 if flow.width > 190 else 2)
    conclusions(flow, job, made)


def _trends(
    flow: Flow, whose: Whose, curves: Sequence[Trend], shown: Sequence[Occurrence], gaps: Sequence[Missing]
) -> None:
    if not curves:
        return
    flow.heading(say("report.trends"), keep=CHART_MM + 12)
    step = (whose.t1_ns - whose.t0_ns) / 1e9 / len(curves[0].middle)
    flow.note(say("report.trends.about", seconds=f"{step:.3g}"))
    for one in curves:
        flow.room(CHART_MM + 10)
        area = _area(flow, whose, flow.y + 3.0, CHART_MM)
        floor = 80.0 if one.name == "spo2" else None
        title = f"{name_of(one.name)}, {unit_of(one.unit)}"
        charts.curve(
            flow.paper,
            area,
            title,
            one.middle,
            one.low,
            one.high,
            floor=floor,
            least=10.0 if one.unit in {"bpm", "%"} else 1.0,
        )
        flow.y += CHART_MM + 9.5
    flow.room(5 * 4.0)
    for priority in PRIORITIES:
        at = [whose.utc_ns(a.began_ns) for a in shown if a.priority == priority]
        charts.mark_row(
            flow.paper, _area(flow, whose, flow.y, 4.0), say(f"report.tick.{priority}"), [(t, t) for t in at]
        )
        flow.y += 4.0
    missing = [(whose.utc_ns(gap.t0_ns), whose.utc_ns(gap.t1_ns)) for gap in gaps]
    charts.mark_row(
        flow.paper, _area(flow, whose, flow.y, 4.0), say("report.tick.gaps"), missing, (150, 150, 150)
    )
    flow.y += 6.0


def _area(flow: Flow, whose: Whose, y: float, h: float) -> charts.Area:
    left = flow.left + charts.AXIS_MM
    return charts.Area(left, y, flow.right - left, h, whose.utc_ns(whose.t0_ns), whose.utc_ns(whose.t1_ns))


def _rhythm(
    flow: Flow,
    whose: Whose,
    heart: Beats,
    found: Sequence[Stretch],
    events: Sequence[StoredEvent],
    sums: Sums,
) -> None:
    if not len(heart.t_ns):
        return
    size = 52.0
    flow.heading(say("report.rhythm"), keep=size + 10)
    y = flow.y + 2.0
    rr = heart.rr_ms[np.isfinite(heart.rr_ms)]
    bpm = 60_000 / rr[rr > 0]
    edges = np.arange(20.0, 256.0, 5.0)
    counts, _ = np.histogram(bpm, edges)
    inside = np.flatnonzero(counts)
    if len(inside):
        cut = slice(max(inside[0] - 2, 0), inside[-1] + 3)
        edges, counts = edges[cut.start : cut.stop + 1], counts[cut]
    counts = counts[: len(edges) - 1]
    charts.histogram(
        flow.paper,
        flow.left + 10,
        y,
        flow.width - size - 40,
        size - 6,
        edges,
        counts,
        say("report.histogram"),
    )
    pairs = heart.normal_pairs
    both = pairs[1:] & pairs[:-1]
    xs, ys = heart.rr_ms[:-1][both], heart.rr_ms[1:][both]
    thin = slice(None, None, max(1, len(xs) // 4000))
    low, high = (float(v) for v in np.percentile(rr, (0.5, 99.5))) if len(rr) else (400.0, 1200.0)
    low, high = 100 * np.floor(low / 100) - 100, 100 * np.ceil(high / 100) + 100
    charts.cloud(
        flow.paper,
        flow.right - size + 4,
        y,
        size - 6,
        xs[thin],
        ys[thin],
        max(low, 0),
        high,
        say("report.poincare"),
    )
    flow.y = y + size + 3
    nn = heart.rr_ms[pairs]
    steps = np.diff(heart.rr_ms)[both]
    flow.facts(
        [
            (say("report.nn"), number(len(nn))),
            (say("report.sdnn"), f"{number(float(nn.std(ddof=1)) if len(nn) > 2 else None)} ms"),
            (
                say("report.rmssd"),
                f"{number(float(np.sqrt((steps**2).mean())) if len(steps) > 2 else None)} ms",
            ),
            (
                say("report.pnn50"),
                f"{number(float(100 * (np.abs(steps) > 50).mean()) if len(steps) > 2 else None, 1)} %",
            ),
        ]
    )
    flow.note(say("report.hrv.about"))
    flow.heading(say("report.arrhythmias"))
    rows = _arrhythmias(found, events, sums)
    if rows:
        heads = [
            Column(say("report.column.what"), 4),
            Column(say("report.column.times"), 1, "right"),
            Column(say("report.column.lasted"), 1.6, "right"),
            Column(say("report.column.first"), 2, "right"),
        ]
        flow.table(
            heads, [(what, str(times), lasted, whose.when(first)) for what, times, lasted, first in rows]
        )
    else:
        flow.note(say("report.no_arrhythmias"))


def _arrhythmias(
    found: Sequence[Stretch], events: Sequence[StoredEvent], sums: Sums
) -> list[tuple[str, int, str, Nanos]]:
    """What, how often, how long in all, when first: rhythms, then events."""
    rows = []
    for label in dict.fromkeys(one.label for one in found if one.label not in QUIET):
        of = [one for one in found if one.label == label]
        rows.append((say(f"rhythm.{label}"), len(of), duration(sum(one.seconds for one in of)), of[0].t0_ns))
    names: dict[str, list[Nanos]] = {}
    for event in events:
        if event.kind == "event":
            names.setdefault(str(event.body["name"]), []).append(event.t_ns)
    rows += [(say(f"event.{name}"), len(at), "", at[0]) for name, at in names.items()]
    for key, count, first in (
        ("report.ventricular", sums.ventricular, sums.first_v_ns),
        ("report.supraventricular", sums.supraventricular, sums.first_s_ns),
    ):
        if count and first is not None:
            rows.append((say(key), count, "", first))
    return rows


def _alarms(flow: Flow, whose: Whose, shown: Sequence[Occurrence]) -> None:
    flow.heading(say("report.alarms"))
    if not shown:
        flow.note(say("report.no_alarms"))
        return
    rows = []
    for one in shown[:MOST_ALARMS]:
        lasted = "" if one.over_ns is None else f"{(one.over_ns - one.began_ns) / 1e9:.0f} s"
        answered = (
            ""
            if one.acknowledged_ns is None
            else f"{(one.acknowledged_ns - one.began_ns) / 1e9:.0f} s  {one.acknowledged_by}"
        )
        filled = {name: v if isinstance(v, str) else f"{v:g}" for name, v in one.values}
        value = quantity(one.value, one.unit) if one.value is not None else ""
        limit = quantity(one.limit, one.unit) if one.limit is not None else ""
        rows.append(
            (
                whose.when(one.began_ns),
                say(one.text, **filled),
                say(f"report.tick.{one.priority}"),
                value,
                limit,
                lasted,
                answered,
            )
        )
    heads = [
        Column(say("report.column.time"), 2.5),
        Column(say("report.column.alarm"), 3),
        Column(say("report.column.priority"), 1.2),
        Column(say("report.column.worst"), 1.4, "right"),
        Column(say("report.column.limit"), 1.4, "right"),
        Column(say("report.column.lasted"), 1.1, "right"),
        Column(say("report.column.acknowledged"), 2.6, "right"),
    ]
    flow.table(heads, rows)
    if len(shown) > MOST_ALARMS:
        flow.note(say("report.more", count=str(len(shown) - MOST_ALARMS)))


def _believed(
    flow: Flow,
    whose: Whose,
    graded: Mapping[str, float],
    gaps: Sequence[Missing],
    stored_s: float,
    events: Sequence[StoredEvent],
) -> None:
    flow.heading(say("report.quality"))
    total = sum(graded.values())
    rows = (
        [(say(f"grade.{grade}"), f"{duration(s)}  ({100 * s / total:.0f} %)") for grade, s in graded.items()]
        if total
        else []
    )
    flow.facts([(say("report.stored"), duration(stored_s)), *rows])
    if gaps:
        heads = [
            Column(say("report.column.from"), 2),
            Column(say("report.column.lasted"), 1, "right"),
            Column(say("report.column.cause"), 2),
            Column(say("report.column.stream"), 2),
        ]
        flow.table(
            heads,
            [
                (whose.when(g.t0_ns), f"{(g.t1_ns - g.t0_ns) / 1e9:.2f} s", g.cause, g.stream)
                for g in gaps[:MOST_GAPS]
            ],
        )
        if len(gaps) > MOST_GAPS:
            flow.note(say("report.more", count=str(len(gaps) - MOST_GAPS)))
    else:
        flow.note(say("report.no_gaps"))
    flow.heading(say("report.method"))
    flow.note(say("report.method.about"))
    evidence = [event.body.get("evidence") for event in events]
    used = sorted({str(one["rule"]) for one in evidence if isinstance(one, dict) and one.get("rule")})
    flow.note(say("report.rules", rules=", ".join(used) or "-"))
