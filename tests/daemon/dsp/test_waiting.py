"""Live, samples wait until something may be said with them; what is said comes no later for it."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import LIVE_STEP_NS, Beat, DisplayBlock, Metric, Waves, Why
from daemon.model.signals import Channel, LeadState, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.simulators.patient import Patient

RATE_HZ, HOP = 500.0, 25
NAMES = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
CHANNELS = tuple(Channel(name, Quantity.ECG, "mV", 0.001) for name in NAMES)
OF = Segment("s", "1", Stream("D", "ecg", RATE_HZ, CHANNELS), "b", 1, 0)
OFF_S, ON_S, SECONDS = 11.13, 14.0, 22


@pytest.fixture(scope="module")
def live():
    """What each hop of a heart brought whose electrode comes off and on again: (end of the hop in ns, findings)."""
    tables = Tables(load_waves_table(), load_rhythm_table())
    pipeline = Pipeline(load_qrs_table(), DisplaySettings(), load_class_table(), tables)
    patient = Patient(RATE_HZ, seed=5)
    counts = np.rint(1000 * patient.next(round(SECONDS * RATE_HZ))).astype(np.int32).T
    told = {round(at * RATE_HZ) // HOP * HOP: on for at, on in ((OFF_S, False), (ON_S, True))}
    heard = []
    for first in range(0, counts.shape[1], HOP):
        found = []
        if first in told:
            found += pipeline.push(LeadState(OF, first, round(first * 2e6), (("RL", told[first]),)))
        part = np.ascontiguousarray(counts[:, first : first + HOP])
        end_ns = round((first + HOP) * 2e6)
        heard.append(
            (end_ns, found + pipeline.push(SampleBlock(OF, first, round(first * 2e6), 2e6, part, end_ns)))
        )
    return heard


def test_what_is_due_in_a_hop_comes_with_it(live):
    assert {type(f) for _, found in live for f in found} >= {Beat, Waves, Metric, DisplayBlock}
    for end_ns, found in live:
        assert all(end_ns - LIVE_STEP_NS <= f.due_ns <= end_ns for f in found)


def test_every_hop_is_drawn_as_it_comes(live):
    for _, found in live[10:]:
        assert sum(isinstance(f, DisplayBlock) for f in found) == 1


def test_a_second_after_all_leads_are_lost_there_is_no_rate(live):
    lost = [
        f
        for _, found in live
        for f in found
        if isinstance(f, Metric) and f.name == "heart_rate" and f.why is Why.LEADS_OFF
    ]

    assert OFF_S + 0.9 < lost[0].due_ns / 1e9 < OFF_S + 1.05
