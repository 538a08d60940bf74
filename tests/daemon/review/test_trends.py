"""Trends over a stored bed: buckets, gaps, who was there, what was done; a month is read in part and says so."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.control.review import TrendAsked
from daemon.review import trends
from daemon.review.trends import Buckets, trend
from daemon.store.reader import ask

S = 1_000_000_000
UTC_MS = 1_700_000_000_000
"""UTC of the boot's beginning, as the fixture has it."""


def asked(from_s: float, to_s: float, points: int = 60, **more) -> TrendAsked:
    return TrendAsked(
        bed="1", from_ms=UTC_MS + 1000 * from_s, to_ms=UTC_MS + 1000 * to_s, points=points, **more
    )


def told(past, question: TrendAsked):
    return ask(past.path, lambda reader: trend(reader, question, past.utc_ns))


def ids(past) -> dict[str, int]:
    return {one.name: one.id for one in told(past, asked(1000, 1001)).series}


@pytest.fixture(scope="module")
def hour(past_in, tmp_path_factory):
    """From second 1000: 60 s at 60 bpm, 30 s without a number, 60 s at 90, with an alarm of the rate, acknowledged."""
    past = past_in(tmp_path_factory.mktemp("hour"))
    past.run(60, 60)
    past.run(30, None)
    past.act("acknowledge")
    past.run(60, 90)
    past.act("limits", hr_high__above="80")
    past.run(40, 90)
    past.store()
    return past


def test_a_bucket_has_the_lowest_the_median_and_the_highest_of_what_was_said_in_it(hour):
    one = ids(hour)["heart_rate"]
    [band] = told(hour, asked(1000, 1190, 19, series=(one,))).bands
    assert band.mid[1:5] == (60, 60, 60, 60)
    assert band.mid[10:18] == (90,) * 8
    [wide] = told(hour, asked(1000, 1180, 2, series=(one,))).bands
    assert (wide.low[0], wide.mid[0], wide.high[0]) == (60, 60, 60)
    [both] = told(hour, asked(1030, 1130, 2, series=(one,))).bands
    assert (both.low[0], both.high[1]) == (60, 90)


def test_where_nothing_was_said_nothing_stands(hour):
    """A rate stands for five seconds, not over the half minute in which there was none."""
    one = ids(hour)["heart_rate"]
    [band] = told(hour, asked(1000, 1190, 95, series=(one,))).bands
    said = np.array([value is not None for value in band.mid])
    assert not said[34:44].any()  # 1068 s .. 1088 s
    assert said[1:30].all()
    assert said[46:].all()


def test_alarms_and_acts_are_marked_where_they_were(hour):
    marks = told(hour, asked(1000, 1190)).marks
    alarms = {mark.name: mark for mark in marks if mark.kind == "alarm"}
    assert {"asystole", "hr_high"} & set(alarms), alarms
    assert all(mark.occurrence and mark.boot == "boot-1" for mark in alarms.values())
    acts = {mark.name: mark for mark in marks if mark.kind == "act"}
    assert acts["limits_set"].t_ms == pytest.approx(UTC_MS + 1000 * 1150, abs=200)
    assert acts["limits_set"].who == "AK"


def test_ventricular_beats_are_counted_by_the_minute(hour):
    told_ = told(hour, asked(1000, 1190, 3, series=(trends.PVC_RATE,)))
    [band] = told_.bands
    assert set(band.mid) <= {0.0, None}  # beats were counted, none of them ventricular
    assert band.mid[0] == 0.0


def test_two_patients_never_share_a_point(past):
    """The bucket in which one goes and the next comes holds the values of the one who came; alone he is shown from there."""
    past.act("admit", patient='{"patient_id":"p-1","full_name":"A"}')
    past.run(60, 60)
    past.act("admit", patient='{"patient_id":"p-2","full_name":"B"}')
    past.run(60, 90)
    past.store()
    one = ids(past)["heart_rate"]
    answer = told(past, asked(1000, 1120, 7, series=(one,), patients="all"))
    assert [stay.patient_id for stay in answer.stays] == ["p-1", "p-2"]
    [band] = answer.bands
    assert all(low == high for low, high in zip(band.low, band.high, strict=True) if low is not None)
    assert band.mid[3] == 90  # 1051 s .. 1069 s: the later of both
    [alone] = told(past, asked(1000, 1120, 7, series=(one,))).bands
    assert alone.mid[:3] == (None, None, None)
    assert alone.mid[4] == 90


def test_more_than_can_be_read_is_read_in_part_and_said(hour, monkeypatch):
    monkeypatch.setattr(trends, "MOST_ROWS", 40)
    monkeypatch.setattr(trends, "LEAST_S", 5.0)
    monkeypatch.setattr(trends, "PROBED_S", 20)
    one = ids(hour)["heart_rate"]
    answer = told(hour, asked(1000, 1190, 60, series=(one,)))
    assert answer.points < 60
    assert 0 < answer.read < 1
    [band] = answer.bands
    assert {value for value in band.mid if value is not None} == {60, 90}


def test_windows_lie_within_their_boot_and_never_overlap():
    from daemon.review.load import Span

    buckets = Buckets(1000 * S, 2000 * S, 10, 20 * S)
    windows = list(buckets.windows(Span("b", 50 * S, 777 * S, 1000 * S)))
    assert windows[0] == (50 * S, 70 * S) or windows[0][0] >= 50 * S
    assert all(50 * S <= a < b <= 777 * S for a, b in windows)
    assert all(b <= c for (_, b), (c, _) in zip(windows, windows[1:], strict=False))


def test_an_absent_number_ends_what_stood():
    last = np.array([5.0, np.nan, np.inf, np.nan, 7.0, np.nan, np.nan])
    held = trends._held(last, 1, [])
    assert held.tolist()[:2] == [5.0, 5.0]
    assert np.isnan(held[2:4]).all()
    assert held[5] == 7.0
    assert np.isnan(held[6])
