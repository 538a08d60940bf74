"""How the ventricles are reached, which way, and how large they are: blocks, axis, hypertrophy, voltage.

Surawicz et al., Rautaharju et al., Hancock et al., AHA/ACCF/HRS recommendations 2009, parts III to V (Circulation 119:e235, e241,
e251). Sokolow and Lyon, Am Heart J 1949;37:161 and 38:273. Casale et al. (Cornell), Circulation 1987;75:565.
"""

from __future__ import annotations

from daemon.dsp.ecg.measure import axis_class
from daemon.dsp.ecg.statements.recording import (
    CHEST,
    LIMB,
    Recording,
    above,
    at_least,
    at_most,
    below,
    fact,
)
from daemon.model.findings import Criterion, Statement

COMPLETE_MS, INCOMPLETE_LEFT_MS, INCOMPLETE_RIGHT_MS = 120.0, 110.0, 100.0
WIDE_MS = 130.0  # Strauss et al., Am J Cardiol 2011;107:927: from here a left bundle block is true; ours run 10 ms wider than one lead's
SECOND_R_MV, SECOND_R_MS = 0.05, 25.0
BROAD_S_MS = 40.0
LATE_R_MS, LATE_R_V1_MS, LATE_R_AVL_MS = 60.0, 50.0, 45.0
NO_Q_MV = -0.04
SOKOLOW_MV, CORNELL_MV, CORNELL_FEMALE_MV, AVL_MV = 3.5, 2.8, 2.0, 1.1
RVH_SUM_MV, RVH_R_MV, RVH_AXIS_DEG = 1.05, 0.6, 90.0
LOW_LIMB_MV, LOW_CHEST_MV = 0.5, 1.0


def reached_another_way(rec: Recording) -> bool:
    """Paced, or wide without the shape of a right bundle branch block: then ST, T and Q follow from how the left ventricle is reached."""
    return rec.measured.paced or ((rec.measured.qrs_ms or 0.0) >= WIDE_MS and not _right(rec))


def right_reached_late(rec: Recording) -> bool:
    """A complete right bundle branch block: ST and T of the leads over the right ventricle follow from it, Q and ST elevation do not."""
    return (rec.measured.qrs_ms or 0.0) >= COMPLETE_MS and bool(_right(rec))


def bundle_branches(rec: Recording) -> list[Statement]:
    """Complete and incomplete blocks of the right and left bundle; a wide QRS that is neither."""
    qrs = rec.measured.qrs_ms
    if qrs is None or rec.measured.paced:
        return []
    right, left = _right(rec), _left(rec)
    found: tuple[str, float, list[Criterion]] | None = None
    if right and qrs >= INCOMPLETE_RIGHT_MS:
        complete = qrs >= COMPLETE_MS
        key = "right_bundle_branch_block" if complete else "incomplete_right_bundle_branch_block"
        found = (key, COMPLETE_MS if complete else INCOMPLETE_RIGHT_MS, right)
    elif left and qrs >= WIDE_MS:
        found = ("left_bundle_branch_block", WIDE_MS, left)
    elif left and INCOMPLETE_LEFT_MS <= qrs < COMPLETE_MS:
        found = ("incomplete_left_bundle_branch_block", INCOMPLETE_LEFT_MS, left)
    elif qrs >= WIDE_MS:
        found = ("conduction_delay", WIDE_MS, [])
    if found is None:
        return []
    key, limit, criteria = found
    return [Statement(key, (at_least("qrs_duration", qrs, "ms", limit), *criteria))]


def _right(rec: Recording) -> list[Criterion]:
    """A second R in V1 or V2, or one late R there; where QRS is wide, a broad S in I or V6 too."""
    late: list[Criterion] = []
    for name in ("V1", "V2"):
        lead = rec.lead(name)
        if lead is None:
            continue
        if lead.r2_mv is not None and lead.r2_mv >= SECOND_R_MV and lead.r2_ms >= SECOND_R_MS:
            late = [at_least("r2_amplitude", lead.r2_mv, "mV", SECOND_R_MV, name)]
        elif lead.tallest_mv > lead.deepest_mv and (lead.r_peak_ms or 0.0) > LATE_R_V1_MS:
            late = [above("r_peak_time", lead.r_peak_ms or 0.0, "ms", LATE_R_V1_MS, name)]
        if late:
            break
    if not late or (rec.measured.qrs_ms or 0.0) < COMPLETE_MS:
        return late
    for name in ("I", "V6"):
        lead = rec.lead(name)
        if lead is not None and lead.s_mv is not None and lead.s_ms > min(BROAD_S_MS, lead.r_ms):
            return [*late, above("s_duration", lead.s_ms, "ms", min(BROAD_S_MS, lead.r_ms), name)]
    return []


def _left(rec: Recording) -> list[Criterion]:
    """A late R without Q before it in V5 or V6, none late in V1."""
    first, one = rec.lead("V1"), rec.lead("I")
    if first is None or one is None or first.tallest_mv > first.deepest_mv:
        return []
    if (one.q_mv or 0.0) < NO_Q_MV or one.tallest_mv <= one.deepest_mv:
        return []
    for name in ("V6", "V5"):
        lead = rec.lead(name)
        if lead is None or (lead.q_mv or 0.0) < NO_Q_MV or (lead.r_peak_ms or 0.0) <= LATE_R_MS:
            continue
        return [
            above("r_peak_time", lead.r_peak_ms or 0.0, "ms", LATE_R_MS, name),
            above("s_depth", first.deepest_mv, "mV", first.tallest_mv, "V1"),
        ]
    return []


