"""PR, QRS and QT at beats that are known, against a simulated heart that knows its own, from 30 to 220 a minute and in noise.

The truth is where a wave has left the line by 4 % of its height (2.5 sigma of the heart's bell curves; P 6 uV, QRS some 30 uV
in lead II). `section` is the table of the page on accuracy; `python tests/accuracy/test_intervals.py` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from daemon.dsp.ecg.delineate import BeatWaves, Delineator
from daemon.dsp.ecg.measure import Intervals, intervals
from daemon.dsp.ecg.tables import load_waves_table
from daemon.dsp.ecg.vote import OVER_ALL
from firmware_bridge.simulators.heart import TrueBeat
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import LEADS

RATE_HZ, SECONDS, SETTLING_S, DETECTED_S = 500.0, 30, 4.0, 0.45
RATES_BPM = (30, 40, 60, 80, 100, 120, 140, 160, 180, 220)
SNR_DB = (40, 24, 18, 12, 6)
QRS_RMS_MV = 0.46
"""Of lead II as the noise stress test counts it, (peak to peak)^2 / 8; `test_the_signal_of_the_snr_is_that_of_the_heart`."""
NAMES = ("pr_ms", "qrs_ms", "qt_ms")
ONE, TWELVE = "lead II", "12 leads"


@dataclass(frozen=True)
class Errors:
    """Measured minus true, ms: mean and standard deviation over the beats, and the share of the beats measured."""

    bias: float
    sd: float
    share: float


@dataclass(frozen=True)
class Row:
    """By interval; None where no beat has it."""

    leads: str
    bpm: int
    snr_db: int
    errors: dict[str, Errors | None]


def twelve(patient: Patient, seconds: float) -> tuple[tuple[str, ...], np.ndarray]:
    x = patient.take(round(seconds * RATE_HZ)).T[: len(LEADS)]
    one, two = x[LEADS.index("I")], x[LEADS.index("II")]
    derived = [two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return (*LEADS, "III", "aVR", "aVL", "aVF"), np.concatenate([x, derived]).astype(np.float32)


def rows_of(bpm: int, snr_db: int) -> Iterator[Row]:
    """One lead, and twelve, of the same heart."""
    patient = Patient(RATE_HZ, seed=3)
    patient.rate_bpm, patient.muscle_mv = bpm, QRS_RMS_MV / 10 ** (snr_db / 20)
    names, x = twelve(patient, SECONDS)
    truth = list(patient.beats)
    two = names.index("II")
    yield Row(ONE, bpm, snr_db, errors(marked(truth, ("II",), x[two : two + 1]), truth, "II"))
    yield Row(TWELVE, bpm, snr_db, errors(marked(truth, names, x), truth, OVER_ALL))


def marked(truth: list[TrueBeat], names: tuple[str, ...], x: np.ndarray) -> list[BeatWaves]:
    delineator = Delineator(RATE_HZ, names, load_waves_table())
    for true in truth:
        delineator.beat(round(true.r_s * RATE_HZ), round((true.r_s + DETECTED_S) * RATE_HZ))
    return delineator.push(x, np.ones(x.shape, dtype=bool))


def errors(said: list[BeatWaves], truth: list[TrueBeat], lead: str) -> dict[str, Errors | None]:
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    beats = 0
    for true in truth:
        if not SETTLING_S < true.r_s < SECONDS - 2:
            continue
        beats += 1
        own = [b for b in said if abs(b.sample / RATE_HZ - true.r_s) < 0.1 and lead in b.marks]
        if not own or true.p_on_s is None:
            continue
        measured = intervals(own[0].marks[lead], RATE_HZ)
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
        name: Errors(float(np.mean(e)), float(np.std(e)), len(e) / beats) if e else None
        for name, e in found.items()
    }


def table() -> list[Row]:
    """Every rate in every noise, one lead and twelve."""
    return [row for bpm in RATES_BPM for snr_db in SNR_DB for row in rows_of(bpm, snr_db)]


def section() -> str:
    """The table as a section of a page: error (bias ± SD, ms) and share of the beats measured."""
    rows = table()
    lines = [
        "## Intervals on simulated leads",
        "",
        f"A simulated heart whose waves are known (`firmware_bridge/simulators/heart.py`), {SECONDS} s at each rate and noise, given at the",
        "true beats. Measured minus true in ms, mean ± SD over the beats, and the share of the beats in which the interval was measured.",
        "A wave begins and ends where it has left the line by 4 % of its height. Noise is muscle in every electrode; its ratio",
        "is that of lead II, the signal being (QRS peak to peak)² / 8. Above 40 µV of noise between the beats no P is said. From 150 a",
        "minute on P stands on the T before it: T ends where P begins, so QT is short; at 220 P is hidden in T. Over 12 leads the begin",
        "is the second earliest and the end the second latest, which is wide for QRS complexes as narrow as these. Single beats;",
        "what the screen shows is the median of the last 16.",
    ]
    for leads in (ONE, TWELVE):
        lines += [
            "",
            f"{leads[0].upper()}{leads[1:]}:",
            "",
            "| 1/min | SNR, dB | PR | QRS | QT |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row.bpm} | {row.snr_db} | {' | '.join(cell(e) for e in row.errors.values())} |"
            for row in rows
            if row.leads == leads
        ]
    return "\n".join([*lines, ""])


def cell(e: Errors | None) -> str:
    return f"{e.bias:+.0f} ± {e.sd:.0f}, {100 * e.share:.0f} %" if e else "-"


def test_the_signal_of_the_snr_is_that_of_the_heart():
    patient = Patient(RATE_HZ, seed=3)
    patient.muscle_mv = patient.wander_mv = 0
    _, x = twelve(patient, 5)

    assert np.ptp(x[1]) / np.sqrt(8) == pytest.approx(QRS_RMS_MV, rel=0.1)


@pytest.mark.parametrize("bpm", [30, 60, 100, 140])
def test_every_beat_is_measured_and_noise_moves_no_interval(bpm):
    for still, noisy in zip(rows_of(bpm, 40), rows_of(bpm, 24), strict=True):
        for name in NAMES:
            quiet, loud = still.errors[name], noisy.errors[name]
            assert quiet is not None
            assert loud is not None
            assert min(quiet.share, loud.share) >= 0.95
            assert max(quiet.sd, loud.sd) <= 5.0
            assert abs(quiet.bias) <= 35.0
            assert abs(loud.bias - quiet.bias) <= 6.0


def test_of_one_lead_in_silence_no_interval_is_far_off():
    row = next(rows_of(70, 40))

    assert all(e is not None and abs(e.bias) <= 10.0 for e in row.errors.values())


def test_at_a_fast_rate_pr_and_qrs_are_there_though_p_stands_on_t():
    for row in rows_of(160, 24):
        for name in ("pr_ms", "qrs_ms"):
            error = row.errors[name]
            assert error is not None
            assert error.share >= 0.95
            assert abs(error.bias) <= 25.0
        qt = row.errors["qt_ms"]
        assert qt is not None
        assert -60.0 <= qt.bias <= 25.0  # it ends where P begins


def test_at_220_no_t_of_another_beat_is_measured():
    for row in rows_of(220, 24):
        error = row.errors["qt_ms"]
        assert error is not None
        assert error.sd <= 10.0
        assert abs(error.bias) <= 80.0  # T of another beat would be a whole interval off: 273 ms


def test_in_heavy_noise_there_is_no_pr_rather_than_a_wrong_one():
    for row in rows_of(80, 6):
        assert row.errors["pr_ms"] is None


if __name__ == "__main__":
    print(section())
