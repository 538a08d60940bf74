"""What the sound process decides: heartbeat, failure tone, self-test, lamp and nurse call. Time is passed in."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.model.alarms import Priority
from daemon.signals.bursts import RATE
from daemon.signals.loudspeaker import STARTS_WITHIN_NS, TEST_AGAIN_NS, TEST_WITHIN_NS, Desk
from daemon.signals.messages import (
    SILENT_AFTER_NS,
    Once,
    OnceKind,
    Playing,
    Speaker,
    SpeakerState,
    Wanted,
)
from tests.daemon.signals._measure import pulses

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
S = 1_000_000_000
STEP = S // 20
WELL = Speaker(state=SpeakerState.WELL)


class Bench:
    """A desk, its device and its clock."""

    def __init__(self, speaker=WELL):
        self.now = 50 * S
        self.desk = Desk(self.now)
        self.desk.speaker = speaker

    def go(self, seconds, wanted=None, every_s=1.0):
        """Let time pass, with a heartbeat at once and then every `every_s` where something is wanted; samples played."""
        out, end, due = [], self.now + round(seconds * S), self.now
        while self.now < end:
            if wanted is not None and self.now >= due:
                self.desk.heartbeat(wanted, self.now)
                due += round(every_s * S)
            self.desk.look(self.now)
            if self.desk.speaker.state is SpeakerState.WELL:
                out.append(self.desk.render(RATE // 20))
            self.now += STEP
        return np.concatenate(out) if out else np.zeros(0, np.int16)

    @property
    def heard(self):
        return self.desk.heard(self.now)


def test_the_failure_tone_begins_between_3_and_5_s_after_the_last_heartbeat_and_lasts():
    bench = Bench()
    bench.go(20, Wanted(), every_s=1.0)  # the last heartbeat is that of second 19
    samples = bench.go(150)
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 10_000) / RATE

    assert 3 - 1 <= loud[0] <= 5 - 1
    assert loud[-1] > loud[0] + 120
    assert np.diff(loud).max() < 0.05
    assert bench.heard.playing is Playing.FAILURE
    assert bench.heard.failures == 1


@pytest.mark.parametrize("every_s", [1.0, 2.0, 2.9])
def test_a_late_heartbeat_is_no_failure(every_s):
    bench = Bench()
    bench.go(60, Wanted(), every_s=every_s)
    assert bench.heard.failures == 0


def test_a_heartbeat_ends_the_failure_tone_and_what_it_wants_is_heard():
    bench = Bench()
    bench.go(5, Wanted())
    bench.go(10)
    assert bench.heard.playing is Playing.FAILURE
    samples = bench.go(4.5, Wanted(sound=HIGH))
    assert bench.heard.playing is Playing.HIGH
    assert len(pulses(samples[round(0.1 * RATE) :], RATE)) == 10


def test_a_daemon_that_never_spoke_is_given_the_time_of_a_start():
    bench = Bench()
    bench.go(STARTS_WITHIN_NS / S - 0.5)
    assert bench.heard.playing is not Playing.FAILURE
    bench.go(1.0)
    assert bench.heard.playing is Playing.FAILURE


def test_the_deadline_is_the_safety_rule():
    assert 1 * S < SILENT_AFTER_NS <= 3 * S


def test_the_self_test_at_start_is_played_and_passed():
    bench = Bench()
    samples = bench.go(3, Wanted())
    assert np.abs(samples.astype(int)).max() > 100
    assert (bench.heard.self_test.id, bench.heard.self_test.passed) == ("start", True)
    assert 50 * S <= bench.heard.self_test.t_ns <= bench.now


@pytest.mark.parametrize("priority", [None, LOW, MEDIUM, HIGH])
def test_a_self_test_on_request_is_passed_whatever_sounds_and_told_with_its_time(priority):
    bench = Bench()
    bench.go(10, Wanted(sound=priority))
    asked = bench.now
    bench.go(12, Wanted(sound=priority, once=Once(id="t1", kind=OnceKind.TEST)))
    assert (bench.heard.self_test.id, bench.heard.self_test.passed) == ("t1", True)
    assert bench.heard.self_test.t_ns > asked


def test_a_self_test_without_a_device_fails_with_the_reason_and_is_made_up_for_when_it_comes():
    bench = Bench(Speaker(state=SpeakerState.NO_DEVICE, detail="audio open error"))
    bench.go(TEST_WITHIN_NS / S + 1, Wanted())
    assert not bench.heard.self_test.passed
    assert bench.heard.self_test.why == "no_device audio open error"

    bench.desk.opened()
    bench.desk.speaker = WELL
    bench.go(3, Wanted())
    assert bench.heard.self_test.passed


def test_a_self_test_that_ran_out_of_samples_fails():
    bench = Bench()
    bench.go(5, Wanted())
    bench.desk.heartbeat(Wanted(once=Once(id="t", kind=OnceKind.TEST)), bench.now)
    bench.desk.speaker = Speaker(state=SpeakerState.WELL, underruns=1)
    bench.go(2, Wanted(once=Once(id="t", kind=OnceKind.TEST)))
    assert not bench.heard.self_test.passed


def test_a_self_test_that_was_not_passed_is_made_again():
    bench = Bench()
    bench.desk.speaker = Speaker(state=SpeakerState.WELL, underruns=1)  # in the hurry of a start
    bench.go(2, Wanted())
    assert not bench.heard.self_test.passed
    samples = bench.go(TEST_AGAIN_NS / S + 2, Wanted())
    assert bench.heard.self_test.passed
    assert len(pulses(samples, RATE)) == 2  # it was played, not only judged


def test_a_tone_that_a_dying_device_took_does_not_count():
    bench = Bench(Speaker(state=SpeakerState.OPENING))
    bench.desk.render(RATE)  # taken, and lost
    bench.desk.speaker = Speaker(state=SpeakerState.ENDED)
    bench.go(1, Wanted())
    bench.desk.opened()
    bench.desk.speaker = WELL
    bench.desk.look(bench.now)
    assert bench.heard.self_test is None
    assert len(pulses(bench.go(2, Wanted()), RATE)) == 2
    assert bench.heard.self_test.passed


def test_a_device_that_does_not_pace_never_passes():
    bench = Bench(Speaker(state=SpeakerState.TOO_FAST))
    bench.desk.render(10 * RATE)  # it took them all, at once
    bench.go(TEST_WITHIN_NS / S + 1, Wanted())
    assert not bench.heard.self_test.passed


@pytest.mark.parametrize(
    ("wanted", "well"),
    [
        (Wanted(), True),
        (Wanted(sound=LOW, shown=LOW), True),
        (Wanted(sound=MEDIUM, shown=MEDIUM), False),
        (Wanted(sound=HIGH, shown=HIGH), False),
        (Wanted(sound=None, shown=HIGH, paused=True), True),  # a nurse is at the bed
    ],
)
def test_the_nurse_is_called_for_what_sounds_and_is_urgent(wanted, well):
    bench = Bench()
    bench.go(1, wanted)
    assert bench.desk.well is well
    assert bench.desk.shown is wanted.shown


def test_the_nurse_is_called_when_alarms_cannot_be_heard_or_are_not_made():
    bench = Bench()
    bench.go(1, Wanted())
    bench.desk.speaker = Speaker(state=SpeakerState.STALLED)
    assert not bench.desk.well
    bench.desk.speaker = WELL
    bench.go(5)
    assert not bench.desk.well
    assert bench.desk.shown is HIGH


def test_what_is_answered_names_the_last_message():
    bench = Bench()
    bench.desk.heartbeat(Wanted(n=7), bench.now)
    assert bench.heard.n == 7
