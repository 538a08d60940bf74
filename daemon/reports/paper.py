"""A page in millimetres from its top left corner: lines, text, clips. The one file that knows the library beneath it (fpdf2).

What is drawn comes out as vectors, to 0.01 pt; text is Unicode in embedded fonts; the file is PDF/A-2U. Viewers are told not
to scale it to the paper: a millimetre stays one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from fpdf import FPDF
from fpdf.enums import DocumentCompliance, StrokeCapStyle, StrokeJoinStyle
from fpdf.prefs import ViewerPreferences

from daemon.reports import fonts

PaperName = Literal["A4", "Letter"]
Align = Literal["left", "right", "centre"]
Floats = npt.NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
GREY: Colour = (95, 95, 95)
LIGHT: Colour = (205, 205, 205)
FINE_PINK: Colour = (255, 204, 204)
BOLD_PINK: Colour = (255, 140, 140)
MARK: Colour = (198, 226, 246)
RED: Colour = (178, 0, 0)

SIZES_MM: dict[PaperName, tuple[float, float]] = {"A4": (210.0, 297.0), "Letter": (215.9, 279.4)}
PT_MM = 25.4 / 72.0


@dataclass(frozen=True, slots=True)
class Style:
    """Of text: size in points."""

    size: float = 8.0
    bold: bool = False
    colour: Colour = BLACK


class Paper:
    """A document. `title` is what its metadata say: never a patient's name. `made_at` has its zone."""

    def __init__(
        self, name: PaperName, *, landscape: bool, title: str, made_at: datetime, language: str = "en"
    ) -> None:
        short, long = SIZES_MM[name]
        self.width, self.height = (long, short) if landscape else (short, long)
        self.missing: list[str] = []
        """Letters that were printed as boxes."""
        pdf = FPDF(unit="mm", format=(short, long), enforce_compliance=DocumentCompliance.PDFA_2U)
        self._landscape = landscape
        pdf.set_auto_page_break(auto=False)
        pdf.set_margin(0)
        pdf.c_margin = 0
        pdf.add_font("house", "", fonts.REGULAR)
        pdf.add_font("house", "B", fonts.BOLD)
        pdf.set_title(title)
        pdf.set_producer("vitald")
        pdf.set_creator("vitald")
        pdf.set_lang(language)
        pdf.set_creation_date(made_at)
        pdf.viewer_preferences = ViewerPreferences(print_scaling="None", display_doc_title=True)
        self._pdf = pdf
        self._further: dict[Path, str] = {}

    @property
    def pages(self) -> int:
        return self._pdf.pages_count

    def page(self) -> None:
        """A new page."""
        self._pdf.add_page(orientation="landscape" if self._landscape else "portrait")
        # Round joins: an R peak drawn with a mitre would stand taller than it is.
        self._pdf.set_line_width(0.25)

    @contextmanager
    def back_on(self, page: int) -> Iterator[None]:
        """What is drawn goes onto an earlier page (1 = the first): a footer that knows how many there are."""
        pdf, now = self._pdf, self._pdf.page
        pdf.page = page
        pdf.set_fill_color(1, 2, 3)  # whatever it was when that page ended, it is known now
        pdf.current_font_is_set_on_page = False
        yield
        pdf.page = now

    def save(self, path: Path) -> None:
        """Write the file. Raises OSError."""
        self._pdf.output(str(path))

    # --- lines -------------------------------------------------------------------------------------------

    def _pen(self, width: float, colour: Colour) -> None:
        self._pdf.set_line_width(width)
        self._pdf.set_draw_color(*colour)

    def line(
        self, x0: float, y0: float, x1: float, y1: float, *, width: float = 0.2, colour: Colour = BLACK
    ) -> None:
        self._pen(width, colour)
        self._pdf.line(x0, y0, x1, y1)

    def trace(self, x: Floats, y: Floats, *, width: float = 0.25, colour: Colour = BLACK) -> None:
        """A line through all points; NaN in `y` breaks it. Every point is drawn."""
        present = np.isfinite(y)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
        self._pen(width, colour)
        with self._pdf.local_context(
            stroke_join_style=StrokeJoinStyle.ROUND, stroke_cap_style=StrokeCapStyle.ROUND
        ):
            for begin, end in zip(edges[::2], edges[1::2], strict=True):
                points = list(zip(x[begin:end].tolist(), y[begin:end].tolist(), strict=True))
                if len(points) == 1:  # a single sample is a dot
                    points.append((points[0][0] + 0.01, points[0][1]))
                self._pdf.polyline(points)

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        *,
        fill: Colour | None = None,
        edge: Colour | None = None,
        width: float = 0.2,
    ) -> None:
        """A rectangle, filled, with an edge, or both."""
        if fill is not None:
            self._pdf.set_fill_color(*fill)
        if edge is not None:
            self._pen(width, edge)
        style = ("D" if edge is not None else "") + ("F" if fill is not None else "")
        if style:
            self._pdf.rect(x, y, w, h, style=style)

    def dots(self, x: Floats, y: Floats, *, size: float = 0.3, colour: Colour = BLACK) -> None:
        """Squares of `size` mm around points."""
        self._pdf.set_fill_color(*colour)
        for px, py in zip(x.tolist(), y.tolist(), strict=True):
            self._pdf.rect(px - size / 2, py - size / 2, size, size, style="F")

    @contextmanager
    def clip(self, x: float, y: float, w: float, h: float) -> Iterator[None]:
        """Nothing is drawn outside of the rectangle."""
        with self._pdf.rect_clip(x, y, w, h):
            yield

    @contextmanager
    def turned(self, degrees: float, x: float, y: float) -> Iterator[None]:
        """Turned around a point, anticlockwise."""
        with self._pdf.rotation(degrees, x, y):
            yield

    # --- text --------------------------------------------------------------------------------------------

    def text(self, x: float, y: float, text: str, style: Style = Style(), align: Align = "left") -> float:
        """Text with its baseline at `y`; `x` is its left edge, its right edge or its middle. Gives its width in mm."""
        shown, further = fonts.printable(text, self.missing)
        if not shown:
            return 0.0
        self._use(style)
        simple = fonts.plain(shown)
        if not simple:
            self._shape(further, on=True)
        width: float = self._pdf.get_string_width(shown)
        left = x - {"left": 0.0, "right": width, "centre": width / 2}[align]
        if simple:
            self._pdf.text(left, y, shown)
        else:
            self._pdf.set_xy(
                left, y - 0.3 * style.size * PT_MM
            )  # a cell puts its baseline 0.3 of its size below its middle
            self._pdf.cell(w=width, h=0, text=shown)
            self._shape((), on=False)
        return width

    def width_of(self, text: str, style: Style = Style()) -> float:
        """How wide text is, mm."""
        shown, further = fonts.printable(text, [])
        self._use(style)
        simple = fonts.plain(shown)
        if not simple:
            self._shape(further, on=True)
        width: float = self._pdf.get_string_width(shown)
        if not simple:
            self._shape((), on=False)
        return width

    def cut(self, text: str, width: float, style: Style = Style()) -> str:
        """As much of `text` as fits into `width` mm; where not all of it does, it ends in an ellipsis."""
        if self.width_of(text, style) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width_of(text[:middle] + "…", style) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low] + "…"

    def wrapped(self, text: str, width: float, style: Style = Style()) -> list[str]:
        """Lines of at most `width` mm, broken at spaces; a word that is longer is broken where it must be."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.width_of(longer, style) <= width:
                lines[-1] = longer
                continue
            if lines[-1]:
                lines.append("")
            rest = word
            while self.width_of(rest, style) > width and len(rest) > 1:
                at = len(self.cut(rest, width, style)) - 1
                lines[-1] = rest[: max(at, 1)]
                rest = rest[max(at, 1) :]
                lines.append("")
            lines[-1] = rest
        return lines

    def _use(self, style: Style) -> None:
        self._pdf.set_font("house", "B" if style.bold else "", style.size)
        self._pdf.set_text_color(*style.colour)

    def _shape(self, further: Sequence[Path], *, on: bool) -> None:
        self._pdf.set_text_shaping(on)
        for path in further:
            if path not in self._further:
                self._further[path] = f"further{len(self._further)}"
                self._pdf.add_font(self._further[path], "", path)
        self._pdf.set_fallback_fonts([self._further[path] for path in further], exact_match=False)
