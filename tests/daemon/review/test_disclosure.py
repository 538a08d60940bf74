"""Full disclosure: no beat is lost between two columns, what is not stored is not drawn, an answer is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.control.review import MOST_COLUMNS, DisclosureAsked
from daemon.review.disclosure import NOTHING, decode, disclosure
from daemon.store.reader import ask

S = 1_000_000_000
UTC_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def minute(past_in, tmp_path_factory):
    """From second 1000: 70 s at 60 bpm, R peaks of 1 mV in II; then 12 s at 150."""
    past = past_in(tmp_path_factory.mktemp("disclosure"))
    past.run(70, 60)
    past.run(12, 150)
    past.store()
    return past


def told(past, from_s: float, **more):
    asked = DisclosureAsked(bed="1", from_ms=UTC_MS + 1000 * from_s, **more)
    return ask(past.path, lambda reader: disclosure(reader, asked, past.utc_ns))


def test_every_beat_stands_in_the_columns_at_any_width(minute):
    """Highest value of a column: each R, though a column may be as wide as half a beat."""
    for width in (60, 240, 1000):
        [row] = told(minute, 1000, rows=1, width=width, leads=("II",)).columns
        peaks = row[0, 1] > 600
        begun = np.flatnonzero(np.diff(peaks.astype(int), prepend=0) == 1)
        seconds = np.flatnonzero(peaks) * 60 // width if width == 60 else np.unique(begun * 60 // width)
        assert len(np.unique(seconds)) == 60, width
        assert row[0, 1].max() == pytest.approx(1000, abs=60)


def test_leads_that_are_not_recorded_follow_from_those_that_are(minute):
    answer = told(minute, 1010, rows=1, row_s=10, width=500)
    assert answer.told.available == answer.told.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1")
    one, two, three = (
        answer.columns[0, answer.told.leads.index(name), 1].max() for name in ("I", "II", "III")
    )
    assert three == pytest.approx(two - one, abs=40)


def test_what_is_not_stored_is_not_drawn_and_has_its_cause(minute):
    answer = told(minute, 990, rows=2, row_s=10, width=100, leads=("II",))
    assert (answer.columns[0] == NOTHING).all()
    assert (answer.columns[1] != NOTHING).all()
    [gap] = answer.told.gaps
    assert (gap.cause, gap.seconds) == ("off", 10)


def test_alarms_and_boots_stand_beside_it(minute):
    answer = told(minute, 1000, rows=2, row_s=60, width=100, leads=("II",))
    assert "extreme_tachy" in {mark.name for mark in answer.told.marks}
    [(boot, from_ms, _, offset_ms)] = answer.told.boots
    assert (boot, from_ms, offset_ms) == ("boot-1", UTC_MS + 1_000_000, UTC_MS)
    assert answer.told.newest_ms == pytest.approx(UTC_MS + 1_082_000, abs=20)


def test_it_travels_and_comes_back_the_same(minute):
    answer = told(minute, 1000, rows=2, width=300, leads=("II", "V1"))
    back = decode(answer.encoded())
    assert back.told == answer.told
    assert (back.columns == answer.columns).all()


def test_an_answer_is_bounded_whatever_is_asked(minute):
    answer = told(minute, 1000, rows=60, width=2000)
    assert answer.columns.size <= MOST_COLUMNS
    assert answer.told.rows < 60


def test_a_span_without_anything_has_no_leads(minute):
    answer = told(minute, 5_000, rows=3, width=100)
    assert answer.told.leads == ()
    assert answer.columns.size == 0
