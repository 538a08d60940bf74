"""PR, QRS and QT over all leads, at beats that are known, against a simulated heart that knows its own, from 30 to 220 a minute and in noise.

The heart's waves are bell curves whose ends are a convention (4 % of their height), so a steady offset is expected, of T above
all; what must hold is that it stays small at every rate and in noise. Run `python tests/accuracy/test_intervals.py` for the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from daemon.dsp.ecg.delineate import Delineator
from daemon.dsp.ecg.measure import Intervals, intervals
from daemon.dsp.ecg.tables import load_waves_table
from daemon.dsp.ecg.vote import OVER_ALL
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import LEADS

RATE_HZ, SECONDS, SETTLING_S, DETECTED_S = 500.0, 30, 4.0, 0.45
RATES_BPM = (30, 40, 60, 80, 100, 120, 150, 180, 220)
MUSCLE_UV = (4, 20, 40, 80)
NAMES = ("pr_ms", "qrs_ms", "qt_ms")


@dataclass(frozen=True)
class Errors:
    """Measured minus true, ms: median and standard deviation over the beats, and the share of the beats measured."""

    median: float
    sd: float
    share: float


def twelve(patient: Patient, seconds: float) -> tuple[tuple[str, ...], np.ndarray]:
    x = patient.take(round(seconds * RATE_HZ)).T[: len(LEADS)]
    one, two = x[LEADS.index("I")], x[LEADS.index("II")]
    derived = [two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return (*LEADS, "III", "aVR", "aVL", "aVF"), np.concatenate([x, derived]).astype(np.float32)


def errors(bpm: float, muscle_uv: float) -> dict[str, Errors | None]:
    """By interval; None where no beat has it."""
    patient = Patient(RATE_HZ, seed=3)
    patient.rate_bpm, patient.muscle_mv = bpm, muscle_uv / 1000
    names, x = twelve(patient, SECONDS)
    usable = np.ones(x.shape, dtype=bool)
    delineator = Delineator(RATE_HZ, names, load_waves_table())
    for true in patient.beats:
        delineator.beat(round(true.r_s * RATE_HZ), round((true.r_s + DETECTED_S) * RATE_HZ))
    said = delineator.push(x, usable)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    beats = 0
    for true in patient.beats:
        if not SETTLING_S < true.r_s < SECONDS - 2:
            continue
        beats += 1
        own = [b for b in said if abs(b.sample / RATE_HZ - true.r_s) < 0.1 and b.marks]
        if not own or true.p_on_s is None:
            continue
        measured = intervals(own[0].marks[OVER_ALL], RATE_HZ)
        wanted = Intervals(
            None,
            1000 * (true.qrs_on_s - true.p_on_s),
            1000 * (true.qrs_off_s - true.qrs_on_s),
            1000 * (true.t_off_s - true.qrs_on_s),
        )
        for name in NAMES:
            if (value := getattr(measured, name)) is not None:
                found[name].append(value - getattr(wanted, name))
    return {
        name: Errors(float(np.median(e)), float(np.std(e)), len(e) / beats) if e else None
        for name, e in found.items()
    }


@pytest.mark.parametrize("bpm", [30, 60, 100])
def test_every_beat_is_measured_and_noise_moves_no_interval(bpm):
    still, noisy = errors(bpm, 4), errors(bpm, 40)

    for name in NAMES:
        quiet, loud = still[name], noisy[name]
        assert quiet is not None
        assert loud is not None
        assert min(quiet.share, loud.share) >= 0.95
        assert max(quiet.sd, loud.sd) <= 5.0
        assert abs(quiet.median) <= 35.0
        assert abs(loud.median - quiet.median) <= 6.0


def test_at_a_fast_rate_qrs_and_qt_are_there():
    found = errors(150, 20)

    for name in ("qrs_ms", "qt_ms"):
        error = found[name]
        assert error is not None
        assert error.share >= 0.95
        assert abs(error.median) <= 35.0


if __name__ == "__main__":
    print("| bpm | noise, uV RMS | PR | QRS | QT | (error in ms: median, SD; share of beats) |")
    for bpm in RATES_BPM:
        for muscle in MUSCLE_UV:
            e = errors(bpm, muscle)
            cells = [f"{x.median:+.0f} ± {x.sd:.0f}, {100 * x.share:.0f} %" if x else "-" for x in e.values()]
            print(f"| {bpm} | {muscle} | {' | '.join(cells)} |")
