"""Recorded fibrillations are alarmed within ten seconds. All of them: `./dev soak onsets_recorded`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.soak import _excerpts, onsets_recorded
from tests.soak.onsets_recorded import Episode, judged

RECORD = Path("cudb/cu07")


@pytest.mark.recordings
def test_a_fibrillation_of_the_creighton_database_is_alarmed_within_ten_seconds(recordings):
    found = onsets_recorded.episodes(recordings / RECORD)

    assert found
    assert all(one.delay_s <= onsets_recorded.WITHIN_S for one in found), [str(one) for one in found]


def test_an_alarm_counts_from_the_onset_on_and_only_while_it_is_on():
    on = [("VENT TACHY", 90.0, 95.0), ("VENT FIB", 104.0, 130.0), ("ASYSTOLE", 106.0, 107.0)]

    def of(begin, end):
        return judged(Path("s/r"), begin, end, on)

    assert of(100.0, 120.0) == Episode("s/r", 100.0, 120.0, 4.0, "VENT FIB", ("ASYSTOLE",))
    assert of(94.0, 100.0).delay_s == 0.0  # it is on already
    assert of(94.0, 100.0).row == "VENT TACHY"
    assert of(80.0, 86.0).delay_s == 10.0  # within the ten seconds, though the episode is over
    assert of(96.0, 101.0).delay_s == 8.0
    assert of(85.0, 103.0).delay_s == 5.0
    assert not np.isfinite(of(131.0, 150.0).delay_s)
    assert "no alarm of its own" in str(of(131.0, 150.0))


def test_spans_are_those_of_the_annotation(tmp_path):
    """Flutter and fibrillation are one; brackets count as notes do; what is open at the end ends there."""
    import wfdb

    wfdb.wrsamp(
        "r", fs=250.0, units=["mV"], sig_name=["II"], p_signal=np.zeros((5000, 1)), fmt=["16"],
        adc_gain=[200.0], baseline=[0], write_dir=str(tmp_path),
    )  # fmt: skip
    marks = [(250, "+", "(N"), (500, "+", "(VFL"), (500, "[", ""), (1000, "+", "(VF"), (1500, "]", ""),
             (2000, "+", "(VT"), (2500, "+", "(N"), (3000, "[", "")]  # fmt: skip
    wfdb.wrann(
        "r",
        "atr",
        np.array([m[0] for m in marks]),
        [m[1] for m in marks],
        aux_note=[m[2] for m in marks],
        write_dir=str(tmp_path),
    )

    assert list(_excerpts.spans(tmp_path / "r")) == [("vf", 2.0, 6.0), ("vt", 8.0, 10.0), ("vf", 12.0, 20.0)]
