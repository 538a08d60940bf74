"""Which alarms concern which tile of a bed's page, and whose limits stand beside its number.

Rows are those of the alarm table; a tile flashes with them, and wears the crossed bell where a person has switched one off.
"""

from __future__ import annotations

from typing import Any

ROWS = {
    "heart-rate": ("extreme_tachy", "extreme_brady", "hr_high", "hr_low"),
    "rhythm": (
        "vent_fib",
        "asystole",
        "flat_ecg",
        "vent_tachy",
        "nonsust_vt",
        "vent_rhythm",
        "pause",
        "af_start",
        "af_end",
        "run",
        "couplet",
        "bigeminy",
        "trigeminy",
        "pvc_rate",
    ),
    "qtc-fridericia": ("qtc_very_long", "qtc_long"),
    "st": ("st_high", "st_low"),
    "respiration-rate": ("resp_high", "resp_low"),
}
"""Id of a tile -> rows of its alarms."""

LIMITS = {"heart-rate": (("hr_low", "below"), ("hr_high", "above"))}
"""Id of a tile -> (row, key) of the low and of the high limit that stand beside its number."""


def facts() -> dict[str, Any]:
    """For the scripts."""
    return {"alarm_tiles": {tile: {"rows": rows, "limits": LIMITS.get(tile)} for tile, rows in ROWS.items()}}
