"""From a measured recording of twelve leads to plain statements, each with the criteria that fired. All unconfirmed.

No statement without its evidence: a rule whose leads or intervals are missing does not fire. "Normal" is said only where all
was measured and nothing fired; what could not be measured is said with the reason.
"""

from __future__ import annotations

from daemon.dsp.ecg.statements import placement, repolarisation, rhythm, ventricles
from daemon.dsp.ecg.statements.recording import TWELVE, Recording, fact
from daemon.model.findings import Statement, Why

RULE = "conclude/1"

_UNREMARKABLE = {"sinus_rhythm"}


def conclude(rec: Recording) -> list[Statement]:
    """Statements, the rhythm first.

    With limb electrodes exchanged nothing is said that needs to know their places; with limb leads that do not add up
    nothing that needs a voltage, for some lead's scale is wrong, and none of the chest leads can be held against it.
    """
    m = rec.measured
    reversed_ = placement.reversal(rec) if m.consistent else []
    said = [
        *reversed_,
        *rhythm.rhythm(rec),
        *rhythm.conduction_from_atria(rec),
        *ventricles.bundle_branches(rec),
    ]
    if not reversed_ and m.consistent:
        said += [
            *ventricles.axis(rec),
            *ventricles.hypertrophy(rec),
            *ventricles.low_voltage(rec),
            *repolarisation.by_territory(rec),
        ]
    said += repolarisation.qt(rec)
    absent = _absent(rec)
    if absent:
        return [*said, Statement("not_all_measured", (), tuple(absent))]
    if {one.key for one in said} == _UNREMARKABLE:
        return [
            *said,
            Statement(
                "normal_ecg", (fact("leads", float(len(m.leads)), "1"), fact("beats", float(m.beats), "1"))
            ),
        ]
    return said


def not_assessable(why: Why) -> list[Statement]:
    """Where there is no measurement at all."""
    return [Statement("not_assessable", (), (("median_beat", why),))]


def _absent(rec: Recording) -> list[tuple[str, Why]]:
    m = rec.measured
    missing = [(lead, m.absent.get(lead, Why.NO_SIGNAL)) for lead in TWELVE if lead not in m.leads]
    values = {"qrs_duration": m.qrs_ms, "qt_interval": m.qt_ms, "qrs_axis": m.qrs_axis_deg}
    if not m.consistent:
        missing.append(("limb_leads", Why.INCONSISTENT))
    missing += [(name, Why.NO_WAVE) for name, value in values.items() if value is None]
    if m.pr_ms is None and (m.p_share or 0.0) >= rhythm.P_THERE:
        missing.append(("pr_interval", Why.NO_WAVE))
    return missing
