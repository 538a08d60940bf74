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
    "spo2": ("spo2_low_purity", "spo2_low_flow", "spo2_low_leak", "desat", "spo2_low", "spo2_high"),
    "pulse-rate": ("pulse_high", "pulse_low"),
    "cpap-pressure": ("cpap_pressure_high", "cpap_pressure_low", "therapy_stopped"),
    "cpap-leak": ("cpap_leak_high", "spo2_low_leak"),
    "cpap-respiration-rate": ("no_breath", "resp_high", "resp_low"),
    "o2-purity": ("o2_purity_low", "o2_purity_falling", "spo2_low_purity"),
    "o2-flow": ("o2_no_flow", "o2_flow_low", "spo2_low_flow"),
    "o2-temperature": ("device_hot",),
    "o2-battery": ("battery_empty", "battery_low"),
}
"""Id of a tile -> rows of its alarms."""

LIMITS: dict[str, tuple[tuple[str, str] | None, tuple[str, str] | None]] = {
    "heart-rate": (("hr_low", "below"), ("hr_high", "above")),
    "spo2": (("spo2_low", "below"), ("spo2_high", "above")),
    "pulse-rate": (("pulse_low", "below"), ("pulse_high", "above")),
    "cpap-pressure": (None, ("cpap_pressure_high", "above")),
    "cpap-leak": (None, ("cpap_leak_high", "above")),
    "o2-purity": (("o2_purity_low", "below"), None),
}
"""Id of a tile -> (row, key) of the low and of the high limit that stand beside its number; None where there is none."""


TECHNICAL = (
    "no_data_ecg",
    "ecg_leads_off",
    "noisy_ecg",
    "electrode_off",
    "analysis_stopped",
    "alarms_failed",
    "devices_stopped",
    "no_heart_rate",
    "no_data_device",
    "sound_missing",
    "test_failed",
    "screen_lost",
    "remote_lost",
    "power_lost",
    "supply_low",
    "box_hot",
    "memory_short",
    "recording_stopped",
    "nothing_kept",
    "recordings_damaged",
    "disk_full",
    "disk_low",
    "clock_unset",
    "cloud_unreachable",
    "device_alarm",
    "valves_stopped",
    "compressor_weak",
    "valve_uneven",
    "maintenance_due",
    "device_hot",
    "battery_empty",
    "battery_low",
    "no_spo2",
    "no_o2_purity",
    "no_o2_flow",
    "no_cpap_pressure",
    "no_cpap_leak",
    "box_fault",
    "test_high",
    "test_medium",
    "test_low",
)
"""Rows about the equipment: their mark is !, that of the others *."""

SPEAKS_FOR = {
    "fact.acquisition_failed": ("devices_stopped",),
    "fact.alarm_test": ("test_failed",),
    "fact.alarms": ("alarms_failed",),
    "fact.analysis": ("analysis_stopped",),
    "fact.clock": ("clock_unset",),
    "fact.cloud": ("cloud_unreachable",),
    "fact.disk": ("disk_low", "disk_full"),
    "fact.disk_full": ("disk_full",),
    "fact.maintenance": ("maintenance_due",),
    "fact.power": ("power_lost",),
    "fact.supply": ("supply_low",),
    "fact.heat": ("box_hot",),
    "fact.keeping": ("nothing_kept",),
    "fact.memory": ("memory_short",),
    "fact.remote": ("remote_lost",),
    "fact.screen": ("screen_lost",),
    "fact.sound": ("sound_missing",),
    "fact.store": ("recording_stopped",),
    "fact.store_damaged": ("recordings_damaged",),
    "fact": ("box_fault",),
    "line.no_beats": ("asystole", "vent_fib", "flat_ecg", "no_heart_rate"),
    "line.device": ("no_data_ecg", "no_data_device"),
    "trouble.leads_off": ("ecg_leads_off", "flat_ecg"),
    "trouble.electrode_off": ("electrode_off", "ecg_leads_off"),
    "trouble.noisy": ("noisy_ecg",),
}
"""Message of the line -> rows of the alarms that say the same: while one of them is in the alarm line, the message is not beside it."""


def facts() -> dict[str, Any]:
    """For the scripts."""
    tiles = {tile: {"rows": rows, "limits": LIMITS.get(tile)} for tile, rows in ROWS.items()}
    return {"alarm_tiles": tiles, "technical_rows": TECHNICAL, "speaks_for": SPEAKS_FOR}
