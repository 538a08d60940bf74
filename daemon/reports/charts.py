"""Charts on paper: curves over time with gaps left open, histograms, point clouds, rows of marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from daemon.reports.paper import BLACK, GREY, LIGHT, RED, Colour, Paper, Style
from daemon.reports.whose import MINUS, moment

Floats = npt.NDArray[np.float64]
TICK = Style(6, colour=GREY)
NAME = Style(7.5, bold=True)
BAND: Colour = (188, 200, 214)
AXIS_MM = 11.0
STEPS_S = (10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)


@dataclass(frozen=True, slots=True)
class Area:
    """Where a chart stands, mm, and which stretch of UTC (ns) its width is."""

    x: float
    y: float
    w: float
    h: float
    from_ns: int
    to_ns: int

    def at(self, utc_ns: float) -> float:
        """The place of a moment."""
        return self.x + (utc_ns - self.from_ns) / max(self.to_ns - self.from_ns, 1) * self.w


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, at most so many."""
    if not high > low:
        return [low]
    rough = (high - low) / max(most - 1, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1, 2, 5, 10) if size * k >= rough * 0.999)
    first = math.ceil(low / step - 1e-9) * step
    return [first + step * n for n in range(int((high - first) / step + 1e-9) + 1)]


def time_axis(paper: Paper, area: Area) -> None:
    """The time of day below a chart, at round moments of the wall's clock."""
    seconds = (area.to_ns - area.from_ns) / 1e9
    step = next((s for s in STEPS_S if seconds / s <= 9), STEPS_S[-1])
    begin = moment(area.from_ns)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    n = math.ceil((begin - midnight).total_seconds() / step)
    while True:
        at = midnight + timedelta(seconds=n * step)
        utc_ns = at.timestamp() * 1e9
        if utc_ns > area.to_ns:
            return
        x = area.at(utc_ns)
        paper.line(x, area.y, x, area.y + area.h, width=0.1, colour=LIGHT)
        text = at.strftime("%m-%d" if step >= 86400 else "%H:%M" if step >= 60 else "%H:%M:%S")
        paper.text(x, area.y + area.h + 2.8, text, TICK, "centre")
        n += 1


def curve(
    paper: Paper,
    area: Area,
    name: str,
    middle: Floats,
    low: Floats | None = None,
    high: Floats | None = None,
    *,
    limits: Sequence[float] = (),
    floor: float | None = None,
    ceiling: float | None = None,
    least: float = 1.0,
) -> None:
    """A curve of equal columns over the area, over a band from `low` to `high`; NaN is a gap. `least`: the smallest span of the scale."""
    everything = np.concatenate(
        [one[np.isfinite(one)] for one in (middle, low, high) if one is not None] + [np.array(limits)]
    )
    bottom, top = (float(everything.min()), float(everything.max())) if len(everything) else (0.0, 1.0)
    bottom = bottom if floor is None else min(bottom, floor)
    top = top if ceiling is None else max(top, ceiling)
    if top - bottom < least:
        bottom, top = (bottom + top - least) / 2, (bottom + top + least) / 2
    spare = 0.05 * (top - bottom)
    bottom, top = bottom - spare, top + spare

    def y_of(value: Floats) -> Floats:
        return area.y + area.h * (top - value) / (top - bottom)

    paper.box(area.x, area.y, area.w, area.h, edge=GREY, width=0.15)
    time_axis(paper, area)
    for value in ticks(bottom, top):
        y = float(y_of(np.array(value)))
        paper.line(area.x, y, area.x + area.w, y, width=0.1, colour=LIGHT)
        paper.text(area.x - 1.0, y + 0.8, f"{value:g}".replace("-", MINUS), TICK, "right")
    paper.text(area.x, area.y - 1.2, name, NAME)
    x = area.x + (np.arange(len(middle)) + 0.5) * area.w / len(middle)
    with paper.clip(area.x, area.y, area.w, area.h):
        if low is not None and high is not None:
            width = max(area.w / len(middle), 0.12)
            for px, top_y, bottom_y in zip(x, y_of(high), y_of(low), strict=True):
                if np.isfinite(top_y) and np.isfinite(bottom_y):
                    paper.line(
                        float(px), float(top_y), float(px), float(bottom_y) + 0.05, width=width, colour=BAND
                    )
        for value in limits:
            y = float(y_of(np.array(value)))
            paper.line(area.x, y, area.x + area.w, y, width=0.2, colour=RED)
        paper.trace(x, y_of(middle), width=0.25)


def mark_row(
    paper: Paper,
    area: Area,
    name: str,
    spans: Sequence[tuple[int, int]],
    colour: Colour = BLACK,
    fits: Callable[[str], str] = str,
) -> None:
    """Marks in a row: from - to in UTC ns; one without length is a tick."""
    paper.text(area.x - 1.0, area.y + area.h / 2 + 0.9, fits(name), TICK, "right")
    paper.line(area.x, area.y + area.h, area.x + area.w, area.y + area.h, width=0.1, colour=LIGHT)
    for begin, end in spans:
        x0, x1 = (min(max(area.at(t), area.x), area.x + area.w) for t in (begin, end))
        paper.box(x0, area.y + 0.4, max(x1 - x0, 0.3), area.h - 0.8, fill=colour)


def histogram(
    paper: Paper,
    x: float,
    y: float,
    w: float,
    h: float,
    edges: Floats,
    counts: npt.NDArray[np.int64],
    name: str,
) -> None:
    """Bars between `edges`; the tallest fills the height."""
    paper.text(x, y - 1.2, name, NAME)
    paper.box(x, y, w, h, edge=GREY, width=0.15)
    most = max(int(counts.max(initial=0)), 1)
    low, high = float(edges[0]), float(edges[-1])
    for begin, end, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            x0, x1 = (x + (float(edge) - low) / (high - low) * w for edge in (begin, end))
            tall = float(count) / most * (h - 1)
            paper.box(x0 + 0.15, y + h - tall, x1 - x0 - 0.3, tall, fill=(80, 100, 125))
    for value in ticks(low, high, 8):
        paper.text(x + (value - low) / (high - low) * w, y + h + 2.8, f"{value:g}", TICK, "centre")
    paper.text(x - 1, y + 1.8, f"{most}", TICK, "right")


def cloud(
    paper: Paper, x: float, y: float, size: float, xs: Floats, ys: Floats, low: float, high: float, name: str
) -> None:
    """Points in a square from `low` to `high` both ways, with the line on which both are equal."""
    paper.text(x, y - 1.2, name, NAME)
    paper.box(x, y, size, size, edge=GREY, width=0.15)
    paper.line(x, y + size, x + size, y, width=0.1, colour=GREY)
    scale = size / (high - low)
    inside = (xs >= low) & (xs <= high) & (ys >= low) & (ys <= high)
    paper.dots(x + (xs[inside] - low) * scale, y + size - (ys[inside] - low) * scale, size=0.35)
    for value in ticks(low, high, 5):
        paper.text(x + (value - low) * scale, y + size + 2.8, f"{value:g}", TICK, "centre")
        paper.text(x - 1, y + size - (value - low) * scale + 0.8, f"{value:g}", TICK, "right")