def axis(rec: Recording) -> list[Statement]:
    """The direction of the QRS, and the fascicle that may be the reason for it."""
    degrees, qrs = rec.measured.qrs_axis_deg, rec.measured.qrs_ms
    if degrees is None or rec.measured.paced:
        return []
    narrow = qrs is not None and qrs < WIDE_MS
    one, three, avl, avf = (rec.lead(name) for name in ("I", "III", "aVL", "aVF"))
    turned = axis_class(degrees)
    if (
        narrow
        and -90 <= degrees <= -45
        and avl is not None
        and (avl.r_peak_ms or 0.0) >= LATE_R_AVL_MS
        and avl.q_mv
    ):
        criteria = (
            at_most("qrs_axis", degrees, "deg", -45.0),
            at_least("r_peak_time", avl.r_peak_ms or 0.0, "ms", LATE_R_AVL_MS, "aVL"),
            below("qrs_duration", qrs or 0.0, "ms", WIDE_MS),
        )
        return [Statement("left_anterior_fascicular_block", criteria)]
    rs = (
        one is not None
        and avl is not None
        and one.deepest_mv > one.tallest_mv
        and avl.deepest_mv > avl.tallest_mv
    )
    qr = three is not None and avf is not None and bool(three.q_mv) and bool(avf.q_mv)
    if narrow and turned == "right" and rs and qr and three is not None:
        behind = (
            above("qrs_axis", degrees, "deg", 90.0),
            fact("q_amplitude", three.q_mv or 0.0, "mV", "III"),
        )
        return [Statement("left_posterior_fascicular_block", behind)]
    limits = {
        "left": below("qrs_axis", degrees, "deg", -30.0),
        "right": above("qrs_axis", degrees, "deg", 90.0),
    }
    if turned in limits:
        return [Statement(f"{turned}_axis_deviation", (limits[turned],))]
    return (
        [Statement("extreme_axis_deviation", (fact("qrs_axis", degrees, "deg"),))]
        if turned == "extreme"
        else []
    )


def hypertrophy(rec: Recording) -> list[Statement]:
    """Voltages of the left and the right ventricle; not where the ventricles are reached another way."""
    if reached_another_way(rec) or right_reached_late(rec):
        return []
    left = _left_voltages(rec)
    found = [Statement("left_ventricular_hypertrophy", tuple(left))] if left else []
    right = _right_voltages(rec)
    return found + ([Statement("right_ventricular_hypertrophy", tuple(right))] if right else [])


def _left_voltages(rec: Recording) -> list[Criterion]:
    v1, v3, avl = rec.lead("V1"), rec.lead("V3"), rec.lead("aVL")
    lateral = [lead.tallest_mv for name in ("V5", "V6") if (lead := rec.lead(name)) is not None]
    found: list[Criterion] = []
    if v1 is not None and lateral and v1.deepest_mv + max(lateral) >= SOKOLOW_MV:
        found.append(at_least("sokolow_lyon", v1.deepest_mv + max(lateral), "mV", SOKOLOW_MV))
    limit = CORNELL_FEMALE_MV if rec.female else CORNELL_MV
    if avl is not None and v3 is not None and avl.tallest_mv + v3.deepest_mv > limit:
        found.append(above("cornell", avl.tallest_mv + v3.deepest_mv, "mV", limit))
    if avl is not None and avl.tallest_mv > AVL_MV:
        found.append(above("r_amplitude", avl.tallest_mv, "mV", AVL_MV, "aVL"))
    return found


def _right_voltages(rec: Recording) -> list[Criterion]:
    v1, degrees = rec.lead("V1"), rec.measured.qrs_axis_deg
    if v1 is None or degrees is None or not RVH_AXIS_DEG < degrees <= 180:
        return []
    turned = above("qrs_axis", degrees, "deg", RVH_AXIS_DEG)
    deep = [lead.deepest_mv for name in ("V5", "V6") if (lead := rec.lead(name)) is not None]
    if deep and v1.tallest_mv + max(deep) > RVH_SUM_MV:
        return [turned, above("sokolow_lyon_right", v1.tallest_mv + max(deep), "mV", RVH_SUM_MV)]
    if v1.tallest_mv > max(RVH_R_MV, v1.deepest_mv):
        return [turned, above("r_amplitude", v1.tallest_mv, "mV", max(RVH_R_MV, v1.deepest_mv), "V1")]
    return []


def low_voltage(rec: Recording) -> list[Statement]:
    """QRS peak to peak under 0.5 mV in all limb leads, or under 1.0 mV in all chest leads."""
    criteria: list[Criterion] = []
    for names, limit in ((LIMB, LOW_LIMB_MV), (CHEST, LOW_CHEST_MV)):
        spans = {name: lead.qrs_span_mv for name in names if (lead := rec.lead(name)) is not None}
        if len(spans) == len(names) and max(spans.values()) < limit:
            name = max(spans, key=lambda lead: spans[lead])
            criteria.append(below("qrs_span", spans[name], "mV", limit, name))
    return [Statement("low_voltage", tuple(criteria))] if criteria else []
