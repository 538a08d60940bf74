"""Beats in the noise of nstdb, in both leads."""

from __future__ import annotations

import pytest

from tests.accuracy import figures, held
from tests.accuracy.analysed import ALL

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(3600)]  # the first case analyses for all
SETS = {"nstdb": (ALL,)}
CASES = ("nstdb after 5 min, all leads",)


@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, said, case):
    assert not held.fallen(case, figures.of(case, recordings, said))


@pytest.mark.parametrize("case", CASES)
def test_a_beat_is_said_in_time_and_marked_where_it_is(recordings, said, case):
    held.beats_are_in_time(case, figures.beats(case, recordings, said))
