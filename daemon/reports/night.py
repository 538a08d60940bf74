"""The report of a night of breathing therapy: how long it was used, how well it worked, and the curves with their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from daemon.control.reports import StatementMade
from daemon.reports import charts
from daemon.reports.flow import Column, Flow
from daemon.reports.job import Drawn, Job, NotMakeable
from daemon.reports.quantities import unit_of
from daemon.reports.session import conclusions
from daemon.reports.statements import opinion
from daemon.reports.whose import DASH, Whose, duration, local, number
from daemon.review.night import (
    BLOWS_CMH2O,
    CURVES,
    FLAGS,
    Flag,
    Floats,
    Grid,
    Night,
    curve,
    figures,
    flags,
    nights,
)
from daemon.store.reader import Reader
from daemon.words import say

POINTS = 1200
LONG_ENOUGH_H = 4.0
"""A night counts as used from so many hours on (the rule of most payers)."""

NIGHTS = 30
LARGE_LEAK_LPM = 24.0
AHI_STEPS = ((5.0, "below"), (15.0, "mild"), (30.0, "moderate"))
"""Below 5 an hour is the aim of therapy; the steps are those of AASM severity."""

SHOWN = ("obstructive", "clear_airway", "unclassified", "hypopnoea", "periodic", "desaturation", "large_leak")
CHART_MM = {"flow": 24.0, "pressure": 26.0, "leak": 20.0, "spo2": 22.0, "pulse": 18.0}
FLOORS = {"leak": (0.0, 60.0), "pressure": (0.0, 12.0), "spo2": (85.0, 100.0)}
FACTS = (
    ("used_h", "h", 1),
    ("recorded_h", "h", 1),
    ("ahi", "/h", 1),
    ("pressure_median", "cmH2O", 1),
    ("pressure_p95", "cmH2O", 1),
    ("pressure_max", "cmH2O", 1),
    ("leak_median", "L/min", 0),
    ("leak_p95", "L/min", 0),
    ("leak_max", "L/min", 0),
    ("longest_s", "s", 0),
    ("spo2_mean", "%", 0),
    ("spo2_lowest", "%", 0),
    ("spo2_below_90_min", "min", 1),
    ("machine_hours", "h", 1),
    ("machine_ahi", "/h", 1),
    ("machine_leak_p95", "L/min", 0),
)
NUMBERS = ("tidal_volume", "minute_volume", "respiration_rate", "flow_limitation", "odi3", "odi4")


def draw(reader: Reader, job: Job, told: Callable[[float], None], to: Path) -> Drawn:
    """Write the file. Raises `NotMakeable`, OSError, sqlite3.Error."""
    whose = Whose.of(reader, job)
    every = nights(reader, whose.bed)
    night = _of_session(every, whose)
    sums = figures(reader, night)
    told(0.3)
    begin, end = night.span
    grid = Grid(begin, max(end, begin + 1_000_000_000), POINTS)
    curves = {name: curve(reader, night, name, grid) for name in CURVES}
    seen = flags(reader, night)
    told(0.5)
    uses = _uses(reader, [one for one in every if one.device == night.device][:NIGHTS], night, sums, told)
    leak_min = _over(curves["leak"], grid, LARGE_LEAK_LPM)
    made = statements(sums, leak_min)

    span = f"{local(begin, zone=True)} {DASH} {local(end)}  ·  {night.device}"
    flow = Flow(whose, say("report.title.night"), span)
    flow.facts([*whose.person(), *whose.place()])
    _figures(flow, reader, night, sums, leak_min)
    conclusions(flow, job, made)
    _curves(flow, grid, curves, seen, night)
    _events(flow, seen, sums)
    _use(flow, uses)
    flow.heading(say("report.method"))
    flow.note(say("report.night.about", limit=f"{BLOWS_CMH2O:g}"))
    flow.finish()
    told(0.95)
    flow.paper.save(to)
    return Drawn(
        about_utc_ns=begin,
        pages=flow.paper.pages,
        missing=tuple(flow.paper.missing),
        device=night.device,
        options=job.asked.model_dump(exclude={"signing", "actor"}),
        made=made if job.signed is None else job.signed.made,
        metrics={"ahi_per_h": sums["ahi"], "usage_h": sums["used_h"], "leak_p95_lpm": sums["leak_p95"]},
        summary=dict(whose.session.summary or {}),
        conclusion="; ".join(opinion(job, made)),
    )


def _of_session(every: Sequence[Night], whose: Whose) -> Night:
    """The newest night that has something of the session."""
    for night in every:
        for part in night.parts:
            if part.boot == whose.boot and part.t0_ns < whose.t1_ns and part.t1_ns > whose.t0_ns:
                return night
    raise NotMakeable(say("report.no_night"))


def _uses(
    reader: Reader,
    every: Sequence[Night],
    night: Night,
    sums: Mapping[str, float | None],
    told: Callable[[float], None],
) -> list[tuple[Night, float, float | None]]:
    """Hours in use and AHI of the newest nights of the machine, the oldest first."""
    out = []
    for n, one in enumerate(reversed(every)):
        of = sums if one == night else figures(reader, one)
        out.append((one, of["used_h"] or 0.0, of["ahi"]))
        told(0.5 + 0.4 * (n + 1) / len(every))
    return out


def _over(found: tuple[Floats, Floats], grid: Grid, limit: float) -> float:
    """Minutes in which a curve was over a limit."""
    middle = (found[0] + found[1]) / 2
    return float((middle > limit).sum()) * grid.step_ns / 60e9


def statements(sums: Mapping[str, float | None], leak_min: float) -> tuple[StatementMade, ...]:
    """Sentences from templates, as in the session report."""
    made: list[StatementMade] = []

    def state(key: str, criterion: str, **values: str) -> None:
        made.append(StatementMade(key=key, text=say(f"report.said.{key}", **values), criteria=(criterion,)))

    used, ahi = sums["used_h"] or 0.0, sums["ahi"]
    hours = duration(used * 3600)
    state(
        "N-U-01" if used >= LONG_ENOUGH_H else "N-U-02",
        f"{used:.2f} h {'≥' if used >= LONG_ENOUGH_H else '<'} {LONG_ENOUGH_H:g} h",
        hours=hours,
    )
    if ahi is not None:
        step = next((name for limit, name in AHI_STEPS if ahi < limit), "severe")
        counted = sum(
            sums[f"count_{flag}"] or 0
            for flag in ("obstructive", "clear_airway", "unclassified", "hypopnoea")
        )
        state(
            "N-A-01",
            say("report.based.ahi", count=f"{counted:.0f}", hours=f"{used:.2f}"),
            ahi=f"{ahi:.1f}",
            step=say(f"report.ahi.{step}"),
        )
    if leak_min > 0:
        state("N-L-01", f"> {LARGE_LEAK_LPM:g} L/min", minutes=f"{leak_min:.1f}")
    if sums["spo2_lowest"] is not None:
        state(
            "N-O-01",
            f"< 90 %: {sums['spo2_below_90_min']:.1f} min",
            lowest=f"{sums['spo2_lowest']:.0f}",
            mean=f"{sums['spo2_mean']:.0f}",
        )
    return tuple(made)


def _figures(
    flow: Flow, reader: Reader, night: Night, sums: Mapping[str, float | None], leak_min: float
) -> None:
    flow.heading(say("report.summary"))
    rows = []
    for name, unit, digits in FACTS:
        value = sums.get(name)
        if value is None and name.startswith(("machine", "spo2")):
            continue
        text = (
            duration(value * 3600)
            if name in {"used_h", "recorded_h"} and value is not None
            else f"{number(value, digits)} {unit_of(unit)}"
        )
        rows.append((say(f"night.figure.{name}"), text))
    rows.append((say("report.large_leak", limit=f"{LARGE_LEAK_LPM:g}"), f"{leak_min:.1f} min"))
    rows += _medians(reader, night)
    flow.facts(rows)


def _medians(reader: Reader, night: Night) -> list[tuple[str, str]]:
    """The medians of what was measured breath by breath, and the last of what adds up."""
    rows = []
    values: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    for part in night.parts:
        for one in reader.metrics(part.boot, part.t0_ns, part.t1_ns, bed=part.bed, names=NUMBERS):
            if one.value is not None and not one.device:
                values.setdefault(one.name, []).append(one.value)
                units[one.name] = one.unit
    for name in NUMBERS:
        if name in values:
            value = values[name][-1] if name.startswith("odi") else float(np.median(values[name]))
            rows.append(
                (say(f"number.{name}"), f"{number(value, 2 if value < 3 else 0)} {unit_of(units[name])}")
            )
    return rows


def _curves(
    flow: Flow, grid: Grid, curves: Mapping[str, tuple[Floats, Floats]], seen: Sequence[Flag], night: Night
) -> None:
    flow.heading(say("report.trends"), keep=50)
    left = flow.left + 22
    for name, (low, high) in curves.items():
        if not np.isfinite(low).any():
            continue
        tall = CHART_MM[name]
        flow.room(tall + 10)
        area = charts.Area(left, flow.y + 3, flow.right - left, tall, grid.from_ns, grid.to_ns)
        floor, ceiling = FLOORS.get(name, (None, None))
        middle = (low + high) / 2
        limits = (LARGE_LEAK_LPM,) if name == "leak" else (90.0,) if name == "spo2" else ()
        title = say(f"night.curve.{name}") + f", {unit_of(CURVES[name].unit)}"
        shown = np.full_like(middle, np.nan) if name == "flow" else middle
        charts.curve(flow.paper, area, title, shown, low, high, limits=limits, floor=floor, ceiling=ceiling)
        flow.y += tall + 9
        if name == "pressure":
            _rows(flow, left, grid, seen, night)
    if not np.isfinite(curves["pressure"][0]).any():
        _rows(flow, left, grid, seen, night)


def _rows(flow: Flow, left: float, grid: Grid, seen: Sequence[Flag], night: Night) -> None:
    """Below the pressure: when something was recorded, and what happened when."""
    flow.room((len(SHOWN) + 1) * 4.0 + 3)
    area = charts.Area(left, flow.y, flow.right - left, 3.6, grid.from_ns, grid.to_ns)
    charts.mark_row(
        flow.paper, area, say("report.night.recorded"), [part.utc for part in night.parts], (170, 185, 200)
    )
    flow.y += 4.0
    for flag in SHOWN:
        of = [one for one in seen if one.flag == flag]
        if not of:
            continue
        area = charts.Area(left, flow.y, flow.right - left, 3.6, grid.from_ns, grid.to_ns)
        spans = [(one.utc_ns, one.utc_ns + round(one.seconds * 1e9)) for one in of]
        charts.mark_row(flow.paper, area, say(f"night.flag.{flag}"), spans)
        flow.y += 4.0
    flow.y += 3.0


def _events(flow: Flow, seen: Sequence[Flag], sums: Mapping[str, float | None]) -> None:
    flow.heading(say("report.night.events"))
    used = sums["used_h"] or 0.0
    rows = []
    for flag in FLAGS:
        of = [one for one in seen if one.flag == flag]
        if of:
            longest = max(one.seconds for one in of)
            rows.append(
                (
                    say(f"night.flag.{flag}"),
                    str(len(of)),
                    number(len(of) / used if used > 0 else None, 1),
                    f"{longest:.0f} s" if longest else "",
                )
            )
    if not rows:
        flow.note(say("report.no_arrhythmias"))
        return
    heads = [
        Column(say("report.column.what"), 4),
        Column(say("report.column.times"), 1, "right"),
        Column(say("report.column.per_hour"), 1.6, "right"),
        Column(say("report.column.longest"), 1.6, "right"),
    ]
    flow.table(heads, rows)


def _use(flow: Flow, uses: Sequence[tuple[Night, float, float | None]]) -> None:
    """Night by night: the hours, and whether they were enough."""
    flow.heading(say("report.night.use"))
    enough = sum(hours >= LONG_ENOUGH_H for _, hours, _ in uses)
    flow.note(
        say("report.night.enough", count=str(enough), nights=str(len(uses)), limit=f"{LONG_ENOUGH_H:g}")
    )
    heads = [
        Column(say("report.column.night"), 2),
        Column(say("report.column.used"), 1.5, "right"),
        Column("AHI", 1, "right"),
        Column(say("report.column.enough", limit=f"{LONG_ENOUGH_H:g}"), 2, "right"),
    ]
    rows = [
        (
            one.day.isoformat(),
            duration(hours * 3600),
            number(ahi, 1),
            say("report.yes" if hours >= LONG_ENOUGH_H else "report.no"),
        )
        for one, hours, ahi in uses
    ]
    flow.table(heads, rows)
