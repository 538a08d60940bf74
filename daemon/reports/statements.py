"""What was concluded, as it is printed: unconfirmed as the box has made it, or as a clinician has left it."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.control.reports import StatementMade
from daemon.reports.job import Job
from daemon.reports.paper import GREY, RED, Paper, Style
from daemon.reports.whose import local
from daemon.words import say


def opinion(job: Job, made: Sequence[StatementMade]) -> list[str]:
    """The lines that stand: those of a clinician, else the box's own."""
    if job.signed is not None and job.signed.lines is not None:
        return list(job.signed.lines)
    return [one.text for one in made]


def standing(job: Job) -> str:
    """Whether it is confirmed: by whom and when; else that it is not."""
    signed = job.signed
    if signed is None:
        return say("report.unconfirmed")
    key = "report.amended" if signed.amends else "report.confirmed"
    return say(key, name=signed.by, time=local(signed.utc_ns, zone=True))


def statement_block(
    paper: Paper,
    job: Job,
    found: Sequence[StatementMade],
    x: float,
    y: float,
    width: float,
    until: float,
    rule: str,
    *,
    size: float = 7.5,
    dry: bool = False,
) -> bool:
    """Statements from `y` down to `until`, then how they stand. Whether some had no room; `dry` only says so."""
    lines = _lines(paper, job, found, width, rule, size)
    step = size * 0.44
    room = int((until - y - step) / step)
    over = len(lines) > room
    if dry:
        return over
    for text, style, indent in lines[: room - 1] if over else lines:
        paper.text(x + indent, y, text, style)
        y += step
    if over:
        paper.text(x, y, say("report.further"), Style(size - 1, colour=GREY))
        y += step
    signed = job.signed is not None
    paper.text(
        x,
        y + 0.6,
        paper.cut(standing(job), width, Style(size + 0.5, bold=True)),
        Style(size + 0.5, bold=True, colour=(0, 90, 30) if signed else RED),
    )
    return over


def _lines(
    paper: Paper, job: Job, found: Sequence[StatementMade], width: float, rule: str, size: float
) -> list[tuple[str, Style, float]]:
    bold, small = Style(size, bold=True), Style(size - 1.5, colour=GREY)
    signed = job.signed
    lines: list[tuple[str, Style, float]] = []
    if signed is not None and signed.lines is not None:
        lines += [(line, bold, 0.0) for text in signed.lines for line in paper.wrapped(text, width, bold)]
        lines.append((say("report.as_made"), small, 0.0))
        found = signed.made
    elif signed is not None:
        found = signed.made
    for one in found:
        edited = signed is not None and signed.lines is not None
        style = small if edited else bold
        lines += [(line, style, 3.0 if edited else 0.0) for line in paper.wrapped(one.text, width - 3, style)]
        if one.criteria:
            lines += [(line, small, 3.0) for line in paper.wrapped("; ".join(one.criteria), width - 3, small)]
    if not found:
        lines.append((say("report.no_statements"), small, 0.0))
    made_by = say("report.made_by", rule=rule) if rule else say("report.made_by_box")
    lines.append((made_by, small, 0.0))
    return lines
