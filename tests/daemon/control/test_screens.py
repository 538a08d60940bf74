"""A bed whose last screen went says so; a box without a loudspeaker says so when no screen can be heard."""

from __future__ import annotations

import pytest

from daemon.control.messages import ScreensSeen, ScreenState
from daemon.control.screens import Screens
from daemon.model.signals import FactState

S = 1_000_000_000


def screens_of(beds, *, speaker, matters=lambda bed: True):
    return Screens(beds, matters, speaker=speaker)


def screen(bed="1", *, visible=True, draws=True, sound="on"):
    return ScreenState(bed=bed, visible=visible, draws=draws, sound=sound)


def watched(screens, seconds, *open_, since=0):
    """What is said while these pages are told of every second."""
    said = []
    for second in range(since, since + seconds):
        screens.hear(ScreensSeen(screens=open_), second * S)
        said += screens.judge(second * S)
    return said


def test_a_bed_that_never_had_a_screen_expects_none():
    assert watched(screens_of(["1"], speaker=True), 60) == []


@pytest.mark.parametrize("left", [(), (screen(visible=False),), (screen(draws=False),), (screen("2"),)])
def test_a_bed_without_a_living_screen_for_15_s_says_so_once_until_one_is_back(left):
    screens = screens_of(["1"], speaker=True)
    assert watched(screens, 20, screen()) == []
    [lost] = watched(screens, 60, *left, since=20)
    assert (lost.source, lost.state, lost.bed, lost.since_ns, lost.t_ns) == (
        "screen", FactState.FAILED, "1", 19 * S, 35 * S,
    )  # fmt: skip
    [back] = watched(screens, 5, screen(), since=80)
    assert (back.source, back.state, back.t_ns) == ("screen", FactState.OK, 80 * S)


def test_when_nobody_tells_of_screens_any_more_they_are_lost():
    screens = screens_of(["1"], speaker=True)
    watched(screens, 1, screen())
    assert [screens.judge(second * S) != [] for second in (14, 15, 16, 17)] == [False, False, True, False]


def test_a_page_of_all_beds_is_a_screen_of_each():
    screens = screens_of(["1", "2"], speaker=True)
    assert watched(screens, 60, screen("")) == []
    assert {fact.bed for fact in watched(screens, 30, since=60)} == {"1", "2"}


@pytest.mark.parametrize("sound", ["off", "blocked", "none"])
def test_where_screens_are_the_only_loudspeakers_one_must_be_heard(sound):
    assert watched(screens_of(["1"], speaker=True), 60, screen(sound=sound)) == []
    screens = screens_of(["1"], speaker=False)
    [missing] = watched(screens, 60, screen(sound=sound), screen(sound=sound))
    assert (missing.source, missing.state, missing.detail) == ("sound", FactState.FAILED, "screens")
    [heard] = watched(screens, 5, screen(sound=sound), screen(), since=60)
    assert (heard.source, heard.state) == ("sound", FactState.OK)


def test_a_bed_without_a_patient_misses_no_screen_and_counts_from_when_there_is_one():
    here = set()
    screens = screens_of(["1"], speaker=True, matters=here.__contains__)
    assert watched(screens, 5, screen()) == []
    assert watched(screens, 60, since=5) == []
    here.add("1")
    [lost] = watched(screens, 30, since=65)
    assert (lost.state, lost.since_ns, lost.t_ns) == (FactState.FAILED, 64 * S, 80 * S)
    here.clear()
    [over] = watched(screens, 30, since=95)
    assert (over.state, over.t_ns) == (FactState.OK, 95 * S)
