"""Which sound is heard when: measured from the samples that the player gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.model.alarms import Priority
from daemon.signals.bursts import PATTERNS, RATE, burst, failure_tone
from daemon.signals.messages import Once, OnceKind, Playing, Wanted
from daemon.signals.player import FULL_SCALE, REPEAT_S, Player
from tests.daemon.signals._measure import bursts, pulses

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
BLOCK_S = 0.05


def played(*steps, block_s=BLOCK_S, player=None):
    """Samples of a player to which (Wanted or bool, seconds) were said in turn; a bool begins or ends the failure."""
    player = player or Player()
    out = []
    for said, seconds in steps:
        if isinstance(said, bool):
            player.fail(said)
        else:
            player.want(said)
        for _ in range(round(seconds / block_s)):
            out.append(player.render(round(block_s * RATE)))
    return np.concatenate(out)


def sound(priority=None, **more):
    return Wanted(sound=priority, volume=100, **more)


def counts(samples, **how):
    return [len(group) for group in bursts(samples, RATE, **how)]


def starts(samples):
    return [group[0].rise_10_s for group in bursts(samples, RATE)]


@pytest.mark.parametrize(("priority", "interval"), [(HIGH, (2.5, 15)), (MEDIUM, (2.5, 30)), (LOW, (15, 60))])
def test_bursts_are_repeated_within_the_standards_intervals(priority, interval):
    found = bursts(played((sound(priority), 95)), RATE)[:-1]  # the last may not be over
    gaps = [b[0].rise_90_s - a[-1].fall_90_s for a, b in zip(found, found[1:], strict=False)]

    assert {len(group) for group in found} == {PATTERNS[priority].pulses}
    assert gaps
    assert all(interval[0] <= gap <= interval[1] for gap in gaps)
    assert gaps == pytest.approx([REPEAT_S[priority]] * len(gaps), abs=0.1)


def test_a_low_burst_is_repeated_three_times_then_the_picture_alone_goes_on_until_a_newer_alarm():
    first = played((sound(LOW, newest_ns=1), 160), (sound(LOW, newest_ns=2), 10))

    assert counts(first) == [2] * 5
    assert starts(first)[4] == pytest.approx(160, abs=0.2)


@pytest.mark.parametrize("lower", [LOW, MEDIUM])
def test_high_cuts_a_lower_burst_at_once(lower):
    samples = played((sound(lower), 0.3), (sound(HIGH), 5))
    found = pulses(samples, RATE)

    assert len(found) == 11  # what was left of the lower one, and ten
    assert found[1].rise_10_s < 0.3 + 0.15
    assert samples[round(0.315 * RATE) : round(0.4 * RATE)].max() == 0


@pytest.mark.parametrize("lower", [LOW, MEDIUM, None])
def test_nothing_lower_cuts_a_high_burst_not_even_its_end(lower):
    samples = played((sound(HIGH), 1.0), (sound(lower), 20))
    whole = played((sound(HIGH), 5.0))
    length = round((PATTERNS[HIGH].length_s + 0.05) * RATE)

    assert np.array_equal(samples[:length], whole[:length])
    expected = [10] if lower is None else [10, PATTERNS[lower].pulses]
    assert counts(samples) == expected
    if lower is not None:
        high, low = bursts(samples, RATE)
        assert low[0].rise_90_s - high[-1].fall_90_s >= 2.5


def test_a_person_who_silences_cuts_a_burst():
    samples = played((sound(HIGH), 1.0), (sound(silenced=1, paused=True), 5))
    assert not samples[round(1.015 * RATE) :].any()


def test_a_person_who_silences_one_alarm_does_not_cut_another_of_the_same_priority():
    samples = played((sound(HIGH), 1.0), (sound(HIGH, silenced=1), 4))
    assert counts(samples) == [10]


def test_a_new_alarm_of_the_same_priority_does_not_wait_for_the_next_repetition():
    samples = played((sound(MEDIUM, newest_ns=1), 6), (sound(MEDIUM, newest_ns=2), 2))
    assert starts(samples) == pytest.approx([0.0, 6.0], abs=0.1)


def test_an_alarm_after_a_pause_sounds_at_once():
    samples = played((sound(HIGH), 1), (sound(silenced=1, paused=True), 4), (sound(HIGH, silenced=1), 1))
    assert starts(samples)[-1] == pytest.approx(5.0, abs=0.06)


def test_the_failure_tone_cuts_a_high_burst_goes_on_for_120_s_and_ends_with_the_failure():
    samples = played((sound(HIGH), 1.0), (True, 130.0), (False, 5.0))
    tone = samples[round(1.03 * RATE) : round(131.0 * RATE)]
    second = np.abs(tone[: len(tone) // RATE * RATE].reshape(-1, RATE).astype(int))

    assert (second.max(axis=1) > 0.8 * FULL_SCALE).all()
    assert np.array_equal(
        tone[RATE : 2 * RATE].astype(int), tone[2 * RATE : 3 * RATE].astype(int)
    )  # it joins itself
    after = pulses(samples[round(131.05 * RATE) :], RATE)
    assert len(after) == 10  # the alarm that is still wanted begins anew


def test_a_failure_with_nothing_wanted_is_as_loud_as_can_be_whatever_the_volume():
    samples = played((Wanted(volume=0), 0.1), (True, 2.0))
    assert np.abs(samples.astype(int)).max() == pytest.approx(FULL_SCALE, rel=0.01)


def test_volume_is_40_db_and_never_silence():
    loud, quiet = (np.abs(played((Wanted(sound=HIGH, volume=v), 1.0)).astype(int)).max() for v in (100, 0))
    assert 20 * np.log10(loud / quiet) == pytest.approx(40, abs=0.1)


def test_a_reminder_is_played_once_for_each_id():
    one, two = (Once(id=i, kind=OnceKind.REMINDER) for i in "ab")
    samples = played((sound(), 1), (sound(once=one), 5), (sound(once=one), 5), (sound(once=two), 5))
    assert counts(samples) == [1, 1]
    assert starts(samples) == pytest.approx([1.0, 11.0], abs=0.1)


def test_a_reminder_is_not_lost_beside_an_alarm_and_does_not_disturb_its_bursts():
    once = Once(id="a", kind=OnceKind.REMINDER)
    samples = played((sound(HIGH), 1.0), (sound(HIGH, once=once), 15))
    assert counts(samples) == [10, 1, 10]
    assert starts(samples)[2] == starts(played((sound(HIGH), 16)))[1]


def test_an_alarm_cuts_a_reminder():
    once = Once(id="a", kind=OnceKind.REMINDER)
    samples = played((sound(once=once), 0.2), (sound(HIGH, once=once), 4))
    assert len(pulses(samples, RATE)) == 11
    assert pulses(samples, RATE)[1].rise_10_s < 0.35


def test_a_self_test_is_quiet_and_an_alarms_burst_serves_as_one():
    player = Player()
    player.test("one")
    samples = played((sound(), 1.0), player=player)
    assert player.tested == "one"
    assert 0 < np.abs(samples.astype(int)).max() < 0.3 * FULL_SCALE

    player.test("two")
    played((sound(HIGH), 4.0), player=player)
    assert player.tested == "two"


def test_a_self_test_that_was_cut_is_not_passed():
    player = Player()
    player.test("one")
    played((sound(), BLOCK_S), (sound(HIGH), 1.0), player=player)
    assert player.tested == ""


def test_a_device_that_was_opened_anew_hears_the_alarm_from_its_beginning():
    player = Player()
    played((sound(HIGH), 6.0), player=player)
    player.restart()
    assert counts(played((sound(HIGH), 5.0), player=player)) == [10]


def test_what_is_said_to_be_playing():
    player = Player()
    assert player.playing is Playing.NOTHING
    played((sound(HIGH), 5.0), player=player)
    assert player.playing is Playing.HIGH  # between two bursts
    played((sound(MEDIUM), 0.5), player=player)
    assert player.playing is Playing.NOTHING  # not before its first burst
    played((sound(MEDIUM), 2.0), player=player)
    assert player.playing is Playing.MEDIUM
    played((True, 0.1), player=player)
    assert player.playing is Playing.FAILURE


STEPS = st.lists(
    st.tuples(st.sampled_from([None, LOW, MEDIUM, HIGH]), st.integers(1, 12)), min_size=1, max_size=6
)


def begins(samples):
    """Where sound follows 30 ms of silence."""
    sounding = np.flatnonzero(samples)
    return sounding[np.diff(sounding, prepend=-RATE) > 0.03 * RATE]


@settings(max_examples=40)
@given(STEPS)
def test_whatever_is_wanted_next_a_high_burst_is_whole(steps):
    samples = played(*((sound(p), halves / 2) for p, halves in steps), (sound(), 8.0))
    high = (FULL_SCALE * burst(HIGH)).astype(np.int16)
    high = high[np.flatnonzero(high)[0] :]
    found = [at for at in begins(samples) if np.array_equal(samples[at : at + 2000], high[:2000])]

    for at in found:
        if not any(at - len(high) < other < at for other in found):  # not the later pulses of one
            assert np.array_equal(samples[at : at + len(high)], high)
    assert found or not any(p is HIGH for p, _ in steps)
    assert np.abs(samples.astype(int)).max(initial=0) <= FULL_SCALE  # never two at once


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=40))
def test_samples_do_not_depend_on_how_they_are_asked_for(sizes):
    cut, whole = Player(), Player()
    for player in (cut, whole):
        player.want(sound(HIGH))

    parts = np.concatenate([cut.render(n) for n in sizes])
    assert np.array_equal(parts, whole.render(sum(sizes)))


def test_the_samples_are_those_of_the_burst():
    samples = played((sound(HIGH), 4.0))
    assert np.array_equal(samples[: len(burst(HIGH))], (FULL_SCALE * burst(HIGH)).astype(np.int16))
    assert np.array_equal(
        played((True, 2.0))[RATE : 2 * RATE], (FULL_SCALE * failure_tone()).astype(np.int16)
    )
