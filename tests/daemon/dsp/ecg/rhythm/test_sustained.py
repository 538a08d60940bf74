"""Ventricular tachycardia is sustained when it has lasted for half a minute, and that is said once."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm.ladder import Track
from daemon.dsp.ecg.rhythm.said import EventSaid
from daemon.dsp.ecg.rhythm.sustained import SUSTAINED_S, Sustained

from .test_watch import RATE, lead, sinus

DECISION = 125


def test_a_tachycardia_of_forty_seconds_is_sustained_and_said_once(watched):
    beats = sinus(0.6, 20) + [(float(t), "V") for t in np.arange(20.4, 60, 0.4)] + sinus(60.8, 69)
    said = [s for s in watched(RATE, lead(70, beats), beats) if isinstance(s, EventSaid) and "vt" in s.name]

    assert [s.name for s in said] == ["sustained_vt"]
    assert said[0].at / RATE == pytest.approx(20.4, abs=1.0)
    assert SUSTAINED_S <= (said[0].due - said[0].at) / RATE < SUSTAINED_S + 1.0
    assert said[0].numbers[0][0] == "duration"


def run(steps):
    """What is said of decisions half a second apart: (label, its track) or None of each."""
    tracks, watch, said = (Track(), Track()), Sustained(2.0 * DECISION), []
    for k, step in enumerate(steps, 1):
        due = k * DECISION
        for n, track in enumerate(tracks):
            label = step[0] if step and step[1] == n else None
            if label is None:
                track.end(due, due)
            else:
                track.begin(label, due, due, (), "r")
        said += watch.step(tracks, due)
    return said


def test_one_that_stops_before_is_not_and_the_next_counts_from_its_own_beginning():
    vt, none = ("VT", 0), None

    assert not run([vt] * 60 + [none] + [vt] * 60)
    assert len(run([vt] * 61 + [none] + [vt] * 61)) == 2


def test_one_that_another_rule_goes_on_with_goes_on():
    said = run([("VT", 1)] * 40 + [("VT", 0)] * 40)

    assert len(said) == 1
    assert said[0].at == DECISION


def test_fibrillation_is_none():
    assert not run([("VT", 0)] * 50 + [("VFL", 0)] * 80)
