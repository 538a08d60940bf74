"""Twelve-lead recordings of patients: what is known of them is said, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.analyse import chosen, items
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Conclusions, Metric, Why
from firmware_bridge.recordings import open_recording

pytestmark = pytest.mark.recordings


def analysed(path: Path):
    recording = open_recording(path)
    pipeline = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    found = [f for item in items(recording, *chosen(recording, None)) for f in pipeline.push(item)]
    return found + pipeline.finish()


def statements(found):
    return [f for f in found if isinstance(f, Conclusions)][-1].statements


def test_an_inferior_infarction_is_seen_with_its_q_waves(recordings):
    """PTB s0010_re: inferolateral infarction, the electrocardiogram as the database describes it."""
    found = analysed(recordings / "ptbdb" / "s0010_re")
    mine = [one for one in statements(found) if one.key == "q_wave_infarction_inferior"]

    assert mine
    assert {c.lead for c in mine[0].criteria} & {"II", "III", "aVF"}
    assert all(c.value >= c.limit for c in mine[0].criteria)
    st = [f for f in found if isinstance(f, Metric) and f.name == "st_j" and f.lead == "II"]
    assert all(f.value is not None for f in st[1:])


@pytest.mark.parametrize(("record", "key"), [("HR06000", "sinus_rhythm"), ("HR06002", "sinus_bradycardia")])
def test_ten_seconds_are_enough_for_the_rhythm_that_the_database_gives(recordings, record, key):
    assert statements(analysed(recordings / "ptbxl" / record))[0].key == key


def test_leads_that_were_each_scaled_by_themselves_have_no_axis(recordings):
    """LUDB's headers give every lead a range of 1 mV: I + III is not II, and no voltage of these files means anything."""
    found = analysed(recordings / "ludb_train" / "10")
    axis = [f for f in found if isinstance(f, Metric) and f.name == "qrs_axis"][-1]

    assert (axis.value, axis.why) == (None, Why.INCONSISTENT)
    assert ("limb_leads", Why.INCONSISTENT) in statements(found)[-1].absent
    assert "low_voltage" not in [one.key for one in statements(found)]
    assert "left_ventricular_hypertrophy" not in [one.key for one in statements(found)]
