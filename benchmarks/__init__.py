"""Measured claims, one file each; `./dev bench` prints them as one table.

A benchmark module has `rows() -> Iterable[Row]`. Figures are printed, never asserted: machines differ.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `target` is text as the owner stated it ("< 6 %"), `met` None where there is no target."""

    claim: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""
