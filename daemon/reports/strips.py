"""Strips of seven seconds around what happened: two leads at 25 mm/s and 10 mm/mV, with the class over each beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.model.signals import Nanos
from daemon.reports.flow import Flow
from daemon.reports.paper import BOLD_PINK, FINE_PINK, GREY, Style
from daemon.reports.session_source import QUIET, Beats, Stretch
from daemon.reports.whose import Whose
from daemon.review.strip import Strip, strip
from daemon.store.answers import StoredEvent
from daemon.store.occurrences import Occurrence
from daemon.store.reader import Reader
from daemon.words import say

S: Nanos = 1_000_000_000
BEFORE_NS, AFTER_NS = 3 * S, 4 * S
MOST = 12
APART_NS = 7 * S
WIDTH_MM, HEIGHT_MM = 175.0, 40.0
LEADS = ("II", "V1")
COUNTS = frozenset({"ectopic_beats"})
"""Events that count what happened within a minute: no moment to show."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something to show: when, what it is called; the lowest rank goes first where there are too many."""

    t_ns: Nanos
    text: str
    rank: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A moment with its waves."""

    moment: Moment
    strip: Strip


def moments(
    whose: Whose,
    events: Sequence[StoredEvent],
    found: Sequence[Stretch],
    alarms: Sequence[Occurrence],
    heart: Beats,
) -> list[Moment]:
    """What is worth a strip, at most `MOST`, in order of time: of each kind the first, then the others by their rank."""
    ranks = {"high": 0, "medium": 2, "low": 5}
    wanted = [
        Moment(a.onset_ns, say(a.text), ranks.get(a.priority, 5)) for a in alarms if a.priority != "low"
    ]
    wanted += [
        Moment(e.t_ns, say(f"event.{e.body['name']}"), 3)
        for e in events
        if e.kind == "event" and e.body["name"] not in COUNTS
    ]
    wanted += [Moment(one.t0_ns, say(f"rhythm.{one.label}"), 1) for one in found if one.label not in QUIET]
    early = {"V": "report.ventricular", "S": "report.supraventricular"}
    for label, key in early.items():
        wanted += [Moment(int(t_ns), say(key), 4) for t_ns in heart.t_ns[heart.label == label][:50]]
    ordinary = max(whose.t0_ns + 10 * S, min(whose.t0_ns + 60 * S, whose.t1_ns - 5 * S))
    chosen = [Moment(ordinary, say("report.ordinary"), 9)]
    seen: set[str] = set()
    for first in (True, False):
        for one in sorted(wanted, key=lambda m: (m.rank, m.t_ns)):
            if len(chosen) >= MOST or (first and one.text in seen):
                continue
            if any(abs(one.t_ns - other.t_ns) < APART_NS and other.rank < 9 for other in chosen):
                continue
            seen.add(one.text)
            chosen.append(one)
    return sorted(chosen, key=lambda m: m.t_ns)


def strips(
    reader: Reader, whose: Whose, wanted: Sequence[Moment], told: Callable[[float], None]
) -> list[Shown]:
    """Those of which anything is stored."""
    mains = whose.job.box.mains.get(whose.bed, 50)
    settings = DisplaySettings("diagnostic", cast("Literal[0, 50, 60]", mains if mains in {0, 50, 60} else 0))
    table, out = load_qrs_table(), []
    for n, one in enumerate(wanted):
        drawn = strip(reader, whose.boot, whose.bed, one.t_ns, settings, table)
        if drawn.leads and np.isfinite(drawn.values).any():
            out.append(Shown(one, drawn))
        told((n + 1) / len(wanted))
    return out


def draw(flow: Flow, shown: Sequence[Shown]) -> None:
    """One below the other."""
    if not shown:
        return
    flow.heading(say("report.strips"), keep=HEIGHT_MM + 12)
    flow.note(say("report.strips.about", chain="  ".join(shown[0].strip.chain) or say("report.unfiltered")))
    for one in shown:
        flow.room(HEIGHT_MM + 11)
        _one(flow, one)


def _one(flow: Flow, shown: Shown) -> None:
    paper, drawn, moment = flow.paper, shown.strip, shown.moment
    x, y = flow.left, flow.y + 5.5
    paper.text(x, flow.y + 0.5, f"{flow.whose.when(moment.t_ns)}   {moment.text}", Style(8.5, bold=True))
    for bold, width, colour in ((False, 0.1, FINE_PINK), (True, 0.2, BOLD_PINK)):
        for mm in range(int(WIDTH_MM) + 1):
            if (mm % 5 == 0) == bold:
                paper.line(x + mm, y, x + mm, y + HEIGHT_MM, width=width, colour=colour)
        for mm in range(int(HEIGHT_MM) + 1):
            if (mm % 5 == 0) == bold:
                paper.line(x, y + mm, x + WIDTH_MM, y + mm, width=width, colour=colour)
    leads = [lead for lead in LEADS if lead in drawn.leads] or list(drawn.leads[:2])
    begin_ns = moment.t_ns - BEFORE_NS
    first = round((begin_ns - drawn.t0_ns) / drawn.period_ns)
    n = round((BEFORE_NS + AFTER_NS) / drawn.period_ns)
    with paper.clip(x, y, WIDTH_MM, HEIGHT_MM):
        for row, lead in enumerate(leads):
            mv = drawn.values[drawn.leads.index(lead)][max(first, 0) : first + n].astype(np.float64)
            base = y + HEIGHT_MM * (2 * row + 1) / (2 * len(leads)) + 2
            xs = x + (np.arange(len(mv)) + max(-first, 0)) * drawn.period_ns / 1e9 * 25
            paper.trace(xs, base - 10 * mv)
    for row, lead in enumerate(leads):
        paper.text(x + 1, y + HEIGHT_MM * row / len(leads) + 4.0, lead, Style(7.5, bold=True))
    for t_ns, label, *_ in drawn.beats:
        if begin_ns <= t_ns < moment.t_ns + AFTER_NS:
            paper.text(
                x + (t_ns - begin_ns) / 1e9 * 25,
                y - 0.8,
                label,
                Style(6.5, bold=label != "N", colour=GREY if label == "N" else (0, 0, 0)),
                "centre",
            )
    at = x + BEFORE_NS / 1e9 * 25
    paper.line(at, y + HEIGHT_MM, at, y + HEIGHT_MM + 1.5, width=0.4)
    flow.y = y + HEIGHT_MM + 6.5
