"""Pages that flow from top to bottom: headings, tables and charts below each other, a new page when there is no room.

Every page says at its top what it is and whose, and at its bottom which of how many it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.reports.paper import GREY, LIGHT, Align, Paper, Style
from daemon.reports.whose import Whose, local, moment
from daemon.words import say

MARGIN = 15.0
TOP, BOTTOM = 24.0, 16.0
ROW_MM = 4.6
HEAD = Style(7.5, bold=True)
BODY = Style(8)
NOTE = Style(7, colour=GREY)


@dataclass(frozen=True, slots=True)
class Column:
    """Of a table: `width` is its share of the whole."""

    title: str
    width: float
    align: Align = "left"


class Flow:
    """`y` is where the next thing goes. `told` is what stands at the top of every page besides the patient."""

    def __init__(self, whose: Whose, title: str, told: str) -> None:
        self.whose = whose
        self.paper = Paper(whose.job.paper, landscape=False, title=title, made_at=moment(whose.job.utc_ns))
        self._title, self._told = title, told
        self.left, self.right = MARGIN, self.paper.width - MARGIN
        self.y = 0.0
        self.new_page()

    @property
    def width(self) -> float:
        return self.right - self.left

    def new_page(self) -> None:
        """Begin a page, with whose it is at its top."""
        paper, whose = self.paper, self.whose
        paper.page()
        if whose.job.box.demo:
            x, y = paper.width / 2, paper.height / 2
            with paper.turned(40, x, y):
                paper.text(x, y, say("report.demo"), Style(46, bold=True, colour=(240, 226, 226)), "centre")
        paper.text(self.left, 12.0, self._title, Style(12, bold=True))
        rows = dict(whose.person())
        known = [
            rows[say("report.patient")],
            *(rows[key] for key in (say("report.patient_id"), say("report.born")) if key in rows),
        ]
        paper.text(
            self.right,
            12.0,
            paper.cut("  ·  ".join(known), 120, Style(9, bold=True)),
            Style(9, bold=True),
            "right",
        )
        paper.text(self.left, 16.2, f"{self._told} {whose.clock_note}".rstrip(), NOTE)
        paper.line(self.left, 18.0, self.right, 18.0, width=0.3)
        self.y = TOP

    def room(self, height: float) -> None:
        """See to it that so much fits on the page."""
        if self.y + height > self.paper.height - BOTTOM:
            self.new_page()

    def heading(self, text: str, keep: float = 14.0) -> None:
        """A heading, never without `keep` mm of what follows it."""
        self.room(7.0 + keep)
        self.y += 3.0
        self.paper.text(self.left, self.y, text, Style(10.5, bold=True))
        self.y += 4.6

    def note(self, text: str, style: Style = NOTE) -> None:
        """A paragraph."""
        for line in self.paper.wrapped(text, self.width, style):
            self.room(4.0)
            self.paper.text(self.left, self.y, line, style)
            self.y += style.size * 0.46
        self.y += 1.0

    def facts(self, rows: Sequence[tuple[str, str]], columns: int = 2) -> None:
        """Labels with their values, in columns, read downwards."""
        deep = -(-len(rows) // columns)
        self.room(deep * ROW_MM)
        wide = self.width / columns
        for n, (label, text) in enumerate(rows):
            x, y = self.left + (n // deep) * wide, self.y + (n % deep) * ROW_MM
            self.paper.text(x, y, self.paper.cut(label, wide * 0.52 - 1, NOTE), NOTE)
            style = Style(8.5, bold=True)
            self.paper.text(x + wide * 0.52, y, self.paper.cut(text, wide * 0.48 - 2, style), style)
        self.y += deep * ROW_MM + 1.0

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Rows with a head that is said again on every page."""
        whole = sum(column.width for column in columns)
        edges = [self.left]
        for column in columns:
            edges.append(edges[-1] + self.width * column.width / whole)
        self.room(3 * ROW_MM)
        self._head(columns, edges)
        for row in rows:
            if self.y + ROW_MM > self.paper.height - BOTTOM:
                self.new_page()
                self._head(columns, edges)
            self._cells(columns, edges, row, BODY)
            self.paper.line(self.left, self.y - 3.4, self.right, self.y - 3.4, width=0.1, colour=LIGHT)
        self.y += 1.5

    def _head(self, columns: Sequence[Column], edges: Sequence[float]) -> None:
        self._cells(columns, edges, [column.title for column in columns], HEAD)

    def _cells(
        self, columns: Sequence[Column], edges: Sequence[float], texts: Sequence[str], style: Style
    ) -> None:
        for n, (column, text) in enumerate(zip(columns, texts, strict=True)):
            shown = self.paper.cut(text, edges[n + 1] - edges[n] - 1.5, style)
            right = column.align == "right"
            self.paper.text(edges[n + 1] - 1.5 if right else edges[n], self.y, shown, style, column.align)
        self.y += ROW_MM

    def finish(self) -> None:
        """The footers, now that it is known how many pages there are."""
        pages = self.paper.pages
        made = f"{self.whose.footer()}  ·  {local(self.whose.job.utc_ns, zone=True)}"
        for page in range(1, pages + 1):
            with self.paper.back_on(page):
                y = self.paper.height - 8.0
                self.paper.text(self.left, y, made, Style(5.8, colour=GREY))
                self.paper.text(
                    self.right,
                    y,
                    say("report.page", page=str(page), pages=str(pages)),
                    Style(7, colour=GREY),
                    "right",
                )
