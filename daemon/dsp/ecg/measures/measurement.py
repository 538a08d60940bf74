"""One measurement: the median beat of the last seconds, read in every lead, with its intervals and axes.

Amplitudes and ST come from the median beat, durations from the medians of the beats' own marks (ecg-wave conventions: marks over
all leads for PR, QRS, QT and for J, the lead's own for P and T where it has them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.amplitudes import Levels, levels
from daemon.dsp.ecg.delineate import BeatWaves
from daemon.dsp.ecg.marks import FIDUCIALS, LeadMarks, PState
from daemon.dsp.ecg.measure import Intervals, axis_deg, fridericia, intervals, over_beats
from daemon.dsp.ecg.median_beat import MedianBeat, median_beat
from daemon.model.findings import Why

Floats = npt.NDArray[np.float64]

FAST_BPM = 120.0  # above it ST is looked at 60 ms after J, for 80 ms may lie in the T
ADD_UP, ADD_UP_MV = (
    0.05,
    0.02,
)  # what a limb lead may differ from what I and II say: by its size, and by noise
OF_A_LEAD = (
    "p_on",
    "p_off",
    "t_on",
    "t_off",
)  # marks of which a lead has its own; QRS is where all leads have it
LEAST_SHARE = 0.5  # of the beats that must have a mark for it to stand in the median beat


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of samples first .. last; `leads` hold what was read, `absent` says why a lead is not there. ms, mV, degrees, 1/min."""

    first: int
    last: int
    beats: int
    paced: bool
    rate_bpm: float | None
    rr_ms: float | None  # mean of the intervals that ended within
    rr_spread: float  # standard deviation by mean of the RR that no ectopic beat ends or begins
    p_share: float | None  # of the beats of which it is known whether they have a P
    p_ms: float | None
    pr_ms: float | None
    qrs_ms: float | None
    qt_ms: float | None
    qtc_ms: float | None  # Fridericia, from the mean RR
    p_axis_deg: float | None
    qrs_axis_deg: float | None
    t_axis_deg: float | None
    leads: Mapping[str, Levels] = field(default_factory=dict)
    absent: Mapping[str, Why] = field(default_factory=dict)
    consistent: bool = True  # the limb leads add up, as far as they were measured and not derived

    @property
    def st_point(self) -> int:
        """Which of a lead's ST levels is watched over time: J + 60 ms above FAST_BPM, else J + 80."""
        return 1 if self.rate_bpm is not None and self.rate_bpm > FAST_BPM else 2


def measure(
    mv: Floats,
    first: int,
    waves: Sequence[BeatWaves],
    rr_ms: Sequence[tuple[float, bool]],
    leads: Sequence[str],
    void: Mapping[str, Why],
    rate_hz: float,
    *,
    paced: bool = False,
) -> Measurement | None:
    """From a strip mV (leads, n) that begins at sample `first`, NaN where a lead could not be used.

    `waves` are those of its beats of the dominant class, `rr_ms` all its intervals, and whether each is between beats of
    one origin; `void` leads are left out, and why. None without enough beats alike.
    """
    mv = np.where(np.array([[lead in void] for lead in leads]), np.nan, mv)
    told = [beat for beat in waves if "global" in beat.marks and beat.marks["global"].qrs_on is not None]
    on = _median_offset(told, "global", "qrs_on")
    if on is None:
        return None
    beat = median_beat(mv, [one.sample - first for one in told], rate_hz, round(on))
    if beat is None:
        return None
    chosen = [told[k] for k in beat.chosen]
    moved = [first + r for r in beat.r_marks]
    over_all = _marks(chosen, moved, "global", beat.r, FIDUCIALS)
    read = {
        lead: found
        for row, lead in enumerate(leads)
        if (found := _read(beat, row, over_all, _marks(chosen, moved, lead, beat.r))) is not None
    }
    absent = {lead: void.get(lead, Why.LEARNING) for lead in leads if lead not in read}
    each = [intervals(one.marks["global"], rate_hz) for one in chosen]
    p_state = [one.marks["global"].p_state for one in chosen]
    known = [state is PState.PRESENT for state in p_state if state is not PState.UNKNOWN]
    p_there = 2 * sum(known) >= len(known) and bool(known)
    rr = float(np.mean([one for one, _ in rr_ms])) if rr_ms else None
    own_rr = [one for one, own in rr_ms if own]
    qt = _half(each, lambda one: one.qt_ms)
    # P, QRS and T are looked at over the same stretch in both leads, or their net areas tell nothing of a direction.
    consistent = _consistent(beat.mv, leads)
    frontal = {
        lead: levels(beat, row, over_all)
        for row, lead in enumerate(leads)
        if consistent and lead in read and lead in {"I", "aVF"}
    }
    return Measurement(
        first=moved[0] - beat.r,
        last=moved[-1] - beat.r + beat.mv.shape[1] - 1,
        beats=len(chosen),
        paced=paced,
        rate_bpm=None if rr is None else 60_000 / rr,
        rr_ms=rr,
        rr_spread=float(np.std(own_rr) / np.mean(own_rr)) if own_rr else 0.0,
        p_share=sum(known) / len(known) if known else None,
        p_ms=_half(each, lambda one: one.p_ms) if p_there else None,
        pr_ms=_half(each, lambda one: one.pr_ms) if p_there else None,
        qrs_ms=_half(each, lambda one: one.qrs_ms),
        qt_ms=qt,
        qtc_ms=None if qt is None or rr is None else fridericia(qt, rr),
        p_axis_deg=_axis(frontal, lambda one: one.p_area_mv_s) if p_there else None,
        qrs_axis_deg=_axis(frontal, lambda one: one.qrs_area_mv_s),
        t_axis_deg=_axis(frontal, lambda one: one.t_area_mv_s),
        leads=read,
        absent=absent,
        consistent=consistent,
    )


