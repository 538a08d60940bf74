"""Measurements, events and conclusions out of the whole analysis, on hearts whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Conclusions, Event, Metric, Why
from daemon.model.signals import Channel, LeadState, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.simulators.patient import Patient

RATE_HZ = 500.0
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
TABLES = (load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table()))


def segment_of(leads):
    channels = tuple(Channel(name, Quantity.ECG, "mV", 0.001) for name in leads)
    return Segment("s", "1", Stream("D", "ecg", RATE_HZ, channels), "b", 1, 0)


def millivolts(patient, seconds):
    return patient.next(round(seconds * RATE_HZ)).T


def analysed(mv, leads=LEADS, items=(), cut=None, gap=(0, 0)):
    """Findings of a recording mV (leads, n); `items` go in before the sample of their number; `gap` never came."""
    pipeline, segment = Pipeline(*TABLES), segment_of(leads)
    counts = np.rint(mv * 1000).astype(np.int32)
    edges = sorted({0, counts.shape[1], *gap, *(at for at, _ in items), *(cut or ())})
    found = []
    for first, stop in zip(edges, edges[1:], strict=False):
        for at, make in items:
            if at == first:
                found += pipeline.push(make(segment))
        if gap[0] <= first < gap[1]:
            continue
        block = SampleBlock(segment, first, round(first * 2e6), 2e6, counts[:, first:stop], round(stop * 2e6))
        found += pipeline.push(block)
    return found + pipeline.finish()


def last(found, name, lead):
    return [f for f in found if isinstance(f, Metric) and f.name == name and f.lead == lead][-1]


def statements(found):
    return [one.key for one in [f for f in found if isinstance(f, Conclusions)][-1].statements]


def heart(seed=3, **settings):
    patient = Patient(RATE_HZ, seed=seed)
    for name, value in settings.items():
        setattr(patient, name, value)
    return patient


@pytest.fixture(scope="module")
def short():
    """Ten seconds, as a 12-lead recorder makes them."""
    return analysed(millivolts(heart(rate_bpm=70), 10))


def test_ten_seconds_have_every_number_of_every_lead_and_conclusions(short):
    by_lead = ("p_amplitude", "r_amplitude", "t_amplitude", "st_j", "st_j60", "st_j80", "st_slope")
    for lead in ("I", "II", "III", "aVL", "aVF", "V5", "V6"):
        for name in by_lead:
            assert last(short, name, lead).value is not None, (name, lead)
    for name in ("p_axis", "qrs_axis", "t_axis"):
        assert last(short, name, "global").value is not None
    assert "sinus_rhythm" in statements(short)
    said = [f for f in short if isinstance(f, Conclusions)][-1]
    assert all(one.unconfirmed for one in said.statements)
    assert said.evidence.rule == "conclude/1"


def test_amplitudes_and_axes_are_those_of_the_heart_vector(short):
    # heart.py: the P is the vector (0.12, 0.10, -0.03); I = 0.632 x - 0.235 y + 0.059 z (Dower)
    assert last(short, "p_amplitude", "I").value == pytest.approx(0.05, abs=0.02)
    assert last(short, "t_amplitude", "II").value == pytest.approx(0.25, abs=0.04)
    assert 30 < last(short, "qrs_axis", "global").value < 75
    inverted = [last(short, f"{wave}_amplitude", "aVR").value for wave in ("p", "t")]
    assert all(mv < 0 for mv in inverted)


def test_a_number_keeps_its_unit_and_the_samples_that_it_came_from(short):
    st = last(short, "st_j60", "V2")

    assert st.unit == "mV"
    assert st.evidence.rule == "median_beat/1"
    assert 0 <= st.evidence.first < st.evidence.last < 5000
    assert last(short, "sdnn", "global").why is Why.LEARNING
    assert last(short, "respiration_rate", "ecg").why is Why.LEARNING


@pytest.mark.parametrize("st_mv", [-0.2, 0.25])
def test_st_is_measured_where_it_is_and_said_by_territory(st_mv):
    found = analysed(millivolts(heart(rate_bpm=65, st_mv=st_mv, st_lead="II"), 10))
    key = "st_elevation" if st_mv > 0 else "st_depression"

    assert last(found, "st_j60", "II").value == pytest.approx(st_mv, abs=0.06)
    assert f"{key}_inferior" in statements(found)
    events = [f for f in found if isinstance(f, Event) and f.name == key]
    assert "inferior" in {event.detail for event in events}
    assert all(name.startswith("st_j.") and unit == "mV" for f in events for name, _, unit in f.numbers)


def test_st_that_moves_from_its_own_baseline_is_an_episode_after_half_a_minute():
    patient = heart(rate_bpm=75)
    before = millivolts(patient, 30)
    patient.st_lead, patient.st_mv = "II", 0.15
    found = analysed(np.concatenate([before, millivolts(patient, 45)], axis=1)[:2], leads=("I", "II"))
    events = [
        f for f in found if isinstance(f, Event) and f.name == "st_elevation" and f.detail == "inferior"
    ]

    assert len(events) == 1
    assert 60e9 <= events[0].due_ns <= 75e9
    assert any(name.startswith("st_change.") for name, _, _ in events[0].numbers)


def test_exchanged_arm_electrodes_are_noticed():
    mv = millivolts(heart(), 10)
    one, two = mv[0].copy(), mv[1].copy()
    mv[0], mv[1] = -one, two - one  # RA and LA exchanged: I turns over, II and III change places

    found = analysed(mv)

    assert "limb_lead_reversal_ra_la" in statements(found)
    assert [f.detail for f in found if isinstance(f, Event) and f.name == "limb_lead_reversal"] == ["ra_la"]


def test_small_complexes_are_low_voltage():
    found = analysed(millivolts(heart(amplitude=0.3), 10))

    assert "low_voltage" in statements(found)
    assert [f.name for f in found if isinstance(f, Event)].count("low_voltage") == 1


def test_a_lead_whose_electrode_is_off_has_no_numbers_but_a_reason():
    patient = heart()
    before = millivolts(patient, 10)
    patient.electrode("V2", attached=False)
    mv = np.clip(np.concatenate([before, millivolts(patient, 10)], axis=1), -30, 30)
    off = [(5000, lambda segment: LeadState(segment, 5000, 10_000_000_000, (("V2", False),)))]

    found = analysed(mv, items=off)

    assert last(found, "st_j", "V2").why is Why.LEADS_OFF
    assert last(found, "st_j", "V3").value is not None
    assert "not_all_measured" in statements(found)


def test_two_leads_have_numbers_but_neither_axis_nor_interpretation():
    found = analysed(millivolts(heart(), 10)[:1], leads=("II",))

    assert last(found, "r_amplitude", "II").value is not None
    assert not [f for f in found if isinstance(f, Conclusions)]
    assert not [f for f in found if isinstance(f, Metric) and f.name == "qrs_axis"]


def test_leads_whose_scales_differ_have_no_axis():
    mv = millivolts(heart(), 10)
    twelve = ("I", "II", "III", *LEADS[2:])
    third = 2.0 * (mv[1] - mv[0])

    found = analysed(np.concatenate([mv[:2], third[None], mv[2:]]), leads=twelve)

    assert last(found, "qrs_axis", "global").why is Why.INCONSISTENT
    assert "not_all_measured" in statements(found)


def test_fibrillation_has_no_variability():
    patient = heart(rate_bpm=90)
    patient.rhythm = "af"
    found = analysed(millivolts(patient, 62)[1:2], leads=("II",))

    assert last(found, "rmssd", "global").why is Why.IRREGULAR


@pytest.mark.parametrize("gap", [(0, 0), (6010, 8530)])
def test_results_do_not_depend_on_the_cut(gap):
    patient = heart(seed=8, pvc_per_minute=12, st_mv=0.2)
    mv = millivolts(patient, 22)
    rng = np.random.default_rng(1)
    cut = [int(c) for c in rng.choice(mv.shape[1] - 1, 80, replace=False) + 1]

    assert analysed(mv, gap=gap) == analysed(mv, gap=gap, cut=cut)


def test_behind_a_gap_it_goes_on_with_what_comes():
    found = analysed(millivolts(heart(), 40), gap=(6000, 14_000))
    said = [f for f in found if isinstance(f, Metric) and f.name == "st_j" and f.lead == "II"]

    assert not [f for f in said if 12.1e9 < f.due_ns < 28e9]
    assert said[-1].value is not None
    assert said[-1].evidence.first > 14_000
