"""The sounds, measured from their samples against IEC 60601-1-8 table 3 and 4 (docs/alarms.md, reference in brackets)."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.model.alarms import Priority
from daemon.signals.bursts import (
    GENERAL,
    MELODIES,
    NOTES,
    RATE,
    burst,
    failure_tone,
    reminder,
    self_test_tone,
)
from tests.daemon.signals._measure import components, envelope, pulses, spaces

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
EVERY = [(p, g) for p in (HIGH, MEDIUM) for g in MELODIES] + [(LOW, GENERAL)]
COUNT = {HIGH: 10, MEDIUM: 3, LOW: 2}
TD_S = {HIGH: (0.075, 0.200), MEDIUM: (0.125, 0.250), LOW: (0.125, 0.250)}


def cut_out(samples, pulse):
    return samples[round(pulse.rise_90_s * RATE) : round(pulse.fall_90_s * RATE)]


@pytest.mark.parametrize(("priority", "group"), EVERY)
def test_number_and_length_of_pulses(priority, group):
    found = pulses(burst(priority, group), RATE)
    shortest, longest = TD_S[priority]

    assert len(found) == COUNT[priority]
    assert all(shortest <= p.td_s <= longest for p in found)
    assert np.ptp([p.td_s for p in found]) < 0.01


@pytest.mark.parametrize(("priority", "group"), EVERY)
def test_rise_is_10_to_20_per_cent_of_the_pulse_and_fall_is_over_before_the_next(priority, group):
    found = pulses(burst(priority, group), RATE)

    assert all(0.10 <= p.rise_s / p.td_s <= 0.20 for p in found)
    for a, b in zip(found, found[1:], strict=False):
        assert a.fall_10_s - a.fall_90_s <= (b.rise_90_s - a.fall_90_s) - b.rise_s


def test_high_has_two_equal_groups_of_five_in_the_rhythm_x_x_2x_td_x():
    found = pulses(burst(HIGH), RATE)
    space = spaces(found)
    x = space[0]

    assert 0.050 <= x <= 0.125
    td = np.mean([p.td_s for p in found])
    for group in (space[:4], space[5:]):
        assert group == pytest.approx([x, x, 2 * x + td, x], rel=0.05)
    assert 0.35 <= space[4] <= 1.30


@pytest.mark.parametrize("priority", [MEDIUM, LOW])
def test_medium_and_low_are_evenly_spaced_by_y(priority):
    space = spaces(pulses(burst(priority), RATE))

    assert all(0.125 <= y <= 0.250 for y in space)
    assert space == pytest.approx([space[0]] * len(space), rel=0.05)


def test_medium_is_not_faster_than_high():
    rhythm = {
        p: found[1].rise_90_s - found[0].rise_90_s
        for p in (HIGH, MEDIUM)
        if (found := pulses(burst(p), RATE))
    }
    assert rhythm[MEDIUM] >= rhythm[HIGH]


@pytest.mark.parametrize(("priority", "group"), EVERY)
def test_pulses_differ_by_less_than_10_db(priority, group):
    levels = [p.level for p in pulses(burst(priority, group), RATE)]
    assert 20 * np.log10(max(levels) / min(levels)) < 10


def test_no_priority_is_louder_than_a_higher_one():
    level = {p: np.median([q.level for q in pulses(burst(p), RATE)]) for p in Priority}
    assert level[HIGH] >= 0.99 * level[MEDIUM] >= 0.98 * level[LOW]


@pytest.mark.parametrize(("priority", "group"), EVERY)
def test_frequency_and_harmonics_of_every_pulse(priority, group):
    samples = burst(priority, group)
    for pulse in pulses(samples, RATE):
        lines = components(cut_out(samples, pulse), RATE)
        fundamental = lines[0][0]

        assert 150 <= fundamental <= 1000
        in_band = [db for hz, db in lines[1:] if 300 <= hz <= 4000 and abs(db) <= 15]
        assert len(in_band) >= 4
        assert all(hz / fundamental == pytest.approx(round(hz / fundamental), abs=0.05) for hz, _ in lines)


def heard_notes(samples):
    found = [components(cut_out(samples, p), RATE)[0][0] for p in pulses(samples, RATE)]
    return [min(NOTES, key=lambda n: abs(NOTES[n] - hz)) for hz in found]


@pytest.mark.parametrize("group", MELODIES)
def test_melodies_are_heard_twice_in_high_and_three_notes_of_them_in_medium(group):
    melody = MELODIES[group].split()

    assert heard_notes(burst(HIGH, group)) == melody + melody
    assert heard_notes(burst(MEDIUM, group)) == melody[:3]


def test_an_unknown_cause_sounds_as_the_general_one():
    assert np.array_equal(burst(HIGH, "toaster"), burst(HIGH))


def test_failure_tone_has_no_pause_and_joins_itself_without_a_step():
    period = failure_tone()
    level = envelope(np.concatenate([period, period]), RATE)[500:-500]

    assert level.min() > 0.5 * level.max()
    assert abs(period[0] - period[-1]) < np.abs(np.diff(period)).max()
    assert len(pulses(np.concatenate([period] * 5), RATE)) == 1


def test_reminder_and_self_test_are_no_alarm_bursts():
    (long,) = pulses(reminder(), RATE)
    short = pulses(self_test_tone(), RATE)

    assert long.td_s > 1.5 * 0.250
    assert len(short) == 2
    assert all(p.td_s < 0.9 * 0.075 for p in short)


@pytest.mark.parametrize(
    "sound", [*(burst(p, g) for p, g in EVERY), failure_tone(), reminder(), self_test_tone()]
)
def test_no_sound_is_clipped(sound):
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == pytest.approx(1.0)
    flat = np.flatnonzero(np.abs(sound) > 0.9999)
    assert not np.any(np.diff(flat) == 1)


def test_the_measure_sees_a_wrong_burst():
    """A control: a missing pulse, a shifted one and a pure sine are all seen."""
    right = burst(HIGH)
    found = pulses(right, RATE)
    second = slice(round((found[1].rise_10_s - 0.01) * RATE), round((found[1].fall_10_s + 0.01) * RATE))

    missing = right.copy()
    missing[second] = 0
    assert len(pulses(missing, RATE)) == 9
    shifted = missing.copy()
    shifted[second.start + 800 : second.stop + 800] += right[second]
    assert spaces(pulses(shifted, RATE))[0] != pytest.approx(spaces(found)[0], rel=0.05)
    sine = np.sin(2 * np.pi * 440 * np.arange(RATE // 5) / RATE)
    assert len(components(sine, RATE)) == 1