def _read(beat: MedianBeat, row: int, over_all: LeadMarks, own: LeadMarks) -> Levels | None:
    """A lead at J and QRS on of all leads, P and T at its own marks, or where the other leads have them."""
    p = own if own.p_on is not None and own.p_off is not None else over_all
    t = own if own.t_on is not None and own.t_off is not None else over_all
    return levels(
        beat,
        row,
        LeadMarks(
            p_on=p.p_on if over_all.p_on is not None else None,
            p_off=p.p_off if over_all.p_on is not None else None,
            qrs_on=over_all.qrs_on,
            qrs_off=over_all.qrs_off,
            t_on=t.t_on,
            t_off=t.t_off,
        ),
    )


def _marks(
    chosen: Sequence[BeatWaves],
    moved: Sequence[int],
    lead: str,
    r: int,
    names: Sequence[str] = OF_A_LEAD,
) -> LeadMarks:
    """Marks of the median beat: medians of those of its beats, each from the R mark as moved; a wave of the few is none."""
    found: dict[str, Any] = {}
    there = [(beat.marks[lead], to) for beat, to in zip(chosen, moved, strict=True) if lead in beat.marks]
    for name in names:
        offsets = [at - to for marks, to in there if (at := getattr(marks, name)) is not None]
        if len(offsets) >= max(2, LEAST_SHARE * len(chosen)):
            found[name] = r + median(offsets)
    return LeadMarks(**found)


def _median_offset(beats: Sequence[BeatWaves], lead: str, name: str) -> float | None:
    offsets = [at - beat.sample for beat in beats if (at := getattr(beat.marks[lead], name)) is not None]
    return median(offsets) if offsets else None


def _half(each: Sequence[Intervals], of: Callable[[Intervals], float | None]) -> float | None:
    """Median over beats, where at least half of them have it."""
    values = [of(one) for one in each]
    found = over_beats(values)
    return found.value if found is not None and found.beats >= LEAST_SHARE * len(values) else None


def _consistent(mv: Floats, leads: Sequence[str]) -> bool:
    """Whether III, aVR, aVL and aVF are what Einthoven and Goldberger make of I and II; so where they were derived."""
    rows = {lead: mv[row] for row, lead in enumerate(leads) if not np.isnan(mv[row, 0])}
    if not {"I", "II"} <= rows.keys():
        return True
    one, two = rows["I"], rows["II"]
    derived = {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    return all(
        float(np.std(rows[lead] - x)) <= max(ADD_UP * float(np.std(rows[lead])), ADD_UP_MV)
        for lead, x in derived.items()
        if lead in rows
    )


def _axis(frontal: Mapping[str, Levels | None], area: Callable[[Levels], float | None]) -> float | None:
    one, foot = frontal.get("I"), frontal.get("aVF")
    if one is None or foot is None:
        return None
    net_i, net_foot = area(one), area(foot)
    return None if net_i is None or net_foot is None else axis_deg(net_i, net_foot)
