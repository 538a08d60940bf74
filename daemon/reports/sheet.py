"""The geometry of a twelve-lead page, in millimetres from its top left corner: which lead stands where, and for how long.

1 mm is 40 ms at 25 mm/s and 0.1 mV at 10 mm/mV. The grid is 250 x 130 mm on A4 and Letter alike: 250 mm are 10 s at 25 mm/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.control.reports import Layout

GRID_W, GRID_H, GRID_TOP = 250.0, 130.0, 60.0

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6")
"""Limb leads in the order of their angles, -30 to 120 degrees."""

_COLUMNS: dict[Layout, int] = {"3x4+1": 4, "6x2": 2, "12x1": 1}


@dataclass(frozen=True, slots=True)
class Cell:
    """A lead on the page: `x0` and `baseline` in mm, seconds `from_s` .. `to_s` after the page begins. "-aVR" is aVR upside down."""

    lead: str
    x0: float
    baseline: float
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page: where its grid begins and what stands on it. `pulse_x`: where the calibration pulses begin."""

    left: float
    cells: tuple[Cell, ...]
    seconds: float
    speed: float
    gain: float
    columns: int

    @property
    def pulse_x(self) -> float:
        return self.left - 12.0

    @property
    def right(self) -> float:
        return self.left + GRID_W

    @property
    def bottom(self) -> float:
        return GRID_TOP + GRID_H

    @property
    def baselines(self) -> list[float]:
        """Of the rows, from above."""
        return sorted({cell.baseline for cell in self.cells})


def left_of(page_width: float) -> float:
    """Where the grid begins: in the middle, unless the calibration pulses would leave the printable page."""
    return max((page_width - GRID_W) / 2, 18.0)


def sheet(
    page_width: float,
    layout: Layout,
    have: Sequence[str],
    *,
    speed: float,
    gain: float,
    cabrera: bool = False,
    simultaneous: bool = False,
    rhythm: str = "II",
) -> Sheet:
    """A page of the leads that there are. With fewer than twelve each has a row of its own.

    Columns go on from one another in time; `simultaneous`: all of them show the same stretch, the first of the page.
    """
    order = [lead for lead in (CABRERA if cabrera else STANDARD) if lead.removeprefix("-") in have]
    further = [lead for lead in have if lead not in STANDARD]
    whole = len(order) == len(STANDARD)
    columns = _COLUMNS[layout] if whole else 1
    order = order if whole else [*order, *further]
    left, seconds = left_of(page_width), GRID_W / speed
    strip = layout == "3x4+1" and whole and rhythm in have
    rows = -(-len(order) // columns)
    base = _baselines(rows + strip)
    width_s = seconds / columns
    cells = [
        Cell(
            lead,
            left + (n // rows) * GRID_W / columns,
            base[n % rows],
            0.0 if simultaneous else (n // rows) * width_s,
            width_s if simultaneous else (n // rows + 1) * width_s,
        )
        for n, lead in enumerate(order)
    ]
    if strip:
        cells.append(Cell(rhythm, left, base[rows], 0.0, seconds))
    return Sheet(left, tuple(cells), seconds, speed, gain, columns)


def _baselines(rows: int) -> list[float]:
    """Evenly spread; four rows are 30 mm apart, which is 3 mV at 10 mm/mV."""
    pitch = 30.0 if rows <= 4 else GRID_H / (rows + 0.25)
    first = GRID_TOP + (GRID_H - pitch * (rows - 1)) / 2 - (2.5 if rows <= 4 else 0.0)
    return [first + pitch * row for row in range(rows)]
