"""Units and what is measured in them, with their codes: one table for the page, the store, reports and what is forwarded.

Unit codes: UCUM, and ISO/IEEE 11073-10101 (MDC, partition 4 x 65536 + term). Observation codes: LOINC and MDC. "" or None:
no code is known to us; such a value travels with its text, never with a guessed code.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its symbol as shown and used inside, and its codes."""

    symbol: str
    ucum: str
    mdc: int | None = None
    mdc_name: str = ""


@dataclass(frozen=True, slots=True)
class Observable:
    """Something measured: the name of its Metric, the unit it is in, and its codes."""

    name: str
    unit: str
    loinc: str = ""
    mdc: int | None = None
    mdc_name: str = ""
    also_loinc: str = ""
    """A second code that receivers expect beside the first (US Core: SpO2 has both of its own)."""


def mdc(partition: int, term: int) -> int:
    """The number of a term: partition * 65536 + term (ISO/IEEE 11073-10101)."""
    return partition << 16 | term


UNITS = {
    unit.symbol: unit
    for unit in (
        Unit("1", "1", 262656, "MDC_DIM_DIMLESS"),
        Unit("%", "%", 262688, "MDC_DIM_PERCENT"),
        Unit("bpm", "{beat}/min", 264864, "MDC_DIM_BEAT_PER_MIN"),
        Unit("/min", "/min"),
        Unit("ms", "ms", 264338, "MDC_DIM_MILLI_SEC"),
        Unit("s", "s", 264320, "MDC_DIM_SEC"),
        Unit("h", "h", 264384, "MDC_DIM_HR"),
        Unit("/h", "/h"),
        Unit("Hz", "Hz"),
        Unit("V", "V", 266400, "MDC_DIM_VOLT"),
        Unit("mV", "mV", 266418, "MDC_DIM_MILLI_VOLT"),
        Unit("uV", "uV", 266419, "MDC_DIM_MICRO_VOLT"),
        Unit("mV/s", "mV/s"),
        Unit("mV s", "mV.s"),
        Unit("ms2", "ms2"),
        Unit("deg", "deg"),
        Unit("degC", "Cel", 268192, "MDC_DIM_DEGC"),
        Unit("g", "[g]"),  # acceleration in units of standard gravity
        Unit("mL", "mL", 263762, "MDC_DIM_MILLI_L"),
        Unit("L", "L", 263744, "MDC_DIM_L"),
        Unit("L/s", "L/s"),
        Unit("L/min", "L/min", 265216, "MDC_DIM_L_PER_MIN"),
        Unit("mL/min", "mL/min"),
        Unit("cmH2O", "cm[H2O]", 266048, "MDC_DIM_CM_H2O"),
        Unit("cmH2O s/L", "cm[H2O].s/L"),
        Unit("mbar", "mbar"),
        Unit("kPa", "kPa", 265987, "MDC_DIM_KILO_PASCAL"),
    )
}

