"""No figure of accuracy may fall: `reached.json` holds what was reached, and the margins that it may fall by.

VITALD_DATA=... python -m tests.accuracy.test_figures     prints today's figures in the same form
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.accuracy import ec57, figures
from tests.accuracy.analysed import analyse_all

REACHED = json.loads((Path(__file__).parent / "reached.json").read_text())


@pytest.fixture(scope="module")
def said(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    analyse_all(recordings, folder)
    return folder


@pytest.mark.recordings
@pytest.mark.timeout(3600)  # the first case analyses 50 hours of ECG for all
@pytest.mark.parametrize("case", figures.CASES)
def test_no_figure_falls(recordings, said, case):
    now = figures.of(case, recordings, said)

    fallen = figures.fallen(case, now, REACHED)

    assert not fallen, f"(reached before, now): {fallen}"


@pytest.mark.recordings
@pytest.mark.parametrize("case", figures.BEATS)
def test_a_beat_is_said_in_time_and_marked_where_it_is(recordings, said, case):
    now = figures.beats(case, recordings, said)

    noisy = case.startswith("nstdb")
    assert now["said_within_s"] <= figures.SAID_WITHIN_S
    assert now["late_a_record"] <= 10  # beats of the start alone
    assert abs(now["timing_mean_ms"]) < 5
    assert now["timing_sd_ms"] < (30 if noisy else 8)


@pytest.mark.recordings
@pytest.mark.timeout(300)
def test_the_scorer_passes_its_own_test(recordings):
    code, _ = ec57.main(["selftest", str(recordings / "mitdb"), "--records", "100,105"], quiet=True)

    assert code == 0


def test_a_figure_that_falls_is_seen():
    case = "mitdb, first lead"
    reached = REACHED["figures"][case]
    worse = reached | {"se": reached["se"] - 0.1, "ppv": reached["ppv"] - 0.01}

    assert set(figures.fallen(case, worse, REACHED)) == {"se"}


if __name__ == "__main__":
    data = Path(os.environ["VITALD_DATA"])
    wanted = sys.argv[1:] or list(figures.CASES)
    with tempfile.TemporaryDirectory() as made:
        analyse_all(data, Path(made))
        print(
            json.dumps(
                {c: {k: round(v, 3) for k, v in figures.of(c, data, Path(made)).items()} for c in wanted},
                indent=2,
            )
        )
