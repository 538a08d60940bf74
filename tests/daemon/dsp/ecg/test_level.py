"""Levels and weights of leads: what a pause, a burst and a loose electrode may do to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.ecg.level import FORGET_S, MAX_LEADS, START_BLOCKS, Levels, combine, medians

N = 200  # samples of a block


def block(*heights, background=0.05):
    """An envelope (leads, N) with one beat of each height."""
    e = np.full((len(heights), N), background) * np.array(heights)[:, None]
    e[:, 100] = heights
    return e


def seen(leads):
    return np.zeros((leads, N), dtype=bool)


def fed(levels, blocks, since=0.5):
    for e in blocks:
        levels.end_block(e, seen(len(e)), since)
    return levels


def test_the_level_is_the_median_of_the_last_eight_blocks():
    levels = fed(Levels(1), [block(10.0)] * 5 + [block(40.0)] * 3)

    assert levels.level == pytest.approx([10.0])


def test_a_pause_takes_no_more_than_half_of_the_level_and_long_silence_all():
    levels = fed(Levels(1), [block(20.0)] * 8)
    levels.saw_beat()

    fed(levels, [block(0.5)] * 8, since=8.0)
    assert levels.level == pytest.approx([10.0])

    fed(levels, [block(0.5)], since=11.0)
    assert levels.level == pytest.approx([1.0])


def test_a_lead_in_noise_weighs_less_than_a_clean_one():
    quiet, noisy = block(10.0), block(10.0, background=0.5)

    weight = fed(Levels(2), [np.concatenate([quiet, noisy])] * 8).weight

    assert weight[0] > 8 * weight[1]


def test_a_lead_whose_level_jumps_weighs_less():
    levels = fed(Levels(2), [block(10.0, 10.0)] * 20 + [block(10.0, 100.0)] * 6)

    assert levels.weight[0] > 8 * levels.weight[1]


def test_a_blind_lead_keeps_its_level_and_after_long_begins_anew():
    levels = fed(Levels(2), [block(10.0, 10.0)] * 8)
    blind = seen(2)
    blind[1] = True

    for _ in range(int(FORGET_S) - 1):
        levels.end_block(block(10.0, 90.0), blind, 0.5)
    assert levels.level[1] == pytest.approx(10.0)

    levels.end_block(block(10.0, 90.0), blind, 0.5)
    assert levels.weight[1] == 0.0
    assert not levels.starting


def test_starting_ends_when_a_lead_has_a_level():
    levels = fed(Levels(2), [block(10.0, 10.0)] * (START_BLOCKS - 1))
    assert levels.starting

    fed(levels, [block(10.0, 10.0)])
    assert not levels.starting


def test_of_many_leads_the_cleanest_are_looked_at_and_stay():
    share = np.array([0.9, 0.05, 0.9, 0.05, 0.05, 0.9, 0.05, 0.9])
    e = np.concatenate([block(10.0, background=b) for b in share])
    levels = fed(Levels(8), [e] * 8)
    chosen = np.flatnonzero(levels.weight)

    assert chosen.tolist() == [1, 3, 4, 6]
    assert len(chosen) == MAX_LEADS

    e[0] = block(10.0, background=0.04)[0]
    fed(levels, [e] * 8)
    assert np.flatnonzero(levels.weight).tolist() == [1, 3, 4, 6]


def test_an_artefact_in_one_lead_does_not_make_a_beat():
    size = np.array([[1.0, 0.1], [1.0, 40.0]])

    c, _ = combine(size, np.ones((2, 2)), np.ones(2), np.zeros((2, 2), dtype=bool))

    assert c[0] == pytest.approx(1.0)
    assert c[1] < 0.3


def test_where_no_lead_can_be_seen_there_is_nothing():
    c, weight = combine(np.ones((2, 3)), np.ones((2, 3)), np.ones(2), np.ones((2, 3), dtype=bool))

    assert not c.any()
    assert not weight.any()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.integers(0, 3))
def test_the_median_of_the_first_values_is_numpys(values, behind):
    rows = np.array([sorted(values) + [np.inf] * behind])

    assert medians(rows, np.array([len(values)])) == np.median(values)
