"""Nights from the store: which there are, their figures against numbers counted by hand, their curves at any zoom."""

from __future__ import annotations

import numpy as np
import pytest
import pytest_asyncio

from daemon.control.nights import NightAsked
from daemon.review.night import Grid, curve, figures, flags, nights, told_night, told_nights
from daemon.store.reader import ask
from tests.daemon._night import BEGAN_UTC_S, S, write_night


@pytest_asyncio.fixture
async def path(tmp_path):
    """A store with that night."""
    file = tmp_path / "vitald.db"
    await write_night(file)
    return file


def test_a_bed_has_its_own_nights_and_those_of_its_cards(path):
    ours, theirs = (ask(path, lambda reader, bed=bed: told_nights(reader, bed).nights) for bed in ("1", "2"))

    assert [(str(night.day), night.device, night.imported) for night in ours] == [
        ("2026-03-01", "CPAP-1", False),
        ("2026-02-19", "CARD-1", True),
    ]
    assert ours[0].recorded_h == pytest.approx(0.2, abs=0.001)
    assert [str(night.day) for night in theirs] == ["2026-03-02"]


def test_beside_our_figures_stand_those_of_the_machine(path):
    told, live = ask(path, lambda reader: [figures(reader, night) for night in reversed(nights(reader, "1"))])

    assert (told["machine_ahi"], told["machine_hours"], told["machine_leak_p95"]) == (58.8, 0.02, None)
    assert told["ahi"] == pytest.approx(60, rel=0.05)
    assert (told["count_hypopnoea"], told["longest_s"]) == (1, 12)
    assert live["machine_ahi"] is None


def test_figures_are_those_that_a_person_would_count(path):
    told = ask(path, lambda reader: figures(reader, nights(reader, "1")[0]))

    assert told["recorded_h"] == pytest.approx(0.2, abs=0.001)
    assert told["used_h"] == pytest.approx(10 / 60, rel=0.02)
    assert told["ahi"] == pytest.approx(18, rel=0.02)  # three in ten minutes: a desaturation is none
    assert (told["count_obstructive"], told["count_clear_airway"], told["count_hypopnoea"]) == (1, 1, 1)
    assert told["longest_s"] == 20
    assert told["pressure_median"] == pytest.approx(9.0, abs=0.01)
    assert told["leak_median"] == pytest.approx(12.0)
    assert told["leak_p95"] == pytest.approx(30.0)
    assert told["spo2_lowest"] == 87
    assert told["spo2_below_90_min"] == pytest.approx(0.5, abs=0.05)


def test_curves_hold_their_extremes_at_any_zoom(path):
    def asked(reader):
        night = nights(reader, "1")[0]
        begin, end = night.span
        whole = curve(reader, night, "flow", Grid(begin, end, 24))
        close = curve(reader, night, "flow", Grid(begin + 60 * S, begin + 64 * S, 100))
        pulse = curve(reader, night, "pulse", Grid(begin, end, 24))
        return whole, close, pulse, flags(reader, night)

    (low, high), (close_low, close_high), (none, _), told = ask(path, asked)
    assert low == pytest.approx(-30.0)
    assert high == pytest.approx(30.0)
    k = np.arange(100) + 60 * 25
    np.testing.assert_allclose(close_low, 30 * np.sin(2 * np.pi * 0.25 * k / 25), atol=0.07)
    np.testing.assert_allclose(close_high, close_low)
    assert np.isnan(none).all()
    assert [(one.flag, one.utc_ns // S - BEGAN_UTC_S, one.seconds) for one in told] == [
        ("obstructive", 60, 14.0),
        ("hypopnoea", 200, 20.0),
        ("clear_airway", 300, 11.0),
        ("desaturation", 320, 30.0),
    ]


def test_a_page_is_told_a_stretch_in_columns_and_nothing_of_a_night_that_is_none(path):
    asked = NightAsked(bed="1", day="2026-03-01", device="CPAP-1", points=60)
    begin_ms = BEGAN_UTC_S * 1000.0
    part = asked.model_copy(update={"from_ms": begin_ms + 300_000, "to_ms": begin_ms + 360_000})
    nobody = asked.model_copy(update={"device": "CPAP-9"})
    told, stretch, none, alone = (
        ask(path, lambda reader, one=one: told_night(reader, one))
        for one in (asked, part, nobody, asked.model_copy(update={"points": 0}))
    )

    assert set(told.curves) == {"flow", "pressure", "leak", "spo2"}
    assert (told.from_ms, len(told.curves["spo2"].low)) == (begin_ms, 60)
    assert (stretch.from_ms, stretch.step_ms) == (begin_ms + 300_000, 1000)
    assert stretch.curves["spo2"].low[19:22] == (96.0, 87.0, 87.0)
    assert none is None
    assert alone.curves == {}
    assert alone.figures["spo2_lowest"] == 87
