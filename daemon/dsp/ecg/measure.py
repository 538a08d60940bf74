"""Intervals of a beat, QT corrected for rate, electrical axis, and medians of these: plain formulae, each with its source.

Intervals are taken from the marks over all leads ("global"); of a single lead they are that lead's. A value that cannot be had
is None. Times in ms, rates in 1/min, angles in degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from daemon.dsp.ecg.marks import LeadMarks

AGREEING_BEATS = 3  # fewer have no median worth the name
NORMAL_SD = 1.4826  # of a normal distribution, in units of its median absolute deviation


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of one beat, ms: P duration, P on to QRS on, QRS on to off, QRS on to T off."""

    p_ms: float | None
    pr_ms: float | None
    qrs_ms: float | None
    qt_ms: float | None


@dataclass(frozen=True, slots=True)
class Median:
    """A median over beats, and their number."""

    value: float
    beats: int


def intervals(marks: LeadMarks, rate_hz: float) -> Intervals:
    """Intervals of marks given in samples of `rate_hz`."""
    return Intervals(
        _ms(marks.p_on, marks.p_off, rate_hz),
        _ms(marks.p_on, marks.qrs_on, rate_hz),
        _ms(marks.qrs_on, marks.qrs_off, rate_hz),
        _ms(marks.qrs_on, marks.t_off, rate_hz),
    )


def _ms(begin: float | None, end: float | None, rate_hz: float) -> float | None:
    if begin is None or end is None or end <= begin:
        return None
    return 1000 * (end - begin) / rate_hz


def over_beats(values: Iterable[float | None]) -> Median | None:
    """Median of the values that are there; None of fewer than AGREEING_BEATS."""
    there = [value for value in values if value is not None]
    if len(there) < AGREEING_BEATS:
        return None
    return Median(median(there), len(there))


def bazett(qt_ms: float, rr_ms: float) -> float:
    """QT / sqrt(RR in s). Bazett, Heart 1920;7:353."""
    return qt_ms / math.sqrt(rr_ms / 1000)


def fridericia(qt_ms: float, rr_ms: float) -> float:
    """QT / cube root of RR in s. Fridericia, Acta Med Scand 1920;53:469."""
    return qt_ms / math.cbrt(rr_ms / 1000)


def framingham(qt_ms: float, rr_ms: float) -> float:
    """QT + 0.154 (1 - RR), in s. Sagie et al., Am J Cardiol 1992;70:797."""
    return qt_ms + 0.154 * (1000 - rr_ms)


def hodges(qt_ms: float, rr_ms: float) -> float:
    """QT + 1.75 ms for every beat per minute above 60. Hodges et al., J Am Coll Cardiol 1983;1:694."""
    return qt_ms + 1.75 * (60_000 / rr_ms - 60)


QTC: Mapping[str, Callable[[float, float], float]] = {
    "qtc_bazett": bazett,
    "qtc_fridericia": fridericia,
    "qtc_framingham": framingham,
    "qtc_hodges": hodges,
}
"""Corrections by the name of their metric: of QT and the mean RR of the beats that it was measured on, both in ms."""


def axis_deg(net_i: float, net_avf: float) -> float | None:
    """Electrical axis in the frontal plane, -180 < axis <= 180, from net areas (or amplitudes) in I and aVF; None without any.

    atan2(2 aVF, sqrt(3) I): Einthoven's triangle with Goldberger's leads. The same serves P, QRS and T.
    """
    if net_i == 0 and net_avf == 0:
        return None
    angle = math.degrees(math.atan2(2 * net_avf, math.sqrt(3) * net_i))
    return 180.0 if angle == -180.0 else angle


def axis_class(axis: float) -> str:
    """normal, left, right or extreme deviation of a QRS axis. AHA/ACCF/HRS 2009: -30 to 90, -90 to -30, 90 to 180, the rest."""
    if -30 <= axis <= 90:
        return "normal"
    if -90 <= axis < -30:
        return "left"
    return "right" if axis > 90 else "extreme"
