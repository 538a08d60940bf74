"""The heart as one moving vector, and what of it reaches each electrode.

The vector (x to the left arm, y to the feet, z to the back; mV) is a sum of bell curves, a few for each P, QRS and T.
It is projected once, on nine electrodes; leads are differences between electrodes. So every relation between leads
(I + III = II, aVR + aVL + aVF = 0, the precordials against one Wilson terminal) holds by construction, for noise too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.rhythm import Planned
from firmware_bridge.simulators.source import LEADS

Matrix = npt.NDArray[np.float64]

# The frontal and precordial leads from a vector: Dower GE, Machado HB, Osborne JA. On deriving the electrocardiogram
# from vectorcardiographic leads. Clin Cardiol 1980;3:87-95. Rows I, II, V1..V6; columns x, y, z.
DOWER: Matrix = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)

# Leads from the potentials of RA, LA, LL, V1..V6.
FROM_ELECTRODES: Matrix = np.zeros((8, 9))
FROM_ELECTRODES[0, [0, 1]] = -1, 1
FROM_ELECTRODES[1, [0, 2]] = -1, 1
FROM_ELECTRODES[2:, :3] = -1 / 3
FROM_ELECTRODES[2:, 3:] = np.eye(6)

# Potentials against the Wilson terminal (RA + LA + LL = 0), so that FROM_ELECTRODES @ TO_ELECTRODES = DOWER.
TO_ELECTRODES: Matrix = np.vstack(
    [
        -(DOWER[0] + DOWER[1]) / 3,
        DOWER[0] - (DOWER[0] + DOWER[1]) / 3,
        DOWER[1] - (DOWER[0] + DOWER[1]) / 3,
        DOWER[2:],
    ]
)

EDGE = 2.5  # a wave's onset and offset stand this many sigmas from its first and last bell: 4 % of the peak
BELL, PLATEAU, SPIKE = 2.0, 8.0, 16.0  # powers of exp(-|u|^p / 2)


@dataclass(frozen=True, slots=True)
class TrueBeat:
    """One beat as it really was. Times in seconds from the patient's first sample; None where there is no such wave."""

    r_s: float
    label: str
    p_on_s: float | None
    p_off_s: float | None
    qrs_on_s: float
    qrs_off_s: float
    t_on_s: float
    t_off_s: float


@dataclass(frozen=True, slots=True)
class Shape:
    """How the beats of a patient look."""

    amplitude: float = 1.0
    t_mv: float = 0.25
    st_mv: float = 0.0
    st_lead: str = "II"


@dataclass(frozen=True, slots=True)
class Bell:
    """exp(-|u|^power / 2), u = (t - at) / left or right; times `vector` (x, y, z in mV). Times from the R peak, s."""

    at: float
    left: float
    right: float
    vector: tuple[float, float, float]
    power: float = BELL


P = Bell(-0.160, 0.020, 0.020, (0.12, 0.10, -0.03))
NORMAL_QRS = (
    Bell(-0.022, 0.008, 0.008, (-0.12, -0.05, -0.25)),  # septum: to the right and forward
    Bell(0.000, 0.010, 0.010, (1.10, 0.90, 0.35)),  # free wall: to the left and down
    Bell(0.024, 0.009, 0.009, (-0.15, -0.08, 0.50)),  # base: backward
)
WIDE_QRS = (
    Bell(0.000, 0.024, 0.030, (1.00, 0.95, 0.80)),
    Bell(0.060, 0.022, 0.022, (-0.35, -0.45, 0.20)),
)
T_DIRECTION = (0.22, 0.16, -0.14)
DISCORDANT_T = (-0.45, -0.40, -0.25)
PACING_SPIKE = Bell(-0.075, 0.001, 0.001, (0.5, 1.8, 0.0), SPIKE)

# A row of `rows`: at, left, right, power, x, y, z, pulse.
COLUMNS_OF_A_ROW = 8


