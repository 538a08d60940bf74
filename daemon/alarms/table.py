"""Every alarm is one row. Read it from top to bottom: that is the ladder, and a row covers only rows below it.

Numbers are those of adult monitors, as found in IEC 60601-2-27, makers' manuals and the literature on alarms; they are
proposals until a hospital signs docs/alarms.md, which is made from this table. A delay begins when the condition, with its
own built-in time, is there.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from daemon.alarms import conditions as when
from daemon.alarms import devices, heart
from daemon.alarms.rows import UNTIL_SEEN, Auto, Delay, Follows, Limit, Row
from daemon.model.alarms import About, Priority
from daemon.model.findings import Why

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
SHOWN_S, SOUNDS_S = 180.0, 30.0
"""An event sounds for half a minute and is shown for three."""

WARM = "o2_warm"
"""Analysis says 0 of an oxygen concentrator that is still warming up, 1 of one that is warm."""
RATE, SPO2, PULSE, ST, QTC = "heart_rate", "spo2", "pulse_rate", "st_j60", "qtc_fridericia"
_FAST = ("extreme_tachy", "hr_high")
_SLOW = ("extreme_brady", "hr_low", "pause")
_ECTOPY = ("nonsust_vt", "vent_rhythm", "run", "couplet", "bigeminy", "trigeminy", "pvc_rate")
_AF = ("af_start", "af_end")
_RATE_DELAY, _ST_DELAY, _LONG = Delay(3, 0, 10), Delay(60, 15, 60), Delay(300)
_MINUTE_ST, _MINUTE_QT = 70.0, 70.0  # said when they move, and once a minute

# Least values are those that analysis can tell: tachycardia from 5 beats and 100 /min, slow rhythms from 6 beats, gaps from 3.0 s.
_VT_BEATS, _VT_RATE = Limit("beats", 6, 5, 15, 1, ""), Limit("rate", 120, 100, 200, 5, "bpm")
_RUN_BEATS = Limit("beats", 3, 3, 15, 1, "")
_SET_BEATS = Limit("beats", 0, 0, 20, 1, "")
_SLOW_AUTO, _FAST_AUTO = Auto(RATE, 0.8, 0, 40, 60), Auto(RATE, 1.25, 0, 90, 160)

_DESATURATED = when.Beyond(SPO2, "below", 1, 10, key="spo2")
_BATTERIES, _TEMPERATURES = ("o2_battery",), ("o2_temperature",)

# fmt: off
_HEART = (
    Row("vent_fib", HIGH, heart.InRhythm(frozenset({"VFL", "VF"})), off_s=4, latch_s=UNTIL_SEEN,
        covers=("asystole", "vent_tachy", *_FAST, *_SLOW, *_ECTOPY, *_AF, "no_heart_rate")),
    Row("asystole", HIGH, heart.Asystole(), latch_s=UNTIL_SEEN, pulse_hold_s=5,
        limits=(Limit("gap_s", 4, 3, 10, 0.5, "s"),),
        covers=(*_SLOW, *_AF, "no_heart_rate")),
    Row("flat_ecg", HIGH, heart.FlatLine(), Delay(4), off_s=2, arms_with=RATE, covers=("ecg_leads_off", "no_heart_rate")),
    Row("vent_tachy", HIGH, heart.VentricularTachycardia(), off_s=3, latch_s=UNTIL_SEEN,
        limits=(_VT_BEATS, _VT_RATE),
        covers=(*_FAST, *_ECTOPY, *_AF)),
    Row("extreme_tachy", HIGH, heart.BeatRate("above", 3), _RATE_DELAY, off_s=5,
        limits=(Limit("above", 140, 100, 200, 1, "bpm", follows=Follows("hr_high", "above", 20, 200)), _SET_BEATS),
        covers=("hr_high",)),
    Row("extreme_brady", HIGH, heart.BeatRate("below", 3), _RATE_DELAY, off_s=5, latch_s=UNTIL_SEEN,
        pulse_hold_s=9, pulse_over="below",
        limits=(Limit("below", 40, 30, 60, 1, "bpm", follows=Follows("hr_low", "below", -10, 30)),
                replace(_SET_BEATS, default=5)),
        covers=("hr_low", "pause")),
    Row("nonsust_vt", MEDIUM, when.Happened("ventricular_run", SOUNDS_S, (("beats", "beats"), ("rate", "rate"))),
        latch_s=SHOWN_S, limits=(_RUN_BEATS, _VT_RATE), arms_with=RATE,
        covers=("vent_rhythm", "run", "couplet")),
    Row("vent_rhythm", MEDIUM, heart.VentricularRhythm(), off_s=5, limits=(replace(_VT_BEATS, low=6),), arms_with=RATE,
        covers=("run", "couplet", "pvc_rate")),
    Row("hr_high", MEDIUM, when.Beyond(RATE, "above", 2, trusted=True), _RATE_DELAY, off_s=5,
        limits=(Limit("above", 120, 60, 295, 1, "bpm", _FAST_AUTO),)),
    Row("hr_low", MEDIUM, when.Beyond(RATE, "below", 2, trusted=True), _RATE_DELAY, off_s=5,
        limits=(Limit("below", 50, 16, 120, 1, "bpm", _SLOW_AUTO),)),
    Row("pause", MEDIUM, when.Happened("pause", SOUNDS_S, (("gap", "gap_s"),)), latch_s=SHOWN_S, arms_with=RATE,
        limits=(Limit("gap_s", 2.5, 2.5, 4.0, 0.1, "s"),)),
    Row("af_start", MEDIUM, heart.FibrillationBegan(SHOWN_S), limits=(Limit("after_s", 60, 30, 300, 10, "s"),), arms_with=RATE),
    Row("af_end", LOW, heart.FibrillationEnded(SOUNDS_S), latch_s=SHOWN_S, arms_with=RATE,
        limits=(Limit("after_s", 120, 0, 1800, 30, "s"),)),
    Row("run", LOW, when.Happened("ventricular_run", SOUNDS_S, (("beats", "beats"),)), latch_s=SHOWN_S,
        limits=(_RUN_BEATS,), arms_with=RATE, on=False),
    Row("couplet", LOW, when.Happened("couplet", SOUNDS_S), latch_s=SHOWN_S, arms_with=RATE, on=False),
    Row("bigeminy", LOW, heart.InRhythm(frozenset({"B"})), off_s=10, arms_with=RATE, on=False),
    Row("trigeminy", LOW, heart.InRhythm(frozenset({"T"})), off_s=10, arms_with=RATE, on=False),
    Row("pvc_rate", LOW, heart.VentricularBeats(2), off_s=60, limits=(Limit("above", 10, 1, 100, 1, "/min"),), arms_with=RATE),
    Row("st_high", MEDIUM, heart.Neighbours(ST, "above", 0.05, _MINUTE_ST), _ST_DELAY, off_s=30,
        limits=(Limit("above", 0.20, 0.05, 2.0, 0.05, "mV"),)),
    Row("st_low", MEDIUM, heart.Neighbours(ST, "below", 0.05, _MINUTE_ST), _ST_DELAY, off_s=30,
        limits=(Limit("below", -0.20, -2.0, -0.05, 0.05, "mV"),)),
    Row("qtc_very_long", MEDIUM, when.Beyond(QTC, "above", 20, _MINUTE_QT, trusted=True), _LONG, off_s=300,
        limits=(Limit("above", 550, 480, 650, 10, "ms"),), covers=("qtc_long",)),
    Row("qtc_long", LOW, when.Beyond(QTC, "above", 20, _MINUTE_QT, trusted=True), _LONG, off_s=300,
        limits=(Limit("above", 500, 420, 600, 10, "ms"),)),
)

_ECG_FAULTS = (
    Row("no_data_ecg", MEDIUM, when.EcgLost(), Delay(1), arms_with=RATE, escalates=((60, HIGH),),
        covers=("ecg_leads_off", "noisy_ecg", "electrode_off", "no_heart_rate")),
    Row("ecg_leads_off", MEDIUM,
        when.Absent(RATE, frozenset({Why.LEADS_OFF, Why.FLAT}), told_off=frozenset({Why.FLAT})),
        Delay(5), off_s=2, arms_with=RATE, escalates=((60, HIGH),),
        covers=("noisy_ecg", "electrode_off", "no_heart_rate")),
    Row("noisy_ecg", LOW, when.Absent(RATE, frozenset({Why.NOISE, Why.SATURATED}), poor=True),
        Delay(15), off_s=5, arms_with=RATE, escalates=((60, MEDIUM),), covers=("no_heart_rate",)),
    Row("electrode_off", LOW, when.ElectrodesOff(), Delay(5), off_s=2, arms_with=RATE),
)

_BOX = (
    Row("analysis_stopped", MEDIUM, when.Failed("analysis"), escalates=((30, HIGH),), covers=("no_heart_rate",)),
    Row("alarms_failed", MEDIUM, when.Failed("alarms"), latch_s=UNTIL_SEEN, escalates=((60, HIGH),)),
    Row("devices_stopped", MEDIUM, when.Failed("acquisition_failed"), covers=("no_heart_rate",)),
    Row("no_heart_rate", LOW, when.Missing(RATE), Delay(30), off_s=5, arms_with=RATE, escalates=((60, MEDIUM),)),
    Row("no_data_device", MEDIUM, when.LinkLost(), Delay(10)),
    Row("sound_missing", MEDIUM, when.Failed("sound"), latch_s=UNTIL_SEEN),
    Row("test_failed", MEDIUM, when.Failed("alarm_test"), latch_s=UNTIL_SEEN),
    Row("screen_lost", MEDIUM, when.Failed("screen")),
    Row("remote_lost", MEDIUM, when.Failed("remote")),
    Row("power_lost", MEDIUM, when.Failed("power"), Delay(5)),
    Row("supply_low", MEDIUM, when.Failed("supply"), Delay(5), off_s=5, covers=("box_hot",)),
    Row("box_hot", LOW, when.Failed("heat"), Delay(30), off_s=30),
    Row("memory_short", LOW, when.Failed("memory"), Delay(30), off_s=30),
    Row("recording_stopped", MEDIUM, when.Failed("store"), latch_s=UNTIL_SEEN),
    Row("nothing_kept", MEDIUM, when.Failed("keeping")),
    Row("recordings_damaged", LOW, when.Failed("store_damaged")),
    Row("disk_full", MEDIUM, when.Failed("disk_full"), Delay(60), covers=("disk_low",)),
    Row("disk_low", LOW, when.Failed("disk"), Delay(60)),
    Row("clock_unset", LOW, when.Failed("clock")),
    Row("maintenance_due", LOW, when.Failed("maintenance"), sound=False),
    Row("cloud_unreachable", LOW, when.Failed("cloud"), limits=(Limit("after_h", 24, 1, 168, 1, "h"),), sound=False),
)

_OXYGEN = (
    Row("spo2_low_purity", HIGH, devices.Together(_DESATURATED, when.Beyond("o2_purity", "below", 2, 30, key="purity", grace=WARM)),
        Delay(10, 0, 30), off_s=5, latch_s=UNTIL_SEEN,
        uses=(("spo2", "spo2_low", "below"), ("purity", "o2_purity_falling", "below")),
        covers=("desat", "spo2_low", "o2_purity_low", "o2_purity_falling")),
    Row("spo2_low_flow", HIGH,
        devices.Together(_DESATURATED, when.Beyond("o2_flow", "below", 0.1, 10, setting="o2_set_flow", share=True, key="flow")),
        Delay(10, 0, 30), off_s=5, latch_s=UNTIL_SEEN,
        uses=(("spo2", "spo2_low", "below"), ("flow", "o2_flow_low", "below")),
        covers=("desat", "spo2_low", "o2_flow_low")),
    Row("spo2_low_leak", HIGH, devices.Together(_DESATURATED, when.Beyond("cpap_leak", "above", 4, 10, key="leak", also="leak")),
        Delay(10, 0, 30), off_s=5, latch_s=UNTIL_SEEN,
        uses=(("spo2", "spo2_low", "below"), ("leak", "cpap_leak_high", "above")),
        covers=("desat", "spo2_low", "cpap_leak_high")),
    Row("desat", HIGH, when.Beyond(SPO2, "below", 2, 10), off_s=5, latch_s=UNTIL_SEEN,
        limits=(Limit("below", 80, 50, 98, 1, "%"),), covers=("spo2_low",)),
    Row("spo2_low", MEDIUM, when.Beyond(SPO2, "below", 1, 10), Delay(10, 0, 30), off_s=5,
        limits=(Limit("below", 90, 50, 99, 1, "%", Auto(SPO2, 1, -5, 85, 95)),)),
    Row("spo2_high", LOW, when.Beyond(SPO2, "above", 1, 10), Delay(30, 0, 60), off_s=5,
        limits=(Limit("above", 96, 80, 99, 1, "%"),), on=False),
    Row("o2_purity_low", MEDIUM, when.Beyond("o2_purity", "below", 2, 30, grace=WARM), Delay(60, 10, 300), off_s=60,
        limits=(Limit("below", 82, 50, 94, 1, "%"),), arms_with="o2_purity", covers=("o2_purity_falling",)),
    Row("o2_purity_falling", LOW, when.Beyond("o2_purity", "below", 2, 30, grace=WARM), Delay(60, 10, 300), off_s=60,
        limits=(Limit("below", 85, 51, 95, 1, "%"),), arms_with="o2_purity"),
    Row("o2_no_flow", MEDIUM, when.Beyond("o2_flow", "below", 0.1, 10, grace=WARM), Delay(10, 0, 60), off_s=10, arms_with="o2_flow",
        limits=(Limit("below", 0.3, 0.1, 2.0, 0.1, "L/min"),), covers=("o2_flow_low",)),
    Row("o2_flow_low", MEDIUM, when.Beyond("o2_flow", "below", 0.1, 10, setting="o2_set_flow", share=True),
        Delay(15, 0, 60), off_s=10, limits=(Limit("below", 80, 20, 95, 5, "%"),)),
)

_BREATH = (
    Row("no_breath", MEDIUM, when.Beyond("since_breath", "above", 1, 5), off_s=2, latch_s=SHOWN_S,
        limits=(Limit("above", 30, 15, 60, 5, "s"),), arms_with="tidal_volume"),
    Row("cpap_pressure_high", HIGH, when.Beyond("cpap_pressure", "above", 2, 10), Delay(5, 0, 10), off_s=5, latch_s=UNTIL_SEEN,
        limits=(Limit("above", 30, 10, 40, 1, "cmH2O"),)),
    Row("cpap_pressure_low", MEDIUM, when.Beyond("cpap_pressure", "below", 1, 10, setting="cpap_set_pressure"),
        Delay(15, 0, 60), off_s=5, limits=(Limit("below", -2, -10, -1, 0.5, "cmH2O"),)),
    Row("resp_high", MEDIUM, when.Beyond("respiration_rate", "above", 2, 70, trusted=True), Delay(15, 0, 60), off_s=15,
        limits=(Limit("above", 30, 10, 60, 1, "/min", Auto("respiration_rate", 1, 10, 20, 40)),), on=False),
    Row("resp_low", MEDIUM, when.Beyond("respiration_rate", "below", 2, 70, trusted=True), Delay(15, 0, 60), off_s=15,
        limits=(Limit("below", 8, 0, 30, 1, "/min", Auto("respiration_rate", 1, -10, 6, 12)),), on=False),
    Row("therapy_stopped", LOW, when.Happened("therapy_stopped", SOUNDS_S), latch_s=UNTIL_SEEN),
    Row("cpap_leak_high", LOW, when.Beyond("cpap_leak", "above", 4, 10, also="leak"), Delay(60, 0, 300), off_s=30, escalates=((300, MEDIUM),),
        limits=(Limit("above", 24, 5, 120, 1, "L/min"),)),
)

_PULSE = (
    Row("pulse_high", MEDIUM, when.Beyond(PULSE, "above", 2, unless=RATE), Delay(10, 0, 30), off_s=5,
        limits=(Limit("above", 120, 60, 295, 1, "bpm", replace(_FAST_AUTO, metric=PULSE)),)),
    Row("pulse_low", MEDIUM, when.Beyond(PULSE, "below", 2, unless=RATE), Delay(10, 0, 30), off_s=5,
        limits=(Limit("below", 50, 16, 120, 1, "bpm", replace(_SLOW_AUTO, metric=PULSE)),)),
)

_DEVICES = (
    Row("device_alarm", MEDIUM, devices.SaysAlarm(), Delay(1), off_s=2),
    Row("valves_stopped", MEDIUM, when.Happened("cycle_stopped", SOUNDS_S), latch_s=UNTIL_SEEN),
    Row("compressor_weak", LOW, when.Happened("compressor_weak", SOUNDS_S), latch_s=UNTIL_SEEN),
    Row("valve_uneven", LOW, when.Happened("valve_uneven", SOUNDS_S), latch_s=UNTIL_SEEN),
    Row("device_hot", MEDIUM, devices.EachBeyond(_TEMPERATURES, "above", 2, 30), Delay(30, 0, 120), off_s=60,
        limits=(Limit("above", 41, 30, 60, 1, "degC"),)),
    Row("battery_empty", MEDIUM, devices.EachBeyond(_BATTERIES, "below", 2, 120), off_s=5,
        limits=(Limit("below", 10, 5, 30, 1, "%"),), covers=("battery_low",)),
    Row("battery_low", LOW, devices.EachBeyond(_BATTERIES, "below", 2, 120), off_s=5, limits=(Limit("below", 20, 10, 50, 5, "%"),)),
    Row("no_spo2", LOW, when.Missing(SPO2, 10), Delay(10), off_s=3, escalates=((60, MEDIUM),), arms_with=SPO2),
    Row("no_o2_purity", LOW, when.Missing("o2_purity", 30), Delay(30), off_s=5, arms_with="o2_purity"),
    Row("no_o2_flow", LOW, when.Missing("o2_flow", 10), Delay(30), off_s=5, arms_with="o2_flow"),
    Row("no_cpap_pressure", LOW, when.Missing("cpap_pressure", 10), Delay(30), off_s=5, escalates=((60, MEDIUM),),
        arms_with="cpap_pressure"),
    Row("no_cpap_leak", LOW, when.Missing("cpap_leak", 10), Delay(30), off_s=5, arms_with="cpap_leak"),
)
# fmt: on

_SOURCES = frozenset(row.condition.source for row in _BOX if isinstance(row.condition, when.Failed))
_OTHERS = (
    Row("box_fault", LOW, when.OtherFailed(_SOURCES)),
    *(Row(f"test_{p}", p, when.Tested(p), group="general") for p in (HIGH, MEDIUM, LOW)),
)


def _technical(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(
        replace(row, about=About.TECHNICAL, group="general" if row.group == "general" else "equipment")
        for row in rows
    )


def _cause(rows: tuple[Row, ...], group: str) -> tuple[Row, ...]:
    return tuple(replace(row, group=group) for row in rows)


TABLE = (
    *_HEART,
    *_technical((*_ECG_FAULTS, *_BOX)),
    *_cause(_OXYGEN, "oxygen"),
    *_cause(_BREATH, "ventilation"),
    *_PULSE,
    *_technical((*_DEVICES, *_OTHERS)),
)
ROWS = MappingProxyType({row.name: row for row in TABLE})

CHALLENGE = MappingProxyType(
    {
        "asystole": {"gap_s": 4.0},
        "vent_tachy": {"beats": 5.0, "rate": 100.0},
        "extreme_brady": {"below": 40.0, "beats": 5.0, "delay_s": 0.0},
        "extreme_tachy": {"above": 140.0, "beats": 17.0, "delay_s": 0.0},
    }
)
"""The definitions of the PhysioNet/CinC Challenge 2015, as a preset of limits."""
