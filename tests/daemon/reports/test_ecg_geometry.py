"""The twelve-lead page, measured from its own drawing operators: grid, speed, gain, and which wave stands at which label."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from daemon.reports import ecg
from daemon.reports import sheet as sheets
from daemon.reports.ecg_source import Stretch
from daemon.reports.paper import BLACK, BOLD_PINK, FINE_PINK, Paper
from tests.daemon.reports import _pdf

RATE = 500
S = 10**9


def stretch(mv: np.ndarray, leads=sheets.STANDARD, rate=RATE) -> Stretch:
    n = mv.shape[1]
    return Stretch(
        0,
        round(n / rate * S),
        S / rate,
        tuple(leads),
        mv.astype(np.float32),
        ("0.05-150 Hz",),
        rate,
        1.0,
        (),
        "0" * 64,
    )


def page(tmp_path, shown: Stretch, paper="A4", **options):
    made = Paper(paper, landscape=True, title="12-lead ECG", made_at=datetime(2026, 1, 1, tzinfo=UTC))
    made.page()
    wanted = {"layout": "3x4+1", "speed": 25.0, "gain": 10.0, **options}
    geometry = sheets.sheet(made.width, wanted.pop("layout"), shown.leads, **wanted)
    ecg._grid(made, geometry)
    ecg._waves(made, geometry, shown, 0)
    file = tmp_path / "page.pdf"
    made.save(file)
    return file, geometry


def own_frequencies(seconds=10.0):
    """Each lead a sine of its own: 1 Hz for I, 1.5 Hz for II and so on, 1 mV high."""
    t = np.arange(round(seconds * RATE)) / RATE
    hz = 1.0 + 0.5 * np.arange(12)
    return 0.5 * np.sin(2 * np.pi * hz[:, None] * t), hz


def colour_of(line):
    return tuple(round(255 * c) for c in line.colour) if len(line.colour) == 3 else None


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_grid_is_millimetres_over_250_of_them(tmp_path, paper):
    file, geometry = page(tmp_path, stretch(np.zeros((12, 5000))), paper)
    drawn = _pdf.lines(file)
    fine = [one for one in drawn if colour_of(one) == FINE_PINK]
    bold = [one for one in drawn if colour_of(one) == BOLD_PINK]
    upright = np.sort([one.x[0] for one in fine + bold if np.ptp(one.x) < 0.01])
    level = np.sort([one.y[0] for one in fine + bold if np.ptp(one.y) < 0.01])

    np.testing.assert_allclose(upright, geometry.left + np.arange(251), atol=0.01)
    np.testing.assert_allclose(level, 60 + np.arange(131), atol=0.01)
    assert upright[-1] - upright[0] == pytest.approx(250, abs=0.01)
    assert len(bold) == 51 + 27
    assert {round(one.width, 2) for one in bold} == {0.2}
    assert {round(one.width, 2) for one in fine} == {0.1}
    wide = {"A4": 297, "Letter": 279.4}[paper]
    assert geometry.pulse_x >= 5
    assert geometry.right <= wide - 5


def test_ten_seconds_are_5000_points_and_249_95_mm(tmp_path):
    mv, _ = own_frequencies()
    file, geometry = page(tmp_path, stretch(mv))
    (rhythm,) = [one for one in _pdf.traces(file) if len(one.points) > 2000]

    assert len(rhythm.points) == 5000
    assert np.ptp(rhythm.x) == pytest.approx(4999 / 500 * 25, abs=0.01)
    assert rhythm.x[0] == pytest.approx(geometry.left, abs=0.01)
    assert np.ptp(rhythm.y) == pytest.approx(10.0, abs=0.05)  # a sine of 1 mV from low to high


@pytest.mark.parametrize(("speed", "gain"), [(25.0, 10.0), (50.0, 20.0), (12.5, 5.0)])
def test_a_square_of_a_millivolt_and_a_second(tmp_path, speed, gain):
    t = np.arange(round(250 / speed * RATE)) / RATE
    square = np.tile((t % 1.0 < 0.5).astype(float), (12, 1))
    file, _ = page(tmp_path, stretch(square), layout="12x1", speed=speed, gain=gain)
    for trace in _pdf.traces(file):
        assert np.ptp(trace.y) == pytest.approx(gain, abs=0.01)
        rises = trace.x[1:][np.diff(trace.y) < -gain / 2]
        np.testing.assert_allclose(np.diff(rises), speed, atol=0.02)


@pytest.mark.parametrize("gain", [5.0, 10.0, 20.0])
def test_the_calibration_pulse_is_a_millivolt_high_and_five_millimetres_wide(tmp_path, gain):
    file, geometry = page(tmp_path, stretch(np.zeros((12, 5000))), gain=gain)
    pulses = [one for one in _pdf.lines(file) if len(one.points) == 6 and one.x.max() < geometry.left]
    assert len(pulses) == 4
    for pulse, baseline in zip(pulses, geometry.baselines, strict=True):
        assert pulse.y.max() == pytest.approx(baseline, abs=0.01)
        assert np.ptp(pulse.y) == pytest.approx(gain, abs=0.01)
        assert pulse.x[3] - pulse.x[2] == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("layout", ["3x4+1", "6x2", "12x1"])
@pytest.mark.parametrize("cabrera", [False, True])
def test_each_label_stands_on_its_own_wave(tmp_path, layout, cabrera):
    """A swapped lead is the worst fault that a page can have: each lead swings at its own frequency, found again at its label."""
    mv, hz = own_frequencies()
    file, geometry = page(tmp_path, stretch(mv), layout=layout, cabrera=cabrera)
    waves = _pdf.traces(file)
    order = sheets.CABRERA if cabrera else sheets.STANDARD
    labels = [one for one in _pdf.texts(file) if one.text.replace("−", "-") in order]
    assert len(labels) == len(geometry.cells) == len(waves)
    assert {one.text.replace("−", "-") for one in labels} == set(order)
    for label in labels:
        near = [w for w in waves if abs(w.x[0] + 1 - label.x) < 0.2]
        wave = min(
            near,
            key=lambda w: abs((w.y.max() + w.y.min()) / 2 - label.y - (8.5 if layout != "12x1" else 4.0)),
        )
        name = label.text.replace("−", "-")
        t = (wave.x - geometry.left) / 25
        expected = hz[sheets.STANDARD.index(name.removeprefix("-"))]
        sine, cosine = (f(2 * np.pi * expected * t) for f in (np.sin, np.cos))
        middle = (wave.y.max() + wave.y.min()) / 2
        up = -(wave.y - middle)
        along, across = (2 * np.mean(up * f) for f in (sine, cosine))
        assert along * (-1 if name.startswith("-") else 1) == pytest.approx(5, abs=0.6)
        assert abs(across) < 0.8


def test_columns_go_on_from_one_another_or_are_simultaneous(tmp_path):
    mv = np.tile(np.arange(5000) / 5000.0, (12, 1))  # a ramp says when it was
    for simultaneous, starts in ((False, (0, 0.25, 0.5, 0.75)), (True, (0, 0, 0, 0))):
        file, geometry = page(tmp_path, stretch(mv), simultaneous=simultaneous)
        first_row = sorted(
            (
                w
                for w in _pdf.traces(file)
                if len(w.points) < 2000
                and w.y[0] < geometry.baselines[0] + 1
                and w.y[0] > geometry.baselines[0] - 11
            ),
            key=lambda w: w.x[0],
        )
        assert [round((geometry.baselines[0] - w.y[0]) / 10, 2) for w in first_row] == list(starts)
        np.testing.assert_allclose(
            [w.x[0] for w in first_row], geometry.left + 62.5 * np.arange(4), atol=0.01
        )


def test_what_is_missing_is_a_gap_and_what_is_too_tall_is_cut_and_said(tmp_path):
    mv = np.zeros((12, 5000))
    mv[1, 2000:2250] = np.nan
    mv[1, 4000:4010] = 20.0
    file, geometry = page(tmp_path, stretch(mv), layout="12x1")
    of_ii = [w for w in _pdf.traces(file) if abs(np.median(w.y) - geometry.baselines[1]) < 0.1]
    assert [len(w.points) for w in of_ii] == [2000, 2750]
    assert of_ii[1].x[0] - of_ii[0].x[-1] == pytest.approx(251 / 500 * 25, abs=0.02)
    assert "wave cut off at the edge of the grid" in _pdf.whole_text(file)
    clip = b"re W n"
    from pypdf import PdfReader

    assert clip in PdfReader(file).pages[0].get_contents().get_data()


def test_fewer_leads_have_a_row_each(tmp_path):
    file, geometry = page(tmp_path, stretch(np.zeros((3, 5000)), ("I", "II", "V5")))
    assert len(_pdf.traces(file)) == 3
    assert [cell.lead for cell in geometry.cells] == ["I", "II", "V5"]
    assert BLACK == (0, 0, 0)
    assert all(len(w.points) == 5000 for w in _pdf.traces(file))
