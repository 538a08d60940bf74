"""Session, night and oxygen reports: what they tell is what is stored."""

from __future__ import annotations

import numpy as np
import pytest
from pypdf import PdfReader

from daemon.reports.session_source import Beats, Stretch, quality, rhythms
from daemon.reports.session_statements import statements, sums_of
from daemon.store.answers import StoredEvent
from tests.daemon import _night
from tests.daemon.reports import _pdf

S = 10**9


@pytest.mark.recordings
def test_a_session_report_of_a_real_record(ptb, report):
    given, drawn, file = report(ptb, kind="session")
    text = _pdf.whole_text(file)
    reader = PdfReader(file)
    for number in range(1, len(reader.pages) + 1):
        assert f"page {number} of {len(reader.pages)}" in text
    for needed in (
        "Żółć",
        "P-1017",
        "UNCONFIRMED",
        "[S-HR-01]",
        "Over time",
        "an ordinary stretch",
        "Rules: ",
        "No sample is missing",
    ):
        assert needed in text, needed
    assert drawn.missing == ()
    assert 78 < given.metrics["heart_rate_bpm"] < 86
    # The strip of seven seconds is 175 mm wide, to the sample.
    wide = [w for n in range(len(reader.pages)) for w in _pdf.traces(file, n, least=6000)]
    assert len(wide) == 2
    for strip in wide:
        assert len(strip.points) == 7000
        assert np.ptp(strip.x) == pytest.approx(6999 / 1000 * 25, abs=0.01)


async def test_a_night_report_has_the_figures_of_the_page_of_nights(tmp_path, report):
    await _night.write_night(tmp_path / "vitald.db")
    given, _, file = report((tmp_path / "vitald.db", "session_20260301_220000"), kind="night")
    text = _pdf.whole_text(file)
    assert given.device == "CPAP-1"
    assert given.metrics["usage_h"] == pytest.approx(10 / 60, abs=0.01)
    for needed in (
        "NOBODY ADMITTED",
        "0:10:00",
        "9.0 cmH₂O",
        "Obstructive",
        "Clear airway",
        "[N-U-02]",
        "[N-A-01]",
        "0 of 1 nights",
    ):
        assert needed in text, needed


def test_an_oxygen_report_counts_the_time_below_the_limits(plain, report):
    given, _, file = report(plain, kind="oxygen")
    text = _pdf.whole_text(file)
    assert given.device == "O2-7"
    assert [one.key for one in given.made] == ["O-P-02"]
    assert "Purity below 82 % for 0.1 min." in text  # seven seconds of fourteen
    assert "80.0" in text


def beats(labels, rr=800.0):
    n = len(labels)
    return Beats(np.arange(n) * 800_000_000, np.array(list(labels)), np.full(n, rr))


def test_intervals_beside_a_beat_that_is_not_normal_are_no_nn_intervals():
    assert beats("NNVNN").normal_pairs.tolist() == [False, True, False, False, True]


def event(t_ns, kind, **body):
    return StoredEvent(t_ns, "1", kind, None, None, body)


def test_a_rhythm_ends_where_it_was_last_said_to():
    said = [
        event(10 * S, "rhythm", label="AFIB", end_ns=None),
        event(10 * S, "rhythm", label="AFIB", end_ns=40 * S),
        event(50 * S, "rhythm", label="AFIB", end_ns=None),
    ]
    assert rhythms(said, 60 * S) == [Stretch("AFIB", 10 * S, 40 * S), Stretch("AFIB", 50 * S, 60 * S)]


def test_sentences_follow_from_numbers_and_absence_is_said_of_a_good_signal_only():
    heart = beats("N" * 90 + "VVV" + "N" * 30)
    found = [Stretch("AFIB", 0, 30 * S)]
    sums = sums_of(heart, found, [event(S, "event", name="pause")], [], {"good": 90.0}, 100.0, 100.0)
    assert (sums.ventricular, sums.af_s, sums.pauses, sums.hr_mean) == (3, 30.0, 1, 75.0)
    assert [one.key for one in statements(sums)] == ["S-HR-01", "S-AF-01", "S-V-01", "S-P-01"]

    quiet = sums_of(beats("N" * 100), [], [], [], {"good": 90.0}, 100.0, 100.0)
    assert [one.key for one in statements(quiet)] == ["S-HR-01", "S-N-01"]
    poor = sums_of(beats("N" * 100), [], [], [], {"good": 10.0, "poor": 90.0}, 100.0, 100.0)
    assert [one.key for one in statements(poor)] == ["S-HR-01", "S-Q-01"]
    nothing = sums_of(beats(""), [], [], [], {}, 0.0, 100.0)
    assert [one.key for one in statements(nothing)] == ["S-ECG-00"]


def test_the_signal_of_a_session_is_as_it_was_last_said_also_before_it():
    def said(t_s, grade, lead="global"):
        return StoredEvent(t_s * S, "1", "quality", None, None, {"lead": lead, "grade": grade})

    assert quality([], 10 * S, 20 * S) == {}
    assert quality([said(2, "poor"), said(5, "good")], 10 * S, 20 * S) == {"poor": 0.0, "good": 10.0}
    assert quality([said(5, "good"), said(9, "poor", "II"), said(16, "poor")], 10 * S, 20 * S) == {
        "good": 6.0,
        "poor": 4.0,
    }
