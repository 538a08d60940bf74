"""The twelve leads of PTB s0010_re on our page, and the same ten seconds as wfdb draws them: the same waves, lead by lead.

Both are read from the drawing operators of their PDFs. wfdb fits each lead to its own panel, so its waves have an unknown size and
place; within these two they must lie on ours.
"""

from __future__ import annotations

import numpy as np
import pytest

from daemon.reports import sheet as sheets
from tests.daemon.reports import _pdf
from tests.daemon.reports.test_ecg_geometry import page, stretch

FIRST, LAST = 14_000, 24_000


@pytest.fixture(scope="module")
def record(recordings):
    wfdb = pytest.importorskip("wfdb")
    return wfdb.rdrecord(
        str(recordings / "ptbdb" / "s0010_re"), sampfrom=FIRST, sampto=LAST, channels=list(range(12))
    )


@pytest.fixture(scope="module")
def theirs(record, tmp_path_factory):
    """The path of each lead, from the top to the bottom of wfdb's page."""
    import matplotlib as mpl
    import wfdb
    from matplotlib import pyplot as plt

    with mpl.rc_context({"path.simplify": False}):
        mpl.use("pdf")
        figure = wfdb.plot_wfdb(record=record, figsize=(11.69, 40.0), return_fig=True)
        file = tmp_path_factory.mktemp("wfdb") / "wfdb.pdf"
        figure.savefig(file)
        plt.close(figure)
    return sorted(_pdf.traces(file, least=5000), key=lambda one: np.median(one.y))


@pytest.fixture(scope="module")
def ours(record, tmp_path_factory):
    names = [name.upper().replace("AV", "aV") for name in record.sig_name]
    assert names == list(sheets.STANDARD)
    folder = tmp_path_factory.mktemp("ours")
    file, geometry = page(folder, stretch(record.p_signal.T, rate=record.fs), layout="12x1")
    waves = sorted(_pdf.traces(file, least=5000), key=lambda one: one.points[0, 1])
    by_baseline = [
        min(waves, key=lambda one: abs(np.median(one.y) - baseline)) for baseline in geometry.baselines
    ]
    assert len({id(one) for one in by_baseline}) == 12
    return by_baseline


def apart_mm(one, other):
    """The largest distance of two waves in mm of our page, the other having the size and place that fit best."""
    n = min(len(one.y), len(other.y))
    fit = np.column_stack([other.y[:n], np.ones(n)])
    factors, *_ = np.linalg.lstsq(fit, one.y[:n], rcond=None)
    return float(np.abs(fit @ factors - one.y[:n]).max()), float(factors[0])


def test_each_lead_is_drawn_alike(ours, theirs):
    assert (len(ours), len(theirs)) == (12, 12)
    for lead, mine, their in zip(sheets.STANDARD, ours, theirs, strict=True):
        assert abs(len(mine.points) - len(their.points)) <= 1, lead
        distance, size = apart_mm(mine, their)
        assert size > 0, f"{lead} stands on its head"
        assert distance < 0.1, lead


def test_another_lead_is_not_taken_for_it(ours, theirs):
    for at, their in enumerate(theirs):
        others = [apart_mm(mine, their)[0] for mine in ours[:at] + ours[at + 1 :]]
        assert min(others) > 0.3, sheets.STANDARD[at]
