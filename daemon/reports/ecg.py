"""The twelve-lead page: millimetre-true waves on a grid, who it is, what was measured, what was concluded and from what.

"UNCONFIRMED" stands on it until a clinician has confirmed it. The filters named are those that the printed samples went through.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from daemon.reports import sheet as sheets
from daemon.reports.ecg_source import Measured, Stretch, measured, seconds_of, stretch
from daemon.reports.job import Drawn, Job
from daemon.reports.paper import BOLD_PINK, FINE_PINK, GREY, RED, Colour, Paper, Style
from daemon.reports.quantities import quantity
from daemon.reports.statements import opinion, statement_block
from daemon.reports.whose import DASH, MINUS, Whose, local, moment, number
from daemon.store.reader import Reader
from daemon.words import say

LABEL = Style(8, bold=True)
SMALL, TINY = Style(7), Style(6, colour=GREY)
WATERMARK: Colour = (236, 214, 214)
PULSE_MV = 1.0
RULER_MM = 50.0
LINE_MM = 3.3


def draw(reader: Reader, job: Job, told: Callable[[float], None], to: Path) -> Drawn:
    """Write the file. Raises `NotMakeable`, OSError, sqlite3.Error."""
    whose = Whose.of(reader, job)
    seconds, pages = seconds_of(job.asked)
    shown = stretch(reader, whose, seconds)
    told(0.5)
    found = measured(reader, whose, shown.t0_ns, shown.t1_ns)
    paper = Paper(job.paper, landscape=True, title=say("report.title.ecg"), made_at=moment(job.utc_ns))
    for page in range(pages):
        _page(paper, whose, shown, found, page, pages)
    told(0.9)
    rest = _unprinted(paper, whose, found)
    if rest:
        _further(paper, whose, found, pages)
    paper.save(to)
    metrics = {
        "heart_rate_bpm": found.numbers["heart_rate"],
        "pr_ms": found.numbers["pr_interval"],
        "qrs_ms": found.numbers["qrs_duration"],
        "qt_ms": found.numbers["qt_interval"],
        "qtc_ms": found.numbers["qtc_bazett"],
        "qtc_fridericia_ms": found.numbers["qtc_fridericia"],
        **{f"st_uv.{lead}": None if mv is None else 1000 * mv for lead, mv in found.st_mv.items()},
    }
    made = found.statements if job.signed is None else job.signed.made
    return Drawn(
        about_utc_ns=whose.utc_ns(shown.t0_ns),
        pages=paper.pages,
        missing=tuple(paper.missing),
        device=whose.device,
        samples_sha256=shown.sha256,
        options={
            **job.asked.model_dump(exclude={"signing", "actor"}),
            "at_ms": whose.utc_ns(shown.t0_ns) / 1e6,
        },
        made=made,
        metrics=metrics,
        summary=dict(whose.session.summary or {}),
        conclusion="; ".join(opinion(job, made)),
    )


def _page(paper: Paper, whose: Whose, shown: Stretch, found: Measured, page: int, pages: int) -> None:
    asked = whose.job.asked
    paper.page()
    geometry = sheets.sheet(
        paper.width,
        asked.layout,
        shown.leads,
        speed=float(asked.speed_mm_s),
        gain=float(asked.gain_mm_mv),
        cabrera=asked.cabrera,
        simultaneous=asked.simultaneous,
        rhythm=asked.rhythm,
    )
    if asked.grid:
        _grid(paper, geometry)
    _watermarks(paper, whose, geometry, found)
    n = round(geometry.seconds * 1e9 / shown.period_ns)
    _waves(paper, geometry, shown, page * n)
    _header(paper, whose, shown, found, geometry, page)
    _footer(paper, whose, shown, geometry, page, pages)


def _grid(paper: Paper, geometry: sheets.Sheet) -> None:
    """1 mm and 5 mm lines; the bold ones are darker in grey too."""
    for bold, width, colour in ((False, 0.1, FINE_PINK), (True, 0.2, BOLD_PINK)):
        for mm in range(int(sheets.GRID_W) + 1):
            if (mm % 5 == 0) == bold:
                x = geometry.left + mm
                paper.line(x, sheets.GRID_TOP, x, geometry.bottom, width=width, colour=colour)
        for mm in range(int(sheets.GRID_H) + 1):
            if (mm % 5 == 0) == bold:
                y = sheets.GRID_TOP + mm
                paper.line(geometry.left, y, geometry.right, y, width=width, colour=colour)


def _watermarks(paper: Paper, whose: Whose, geometry: sheets.Sheet, found: Measured) -> None:
    middle_x, middle_y = geometry.left + sheets.GRID_W / 2, sheets.GRID_TOP + sheets.GRID_H / 2
    if whose.job.box.demo:
        with paper.turned(20, middle_x, middle_y):
            paper.text(
                middle_x, middle_y + 8, say("report.demo"), Style(54, bold=True, colour=WATERMARK), "centre"
            )
    if found.exchanged:
        style = Style(20, bold=True, colour=WATERMARK)
        paper.text(middle_x, geometry.bottom - 6, say("report.exchanged"), style, "centre")


def _waves(paper: Paper, geometry: sheets.Sheet, shown: Stretch, first: int) -> None:
    """Every sample is drawn; neighbours may overlap, only the edge of the grid cuts, and that is said."""
    rate = 1e9 / shown.period_ns
    rows = {lead: shown.values[n] for n, lead in enumerate(shown.leads)}
    cut = False
    for baseline in geometry.baselines:
        _pulse(paper, geometry, baseline)
    with paper.clip(geometry.left, sheets.GRID_TOP, sheets.GRID_W, sheets.GRID_H):
        for cell in geometry.cells:
            upside = -1.0 if cell.lead.startswith("-") else 1.0
            begin, end = (first + round(s * rate) for s in (cell.from_s, cell.to_s))
            mv = upside * rows[cell.lead.removeprefix("-")][begin:end].astype(np.float64)
            x = cell.x0 + np.arange(len(mv)) / rate * geometry.speed
            y = cell.baseline - geometry.gain * mv
            cut |= bool(np.any(np.isfinite(y) & ((y < sheets.GRID_TOP) | (y > geometry.bottom))))
            paper.trace(x, y)
    for cell in geometry.cells:
        tall = len(geometry.baselines) <= 6
        paper.text(
            cell.x0 + 1.0, cell.baseline - (8.5 if tall else 4.0), cell.lead.replace("-", MINUS), LABEL
        )
        if cell.x0 > geometry.left + 1:  # where one column ends and the next begins
            paper.line(cell.x0, cell.baseline - 4.5, cell.x0, cell.baseline - 2.5, width=0.3)
            paper.line(cell.x0, cell.baseline + 2.5, cell.x0, cell.baseline + 4.5, width=0.3)
    if cut:
        paper.text(
            geometry.right, sheets.GRID_TOP + 3.0, say("report.cut"), Style(7, bold=True, colour=RED), "right"
        )


def _pulse(paper: Paper, geometry: sheets.Sheet, baseline: float) -> None:
    """1 mV, 5 mm wide."""
    x, top = geometry.pulse_x, baseline - PULSE_MV * geometry.gain
    xs = np.array([0.0, 2.5, 2.5, 7.5, 7.5, 10.0]) + x
    paper.trace(xs, np.array([baseline, baseline, top, top, baseline, baseline]))


def _header(
    paper: Paper, whose: Whose, shown: Stretch, found: Measured, geometry: sheets.Sheet, page: int
) -> None:
    left, right = geometry.pulse_x, geometry.right
    paper.text(left, 10.5, say("report.title.ecg"), Style(12, bold=True))
    start_ns = shown.t0_ns + round(page * geometry.seconds * 1e9)
    when = whose.when(start_ns, zone=True)
    paper.text(right, 10.5, f"{when} {whose.clock_note}".rstrip(), Style(9, bold=True), "right")
    paper.line(left, 12.5, right, 12.5, width=0.3)
    y = 17.0
    for label, text in [*whose.person(), *whose.place()]:
        paper.text(left, y, label, TINY)
        style = Style(9, bold=True) if label == say("report.patient") else Style(7.5)
        paper.text(left + 21, y, paper.cut(text, 66, style), style)
        y += 4.1
    _numbers(paper, found, left + 91)
    statement_block(
        paper, whose.job, found.statements, left + 152, 17.0, right - left - 152, 56.5, found.rule
    )


def _numbers(paper: Paper, found: Measured, x: float) -> None:
    n = found.numbers
    axes = " / ".join(number(n[name]) for name in ("p_axis", "qrs_axis", "t_axis"))
    rows = [
        (say("report.rate"), quantity(n["heart_rate"], "bpm")),
        (say("number.pr_interval"), quantity(n["pr_interval"], "ms")),
        (say("number.qrs_duration"), quantity(n["qrs_duration"], "ms")),
        (say("report.qt"), quantity(n["qt_interval"], "ms")),
        (say("report.qtc_bazett"), quantity(n["qtc_bazett"], "ms")),
        (say("report.qtc_fridericia"), quantity(n["qtc_fridericia"], "ms")),
        (say("report.axes"), f"{axes} °"),
        (say("report.rr"), quantity(n["rr_interval"], "ms")),
        (say("report.hrv"), f"{number(n['sdnn'])} / {number(n['rmssd'])} ms"),
    ]
    y = 17.0
    for label, text in rows:
        paper.text(x, y, label, TINY)
        paper.text(x + 56, y, text, Style(7.5, bold=True), "right")
        y += LINE_MM
    if found.st_mv:
        paper.text(x, y + 0.6, say("report.st"), TINY)
        for k, lead in enumerate(lead for lead in sheets.STANDARD if lead in found.st_mv):
            mv = found.st_mv[lead]
            text = f"{lead} {number(None) if mv is None else f'{mv:+.2f}'.replace('-', MINUS)}"
            paper.text(x + (k % 6) * 9.6, y + 3.4 + (k // 6) * 2.9, text, Style(5.5))


def _footer(
    paper: Paper, whose: Whose, shown: Stretch, geometry: sheets.Sheet, page: int, pages: int
) -> None:
    asked = whose.job.asked
    left, right, y = geometry.pulse_x, geometry.right, geometry.bottom
    filters = "  ".join(shown.chain) or say("report.unfiltered")
    if not any("notch" in one for one in shown.chain):
        filters += f"  {say('report.no_notch')}"
    line = [f"{asked.speed_mm_s} mm/s", f"{asked.gain_mm_mv} mm/mV", filters]
    paper.text(left, y + 4.2, "   ".join(line), Style(9, bold=True))
    columns = (
        say("report.simultaneous" if asked.simultaneous else "report.sequential")
        if geometry.columns > 1
        else ""
    )
    order = say("report.cabrera") if asked.cabrera else ""
    about = [f"{shown.rate_hz:g} Hz", f"{shown.resolution_uv:.3g} µV", columns, order]
    if shown.rate_hz < 500:
        about.append(say("report.slow", hz=f"{shown.rate_hz / 2:g}"))
    if asked.mode == "monitor":
        about.append(say("report.monitor"))
    paper.text(left, y + 8.0, "   ".join(one for one in about if one), SMALL)
    segments = "; ".join(f"{uuid} {first}{DASH}{last}" for uuid, first, last in shown.samples)
    paper.text(left, y + 11.0, f"{say('report.samples')} {segments}", Style(5.2, colour=GREY))
    paper.text(left, y + 13.4, f"SHA-256 {shown.sha256}", Style(5.2, colour=GREY))
    paper.text(
        left, y + 15.8, f"{whose.footer()}  ·  {local(whose.job.utc_ns, zone=True)}", Style(5.2, colour=GREY)
    )
    ruler(paper, right - RULER_MM, y + 8.5)
    paper.text(right, y + 15.8, say("report.page", page=str(page + 1), pages=str(pages)), SMALL, "right")


def ruler(paper: Paper, x: float, y: float) -> None:
    """50 mm, with a tick each 10: whoever holds a ruler to it knows whether the printer has scaled."""
    paper.line(x, y, x + RULER_MM, y, width=0.25)
    for mm in range(0, int(RULER_MM) + 1, 10):
        paper.line(x + mm, y, x + mm, y - (2.0 if mm in {0, 50} else 1.2), width=0.25)
    paper.text(x + RULER_MM / 2, y + 2.8, say("report.ruler"), Style(5.5, colour=GREY), "centre")


def _unprinted(paper: Paper, whose: Whose, found: Measured) -> bool:
    """Whether the header has no room for all that was concluded."""
    width = sheets.GRID_W + 12 - 152
    return statement_block(paper, whose.job, found.statements, 0, 17.0, width, 56.5, found.rule, dry=True)


def _further(paper: Paper, whose: Whose, found: Measured, pages: int) -> None:
    """All statements with all their criteria, on a page of their own."""
    paper.page()
    left = sheets.left_of(paper.width) - 12
    right = paper.width - left
    paper.text(left, 12, f"{say('report.title.ecg')} · {say('report.statements')}", Style(12, bold=True))
    paper.text(
        right,
        12,
        f"{whose.person()[0][1]}  {whose.patient.get('patient_id') or ''}",
        Style(9, bold=True),
        "right",
    )
    paper.line(left, 14.5, right, 14.5, width=0.3)
    statement_block(
        paper, whose.job, found.statements, left, 20.0, right - left, paper.height - 20, found.rule, size=8.5
    )
    paper.text(left, paper.height - 8, whose.footer(), Style(5.2, colour=GREY))
    paper.text(
        right, paper.height - 8, say("report.page", page=str(pages + 1), pages=str(pages + 1)), SMALL, "right"
    )