def beat(planned: Planned, r_s: float, shape: Shape) -> tuple[Matrix, TrueBeat]:
    """The bells of one beat with its R peak at `r_s`, as rows for `sum_of`, and the truth about it."""
    rr_s = planned.mean_rr_s
    wide = planned.label != "N"
    qrs = WIDE_QRS if wide else NORMAL_QRS
    on, off = qrs[0].at - EDGE * qrs[0].left, qrs[-1].at + EDGE * qrs[-1].right
    # QT: Fridericia's 0.40 s at 60 bpm, but at fast rates no longer than the cycle allows.
    qt = min(0.40 * rr_s ** (1 / 3), 0.76 * rr_s) * (1.1 if wide else 1.0)
    rise, fall = 0.11 * qt, 0.08 * qt
    t_at = on + qt - EDGE * fall
    t = Bell(t_at, rise, fall, DISCORDANT_T if wide else _scaled_t(shape))
    bells = [*qrs, t]
    p_on = p_off = None
    if planned.has_p:
        p_at = -min(-P.at, 0.10 + 0.06 * rr_s)
        bells.append(Bell(p_at, P.left, P.right, P.vector))
        p_on, p_off = r_s + p_at - EDGE * P.left, r_s + p_at + EDGE * P.right
    if planned.label == "/":
        bells.append(PACING_SPIKE)
    if shape.st_mv and not wide:
        middle, half = (off + t_at) / 2, (t_at - off) / 2
        bells.append(Bell(middle, half, half, _along(shape.st_lead, shape.st_mv / shape.amplitude), PLATEAU))
    turn = -1.0 if planned.inverted else 1.0
    heart = np.array([[r_s + b.at, b.left, b.right, b.power, *b.vector, 0.0] for b in bells])
    heart[:, 4:7] *= shape.amplitude * turn
    truth = TrueBeat(
        r_s, planned.label, p_on, p_off, r_s + on, r_s + off, r_s + t_at - EDGE * rise, r_s + on + qt
    )
    return np.vstack([heart, _pulse(planned, r_s)]), truth


def _pulse(planned: Planned, r_s: float) -> Matrix:
    """The pulse wave in the finger: a systolic and a dicrotic bell; a heart that had no time to fill gives less."""
    full = filling(planned)
    pace = min(1.0, planned.mean_rr_s / 0.8)
    return np.array(
        [
            [r_s + 0.20 + 0.12 * pace, 0.05 * pace, 0.11 * pace, BELL, 0, 0, 0, full],
            [r_s + 0.20 + 0.36 * pace, 0.07 * pace, 0.09 * pace, BELL, 0, 0, 0, 0.35 * full],
        ]
    )


def filling(planned: Planned) -> float:
    """How far the heart was filled when it beat, as a share of a usual beat."""
    return float(np.clip(planned.after_s / planned.mean_rr_s, 0.2, 1.2))


def _scaled_t(shape: Shape) -> tuple[float, float, float]:
    """The T vector that is `t_mv` high in lead II."""
    x, y, z = np.array(T_DIRECTION) * shape.t_mv / float(DOWER[1] @ np.array(T_DIRECTION))
    return float(x), float(y), float(z)


def _along(lead: str, mv: float) -> tuple[float, float, float]:
    """The vector along a lead's own axis that measures `mv` in it."""
    axis = DOWER[LEADS.index(lead)]
    x, y, z = axis * mv / float(axis @ axis)
    return float(x), float(y), float(z)


def sum_of(rows: Matrix, t_s: Matrix) -> Matrix:
    """Vector and pulse at the times `t_s` (n): float64 of shape (n, 4), columns x, y, z in mV and pulse."""
    if not len(rows):
        return np.zeros((len(t_s), 4))
    u = t_s[:, None] - rows[:, 0]
    u = np.abs(u / np.where(u < 0, rows[:, 1], rows[:, 2]))
    return np.asarray(np.exp(-0.5 * u ** rows[:, 3]) @ rows[:, 4:8])


def alive(rows: Matrix, t_s: float) -> Matrix:
    """The rows that still matter after `t_s` seconds."""
    return np.asarray(rows[rows[:, 0] + 6 * rows[:, 2] > t_s])
