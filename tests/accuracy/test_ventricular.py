"""Ventricular fibrillation, flutter and tachycardia: vfdb and cudb."""

from __future__ import annotations

import pytest

from tests.accuracy import figures, held
from tests.accuracy.analysed import ALL

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(3600)]  # the first case analyses for all
SETS = {"vfdb": (ALL,), "cudb": (ALL,)}
CASES = (
    "VF and VT, vfdb",
    "VF and VT, vfdb without 419",
    "VF, vfdb",
    "VT, vfdb",
    "VF and VT, cudb",
)


@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, said, case):
    assert not held.fallen(case, figures.of(case, recordings, said))
