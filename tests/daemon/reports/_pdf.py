"""What a page really draws, read from its own operators: paths and texts in millimetres from the top left corner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pypdf import PdfReader
from pypdf.generic import ContentStream

MM = 25.4 / 72


@dataclass(frozen=True)
class Line:
    points: np.ndarray
    width: float
    colour: tuple[float, ...]

    @property
    def x(self):
        return self.points[:, 0]

    @property
    def y(self):
        return self.points[:, 1]


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    text: str


def lines(file: Path, number: int = 0) -> list[Line]:
    """Every stroked path of a page."""
    reader = PdfReader(file)
    page = reader.pages[number]
    height = float(page.mediabox.height)
    matrix, stack = np.eye(3), []
    width, colour = 1.0, (0.0,)
    out, points = [], []
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        numbers = [float(one) for one in operands if isinstance(one, int | float)]
        match operator:
            case b"q":
                stack.append((matrix.copy(), width, colour))
            case b"Q":
                matrix, width, colour = stack.pop()
            case b"cm":
                a, b, c, d, e, f = numbers
                matrix = np.array([[a, b, 0], [c, d, 0], [e, f, 1]]) @ matrix
            case b"w":
                width = numbers[0]
            case b"RG" | b"G":
                colour = tuple(numbers)
            case b"m":
                points = [numbers]
            case b"l":
                points.append(numbers)
            case b"S":
                if points:
                    at = np.column_stack([np.array(points), np.ones(len(points))]) @ matrix
                    out.append(Line(np.column_stack([at[:, 0], height - at[:, 1]]) * MM, width * MM, colour))
                points = []
            case b"n" | b"f" | b"B":
                points = []
    return out


def texts(file: Path, number: int = 0) -> list[Text]:
    """Every piece of text, with the left end of its baseline."""
    page = PdfReader(file).pages[number]
    height = float(page.mediabox.height)
    found: list[Text] = []

    def visit(text, matrix, at, _font, _size):
        if text.strip():
            e, f = (
                at[4] * matrix[0] + at[5] * matrix[2] + matrix[4],
                at[4] * matrix[1] + at[5] * matrix[3] + matrix[5],
            )
            found.append(Text(e * MM, (height - f) * MM, text.strip()))

    page.extract_text(visitor_text=visit)
    return found


def traces(file: Path, number: int = 0, least: int = 100) -> list[Line]:
    """The waves: paths of many points."""
    return [line for line in lines(file, number) if len(line.points) >= least]


def whole_text(file: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(file).pages)
