"""Heart-rate variability over five minutes: Task Force of the ESC and the NASPE, Circulation 1996;93:1043.

Of normal-to-normal (NN) intervals only: both beats normal, none missed between them. An interval of another kind, or a gap,
breaks the row: no difference is taken over it, and too many of them leave nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.model.findings import Why

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WINDOW_S = 300.0
LEAST_S = 240.0  # of NN intervals within a window
MOST_OTHER = 0.10  # share of intervals that are not NN
PNN_MS = 50.0
VLF_HZ, LF_HZ, HF_HZ = (0.003, 0.04), (0.04, 0.15), (0.15, 0.40)


@dataclass(frozen=True, slots=True)
class Variability:
    """SDNN and RMSSD in ms, pNN50 in %, powers in ms^2; `lf_hf` None where there is no HF power."""

    mean_nn_ms: float
    sdnn_ms: float
    rmssd_ms: float
    pnn50_pct: float
    vlf_ms2: float
    lf_ms2: float
    hf_ms2: float
    lf_hf: float | None
    intervals: int


def variability(t_s: Floats, rr_ms: Floats, normal: Bools) -> Variability | Why:
    """From the RR intervals of a window: time of the beat that ends each, length, and whether it is an NN interval.

    ECTOPIC where more than MOST_OTHER of them are not, LEARNING where all of them together are under LEAST_S.
    """
    if rr_ms.sum() < 1000 * LEAST_S:
        return Why.LEARNING
    if (~normal).mean() > MOST_OTHER or rr_ms[normal].sum() < (1 - MOST_OTHER) * 1000 * LEAST_S:
        return Why.ECTOPIC
    nn = rr_ms[normal]
    joined = normal[1:] & normal[:-1] & (np.abs(np.diff(t_s) - rr_ms[1:] / 1000) < 0.5 * rr_ms[1:] / 1000)
    steps = np.diff(rr_ms)[joined]
    if len(steps) < 2:
        return Why.ECTOPIC
    vlf, lf, hf = (_power(t_s[normal], nn, band) for band in (VLF_HZ, LF_HZ, HF_HZ))
    return Variability(
        float(nn.mean()),
        float(nn.std(ddof=1)),
        float(np.sqrt((steps**2).mean())),
        float(100 * (np.abs(steps) > PNN_MS).mean()),
        vlf,
        lf,
        hf,
        lf / hf if hf > 0 else None,
        len(nn),
    )


def _power(t_s: Floats, nn_ms: Floats, band_hz: tuple[float, float]) -> float:
    """Power in a band by Lomb's periodogram, which needs no evenly spaced series: interpolating one would damp HF by a quarter.

    At multiples of one over the time spanned; a swing of amplitude A has the power A^2 / 2. Lomb, Astrophys Space Sci 1976;39:447.
    """
    x = nn_ms - nn_ms.mean()
    step = 1 / (t_s[-1] - t_s[0])
    hz = np.arange(np.ceil(band_hz[0] / step), np.ceil(band_hz[1] / step)) * step
    turn = 2 * np.pi * hz[:, None] * (t_s - t_s[0])
    turn -= 0.5 * np.arctan2(np.sin(2 * turn).sum(axis=1), np.cos(2 * turn).sum(axis=1))[:, None]
    cos, sin = np.cos(turn), np.sin(turn)
    power = (cos @ x) ** 2 / (cos**2).sum(axis=1) + (sin @ x) ** 2 / (sin**2).sum(axis=1)
    return float(power.sum() / len(x))
