"""The oxygen report: purity and flow of a concentrator over a session, how long it was too low, and how the machine itself is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from daemon.control.reports import StatementMade
from daemon.reports import charts
from daemon.reports.flow import Column, Flow
from daemon.reports.job import Drawn, Job, NotMakeable
from daemon.reports.quantities import name_of, quantity, unit_of
from daemon.reports.session import conclusions
from daemon.reports.session_source import Trend, alarms, trends
from daemon.reports.statements import opinion
from daemon.reports.whose import ABSENT, DASH, Whose, duration, number
from daemon.store.box import ask_box
from daemon.store.proposals import ProposalState, of_state
from daemon.store.reader import Reader
from daemon.words import say

ALARM_PCT, FAIR_PCT = 82.0, 90.0
"""ISO 80601-2-69 asks for an alarm below 82 %; makers hold their machines to 90 % or somewhat less."""

NAMES = (
    "o2_purity",
    "o2_flow",
    "o2_flow_set",
    "o2_temperature",
    "o2_pressure",
    "o2_battery",
    "compressor_health",
    "valve_asymmetry",
    "spo2",
)
NEWEST = ("o2_hours", "o2_battery", "compressor_health", "valve_asymmetry")
DUE = "maintenance_due_date"
CHART_MM = 26.0
FLOORS = {"o2_purity": (75.0, 100.0), "o2_battery": (0.0, 100.0), "o2_flow": (0.0, 2.0)}


def draw(reader: Reader, job: Job, told: Callable[[float], None], to: Path) -> Drawn:
    """Write the file. Raises `NotMakeable`, OSError, sqlite3.Error."""
    whose = Whose.of(reader, job)
    seconds = (whose.t1_ns - whose.t0_ns) / 1e9
    n = int(np.clip(seconds / 60.0, min(300.0, max(seconds / 2, 10.0)), 1500))
    found = {
        one.name: one for one in trends(reader, whose.bed, whose.boot, whose.t0_ns, whose.t1_ns, n, NAMES)
    }
    if not {"o2_purity", "o2_flow"} & set(found):
        raise NotMakeable(say("report.no_oxygen"))
    told(0.5)
    minute = seconds / n / 60
    low_min = {limit: _below(found.get("o2_purity"), limit) * minute for limit in (ALARM_PCT, FAIR_PCT)}
    made = statements(found, low_min)
    device = _device(reader, whose)

    flow = Flow(
        whose,
        say("report.title.oxygen"),
        f"{whose.when(whose.t0_ns, zone=True)} {DASH} {whose.when(whose.t1_ns)}  ·  {device}",
    )
    flow.facts([*whose.person(), *whose.place()])
    flow.heading(say("report.summary"))
    flow.facts(_facts(reader, whose, device, found, low_min, seconds))
    conclusions(flow, job, made)
    _measured(flow, list(found.values()))
    flow.heading(say("report.trends"), keep=CHART_MM + 10)
    for one in found.values():
        _chart(flow, whose, one)
    _alarms(flow, whose, reader)
    flow.heading(say("report.method"))
    flow.note(say("report.oxygen.about", low=f"{ALARM_PCT:g}", fair=f"{FAIR_PCT:g}"))
    flow.finish()
    told(0.95)
    flow.paper.save(to)
    purity, rate = found.get("o2_purity"), found.get("o2_flow")
    return Drawn(
        about_utc_ns=whose.utc_ns(whose.t0_ns),
        pages=flow.paper.pages,
        missing=tuple(flow.paper.missing),
        device=device,
        options=job.asked.model_dump(exclude={"signing", "actor"}),
        made=made if job.signed is None else job.signed.made,
        metrics={
            "oxygen_purity_pct": None if purity is None else float(np.nanmedian(purity.middle)),
            "flow_rate_lpm": None if rate is None else float(np.nanmedian(rate.middle)),
        },
        summary=dict(whose.session.summary or {}),
        conclusion="; ".join(opinion(job, made)),
    )


def _below(one: Trend | None, limit: float) -> float:
    """Columns whose median is below a limit."""
    return 0.0 if one is None else float((one.middle < limit).sum())


def statements(found: dict[str, Trend], low_min: dict[float, float]) -> tuple[StatementMade, ...]:
    """Sentences from templates, as in the session report."""
    made: list[StatementMade] = []
    purity = found.get("o2_purity")
    if purity is None:
        made.append(StatementMade(key="O-P-00", text=say("report.said.O-P-00")))
    else:
        lowest = f"{float(np.nanmin(purity.low)):.1f} %"
        for limit in (ALARM_PCT, FAIR_PCT):
            if low_min[limit] > 0:
                text = say("report.said.O-P-02", limit=f"{limit:g}", minutes=f"{low_min[limit]:.1f}")
                made.append(StatementMade(key="O-P-02", text=text, criteria=(f"{lowest} < {limit:g} %",)))
                break
        else:
            text = say("report.said.O-P-01", limit=f"{FAIR_PCT:g}")
            made.append(StatementMade(key="O-P-01", text=text, criteria=(lowest,)))
    rate = found.get("o2_flow")
    if rate is not None:
        median = f"{float(np.nanmedian(rate.middle)):.1f}"
        made.append(StatementMade(key="O-F-01", text=say("report.said.O-F-01", flow=median)))
    return tuple(made)


def _device(reader: Reader, whose: Whose) -> str:
    """The concentrator: whoever tells of oxygen first."""
    for one in reader.metrics(
        whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed, names=["o2_purity", "o2_flow"]
    ):
        if one.device:
            return one.device
    return whose.device


def _facts(
    reader: Reader,
    whose: Whose,
    device: str,
    found: dict[str, Trend],
    low_min: dict[float, float],
    seconds: float,
) -> list[tuple[str, str]]:
    rows = [(say("report.length"), duration(seconds))]
    if "o2_purity" in found:
        rows += [
            (say("report.purity_low", limit=f"{limit:g}"), f"{minutes:.1f} min")
            for limit, minutes in low_min.items()
        ]
    newest: dict[str, tuple[float, str]] = {}
    for one in reader.metrics(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed, names=NEWEST):
        if one.value is not None:
            newest[one.name] = (one.value, one.unit)
    rows += [(name_of(name), quantity(value, unit)) for name, (value, unit) in newest.items()]
    rows.append((say("report.maintenance"), _due(whose.job.box.people, device)))
    return rows


def _due(people: str, device: str) -> str:
    """The date of the next maintenance, as far as anybody has set one."""
    if not people or not Path(people).exists():
        return ABSENT
    try:
        wished = ask_box(Path(people), lambda db: of_state(db, ProposalState.APPLIED))
    except sqlite3.Error:
        return ABSENT
    dates = [
        (p.wished_utc_ns, str(p.value)) for p in wished if p.name == DUE and p.device == device and p.value
    ]
    return date.fromisoformat(max(dates)[1]).isoformat() if dates else ABSENT


def _measured(flow: Flow, found: Sequence[Trend]) -> None:
    flow.heading(say("report.oxygen.measured"))
    rows = []
    for one in found:
        known = np.isfinite(one.middle)
        digits = 0 if one.unit == "%" and one.name != "o2_purity" else 1
        numbers = (np.nanmedian(one.middle), np.nanmin(one.low), np.nanmax(one.high), one.middle[known][-1])
        rows.append((name_of(one.name), unit_of(one.unit), *(number(float(v), digits) for v in numbers)))
    heads = [
        Column(say("report.column.what"), 3),
        Column("", 1),
        Column(say("report.column.median"), 1, "right"),
        Column(say("report.column.lowest"), 1, "right"),
        Column(say("report.column.highest"), 1, "right"),
        Column(say("report.column.newest"), 1, "right"),
    ]
    flow.table(heads, rows)


def _chart(flow: Flow, whose: Whose, one: Trend) -> None:
    flow.room(CHART_MM + 10)
    left = flow.left + charts.AXIS_MM
    span = (whose.utc_ns(whose.t0_ns), whose.utc_ns(whose.t1_ns))
    area = charts.Area(left, flow.y + 3, flow.right - left, CHART_MM, *span)
    floor, ceiling = FLOORS.get(one.name, (None, None))
    limits = (ALARM_PCT, FAIR_PCT) if one.name == "o2_purity" else ()
    title = f"{name_of(one.name)}, {unit_of(one.unit)}"
    charts.curve(
        flow.paper, area, title, one.middle, one.low, one.high, limits=limits, floor=floor, ceiling=ceiling
    )
    flow.y += CHART_MM + 9


def _alarms(flow: Flow, whose: Whose, reader: Reader) -> None:
    shown = alarms(reader, whose)
    flow.heading(say("report.alarms"))
    if not shown:
        flow.note(say("report.no_alarms"))
        return
    rows = [
        (
            whose.when(one.began_ns),
            say(one.text),
            "" if one.over_ns is None else f"{(one.over_ns - one.began_ns) / 1e9:.0f} s",
        )
        for one in shown[:80]
    ]
    heads = [
        Column(say("report.column.time"), 2),
        Column(say("report.column.alarm"), 4),
        Column(say("report.column.lasted"), 1, "right"),
    ]
    flow.table(heads, rows)
    if len(shown) > 80:
        flow.note(say("report.more", count=str(len(shown) - 80)))
