"""Beats, fibrillation and ventricular tachycardia in both leads of mitdb."""

from __future__ import annotations

import pytest

from tests.accuracy import figures, held
from tests.accuracy.analysed import ALL

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(3600)]  # the first case analyses for all
SETS = {"mitdb": (ALL,)}
CASES = ("mitdb, all leads", "AF, mitdb", "VF and VT, mitdb")


@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, said, case):
    assert not held.fallen(case, figures.of(case, recordings, said))


@pytest.mark.parametrize("case", CASES[:1])
def test_a_beat_is_said_in_time_and_marked_where_it_is(recordings, said, case):
    held.beats_are_in_time(case, figures.beats(case, recordings, said))
