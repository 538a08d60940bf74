"""While the rhythm says that atria fibrillate or flutter no beat has a P, from the word on and until it is over."""

from __future__ import annotations

import pytest

from daemon.dsp.ecg.delineate import BeatWaves
from daemon.dsp.ecg.fibrillating import Atria
from daemon.dsp.ecg.marks import LeadMarks, PState
from daemon.dsp.ecg.rhythm.said import EventSaid, RhythmSaid

MARKS = LeadMarks(1.0, 2.0, 3.0, 10.0, 30.0, 40.0, 50.0, 60.0, PState.PRESENT)


def beat(due):
    return BeatWaves(due - 100, due, {"II": MARKS, "global": MARKS})


def rhythm(label, due, *, end=None):
    return RhythmSaid(0, end, label, due, (), "r/1")


@pytest.mark.parametrize("label", ["AFIB", "AFL"])
def test_p_is_absent_while_the_word_stands(label):
    atria = Atria()

    before, _, during, _, after = (
        atria.step(one)
        for one in (beat(200), rhythm(label, 300), beat(400), rhythm(label, 500, end=450), beat(600))
    )

    assert before == beat(200)
    assert during.fibrillates
    assert {lead: m.p_state for lead, m in during.marks.items()} == {
        "II": PState.ABSENT,
        "global": PState.ABSENT,
    }
    assert all(
        (m.p_on, m.p_peak, m.p_off, m.t_off) == (None, None, None, 60.0) for m in during.marks.values()
    )
    assert after == beat(600)


def test_one_word_that_ends_leaves_the_other():
    atria = Atria()
    for one in (rhythm("AFIB", 1), rhythm("AFL", 2), rhythm("AFIB", 3, end=2)):
        assert atria.step(one) is one

    assert atria.step(beat(200)).fibrillates


@pytest.mark.parametrize("label", ["N", "SVTA", "VT", "B"])
def test_other_words_leave_p(label):
    atria = Atria()
    atria.step(rhythm(label, 10))
    event = EventSaid("pause", 1, 0, 2, 20, (), "e/1")

    assert atria.step(event) is event
    assert atria.step(beat(200)) == beat(200)
