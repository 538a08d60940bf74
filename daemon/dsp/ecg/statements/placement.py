"""Limb electrodes that were exchanged, as far as twelve leads can tell.

RA and LA: P and QRS upside down in lead I and upright in V6, which looks the same way (in a heart on the right side, or a
rhythm from the left atrium, V6 turns with it). T is not asked for: it is often inverted by itself. RL with RA, or with LA: II, or III, shows next to nothing, for it lies between the legs. An exchange of LA and LL looks like many a normal
heart, and is not said. Rosen et al., Cleve Clin J Med 2014;81:39; Kligfield et al., AHA/ACC/HRS 2007 part I.
"""

from __future__ import annotations

from daemon.dsp.ecg.statements.recording import Recording, above, below
from daemon.model.findings import Statement

FLAT_MV, NOT_FLAT_MV = 0.1, 0.3


def reversal(rec: Recording) -> list[Statement]:
    """Which limb electrodes look exchanged."""
    legs = {"limb_lead_reversal_ra_rl": ("II", "I", "III"), "limb_lead_reversal_la_rl": ("III", "I", "II")}
    for key, (flat, *others) in legs.items():
        lead = rec.lead(flat)
        rest = {name: one.qrs_span_mv for name in others if (one := rec.lead(name)) is not None}
        if (
            lead is not None
            and lead.qrs_span_mv < FLAT_MV
            and len(rest) == 2
            and min(rest.values()) > NOT_FLAT_MV
        ):
            criteria = [below("qrs_span", lead.qrs_span_mv, "mV", FLAT_MV, flat)]
            criteria += [above("qrs_span", mv, "mV", NOT_FLAT_MV, name) for name, mv in rest.items()]
            return [Statement(key, tuple(criteria))]
    one, v6 = rec.lead("I"), rec.lead("V6")
    if one is None or v6 is None or one.p_mv is None or v6.p_mv is None:
        return []
    if one.p_mv < 0 < v6.p_mv and one.qrs_area_mv_s < 0 < v6.qrs_area_mv_s:
        criteria = [
            below("p_amplitude", one.p_mv, "mV", 0.0, "I"),
            below("qrs_area", one.qrs_area_mv_s, "mV s", 0.0, "I"),
            above("p_amplitude", v6.p_mv, "mV", 0.0, "V6"),
            above("qrs_area", v6.qrs_area_mv_s, "mV s", 0.0, "V6"),
        ]
        return [Statement("limb_lead_reversal_ra_la", tuple(criteria))]
    return []
