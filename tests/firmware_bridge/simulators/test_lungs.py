"""One body's breathing: sizes that were asked for, events where the truth says, a machine that holds its pressure."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.simulators.lungs import FOT_HZ, Kind, Lungs
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, COLUMNS, FLOW, LEAK, RESPIRATION

RATE_HZ = 100


def body(seed=1):
    return Patient(RATE_HZ, seed)


class Chest:
    """Lungs without a heart, in steps of a quarter of a second."""

    def __init__(self):
        self.lungs = Lungs(np.random.default_rng(1))
        self.made = 0

    @property
    def events(self):
        return list(self.lungs.events)

    def take(self, n):
        rows = np.zeros((n, len(COLUMNS)))
        for at in range(0, n, 25):
            part = rows[at : at + 25]
            t_s = (self.made + np.arange(len(part))) / RATE_HZ
            airway = self.lungs.next(t_s, 1 / RATE_HZ, np.zeros(len(part)))
            part[:, FLOW], part[:, LEAK] = airway.flow, airway.leak
            part[:, AIRWAY_PRESSURE], part[:, RESPIRATION] = airway.pressure, airway.chest
            self.made += len(part)
        return rows


def seconds(patient, n):
    return patient.take(round(n * RATE_HZ))


def during(rows, event, margin_s=0.0):
    return rows[round((event.start_s + margin_s) * RATE_HZ) : round((event.end_s - margin_s) * RATE_HZ)]


def swing_at(values, hz):
    """Amplitude of the sine of `hz` in `values`."""
    wave = np.exp(2j * np.pi * hz * np.arange(len(values)) / RATE_HZ)
    return 2 * abs(np.mean((values - values.mean()) * wave))


@pytest.mark.parametrize(("breaths", "tidal_ml", "share"), [(15, 500, 0.4), (12, 700, 0.33), (28, 350, 0.5)])
def test_breaths_have_their_rate_size_and_shape(breaths, tidal_ml, share):
    patient = body()
    patient.breaths_per_minute = breaths
    patient.lungs.tidal_ml, patient.lungs.inspiratory_share = tidal_ml, share
    flow = seconds(patient, 60)[:, FLOW]
    smooth = np.convolve(flow, np.ones(21) / 21, "same")  # the heart moves air too
    begins = np.flatnonzero((smooth[:-1] <= 0.02) & (smooth[1:] > 0.02))

    assert len(begins) == pytest.approx(breaths, abs=1)
    assert np.maximum(flow, 0).sum() / RATE_HZ / breaths == pytest.approx(tidal_ml / 1000, rel=0.05)
    assert (smooth > 0.02).mean() == pytest.approx(share, abs=0.06)
    assert abs(flow.mean()) < 0.005
    assert patient.numbers.tidal_volume_ml == pytest.approx(tidal_ml, rel=0.05)
    assert patient.numbers.minute_volume_lpm == pytest.approx(tidal_ml * breaths / 1000, rel=0.05)


def test_the_chest_moves_with_the_air_that_goes_in():
    rows = seconds(Chest(), 60)
    volume = np.cumsum(rows[:, FLOW]) / RATE_HZ

    assert np.corrcoef(volume, rows[:, RESPIRATION])[0, 1] > 0.98
    assert rows[:, RESPIRATION].max() == pytest.approx(1, abs=0.1)


def test_same_seed_breathes_the_same_however_it_is_taken():
    whole, pieces = body(7), body(7)
    for patient in (whole, pieces):
        patient.lungs.stop_breathing(12, Kind.OBSTRUCTIVE)
    expected = seconds(whole, 40)
    got = np.concatenate([pieces.take(n) for n in [7, 1, 500, 92] * 7][:28])[: len(expected)]

    assert np.array_equal(expected[: len(got)], got)


@pytest.mark.parametrize("kind", [Kind.OBSTRUCTIVE, Kind.CENTRAL])
def test_an_apnoea_stops_the_flow_for_its_time_and_the_truth_knows(kind):
    patient = body()
    seconds(patient, 10)
    patient.lungs.stop_breathing(20, kind)
    told = []
    rows = [patient.take(0)]
    for _ in range(50):
        rows.append(seconds(patient, 1))
        told.append(patient.numbers.event)
    (event,) = patient.lungs.events
    flow = np.concatenate([np.zeros((10 * RATE_HZ, rows[0].shape[1])), *rows])
    silent = np.convolve(
        during(flow, event, 0.2)[:, FLOW], np.ones(25) / 25, "valid"
    )  # without the 4 Hz wave
    after = flow[round(event.end_s * RATE_HZ) :][: 8 * RATE_HZ, FLOW]

    assert event.kind is kind
    assert event.end_s - event.start_s == pytest.approx(20, abs=0.01)
    assert 10 <= event.start_s <= 14.5
    assert np.abs(silent).max() < 0.056  # what the machine's small wave brings back, and the heart
    assert after.max() > 0.6  # the first breath is a deep one
    assert told.count(str(kind)) == pytest.approx(20, abs=1)


def test_the_small_wave_passes_an_open_airway_and_hardly_a_closed_one():
    passed = {}
    for kind in (Kind.OBSTRUCTIVE, Kind.CENTRAL):
        patient = Chest()
        patient.lungs.stop_breathing(30, kind)
        rows = seconds(patient, 40)
        (event,) = patient.lungs.events
        inside = during(rows, event, 5)
        assert swing_at(inside[:, AIRWAY_PRESSURE], FOT_HZ) == pytest.approx(0.5, rel=0.1)
        passed[kind] = swing_at(inside[:, FLOW], FOT_HZ)

    assert 0.5 / passed[Kind.CENTRAL] == pytest.approx(4.5, rel=0.1)  # cmH2O s/L
    assert 0.5 / passed[Kind.OBSTRUCTIVE] == pytest.approx(15, rel=0.1)


def test_effort_goes_on_against_a_closed_airway_and_stops_in_a_clear_one():
    effort = {}
    for kind in (Kind.OBSTRUCTIVE, Kind.CENTRAL):
        patient = Chest()
        patient.lungs.stop_breathing(30, kind)
        rows = seconds(patient, 40)
        effort[kind] = np.ptp(during(rows, patient.events[0], 1)[:, RESPIRATION])

    assert effort[Kind.OBSTRUCTIVE] > 0.5
    assert effort[Kind.CENTRAL] == 0


def test_the_heart_moves_a_little_air_while_nobody_breathes():
    patient = body()
    patient.lungs.cpap_cm_h2o = 0.0
    patient.rate_bpm = 60
    patient.lungs.stop_breathing(40, Kind.CENTRAL)
    rows = seconds(patient, 45)
    still = during(rows, patient.events[0], 1)[:, FLOW]

    assert 0.005 < swing_at(still, 1.0) < 0.05


def test_a_hypopnoea_lessens_and_flattens_the_flow():
    patient = Chest()
    before = seconds(patient, 30)[:, FLOW].max()
    patient.lungs.breathe_less(24)
    rows = np.concatenate([np.zeros((30 * RATE_HZ, 18)), seconds(patient, 40)])
    (event,) = patient.lungs.events
    inside = during(rows, event)[:, FLOW]

    assert event.kind is Kind.HYPOPNOEA
    assert event.end_s - event.start_s == pytest.approx(24, abs=0.01)
    assert 0.2 < inside.max() / before < 0.5


def test_flow_limitation_flattens_the_top_of_a_breath():
    shapes = []
    for limited in (0.0, 1.0):
        patient = body()
        patient.lungs.flow_limitation = limited
        seconds(patient, 10)
        flow = seconds(patient, 60)[:, FLOW]
        shapes.append((flow > 0.8 * flow.max()).mean())
        assert patient.numbers.flow_limitation == limited
        assert np.maximum(flow, 0).sum() / RATE_HZ / 15 == pytest.approx(0.5, rel=0.05)

    assert shapes[1] > 1.4 * shapes[0]


def test_cheyne_stokes_waxes_wanes_and_stops():
    patient = Chest()
    patient.lungs.cheyne_stokes(on=True)
    rows = seconds(patient, 250)
    patient.lungs.cheyne_stokes(on=False)
    seconds(patient, 70)
    whole = [event for event in patient.events if event.kind is Kind.CHEYNE_STOKES]
    stops = [event for event in patient.events if event.kind is Kind.CENTRAL]

    assert [event.end_s for event in whole] == [250.0]
    assert len(stops) == 4
    assert all(15 < event.end_s - event.start_s < 25 for event in stops)
    assert np.diff([event.start_s for event in stops]) == pytest.approx(60, abs=4)
    cycle = rows[round(stops[0].end_s * RATE_HZ) : round(stops[1].start_s * RATE_HZ), FLOW]
    parts = [part.max() for part in np.array_split(cycle, 5)]
    assert parts[2] > 1.3 * max(parts[0], parts[4])


def test_the_machine_holds_its_pressure_and_goes_over_to_another_by_and_by():
    patient = body()
    patient.lungs.cpap_cm_h2o = 8.0
    seconds(patient, 20)
    steady = seconds(patient, 20)[:, AIRWAY_PRESSURE]
    patient.lungs.cpap_cm_h2o = 14.0
    rising = seconds(patient, 10)[:, AIRWAY_PRESSURE]

    assert steady.mean() == pytest.approx(8, abs=0.05)
    assert np.abs(steady - 8).max() < 0.6
    assert np.diff(rising).max() < 0.2
    assert rising[-RATE_HZ:].mean() == pytest.approx(14, abs=0.4)
    assert patient.numbers.pressure_cm_h2o == pytest.approx(14, abs=0.6)


def test_support_and_relief_follow_the_breath():
    patient = Chest()
    patient.lungs.support_cm_h2o, patient.lungs.cpap_cm_h2o = 6.0, 10.0
    rows = seconds(patient, 60)[10 * RATE_HZ :]
    patient.lungs.support_cm_h2o, patient.lungs.epr_cm_h2o = 0.0, 3.0
    relieved = seconds(patient, 60)[:, AIRWAY_PRESSURE]

    low, high = np.percentile(rows[:, AIRWAY_PRESSURE], [10, 95])
    assert high - low == pytest.approx(6, abs=0.7)
    assert low == pytest.approx(10, abs=0.5)
    assert np.percentile(relieved, 15) == pytest.approx(7, abs=0.5)
    assert np.corrcoef(rows[:, FLOW], rows[:, AIRWAY_PRESSURE])[0, 1] > 0.5


def test_a_ramp_begins_low_and_ends_at_the_set_pressure():
    patient = Chest()
    patient.lungs.cpap_cm_h2o = 12.0
    patient.lungs.ramp(100)
    pressure = seconds(patient, 130)[:, AIRWAY_PRESSURE]

    assert pressure[5 * RATE_HZ : 9 * RATE_HZ].mean() == pytest.approx(4.6, abs=0.4)
    assert pressure[48 * RATE_HZ : 52 * RATE_HZ].mean() == pytest.approx(8, abs=0.2)
    assert pressure[-5 * RATE_HZ :].mean() == pytest.approx(12, abs=0.2)


def test_leaks_are_what_was_asked_for_and_a_large_one_takes_the_pressure_away():
    patient = Chest()
    assert not seconds(patient, 10)[:, LEAK].any()
    patient.lungs.leaking(24)
    some = seconds(patient, 20)
    patient.lungs.leaking(140)
    large = seconds(patient, 20)
    patient.lungs.leaking(0)
    none = seconds(patient, 20)

    assert 60 * some[:, LEAK].mean() == pytest.approx(24, rel=0.02)
    assert some[:, AIRWAY_PRESSURE].mean() == pytest.approx(10, abs=0.1)
    assert 60 * large[RATE_HZ:, LEAK].mean() == pytest.approx(108, rel=0.1)
    assert large[RATE_HZ:, AIRWAY_PRESSURE].mean() == pytest.approx(6, abs=0.2)
    assert not none[:, LEAK].any()
    assert [(e.kind, e.start_s, e.end_s, e.value) for e in patient.events] == [
        (Kind.LEAK, 10.0, 30.0, 24),
        (Kind.LEAK, 30.0, 50.0, 140),
    ]


def test_a_mask_that_is_off_shows_no_breath_and_a_free_blower():
    patient = body()
    seconds(patient, 10)
    patient.lungs.mask(on=False)
    off = seconds(patient, 10)
    chest = off[:, RESPIRATION]
    assert not off[:, FLOW].any()
    assert off[:, AIRWAY_PRESSURE].max() < 2
    assert 60 * off[:, LEAK].mean() > 60
    assert np.ptp(chest) > 1.5  # the body breathes on
    assert patient.numbers.mask_on is False
    assert patient.numbers.tidal_volume_ml is None
    patient.lungs.mask(on=True)
    assert seconds(patient, 10)[:, FLOW].max() > 0.3
    assert [e.kind for e in patient.events] == [Kind.MASK_OFF]
    assert patient.events[0].end_s == 20.0


def test_a_machine_that_is_off_holds_nothing():
    patient = body()
    patient.lungs.cpap_cm_h2o = 0.0
    rows = seconds(patient, 30)[RATE_HZ:]

    assert np.abs(rows[:, AIRWAY_PRESSURE]).max() < 0.5
    assert rows[:, FLOW].max() > 0.3
    assert patient.numbers.mask_on is None
    assert patient.numbers.pressure_cm_h2o is None


def test_snoring_is_a_ripple_of_the_pressure_while_breathing_in():
    patient = Patient(500, 1)
    patient.lungs.snore = 2.0
    rows = patient.take(500 * 30)
    rough = np.abs(np.diff(rows[:, AIRWAY_PRESSURE], 2))
    inward = rows[1:-1, FLOW] > 0.2

    assert np.median(rough[inward]) > 5 * np.median(rough[rows[1:-1, FLOW] < -0.1])


def test_nobody_breathes_at_rate_zero():
    patient = body()
    patient.breaths_per_minute = 0
    seconds(patient, 6)
    rows = seconds(patient, 30)

    assert np.abs(rows[:, FLOW]).max() < 0.06  # what the heart moves
    assert patient.numbers.breaths_per_minute == 0
