"""The transition table by itself: complete, without traps, and as docs/alarms.md promises."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.alarms.phases import LISTED, THERE, TRANSITIONS, Stimulus, after
from daemon.model.alarms import Phase

CLEARS = {Stimulus.CLEAR, Stimulus.CLEAR_LATCHING}
BY_PEOPLE = {Stimulus.ACKNOWLEDGE, Stimulus.RESET, Stimulus.REMIND}


def test_every_pair_of_phase_and_stimulus_has_a_row():
    assert set(TRANSITIONS) == set(itertools.product(Phase, Stimulus))


def reached(first, allowed=tuple(Stimulus)):
    found, new = {first}, [first]
    while new:
        phase = new.pop()
        for stimulus in allowed:
            following = after(phase, stimulus)
            if following not in found:
                found.add(following)
                new.append(following)
    return found


def test_every_phase_can_be_reached_and_none_is_a_trap():
    assert reached(Phase.DISARMED) == set(Phase)
    for phase in Phase:
        assert Phase.INACTIVE in reached(phase)


@pytest.mark.parametrize(
    "phase", [p for p in Phase if p in LISTED and p not in THERE] + [Phase.INACTIVE, Phase.DELAYING]
)
def test_a_condition_that_persists_is_active_whatever_was_before(phase):
    assert after(phase, Stimulus.PERSIST) is Phase.ACTIVE


@pytest.mark.parametrize("phase", [p for p in Phase if p in THERE])
def test_what_is_there_ends_by_its_condition_or_by_switching_off_never_by_a_key_or_a_gap(phase):
    leaving = {s for s in Stimulus if after(phase, s) not in THERE}

    assert leaving == {*CLEARS, Stimulus.DISARM, Stimulus.SWITCH_OFF}


def test_a_reset_takes_away_only_what_is_over():
    assert {p for p in Phase if after(p, Stimulus.RESET) is not p} == {
        Phase.LATCHED,
        Phase.LATCHED_ACKNOWLEDGED,
    }


def test_an_acknowledgement_does_not_carry_upward():
    assert after(Phase.ACKNOWLEDGED, Stimulus.RISE) is Phase.ACTIVE


@given(st.lists(st.sampled_from(Stimulus)))
def test_an_acknowledgement_never_outlives_its_occurrence(stimuli):
    """Every way into ACKNOWLEDGED is an acknowledgement of the ACTIVE that stood before it."""
    phase, occurrence, acknowledged = Phase.DISARMED, 0, None
    for stimulus in stimuli:
        was, phase = phase, after(phase, stimulus)
        if phase is Phase.ACTIVE and was is not Phase.ACTIVE and was is not Phase.ACKNOWLEDGED:
            occurrence += 1
        if stimulus is Stimulus.ACKNOWLEDGE and was is Phase.ACTIVE:
            acknowledged = occurrence
        if phase is Phase.ACKNOWLEDGED:
            assert acknowledged == occurrence


@given(st.sampled_from(Phase), st.lists(st.sampled_from(sorted(BY_PEOPLE))))
def test_keys_alone_never_begin_an_alarm(phase, stimuli):
    for stimulus in stimuli:
        was, phase = phase, after(phase, stimulus)
        assert phase is not Phase.ACTIVE or was is Phase.ACTIVE
