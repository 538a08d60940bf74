"""ST, T, QT and Q waves.

ST, T and Q: Thygesen et al., Fourth Universal Definition of Myocardial Infarction, Circulation 2018;138:e618, tables 2 to 4; not
where QRS is wide or paced, for which it gives no such limits (but in a right bundle branch block). QT: Rautaharju et al., AHA/ACCF/HRS 2009 part IV, which asks to
judge a wide QRS by what follows it: QTc less what QRS has above 100 ms, the same as JTc by limits 100 ms lower.
"""

from __future__ import annotations

from collections.abc import Callable

from daemon.dsp.ecg.amplitudes import Levels
from daemon.dsp.ecg.statements.recording import (
    GROUPS,
    Recording,
    above,
    at_least,
    at_most,
    below,
    side_by_side,
)
from daemon.dsp.ecg.statements.ventricles import reached_another_way, right_reached_late
from daemon.model.findings import Criterion, Statement

ELEVATED_MV = 0.1
ELEVATED_V2_V3_MV, ELEVATED_V2_V3_YOUNG_MV, ELEVATED_V2_V3_FEMALE_MV = 0.2, 0.25, 0.15
YOUNG_YEARS = 40.0
DEPRESSED_MV = -0.05
INVERTED_T_MV = -0.1
LONG_QTC_MS, LONG_QTC_MALE_MS, VERY_LONG_QTC_MS, SHORT_QTC_MS = 460.0, 450.0, 500.0, 350.0
WIDE_QRS_MS, USUAL_QRS_MS = 120.0, 100.0
STEADY = 0.12  # spread of RR by its mean up to which a QTc means something
BEATS_WHEN_IRREGULAR = 10
Q_MS, Q_MV, Q_V2_V3_MS = 30.0, -0.1, 20.0


def elevated_limit(rec: Recording, lead: str) -> float:
    """ST elevation at J from which it counts, mV."""
    if lead not in {"V2", "V3"}:
        return ELEVATED_MV
    if rec.female:
        return ELEVATED_V2_V3_FEMALE_MV
    young = rec.female is False and rec.age_years is not None and rec.age_years < YOUNG_YEARS
    return ELEVATED_V2_V3_YOUNG_MV if young else ELEVATED_V2_V3_MV


def elevation(rec: Recording, lead: str, levels: Levels) -> Criterion | None:
    """ST elevation at J."""
    j, limit = levels.st_mv[0], elevated_limit(rec, lead)
    return at_least("st_j", j, "mV", limit, lead) if j is not None and j >= limit else None


def depression(_rec: Recording, lead: str, levels: Levels) -> Criterion | None:
    """ST depression that is horizontal or goes on downwards for 80 ms."""
    j, _, later = levels.st_mv
    if j is None or later is None or j > DEPRESSED_MV or later > min(j + 0.01, DEPRESSED_MV):
        return None
    return at_most("st_j", j, "mV", DEPRESSED_MV, lead)


def inversion(_rec: Recording, lead: str, levels: Levels) -> Criterion | None:
    """A T that is inverted where the QRS is mostly upright."""
    if levels.t_mv is None or levels.t_mv >= INVERTED_T_MV or levels.tallest_mv <= levels.deepest_mv:
        return None
    return below("t_amplitude", levels.t_mv, "mV", INVERTED_T_MV, lead)


def q_wave(_rec: Recording, lead: str, levels: Levels) -> Criterion | None:
    """A Q or QS as after an infarction."""
    if levels.q_mv is None:
        return None
    if lead in {"V2", "V3"}:
        return above("q_duration", levels.q_ms, "ms", Q_V2_V3_MS, lead) if levels.q_ms > Q_V2_V3_MS else None
    if lead == "V1" or levels.q_ms < Q_MS or levels.q_mv > Q_MV:
        return None
    return at_least("q_duration", levels.q_ms, "ms", Q_MS, lead)


Rule = Callable[[Recording, str, Levels], Criterion | None]
RULES: dict[str, Rule] = {
    "st_elevation": elevation,
    "st_depression": depression,
    "t_inversion": inversion,
    "q_wave_infarction": q_wave,
}
SECONDARY = {"st_depression", "t_inversion"}
"""What a right bundle branch block makes of ST and T in the leads over the right ventricle."""


def territories(rec: Recording, rule: Rule) -> dict[str, tuple[Criterion, ...]]:
    """Territories with at least two neighbouring leads in which the rule holds, and the criteria of these leads."""
    found: dict[str, tuple[Criterion, ...]] = {}
    for territory, rows in GROUPS.items():
        criteria: list[Criterion] = []
        for row in rows:
            held = {
                lead: one
                for lead in row
                if (levels := rec.lead(lead)) and (one := rule(rec, lead, levels)) is not None
            }
            criteria += [held[lead] for lead in side_by_side(row, list(held))]
        if criteria:
            found[territory] = tuple(criteria)
    return found


def by_territory(rec: Recording) -> list[Statement]:
    """ST elevation and depression, inverted T and Q waves, where two neighbouring leads show them."""
    if reached_another_way(rec):
        return []
    late = right_reached_late(rec)
    return [
        Statement(f"{key}_{territory}", criteria)
        for key, rule in RULES.items()
        for territory, criteria in territories(rec, rule).items()
        if not (late and territory == "anterior" and key in SECONDARY)
    ]


def corrected_qt(rec: Recording) -> tuple[str, float] | None:
    """QTc by Fridericia and its name, of a wide QRS less what that is wider than usual; None where it has no meaning.

    In an irregular rhythm only over ten beats and more.
    """
    m = rec.measured
    if m.qtc_ms is None:
        return None
    if m.rr_spread > STEADY and m.beats < BEATS_WHEN_IRREGULAR:
        return None
    if m.qrs_ms is None or m.qrs_ms <= WIDE_QRS_MS:
        return "qtc_fridericia", m.qtc_ms
    return "qtc_fridericia_of_wide_qrs", m.qtc_ms - (m.qrs_ms - USUAL_QRS_MS)


def long_qt(rec: Recording) -> Criterion | None:
    """A QTc above its limit: 450 ms for men, 460 for women and where it is not known."""
    corrected = corrected_qt(rec)
    limit = LONG_QTC_MALE_MS if rec.female is False else LONG_QTC_MS
    if corrected is None or corrected[1] <= limit:
        return None
    name, value = corrected
    return (
        at_least(name, value, "ms", VERY_LONG_QTC_MS)
        if value >= VERY_LONG_QTC_MS
        else above(name, value, "ms", limit)
    )


def qt(rec: Recording) -> list[Statement]:
    """QTc long, very long or short."""
    long = long_qt(rec)
    if long is not None:
        return [Statement("qt_very_long" if long.limit == VERY_LONG_QTC_MS else "qt_prolonged", (long,))]
    corrected = corrected_qt(rec)
    if corrected is not None and corrected[1] < SHORT_QTC_MS:
        return [Statement("qt_short", (below(*corrected, "ms", SHORT_QTC_MS),))]
    return []
