"""From a measurement to the numbers that are said: their names, and the reason where there is none.

| name | what | formula's source |
|---|---|---|
| p_, q_, r_, s_, t_amplitude | mV against the PQ level, by lead; R the taller of R and R', S the deeper of S and S' | CSE, Eur Heart J 1985;6:815 |
| st_j, st_j60, st_j80, st_slope | mV at J, J + 60, J + 80 ms; mV/s from J to J + 80 | Fourth Universal Definition 2018; monitor practice |
| p_axis, qrs_axis, t_axis | degrees, from net areas in I and aVF | Einthoven and Goldberger (`measure.axis_deg`) |
| sdnn, rmssd, pnn50, lf_power, hf_power, lf_hf | five minutes of NN | Task Force, Circulation 1996;93:1043 |
| respiration_rate | breaths a minute, from the beats | Moody 1985 (`respiration`) |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from daemon.dsp.ecg.amplitudes import Levels
from daemon.dsp.ecg.hrv import Variability
from daemon.dsp.ecg.measures.measurement import Measurement
from daemon.dsp.ecg.measures.said import Value
from daemon.dsp.ecg.respiration import Breathing
from daemon.model.findings import Why

SOURCE = "ecg"
"""The lead of a respiration rate: it was not measured at the chest or in the airway."""


def _deeper(levels: Levels) -> float | None:
    depths = [mv for mv in (levels.s_mv, levels.s2_mv) if mv is not None]
    return min(depths, default=None)


def _taller(levels: Levels) -> float | None:
    return levels.tallest_mv if levels.tallest_mv > 0 else None


BY_LEAD: Mapping[str, Callable[[Levels], float | None]] = {
    "p_amplitude": lambda one: one.p_mv,
    "q_amplitude": lambda one: one.q_mv,
    "r_amplitude": _taller,
    "s_amplitude": _deeper,
    "t_amplitude": lambda one: one.t_mv,
    "st_j": lambda one: one.st_mv[0],
    "st_j60": lambda one: one.st_mv[1],
    "st_j80": lambda one: one.st_mv[2],
    "st_slope": lambda one: one.st_slope_mv_s,
}
AXES: Mapping[str, Callable[[Measurement], float | None]] = {
    "p_axis": lambda one: one.p_axis_deg,
    "qrs_axis": lambda one: one.qrs_axis_deg,
    "t_axis": lambda one: one.t_axis_deg,
}
VARIATION: Mapping[str, Callable[[Variability], float | None]] = {
    "sdnn": lambda one: one.sdnn_ms,
    "rmssd": lambda one: one.rmssd_ms,
    "pnn50": lambda one: one.pnn50_pct,
    "lf_power": lambda one: one.lf_ms2,
    "hf_power": lambda one: one.hf_ms2,
    "lf_hf": lambda one: one.lf_hf,
}


def of_measurement(
    measured: Measurement, leads: Sequence[str], score: Callable[[str], float]
) -> tuple[Value, ...]:
    """Every number of every lead, and the axes where I and aVF are among the leads."""
    said: list[Value] = []
    for lead in leads:
        levels = measured.leads.get(lead)
        if levels is None:
            said += _absent([lead], {lead: measured.absent[lead]})
            continue
        for name, of in BY_LEAD.items():
            number = of(levels)
            said.append(Value(name, lead, number, None if number is not None else Why.NO_WAVE, score(lead)))
    if {"I", "aVF"} <= set(leads):
        absent = [measured.absent[lead] for lead in ("I", "aVF") if lead in measured.absent]
        reason = absent[0] if absent else Why.NO_WAVE if measured.consistent else Why.INCONSISTENT
        for name, axis in AXES.items():
            degrees = axis(measured)
            said.append(Value(name, "global", degrees, None if degrees is not None else reason))
    return tuple(said)


def of_none(why: Why, leads: Sequence[str], void: Mapping[str, Why]) -> tuple[Value, ...]:
    """No measurement at all: every number is absent, a lead's own reason first."""
    said = _absent(leads, {lead: void.get(lead, why) for lead in leads})
    if {"I", "aVF"} <= set(leads):
        said += [Value(name, "global", None, why, 0.0) for name in AXES]
    return tuple(said)


def _absent(leads: Sequence[str], reasons: Mapping[str, Why]) -> list[Value]:
    return [Value(name, lead, None, reasons[lead], 0.0) for lead in leads for name in BY_LEAD]


def of_variation(found: Variability | Why) -> tuple[Value, ...]:
    """Five minutes of NN intervals."""
    if isinstance(found, Why):
        return tuple(Value(name, "global", None, found, 0.0) for name in VARIATION)
    numbers = {name: of(found) for name, of in VARIATION.items()}
    return tuple(
        Value(name, "global", number, None if number is not None else Why.NO_WAVE)
        for name, number in numbers.items()
    )


def of_breathing(found: Breathing | Why) -> tuple[Value, ...]:
    """The breathing rate; its score is the share of the series that showed it."""
    if isinstance(found, Why):
        return (Value("respiration_rate", SOURCE, None, found, 0.0),)
    return (Value("respiration_rate", SOURCE, found.rate_per_min, None, found.agreeing / found.series),)
