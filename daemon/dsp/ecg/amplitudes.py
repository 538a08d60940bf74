"""What is read in one lead of a median beat: amplitudes and durations of its deflections, ST level and slope, net areas.

Against the PQ level. A deflection of the QRS is what lies on one side of the level for at least 8 ms and reaches 0.025 mV
(the CSE working party's least wave is 6 ms and 0.02 mV: Eur Heart J 1985;6:815), named in order: Q, R, S, R', S'.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.median_beat import MedianBeat, level_span, middle

Floats = npt.NDArray[np.float64]

ST_AFTER_J_S = (0.0, 0.060, 0.080)
MEAN_HALF_S = 0.004  # an ST level is the mean of 8 ms
LEAST_MV, LEAST_S = 0.025, 0.008  # of a deflection
EDGE_MV = 0.02  # where a deflection begins and ends


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one lead: mV against the PQ level, durations in ms, slope in mV/s, areas in mV s. None: there is no such wave.

    `q_mv`, `s_mv`, `s2_mv` are negative; in a QS complex Q is all there is. `r_peak_ms` is from QRS on to the top of the last
    R; `st_mv` at J, J + 60 and J + 80 ms; `t_mv` is the value farthest from the level, with its sign.
    """

    p_mv: float | None
    q_mv: float | None
    r_mv: float | None
    s_mv: float | None
    t_mv: float | None
    st_mv: tuple[float | None, float | None, float | None]
    st_slope_mv_s: float | None
    qrs_area_mv_s: float
    p_area_mv_s: float | None
    t_area_mv_s: float | None
    r2_mv: float | None = None
    s2_mv: float | None = None
    q_ms: float = 0.0
    r_ms: float = 0.0
    s_ms: float = 0.0
    r2_ms: float = 0.0
    r_peak_ms: float | None = None
    qrs_span_mv: float = 0.0

    @property
    def tallest_mv(self) -> float:
        """The higher of R and R', 0 without any."""
        return max(self.r_mv or 0.0, self.r2_mv or 0.0)

    @property
    def deepest_mv(self) -> float:
        """The depth (positive) of the deepest of Q, S and S', 0 without any."""
        return -min(self.q_mv or 0.0, self.s_mv or 0.0, self.s2_mv or 0.0)


@dataclass(frozen=True, slots=True)
class _Deflection:
    first: int
    stop: int
    peak: int
    mv: float


def levels(beat: MedianBeat, lead: int, marks: LeadMarks) -> Levels | None:
    """What is read at `marks`, in samples of the median beat; None without a QRS or a level before it.

    QRS on and off should be those over all leads, so that ST stands at one J in every lead.
    """
    if marks.qrs_on is None or marks.qrs_off is None or not beat.leads[lead]:
        return None
    rate, n = beat.rate_hz, beat.mv.shape[1]
    on, j = round(marks.qrs_on), round(marks.qrs_off)
    first, stop = level_span(on, rate)
    if first < 0 or j + 1 >= n or not on < j:
        return None
    x = beat.mv[lead] - middle(beat.mv[lead, first:stop])
    qrs = x[on : j + 1]
    named = _named(_deflections(qrs, rate))
    mv = {name: d.mv for name, d in named.items()}
    ms = {name: 1000 * (d.stop - d.first) / rate for name, d in named.items()}
    last_r = named.get("r2", named.get("r"))
    st = tuple(_mean_at(x, j + after * rate, rate) for after in ST_AFTER_J_S)
    slope = None if st[0] is None or st[2] is None else (st[2] - st[0]) / ST_AFTER_J_S[2]
    return Levels(
        p_mv=_height(x, marks.p_on, marks.p_off),
        q_mv=mv.get("q"),
        r_mv=mv.get("r"),
        s_mv=mv.get("s"),
        t_mv=_height(x, marks.t_on, marks.t_off),
        st_mv=(st[0], st[1], st[2]),
        st_slope_mv_s=slope,
        qrs_area_mv_s=float(qrs.sum()) / rate,
        p_area_mv_s=_area(x, marks.p_on, marks.p_off, rate),
        t_area_mv_s=_area(x, marks.t_on, marks.t_off, rate),
        r2_mv=mv.get("r2"),
        s2_mv=mv.get("s2"),
        q_ms=ms.get("q", 0.0),
        r_ms=ms.get("r", 0.0),
        s_ms=ms.get("s", 0.0),
        r2_ms=ms.get("r2", 0.0),
        r_peak_ms=None if last_r is None else 1000 * last_r.peak / rate,
        qrs_span_mv=float(np.ptp(qrs)),
    )


def _deflections(qrs: Floats, rate_hz: float) -> list[_Deflection]:
    """Stretches on one side of the level that are waves of their own; neighbours of one sign are one.

    What is still rising at J belongs to the ST segment, not to the QRS.
    """
    edges = [0, *(np.flatnonzero(np.diff(qrs >= 0)) + 1).tolist(), len(qrs)]
    found: list[_Deflection] = []
    for first, stop in pairwise(edges):
        peak = first + int(np.abs(qrs[first:stop]).argmax())
        mv = float(qrs[peak])
        if (
            abs(mv) < LEAST_MV
            or stop - first < LEAST_S * rate_hz
            or peak >= len(qrs) - 1 - MEAN_HALF_S * rate_hz
        ):
            continue
        if found and (found[-1].mv > 0) == (mv > 0):
            before = found.pop()
            taller = before if abs(before.mv) >= abs(mv) else _Deflection(first, stop, peak, mv)
            found.append(_Deflection(before.first, stop, taller.peak, taller.mv))
        else:
            found.append(_Deflection(first, stop, peak, mv))
    return [_seen(qrs, one) for one in found]


def _seen(qrs: Floats, one: _Deflection) -> _Deflection:
    """A deflection from where it leaves the level to where it comes back: what lies within noise of the level is not its width."""
    out = np.flatnonzero(np.abs(qrs[one.first : one.stop]) >= EDGE_MV)
    return _Deflection(one.first + int(out[0]), one.first + int(out[-1]) + 1, one.peak, one.mv)


def _named(found: list[_Deflection]) -> dict[str, _Deflection]:
    names = ["q", "r", "s", "r2", "s2"] if found and found[0].mv < 0 else ["r", "s", "r2", "s2"]
    return dict(zip(names, found, strict=False))


def _within(x: Floats, on: float | None, off: float | None) -> Floats | None:
    if on is None or off is None or round(on) < 0 or round(off) >= len(x):
        return None
    return x[round(on) : round(off) + 1]


def _height(x: Floats, on: float | None, off: float | None) -> float | None:
    wave = _within(x, on, off)
    return None if wave is None or not len(wave) else float(wave[np.abs(wave).argmax()])


def _area(x: Floats, on: float | None, off: float | None, rate_hz: float) -> float | None:
    wave = _within(x, on, off)
    return None if wave is None else float(wave.sum()) / rate_hz


def _mean_at(x: Floats, at: float, rate_hz: float) -> float | None:
    half = round(MEAN_HALF_S * rate_hz)
    first, stop = round(at) - half, round(at) + half + 1
    return float(np.add.reduce(x[first:stop])) / (stop - first) if first >= 0 and stop <= len(x) else None
