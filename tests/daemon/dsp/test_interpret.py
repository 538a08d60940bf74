"""Waves, intervals, rhythm and events as findings: in order, independent of the cut, right on a heart whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Beat, Event, Metric, Rhythm, Waves, Why
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.simulators.patient import Patient

RATE_HZ = 500.0
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
SEGMENT = Segment(
    "s",
    "1",
    Stream("D", "ecg", RATE_HZ, tuple(Channel(n, Quantity.ECG, "mV", 0.001) for n in LEADS)),
    "b",
    1,
    0,
)


def counts_of(patient, seconds):
    return np.rint(patient.next(round(seconds * RATE_HZ)).T * 1000).astype(np.int32)


def findings(counts, cuts):
    pipeline = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    edges = [0, *cuts, counts.shape[1]]
    found = []
    for first, stop in zip(edges, edges[1:], strict=False):
        t0_ns, period_ns = round(first * 2e6), 2e6
        found += pipeline.push(
            SampleBlock(SEGMENT, first, t0_ns, period_ns, counts[:, first:stop], round(stop * 2e6))
        )
    return found + pipeline.finish()


@pytest.fixture(scope="module")
def sinus():
    patient = Patient(RATE_HZ, seed=4)
    patient.rate_bpm = 70
    return findings(counts_of(patient, 40), []), list(patient.beats)


def test_every_beat_gets_waves_in_twelve_leads_and_over_all(sinus):
    found, truth = sinus
    waves = [f for f in found if isinstance(f, Waves)]
    leads = {w.lead for w in waves}

    assert leads == {"I", "II", "III", "aVR", "aVL", "aVF", *LEADS[2:], "global"}
    assert sum(w.lead == "II" for w in waves) >= len([b for b in truth if 1 < b.r_s < 38])
    late = [w for w in waves if w.lead == "II" and w.t_ns > 10e9]
    assert all(w.p_state == "present" and w.p_on_ns < w.qrs_on_ns < w.qrs_off_ns < w.t_off_ns for w in late)


def test_intervals_come_as_medians_with_their_evidence(sinus):
    found, _ = sinus
    last = {f.name: f for f in found if isinstance(f, Metric)}

    assert 100 < last["pr_interval"].value < 220
    assert 60 < last["qrs_duration"].value < 130
    assert 300 < last["qt_interval"].value < 460
    assert last["qtc_fridericia"].value > last["qt_interval"].value  # 70 bpm
    assert last["qt_interval"].evidence.rule == "waves/1"


def test_sinus_is_called_sinus_and_its_beats_normal(sinus):
    found, _ = sinus
    assert {f.label for f in found if isinstance(f, Rhythm)} <= {"N", "SARRH"}
    assert {f.label.value for f in found if isinstance(f, Beat) and f.t_ns > 5e9} == {"N"}


def test_findings_are_in_the_order_they_are_due(sinus):
    found, _ = sinus
    due = [f.due_ns for f in found]
    assert due == sorted(due)
    assert all(f.due_ns >= f.t_ns for f in found)


@pytest.mark.parametrize("seed", [1, 2])
def test_results_do_not_depend_on_the_cut(seed):
    patient = Patient(RATE_HZ, seed=seed)
    patient.pvc_per_minute = 20
    counts = counts_of(patient, 25)
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.choice(counts.shape[1] - 1, 60, replace=False) + 1)

    assert findings(counts, []) == findings(counts, [int(c) for c in cuts])


def test_fibrillation_is_said_within_ten_seconds():
    patient = Patient(RATE_HZ, seed=5)
    before = counts_of(patient, 20)
    patient.rhythm = "vf"
    found = findings(np.concatenate([before, counts_of(patient, 15)], axis=1), [])
    onset = [f for f in found if isinstance(f, Rhythm) and f.label == "VFL"]

    assert onset
    assert onset[0].due_ns < 30e9


def test_a_pause_is_an_event_with_its_length():
    patient = Patient(RATE_HZ, seed=6)
    before = counts_of(patient, 15)
    patient.pause(3.0)
    found = findings(np.concatenate([before, counts_of(patient, 10)], axis=1), [])
    pauses = [f for f in found if isinstance(f, Event) and f.name == "pause"]

    assert pauses
    assert any(2.5 <= value <= 5 for f in pauses for _, value, unit in f.numbers if unit == "s")


def test_while_fibrillation_is_said_there_is_no_p_and_no_pr():
    patient = Patient(RATE_HZ, seed=8)
    patient.rate_bpm = 75
    parts = [counts_of(patient, 20)]
    patient.rhythm = "af"
    parts.append(counts_of(patient, 60))
    found = findings(np.concatenate(parts, axis=1), [])
    said = next(f for f in found if isinstance(f, Rhythm) and f.label == "AFIB" and f.end_ns is None)
    ended = [f.due_ns for f in found if isinstance(f, Rhythm) and f.label == "AFIB" and f.end_ns is not None]
    until = min(ended, default=78e9)
    behind = found[found.index(said) :]

    during = [f for f in behind if isinstance(f, Waves) and f.due_ns < until]
    assert len({f.t_ns for f in during}) > 20
    assert {(f.p_state, f.p_on_ns) for f in during} == {("absent", None)}
    pr = [f for f in behind if isinstance(f, Metric) and f.name == "pr_interval" and f.due_ns < until]
    assert {(f.value, f.why) for f in pr} == {(None, Why.NO_WAVE)}
    before = [f.value for f in found if isinstance(f, Metric) and f.name == "pr_interval" and f.t_ns < 20e9]
    assert before[-1] is not None
