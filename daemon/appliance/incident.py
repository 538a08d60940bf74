"""What happened around an alarm, as one page that any browser shows offline: nothing in it is fetched, and no name is in it.

Times are seconds before and after the alarm. People, devices and beds are numbers.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

PX_A_SECOND = 24
ROW_PX = 90
MV_PX = 30
GRID_S = 10


@dataclass(frozen=True, slots=True)
class Wave:
    """A lead, filtered as on the screen: values in mV (NaN: nothing), from `t0_s` on, `period_s` apart."""

    name: str
    t0_s: float
    period_s: float
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Incident:
    """All of it. Rows of the tables are what is shown, by column."""

    title: str
    from_s: float
    to_s: float
    facts: Mapping[str, str]
    waves: Sequence[Wave] = ()
    chain: Sequence[str] = ()
    alarms: Sequence[Mapping[str, Any]] = ()
    actions: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Mapping[str, Any]] = ()
    numbers: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()


_STYLE = """
body{font:15px/1.4 sans-serif;margin:1.5em;color:#111;background:#fff}
table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{border:1px solid #999;padding:.2em .6em;text-align:left;vertical-align:top}
.waves{overflow-x:auto;border:1px solid #999}svg text{font:12px sans-serif}pre{white-space:pre-wrap}h2{margin-top:1.5em}
@media print{.waves{overflow:visible}}
"""


def page(incident: Incident) -> str:
    """The page, complete in itself."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_text(incident.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(incident.title)}</h1>",
        "<p>Times are seconds before (-) and after the alarm. No names, no numbers of devices, no dates. Not for diagnosis.</p>",
        _table([{"what": name, "is": value} for name, value in incident.facts.items()]),
        "<h2>Waves, as the screen shows them</h2>",
        f"<p>{_text(', '.join(incident.chain))}</p>" if incident.chain else "",
        f"<div class='waves' tabindex='0' role='img' aria-label='Waves around the alarm'>{_waves(incident)}</div>",
        "<h2>Alarms</h2>",
        _table(incident.alarms),
        "<h2>What people did</h2>",
        _table(incident.actions),
        "<h2>What was found and what changed</h2>",
        _table(incident.events),
        "<h2>Numbers</h2>",
        _table(incident.numbers),
        "<h2>Configuration</h2>",
        f"<pre>{_text(_indented(incident.configuration))}</pre>",
        "<h2>Versions</h2>",
        f"<pre>{_text(_indented(incident.versions))}</pre>",
        "<h2>Data files beside this page</h2><ul>",
        *(f"<li>{_text(name)}</li>" for name in incident.files),
        "</ul></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _waves(incident: Incident) -> str:
    """All leads below each other: at each pixel from the lowest to the highest value."""
    if not incident.waves:
        return "<p>Nothing was recorded.</p>"
    width = round((incident.to_s - incident.from_s) * PX_A_SECOND)
    names = list(dict.fromkeys(wave.name for wave in incident.waves))
    height = ROW_PX * len(names) + 20
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}'>"
    ]
    for second in range(GRID_S * int(incident.from_s // GRID_S), int(incident.to_s) + 1, GRID_S):
        x = (second - incident.from_s) * PX_A_SECOND
        colour, thick = ("#c00", 2) if second == 0 else ("#ddd", 1)
        parts.append(f"<path d='M{x:.0f} 0V{height}' stroke='{colour}' stroke-width='{thick}' fill='none'/>")
        parts.append(f"<text x='{x + 3:.0f}' y='{height - 5}'>{second:+d} s</text>")
    for row, name in enumerate(names):
        middle = ROW_PX * row + ROW_PX / 2
        parts += [_wave(wave, incident.from_s, middle) for wave in incident.waves if wave.name == name]
        parts.append(f"<text x='4' y='{middle - 30:.0f}' font-weight='bold'>{_text(name)}</text>")
    return "".join((*parts, "</svg>"))


def _wave(wave: Wave, from_s: float, middle: float) -> str:
    columns = max(1, round(1 / (wave.period_s * PX_A_SECOND)))
    n = wave.values.size // columns * columns
    if not n:
        return ""
    folded = wave.values[:n].reshape(-1, columns)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(folded).any(axis=1))
    low, high = (np.where(known, reduced, 0) for reduced in _edges(folded))
    x = (wave.t0_s - from_s + np.arange(len(folded)) * columns * wave.period_s) * PX_A_SECOND
    path, pen_down = [], False
    for at in range(len(folded)):
        if not known[at]:
            pen_down = False
            continue
        top, bottom = (middle - MV_PX * float(np.clip(v, -1.5, 1.5)) for v in (high[at], low[at]))
        path.append(f"{'L' if pen_down else 'M'}{x[at]:.0f} {bottom:.1f}L{x[at]:.0f} {top:.1f}")
        pen_down = True
    return f"<path d='{''.join(path)}' stroke='#063' stroke-width='1' fill='none'/>"


def _edges(folded: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The lowest and highest of each row, by what is not missing."""
    low = np.where(np.isnan(folded), np.inf, folded).min(axis=1)
    high = np.where(np.isnan(folded), -np.inf, folded).max(axis=1)
    return low, high


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    rows = list(rows)
    if not rows:
        return "<p>None.</p>"
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(_shown(row.get(name)))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _indented(values: Mapping[str, Any]) -> str:
    import json

    return json.dumps(values, indent=2, default=str)


def _text(value: str) -> str:
    return html.escape(value, quote=True)
