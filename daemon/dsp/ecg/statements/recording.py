"""What is interpreted: the measurement, the rhythm that goes with it, and what is known of the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.dsp.ecg.amplitudes import Levels
from daemon.dsp.ecg.measures.measurement import Measurement
from daemon.model.findings import Criterion

LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
TWELVE = (*LIMB, *CHEST)

GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "inferior": (("II", "aVF", "III"),),
    "lateral": (("aVL", "I"), ("V5", "V6")),
    "anterior": (("V1", "V2", "V3", "V4"),),
}
"""Territories, as rows of leads that lie side by side (Cabrera's order; AHA/ACCF/HRS 2009)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`rhythm` is the WFDB label that the rhythm watch holds to, "" where it has none. Counts are of the recording's beats.

    `female`, `age_years` None: not known.
    """

    measured: Measurement
    rhythm: str = ""
    ventricular: int = 0
    supraventricular: int = 0
    beats: int = 0
    female: bool | None = None
    age_years: float | None = None

    def lead(self, name: str) -> Levels | None:
        return self.measured.leads.get(name)


def at_least(name: str, value: float, unit: str, limit: float, lead: str = "") -> Criterion:
    return Criterion(name, lead, value, unit, ">=", limit)


def above(name: str, value: float, unit: str, limit: float, lead: str = "") -> Criterion:
    return Criterion(name, lead, value, unit, ">", limit)


def at_most(name: str, value: float, unit: str, limit: float, lead: str = "") -> Criterion:
    return Criterion(name, lead, value, unit, "<=", limit)


def below(name: str, value: float, unit: str, limit: float, lead: str = "") -> Criterion:
    return Criterion(name, lead, value, unit, "<", limit)


def fact(name: str, value: float, unit: str, lead: str = "") -> Criterion:
    return Criterion(name, lead, value, unit)


def side_by_side(row: Sequence[str], fired: Sequence[str]) -> list[str]:
    """The leads of a row that fired and have a neighbour in it that fired too."""
    return [
        lead
        for k, lead in enumerate(row)
        if lead in fired and any(row[n] in fired for n in (k - 1, k + 1) if 0 <= n < len(row))
    ]
