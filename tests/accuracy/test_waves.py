"""P, QRS and T against the readers' marks: ludb; and fibrillation in cpsc2021."""

from __future__ import annotations

import pytest

from tests.accuracy import figures, held
from tests.accuracy.analysed import ALL

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(3600)]  # the first case analyses for all
SETS = {"ludb": ("ii", ALL), "cpsc2021": (ALL,)}
CASES = ("ludb, lead II alone", "ludb, all leads", "AF, cpsc2021")


@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, said, case):
    assert not held.fallen(case, figures.of(case, recordings, said))
