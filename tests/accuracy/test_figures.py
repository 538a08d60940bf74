"""The net that holds the figures: every case has its file of tests, a fall is seen, and the scorer itself is right."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.accuracy import (
    ec57,
    figures,
    held,
    test_first_lead,
    test_mitdb,
    test_nstdb,
    test_ventricular,
    test_waves,
)
from tests.accuracy.analysed import SETS

FILES = (test_first_lead, test_mitdb, test_nstdb, test_ventricular, test_waves)


def test_every_case_is_held_by_one_file_and_every_recording_analysed_by_one():
    assert Counter(case for file in FILES for case in file.CASES) == Counter(figures.CASES)
    assert Counter((name, lead) for file in FILES for name, leads in file.SETS.items() for lead in leads) == (
        Counter((name, lead) for name, leads in SETS.items() for lead in leads)
    )


@pytest.mark.parametrize(
    ("case", "worse", "seen"),
    [
        ("mitdb, first lead", {"se": -0.1, "ppv": -0.01}, {"se"}),
        ("nstdb after 5 min, all leads", {"f1": -0.6, "se": -0.4}, {"f1"}),
        ("ludb, all leads", {"p_on sd_ms": 0.9, "t_off bias_ms": 1.1, "qrs_on se": -0.1}, {"p_on sd_ms", "t_off bias_ms"}),
        ("AF, mitdb", {"sp": -1.1, "se": -1.9}, {"sp"}),
        ("VF, vfdb", {"delay_p50_s": 2.1}, {"delay_p50_s"}),
    ],
)  # fmt: skip
def test_a_figure_that_falls_is_seen(case, worse, seen):
    reached = held.REACHED["sampled"][case]
    now = reached | {name: reached[name] + by for name, by in worse.items()}

    assert set(held.fallen(case, now)) == seen
    assert not held.fallen(case, reached)


@pytest.mark.recordings
@pytest.mark.timeout(300)
def test_the_scorer_passes_its_own_test(recordings):
    code, _ = ec57.main(["selftest", str(recordings / "mitdb"), "--records", "100,105"], quiet=True)

    assert code == 0
