"""What a bed's page shows of devices that are no ECG: a panel a kind of device, shown as soon as one of its numbers is said.

A figure takes the first of its sources that is fresh: the device's own number before ours. "name@lead" is a number of ours
that counts only when it was measured in that stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VITAL_S, BREATH_S, POLLED_S, SELDOM_S = 3.0, 20.0, 10.0, 90.0
"""How long a number stands without being said again: measured all the time, once a breath, asked for in turn, now and then."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a panel; its words are "figure.<name>". It is shown once it was said, and keeps its place from then on."""

    name: str
    unit: str
    decimals: int
    lives_s: float
    sources: tuple[str, ...] = ()
    big: bool = False

    @property
    def id(self) -> str:
        """Of its element, for alarms."""
        return self.name.replace("_", "-")

    @property
    def names(self) -> tuple[str, ...]:
        """Its sources in order."""
        return self.sources or (self.name,)


@dataclass(frozen=True, slots=True)
class Panel:
    """The numbers of a kind of device. `settings` are its numbers that are said in a line of words, as its statuses are."""

    name: str
    figures: tuple[Figure, ...]
    settings: tuple[Figure, ...] = ()


PANELS = (
    Panel(
        "oximeter",
        (
            Figure("spo2", "%", 0, VITAL_S, big=True),
            Figure("pulse_rate", "bpm", 0, VITAL_S),
            Figure("perfusion_index", "%", 1, VITAL_S),
            Figure("odi", "/h", 1, SELDOM_S, ("odi4", "odi3")),
        ),
    ),
    Panel(
        "cpap",
        (
            Figure("cpap_pressure", "cmH2O", 1, VITAL_S, big=True),
            Figure("cpap_leak", "L/min", 0, VITAL_S, ("cpap_leak", "leak"), big=True),
            Figure("cpap_set_pressure", "cmH2O", 1, SELDOM_S),
            Figure(
                "cpap_respiration_rate",
                "/min",
                0,
                BREATH_S,
                ("cpap_respiration_rate", "respiration_rate@flow"),
            ),
            Figure("cpap_tidal_volume", "mL", 0, BREATH_S, ("cpap_tidal_volume", "tidal_volume")),
            Figure("cpap_minute_volume", "L/min", 1, BREATH_S, ("cpap_minute_volume", "minute_volume")),
            Figure("cpap_ahi", "/h", 1, SELDOM_S, ("cpap_ahi", "ahi")),
        ),
        (
            Figure("cpap_humidity", "1", 0, SELDOM_S),
            Figure("usage_hours", "h", 1, SELDOM_S),
            Figure("cpap_hours", "h", 0, SELDOM_S),
        ),
    ),
    Panel(
        "oxygen",
        (
            Figure("o2_purity", "%", 1, VITAL_S, big=True),
            Figure("o2_flow", "L/min", 1, VITAL_S, big=True),
            Figure("o2_temperature", "degC", 0, SELDOM_S),
            Figure("o2_battery", "%", 0, SELDOM_S),
            Figure("o2_pressure", "kPa", 0, POLLED_S),
            Figure("o2_hours", "h", 0, SELDOM_S),
        ),
    ),
    Panel(
        "ventilator",
        (
            Figure("vent_pip", "mbar", 0, POLLED_S, big=True),
            Figure("vent_peep", "mbar", 0, POLLED_S),
            Figure("vent_paw_mean", "mbar", 0, POLLED_S),
            Figure("vent_plateau", "mbar", 0, POLLED_S),
            Figure("vent_rate", "/min", 0, POLLED_S),
            Figure("vent_tidal_volume", "mL", 0, POLLED_S),
            Figure("vent_minute_volume", "L/min", 1, POLLED_S, big=True),
            Figure("vent_fio2", "%", 0, POLLED_S),
            Figure("vent_etco2", "mmHg", 0, POLLED_S),
            Figure("vent_leak", "mL/min", 0, POLLED_S),
        ),
    ),
)
"""In the order of the page: oximetry, airway, oxygen."""

STATUSES = ("mode", "mask", "event", "signal", "alarm_code")
"""Words of a device in the order in which they stand in its panel."""

SHOWN_BY = {
    "target_pressure": "cpap_set_pressure",
    "humidity_level": "cpap_humidity",
    "flow_rate": "o2_set_flow",
    "night_mode": "night_mode",
}
"""What is set -> the number of the same device that shows it."""

CARD = (
    "spo2",
    "pulse_rate",
    "cpap_pressure",
    "cpap_leak",
    "o2_purity",
    "o2_flow",
    "vent_pip",
    "vent_minute_volume",
)
"""What the page of all beds shows of them."""


def figures() -> dict[str, Figure]:
    """All figures by name."""
    return {one.name: one for panel in PANELS for one in (*panel.figures, *panel.settings)}


def facts() -> dict[str, Any]:
    """For the scripts: each figure with its sources, its unit and how long it lives (ms)."""
    told = {
        name: {"sources": one.names, "unit": one.unit, "decimals": one.decimals, "lives": 1000 * one.lives_s}
        for name, one in figures().items()
    }
    settings = {panel.name: [one.name for one in panel.settings] for panel in PANELS}
    return {
        "figures": told,
        "panel_settings": settings,
        "statuses": STATUSES,
        "card": CARD,
        "shown_by": SHOWN_BY,
    }
