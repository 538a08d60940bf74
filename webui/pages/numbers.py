"""Which measurements a bed's page shows where, and how long each is shown without being said again.

What daemon/units.py knows and no list here names appears among the others, as soon as the box says it.
"""

from __future__ import annotations

from typing import Any

from daemon.units import OBSERVABLES
from daemon.words import say

TILES = (
    "rr_interval",
    "pr_interval",
    "qrs_duration",
    "qt_interval",
    "qtc_fridericia",
    "st",
    "respiration_rate",
)
"""Small tiles in their order; "st" is the lead that is farthest from zero."""

ST = ("st_j", "st_j60", "st_j80", "st_slope")
AMPLITUDES = ("p_amplitude", "q_amplitude", "r_amplitude", "s_amplitude", "t_amplitude")
GROUPS = {
    "intervals": (
        "rr_interval",
        "pr_interval",
        "qrs_duration",
        "qt_interval",
        "qtc_fridericia",
        "qtc_bazett",
        "qtc_framingham",
        "qtc_hodges",
        "p_axis",
        "qrs_axis",
        "t_axis",
        "respiration_rate",
    ),
    "variability": ("sdnn", "rmssd", "pnn50", "lf_power", "hf_power", "lf_hf"),
}

_SECONDS = {"heart_rate": 3.0, "rr_interval": 3.0} | dict.fromkeys(
    ("pr_interval", "qrs_duration", "qt_interval"), 15.0
)
_QTC_SECONDS, _SELDOM_SECONDS = 15.0, 90.0
"""Intervals are said with every beat; what is measured now and then at least once a minute."""

_DECIMALS = {"mV": 2, "V": 3, "s": 2, "%": 1, "mV/s": 1}


def groups() -> dict[str, tuple[str, ...]]:
    """Names by group for the page's list: those above, and "other" with the ones that only the table of units knows."""
    placed = {"heart_rate", *ST, *AMPLITUDES, *(name for names in GROUPS.values() for name in names)}
    return {**GROUPS, "other": tuple(name for name in OBSERVABLES if name not in placed)}


def facts() -> dict[str, Any]:
    """For the scripts: of each number its unit and how long it lives (ms); decimals by unit."""
    return {
        "numbers": {
            name: {"unit": observable.unit, "lives": 1000 * lives_s(name)}
            for name, observable in OBSERVABLES.items()
        },
        "decimals": _DECIMALS,
        "st": ST,
        "amplitudes": AMPLITUDES,
    }


def lives_s(name: str) -> float:
    """Seconds after which a number that was not said again is no longer shown."""
    return _SECONDS.get(name, _QTC_SECONDS if name.startswith("qtc_") else _SELDOM_SECONDS)


def unit(name: str) -> str:
    """The unit of a number as people read it; ST is in mV."""
    symbol = OBSERVABLES[name].unit if name in OBSERVABLES else "mV"
    return said if (said := say(f"unit.{symbol}")) != f"unit.{symbol}" else symbol


def label(name: str) -> str:
    """What a number is called; a name that has no words yet is readable all the same."""
    said = say(f"number.{name}")
    return name.replace("_", " ") if said == f"number.{name}" else said
