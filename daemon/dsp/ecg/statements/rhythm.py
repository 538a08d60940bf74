"""Rhythm, rate, ectopic beats and the way from the atria to the ventricles.

Limits: sinus rate 60 to 100 /min, PR 120 to 200 ms (AHA/ACC/HRS 2018 on bradycardia; Surawicz et al., AHA/ACCF/HRS 2009 part III).
"""

from __future__ import annotations

from daemon.dsp.ecg.statements.recording import Recording, above, at_least, below, fact
from daemon.model.findings import Criterion, Statement

SLOW_BPM, FAST_BPM = 60.0, 100.0
SHORT_PR_MS, LONG_PR_MS = 120.0, 200.0
P_THERE, P_GONE = 0.75, 0.35  # share of the beats with a P
IRREGULAR, SWINGING = 0.12, 0.10  # spread of RR by its mean: without P, and with it
PREEXCITED_QRS_MS = 120.0
VENTRICULAR_QRS_MS = 150.0

_NAMED = {
    "VFL": "ventricular_fibrillation",
    "VF": "ventricular_fibrillation",
    "ASYS": "asystole",
    "VT": "ventricular_tachycardia",
    "AFIB": "atrial_fibrillation",
    "AFL": "atrial_flutter",
    "BIII": "complete_av_block_possible",
    "BII": "second_degree_av_block_possible",
    "IVR": "ventricular_rhythm",
    "SVTA": "supraventricular_tachycardia",
    "B": "ventricular_bigeminy",
    "T": "ventricular_trigeminy",
}
FIRST_SAID = tuple(_NAMED)
"""Rhythms that the watch says and that stand for themselves, the gravest first: of several at a time the first is taken."""


def rhythm(rec: Recording) -> list[Statement]:
    """The rhythm, its rate, and ectopic beats."""
    m = rec.measured
    rate = [] if m.rate_bpm is None else [fact("heart_rate", m.rate_bpm, "bpm")]
    spread = fact("rr_spread", 100 * m.rr_spread, "%")
    share = [] if m.p_share is None else [fact("beats_with_p", 100 * m.p_share, "%")]
    found: list[Statement] = []
    if m.paced:
        found.append(Statement("paced_rhythm", (*rate, fact("paced_beats", float(m.beats), "1"))))
    elif rec.rhythm in _NAMED:
        found += [Statement(_NAMED[rec.rhythm], (*rate, spread, *share)), *_rate(rec)]
    elif m.p_share is not None and m.p_share >= P_THERE:
        found += _with_p(rec, [*share, spread])
    elif m.p_share is not None and m.p_share <= P_GONE and m.rr_spread > IRREGULAR:
        evidence = above("rr_spread", 100 * m.rr_spread, "%", 100 * IRREGULAR)
        found += [Statement("atrial_fibrillation_possible", (*rate, evidence, *share)), *_rate(rec)]
    elif _wide_without_p(rec):
        evidence = at_least("qrs_duration", m.qrs_ms or 0.0, "ms", VENTRICULAR_QRS_MS)
        found += [
            Statement("paced_or_ventricular_rhythm_possible", (*rate, evidence, spread, *share)),
            *_rate(rec),
        ]
    elif m.rate_bpm is not None:
        found += [Statement("rhythm_undetermined", (*rate, spread, *share)), *_rate(rec)]
    return found + _ectopy(rec)


def _wide_without_p(rec: Recording) -> bool:
    m = rec.measured
    gone = m.p_share is not None and m.p_share <= P_GONE
    return gone and m.rr_spread <= IRREGULAR and (m.qrs_ms or 0.0) >= VENTRICULAR_QRS_MS


def _with_p(rec: Recording, evidence: list[Criterion]) -> list[Statement]:
    m = rec.measured
    two = rec.lead("II")
    if two is not None and two.p_mv is not None and two.p_mv < 0:
        inverted = below("p_amplitude", two.p_mv, "mV", 0.0, "II")
        return [Statement("atrial_rhythm", (inverted, *evidence)), *_rate(rec)]
    if m.rate_bpm is None:
        return []
    rate = fact("heart_rate", m.rate_bpm, "bpm")
    if m.rr_spread > SWINGING:
        swing = above("rr_spread", 100 * m.rr_spread, "%", 100 * SWINGING)
        return [Statement("sinus_arrhythmia", (rate, swing, *evidence[:-1])), *_rate(rec)]
    if m.rate_bpm < SLOW_BPM:
        return [Statement("sinus_bradycardia", (below("heart_rate", m.rate_bpm, "bpm", SLOW_BPM), *evidence))]
    if m.rate_bpm > FAST_BPM:
        return [Statement("sinus_tachycardia", (above("heart_rate", m.rate_bpm, "bpm", FAST_BPM), *evidence))]
    return [Statement("sinus_rhythm", (rate, *evidence))]


def _rate(rec: Recording) -> list[Statement]:
    bpm = rec.measured.rate_bpm
    if bpm is None or SLOW_BPM <= bpm <= FAST_BPM:
        return []
    if bpm < SLOW_BPM:
        return [Statement("slow_rate", (below("heart_rate", bpm, "bpm", SLOW_BPM),))]
    return [Statement("fast_rate", (above("heart_rate", bpm, "bpm", FAST_BPM),))]


def _ectopy(rec: Recording) -> list[Statement]:
    counts = {"ventricular_ectopy": rec.ventricular, "supraventricular_ectopy": rec.supraventricular}
    return [
        Statement(key, (at_least("ectopic_beats", float(n), "1", 1.0), fact("beats", float(rec.beats), "1")))
        for key, n in counts.items()
        if n
    ]


def conduction_from_atria(rec: Recording) -> list[Statement]:
    """PR, where there is one rhythm of atria that the ventricles follow."""
    m = rec.measured
    if m.pr_ms is None or m.paced or rec.rhythm in _NAMED or (m.p_share or 0.0) < P_THERE:
        return []
    if m.pr_ms > LONG_PR_MS:
        return [Statement("first_degree_av_block", (above("pr_interval", m.pr_ms, "ms", LONG_PR_MS),))]
    if m.pr_ms >= SHORT_PR_MS:
        return []
    short = below("pr_interval", m.pr_ms, "ms", SHORT_PR_MS)
    if m.qrs_ms is not None and m.qrs_ms > PREEXCITED_QRS_MS:
        wide = above("qrs_duration", m.qrs_ms, "ms", PREEXCITED_QRS_MS)
        return [Statement("preexcitation_possible", (short, wide))]
    return [Statement("short_pr", (short,))]