OBSERVABLES = {
    observable.name: observable
    for observable in (
        Observable("heart_rate", "bpm", "8867-4", 147842, "MDC_ECG_HEART_RATE"),
        Observable("rr_interval", "ms", "", mdc(2, 16168), "MDC_ECG_TIME_PD_RR_GL"),
        Observable("pr_interval", "ms", "8625-6", 146944, "MDC_ECG_TIME_PD_PR_GL"),
        Observable("qrs_duration", "ms", "8633-0", 147228, "MDC_ECG_TIME_PD_QRS_GL"),
        Observable("qt_interval", "ms", "8634-8", 147232, "MDC_ECG_TIME_PD_QT_GL"),
        # One MDC number serves several formulae, so none is given: the name says which it is.
        Observable("qtc_bazett", "ms", "76635-2"),
        Observable("qtc_fridericia", "ms", "76634-5"),
        Observable("qtc_framingham", "ms"),
        Observable("qtc_hodges", "ms"),
        Observable("p_axis", "deg", "8626-4", mdc(2, 16128), "MDC_ECG_ANGLE_P_FRONT"),
        Observable("qrs_axis", "deg", "8632-2", mdc(2, 16132), "MDC_ECG_ANGLE_QRS_FRONT"),
        Observable("t_axis", "deg", "8638-9", mdc(2, 16136), "MDC_ECG_ANGLE_T_FRONT"),
        Observable("p_amplitude", "mV"),
        Observable("q_amplitude", "mV"),
        Observable("r_amplitude", "mV"),
        Observable("s_amplitude", "mV"),
        Observable("t_amplitude", "mV"),
        Observable("st_j", "mV"),
        Observable("st_j60", "mV"),
        Observable("st_j80", "mV"),
        Observable("st_slope", "mV/s"),
        Observable("sdnn", "ms"),
        Observable("rmssd", "ms"),
        Observable("pnn50", "%"),
        Observable("lf_power", "ms2"),
        Observable("hf_power", "ms2"),
        Observable("lf_hf", "1"),
        Observable("respiration_rate", "/min", "9279-1", 151562, "MDC_RESP_RATE"),
        # Of the flow at a mask (daemon/dsp/respiration); the lead is "flow".
        Observable("minute_volume", "L/min"),
        Observable("tidal_volume", "mL"),
        Observable("expired_volume", "mL"),
        Observable("inspiratory_time", "s"),
        Observable("since_breath", "s"),  # since the last breath began
        Observable("flow_limitation", "1"),  # 0 round .. 1 flat
        Observable("snore", "cmH2O"),
        Observable("leak", "L/min"),  # unintended
        Observable("total_leak", "L/min"),  # with the vent's
        # By flow alone, without an oxygen or arousal criterion: no AHI of a sleep laboratory.
        Observable("ahi", "/h"),
        Observable("ahi_last_hour", "/h"),
        Observable("usage_hours", "h"),
        Observable("therapy_pressure_median", "cmH2O"),
        Observable("therapy_pressure_p95", "cmH2O"),
        Observable("leak_median", "L/min"),
        Observable("leak_p95", "L/min"),
        Observable("cheyne_stokes_share", "%"),
        # Of what an oximeter says (daemon/dsp/oximetry).
        Observable("pulse_rate", "bpm", "8889-8", 149530, "MDC_PULS_OXIM_PULS_RATE"),
        Observable("pleth_quality", "1"),
        Observable("odi3", "/h"),
        Observable("odi4", "/h"),
        Observable("spo2_baseline", "%"),
        Observable("spo2_lowest", "%"),
        Observable("spo2_below_90", "%"),  # of the valid time
        Observable("spo2_below_88", "%"),
        # Of an oxygen concentrator (daemon/dsp/oxygen).
        Observable("o2_purity", "%"),
        Observable("o2_flow", "L/min"),
        Observable("o2_warm", "1"),  # 0 while it warms up, then 1
        Observable("half_cycle", "s"),
        Observable("bed_pressure_swing", "kPa"),
        Observable("compressor_health", "%"),  # of the swing when it was learned
        Observable("valve_asymmetry", "%"),
    )
}

READINGS = {
    observable.name: observable
    for observable in (
        Observable("spo2", "%", "59408-5", mdc(2, 19384), "MDC_PULS_OXIM_SAT_O2", "2708-6"),
        Observable("perfusion_index", "%", "", mdc(2, 19376), "MDC_PULS_OXIM_PERF_REL"),
        Observable("cpap_pressure", "cmH2O"),
        Observable("cpap_leak", "L/min", "", mdc(2, 21360), "MDC_VENT_VOL_LEAK"),
        Observable("cpap_respiration_rate", "/min", "", mdc(2, 20514), "MDC_VENT_RESP_RATE"),
        Observable("o2_temperature", "degC"),
        Observable("o2_battery", "%"),
    )
}
"""Numbers that devices give by themselves, with the names of their Readings, where we do not measure the same."""

CODED = {**OBSERVABLES, **READINGS}

LOCAL_SYSTEM = "urn:uuid:5b3f2f5e-5d3c-5e0b-9f5e-6a0f5b1d7c11"
"""Names the codes that are our own: a metric without a known code goes out under it, by its name."""

SEED_NAMES = {
    "heart_rate": ("heart_rate", ""),
    "rr_interval": ("rr_interval", ""),
    "pr_interval": ("pr_interval", "global"),
    "qrs_duration": ("qrs_duration", "global"),
    "qrs_axis": ("qrs_axis", "global"),
    "st_segment": ("st_j", "II"),  # the seeds' "normalized units": we send mV at J
    "qt_interval": ("qt_interval", "global"),
    "qtc_interval": ("qtc_bazett", "global"),
    "hrv": ("rmssd", "global"),
    "respiratory_rate": ("respiration_rate", "ecg"),
}
"""The seeds' names of ECG measurements, and the Metric (name, lead) that each of them is."""
