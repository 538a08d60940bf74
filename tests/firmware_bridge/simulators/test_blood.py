"""Saturation that follows breathing with the delay of a body, and a pulse with each beat."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.lungs import Kind
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import PLETH, PPG_INFRARED

RATE_HZ = 100


def body():
    return Patient(RATE_HZ, 1)


def saturations(patient, seconds):
    out = []
    for _ in range(seconds):
        patient.take(RATE_HZ)
        out.append(patient.numbers.spo2_pct)
    return np.array(out)


def test_saturation_stands_while_breathing_is_well():
    assert set(saturations(body(), 120)) == {97}


def test_saturation_falls_after_an_apnoea_when_that_blood_has_come_and_recovers():
    patient = body()
    saturations(patient, 5)
    patient.lungs.stop_breathing(30, Kind.OBSTRUCTIVE)
    course = saturations(patient, 110)
    apnoea, fall = patient.events
    lowest_s = 5 + int(np.argmin(course))

    assert fall.kind is Kind.DESATURATION
    assert 88 <= course.min() <= 93
    assert fall.value == pytest.approx(course.min(), abs=1)
    assert 10 <= lowest_s - apnoea.end_s <= 25
    assert course[-1] >= 96
    assert fall.start_s > apnoea.start_s + 20


def test_a_longer_apnoea_falls_deeper_and_a_short_one_not_at_all():
    depths = []
    for seconds in (10, 25, 60):
        patient = body()
        patient.lungs.stop_breathing(seconds, Kind.CENTRAL)
        depths.append(97 - saturations(patient, seconds + 40).min())
    assert depths[0] <= 1
    assert 3 <= depths[1] < depths[2] <= 25


def test_a_fall_on_request_reaches_what_was_asked_for_and_ends():
    patient = body()
    saturations(patient, 10)
    patient.blood.desaturate(84, 60)
    course = saturations(patient, 70)

    assert course.min() == 84
    assert course[29] == 84
    assert course[61:].min() == 97
    (event,) = patient.events
    assert (event.kind, round(event.value)) == (Kind.DESATURATION, 84)
    assert 10 < event.start_s < 35 < event.end_s < 70


@pytest.mark.parametrize(("to", "seconds"), [(97, 60), (40, 60), (84, 2), (84, 1e6)])
def test_an_impossible_fall_is_refused(to, seconds):
    with pytest.raises(ValueError, match=r"fall"):
        body().blood.desaturate(to, seconds)


@pytest.mark.parametrize("bpm", [45, 72, 110])
def test_each_beat_makes_a_pulse_with_a_notch(bpm):
    patient = body()
    patient.rate_bpm = bpm
    pleth = patient.take(60 * RATE_HZ)[10 * RATE_HZ :, PLETH]
    middle = (pleth.min() + pleth.max()) / 2
    pulses = np.flatnonzero((pleth[:-1] < middle) & (pleth[1:] >= middle))
    peaks = np.flatnonzero((pleth[1:-1] > pleth[:-2]) & (pleth[1:-1] >= pleth[2:]))

    assert len(pulses) == pytest.approx(bpm * 50 / 60, abs=1)
    assert len(peaks) == pytest.approx(2 * len(pulses), abs=2)
    assert 0.75 < pleth.max() < 1
    assert pleth.min() >= 0
    assert patient.numbers.pulse_bpm == pytest.approx(bpm, abs=1)


def test_the_pulse_comes_after_its_beat():
    patient = body()
    pleth = patient.take(30 * RATE_HZ)[:, PLETH]
    for beat in list(patient.beats)[3:20]:
        behind = pleth[round(beat.r_s * RATE_HZ) :][: round(0.5 * RATE_HZ)]
        assert 0.2 < np.argmax(behind) / RATE_HZ < 0.4


def test_a_premature_beat_gives_a_smaller_pulse():
    patient = body()
    patient.pvc_per_minute = 10
    pleth = patient.take(60 * RATE_HZ)[:, PLETH]
    sizes = {"N": [], "V": []}
    for beat in list(patient.beats)[3:-3]:
        behind = pleth[round((beat.r_s + 0.2) * RATE_HZ) : round((beat.r_s + 0.4) * RATE_HZ)]
        sizes[beat.label].append(behind.max())

    assert np.median(sizes["V"]) < 0.75 * np.median(sizes["N"])


@pytest.mark.parametrize("rhythm", ["vf", "asystole"])
def test_without_beats_there_is_no_pulse(rhythm):
    patient = body()
    patient.rhythm = rhythm
    assert not patient.take(10 * RATE_HZ)[:, PLETH].any()
    assert patient.numbers.pulse_bpm is None
    assert patient.numbers.spo2_pct == 97  # what an oximeter makes of it is its own affair


def test_poor_perfusion_makes_the_pulse_small():
    patient = body()
    patient.take(5 * RATE_HZ)
    full = np.ptp(patient.take(10 * RATE_HZ)[:, [PLETH, PPG_INFRARED]], axis=0)
    patient.blood.perfusion_pct = 0.4
    patient.take(RATE_HZ)
    weak = np.ptp(patient.take(10 * RATE_HZ)[:, [PLETH, PPG_INFRARED]], axis=0)

    assert weak / full == pytest.approx([0.4, 0.2], rel=0.05)
    assert patient.numbers.perfusion_pct == 0.4


def test_a_probe_that_is_off_shows_nothing_and_comes_back():
    patient = body()
    patient.take(10 * RATE_HZ)
    patient.blood.finger(on=False)
    rows = patient.take(5 * RATE_HZ)
    shown = patient.numbers
    assert not rows[:, PLETH].any()
    assert (rows[:, PPG_INFRARED] == 1).all()
    assert (shown.spo2_pct, shown.pulse_bpm, shown.perfusion_pct) == (None, None, None)
    assert shown.heart_rate_bpm == 72
    patient.blood.finger(on=True)
    assert patient.take(5 * RATE_HZ)[:, PLETH].max() > 0.7
    assert patient.numbers.spo2_pct == 97
