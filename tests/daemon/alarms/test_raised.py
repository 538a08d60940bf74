"""Every row of the table has something in production that raises it: no alarm is on the page and never heard.

Of each row the names that it waits for (sources of Facts, events, rhythms, numbers, words of devices), and the module that says
them. Where a technical alarm comes from the running box is in tests/end_to_end/test_box_alarms.py and beside it.
"""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import pytest

from daemon.alarms import conditions as when
from daemon.alarms import devices, heart
from daemon.alarms.table import TABLE

ROOT = Path(__file__).parents[3]

SAID = {
    # Facts: where the source's name stands, and the Fact is made
    "analysis": "daemon/bedside.py",
    "alarms": "daemon/alarms/watch.py",
    "acquisition_failed": "daemon/acquisition/telling.py",
    "sound": "daemon/control/screens.py",
    "alarm_test": "daemon/appliance/proof.py",
    "screen": "daemon/control/screens.py",
    "remote": "daemon/control/clouds.py",
    "power": "daemon/appliance/hardware.py",
    "supply": "daemon/appliance/hardware.py",
    "heat": "daemon/appliance/hardware.py",
    "memory": "daemon/appliance/hardware.py",
    "keeping": "daemon/appliance/hardware.py",
    "store": "daemon/store/writer.py",
    "store_damaged": "daemon/store/writer.py",
    "disk": "daemon/store/upkeep.py",
    "disk_full": "daemon/store/upkeep.py",
    "clock": "daemon/wallclock.py",
    "maintenance": "daemon/devices/maintenance.py",
    "cloud": "daemon/control/clouds.py",
    # events and rhythms of the analysis
    "ventricular_run": "daemon/dsp/ecg/rhythm/ectopy.py",
    "couplet": "daemon/dsp/ecg/rhythm/ectopy.py",
    "pause": "daemon/dsp/ecg/rhythm/arrest.py",
    "therapy_stopped": "daemon/dsp/respiration/said.py",
    "cycle_stopped": "daemon/dsp/oxygen/stage.py",
    "compressor_weak": "daemon/dsp/oxygen/stage.py",
    "valve_uneven": "daemon/dsp/oxygen/stage.py",
    "VFL": "daemon/dsp/ecg/rhythm/arrest.py",
    "ASYS": "daemon/dsp/ecg/rhythm/arrest.py",
    "VT": "daemon/dsp/ecg/rhythm/ectopy.py",
    "AFIB": "daemon/dsp/ecg/rhythm/base.py",
    "B": "daemon/dsp/ecg/rhythm/ectopy.py",
    "T": "daemon/dsp/ecg/rhythm/ectopy.py",
    # numbers of the analysis
    "heart_rate": "daemon/dsp/segment.py",
    "st_j60": "daemon/dsp/ecg/measures/telling.py",
    "qtc_fridericia": "daemon/dsp/ecg/measure.py",
    "pulse_rate": "daemon/dsp/pulse.py",
    "since_breath": "daemon/dsp/respiration/said.py",
    "tidal_volume": "daemon/dsp/respiration/said.py",
    "respiration_rate": "daemon/dsp/respiration/said.py",
    "o2_purity": "daemon/dsp/oxygen/stage.py",
    "o2_flow": "daemon/dsp/oxygen/stage.py",
    "o2_warm": "daemon/dsp/oxygen/stage.py",
    # numbers and words of devices
    "spo2": "firmware_bridge/boards/nonin.py",
    "cpap_pressure": "firmware_bridge/boards/resmed.py",
    "cpap_leak": "firmware_bridge/boards/resmed.py",
    "leak": "daemon/dsp/respiration/said.py",
    "cpap_set_pressure": "firmware_bridge/vlp/channels.py",
    "o2_set_flow": "firmware_bridge/vlp/channels.py",
    "o2_battery": "firmware_bridge/vlp/channels.py",
    "o2_temperature": "firmware_bridge/vlp/channels.py",
    "alarm_code": "firmware_bridge/boards/medibus.py",
}

MADE = {
    "EcgLost": ("DeviceSeen", "daemon/acquisition/telling.py"),
    "LinkLost": ("DeviceSeen", "daemon/acquisition/telling.py"),
    "OtherFailed": ("Fact", "daemon/signals/link.py"),
    "ElectrodesOff": ("Quality", "daemon/dsp/segment.py"),
    "BeatRate": ("Beat", "daemon/dsp/segment.py"),
    "VentricularBeats": ("Beat", "daemon/dsp/segment.py"),
    "FlatLine": ("Metric", "daemon/dsp/segment.py"),
    "Tested": ("Command", "daemon/main.py"),
}
"""Conditions without a name to wait for: the class of what they are judged from, and who makes it."""


def waits_for(condition) -> set[str]:
    """Names of which one must be said before the condition can be true."""
    match condition:
        case when.Failed(source=source):
            return {source}
        case when.Happened(event=event):
            return {event}
        case devices.Together(effect=effect, cause=cause):
            return waits_for(effect) | waits_for(cause)
        case devices.EachBeyond(metrics=metrics):
            return set(metrics)
        case heart.InRhythm(labels=labels):
            return {next(label for label in sorted(labels) if label in SAID)}
        case heart.Asystole():
            return {"ASYS", "heart_rate"}
        case heart.VentricularTachycardia() | heart.VentricularRhythm():
            return {"VT"}
        case heart.FibrillationBegan() | heart.FibrillationEnded():
            return {"AFIB"}
    assert is_dataclass(condition)
    named = {"metric", "setting", "grace", "also", "unless", "word"}
    return {getattr(condition, field.name) for field in fields(condition) if field.name in named} - {""}


@cache
def texts(path: str) -> frozenset[str]:
    """String constants of a module's code, its docstrings apart."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@cache
def calls(path: str) -> frozenset[str]:
    """Names of what a module calls."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return frozenset(f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in called)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_what_a_row_waits_for_is_said_by_something(row):
    names = waits_for(row.condition)
    for name in names | ({row.arms_with} - {""}):
        assert name in SAID, f"nothing says {name}"
        assert name in texts(SAID[name]), f"{SAID[name]} does not say {name}"
    if isinstance(row.condition, when.Failed):
        assert "Fact" in calls(SAID[row.condition.source])
    if not names or type(row.condition).__name__ in MADE:
        made, where = MADE[type(row.condition).__name__]
        assert made in calls(where)


def test_nothing_stands_here_that_no_row_waits_for():
    wanted = set().union(*(waits_for(row.condition) | {row.arms_with} for row in TABLE)) - {""}
    assert set(SAID) == wanted
    assert set(MADE) <= {type(row.condition).__name__ for row in TABLE}
