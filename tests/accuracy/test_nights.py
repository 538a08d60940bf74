"""Real nights against the machine's own numbers and events: `nights.json` holds what was reached.

VITALD_DATA=... python -m tests.accuracy.nights json     prints today's figures in the same form
"""

from __future__ import annotations

import json

import pytest

from tests.accuracy import nights

REACHED = json.loads(nights.REACHED.read_text())
LESS_R, MORE_BIAS, WIDER = 0.01, 0.03, 1.05
"""What a change may cost: of the correlation, of the machine's mean as bias, and by how much limits of agreement may widen."""
MORE_ALONE = 1


@pytest.fixture(scope="module")
def now(recordings):
    return nights.scored(recordings)


@pytest.mark.recordings
@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", range(len(nights.NIGHTS)))
def test_no_number_of_a_night_agrees_less(now, place):
    one = now[place]
    reached = REACHED[one.night.isoformat()]["numbers"]

    fallen = {
        name: (before, found)
        for name, before in reached.items()
        if (found := one.numbers[name]).r < before["r"] - LESS_R
        or abs(found.bias) > abs(before["bias"]) + MORE_BIAS * found.mean
        or (found.high - found.low) / 2 > before["half_width"] * WIDER
    }

    assert fallen == {}
    assert set(reached) == {*nights.NUMBERS, nights.CURVE}


@pytest.mark.recordings
def test_no_event_of_the_machine_is_lost_and_no_more_are_ours_alone(now):
    found = nights.figures(now)

    assert sum(len(one.events) for one in now) == 12
    for night, reached in REACHED.items():
        assert found[night]["agreed"] >= reached["agreed"]
        assert found[night]["extra"] <= reached["extra"] + MORE_ALONE


@pytest.mark.recordings
def test_every_apnoea_of_the_machine_is_one_of_ours_and_obstructive(now):
    apnoeas = [event for one in now for event in one.events if event[1] == "obstructive_apnoea"]

    assert len(apnoeas) == 5
    assert all(nights.agrees(kind, answer) for _, kind, _, answer in apnoeas)


def test_the_section_names_every_event_and_says_that_it_is_no_aasm_scoring():
    one = nights.Scored(nights.NIGHTS[0], {"leak": nights.Agreement(3, 5.0, 0.9, 0.0, 0.1, -1.0, 1.2)})
    one.events = [
        ("04:11:56", "hypopnoea", 0.0, ""),
        ("04:42:02", "obstructive_apnoea", 13.0, "apnoea_obstructive 04:42:03, 11 s"),
    ]
    one.extra, one.ahi = {"hypopnoea": 2}, (1.0, 0.2)

    page = nights.section([one])

    assert "| 2023-08-21 | hypopnoea 04:11:56 |  | none |" in page
    assert "| 2023-08-21 | obstructive apnoea 04:42:02 | 13 s | apnoea obstructive 04:42:03, 11 s |" in page
    assert "| 2023-08-21 | 1 | 2 | 2 hypopnoea | 1.0 | 0.2 |" in page
    assert "no AASM scoring" in page
