"""What is said when rhythms follow each other."""

from __future__ import annotations

from daemon.dsp.ecg.rhythm.ladder import Track, WindowLevel


def test_a_rhythm_is_said_once_and_ends_once():
    track = Track()

    begun = track.begin("VFL", 100, 150, (), "r/1")
    again = track.begin("VFL", 120, 170, (), "r/1")
    ended = track.end(300, 320)

    assert [(s.onset, s.end, s.label, s.due) for s in begun + again + ended] == [
        (100, None, "VFL", 150),
        (100, 300, "VFL", 320),
    ]
    assert track.end(400, 400) == []


def test_the_next_rhythm_ends_the_one_before():
    track = Track()
    track.begin("N", 100, 150, (), "r/1")

    said = track.begin("AFIB", 200, 260, (), "a/1")

    assert [(s.onset, s.end, s.label) for s in said] == [(100, 200, "N"), (200, None, "AFIB")]


def test_no_rhythm_ends_before_it_began_or_after_it_was_seen():
    track = Track()
    track.begin("N", 100, 150, (), "r/1")

    (back,) = track.end(50, 200)
    track.begin("N", 500, 450, (), "r/1")
    (ahead,) = track.end(900, 600)

    assert (back.onset, back.end) == (100, 100)
    assert (ahead.onset, ahead.end) == (450, 600)


def test_the_level_rises_on_a_mean_and_falls_only_after_a_while():
    level = WindowLevel()

    rise = [level.step(8.0) for _ in range(6)]
    brief = [level.step(-8.0) for _ in range(3)] + [level.step(8.0) for _ in range(6)]
    fall = [level.step(None) for _ in range(12)]

    assert rise.count(True) == 1
    assert rise.index(True) >= 3
    assert not any(brief)
    assert fall.count(True) == 1
    assert not level.on
