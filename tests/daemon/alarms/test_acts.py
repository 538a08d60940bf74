"""What people do: acknowledging, pausing, switching off, setting limits, testing, discharging; each act is signed."""

from __future__ import annotations

import pytest

from daemon import words
from daemon.alarms import acts
from daemon.alarms.table import ROWS
from daemon.model.alarms import ChangeKind, Phase, Priority
from daemon.model.findings import Why
from daemon.model.signals import Command, FactState

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW


@pytest.fixture
def small(make_bed):
    """A bed with few rows, for long times."""
    return make_bed(table=[ROWS[name] for name in ("vent_fib", "hr_high", "screen_lost")])


def fast(bed):
    """HR HIGH is active."""
    bed.well()
    bed.values["heart_rate"] = 125.0
    bed.run(5)
    assert bed.phase("hr_high") is Phase.ACTIVE


def last(bed, kind):
    return next(c for c in reversed(bed.changes) if c.kind is kind)


def test_acknowledging_ends_the_sound_of_this_occurrence_and_says_who(bed):
    fast(bed)
    assert bed.sound is MEDIUM

    command = bed.act("acknowledge")
    bed.run(0.1)

    assert bed.sound is None
    change = last(bed, ChangeKind.ACKNOWLEDGED)
    assert (change.actor, change.screen, change.command, change.row) == ("AK", "bed", command, "hr_high")
    (alarm,) = bed.engine.picture().alarms
    assert (alarm.acknowledged_by, alarm.flashes, alarm.phase) == ("AK", False, Phase.ACKNOWLEDGED)


def test_it_sounds_again_as_a_new_occurrence_when_it_comes_back(bed):
    fast(bed)
    bed.act("acknowledge")
    bed.values["heart_rate"] = 80.0
    bed.run(10)
    assert bed.phase("hr_high") is Phase.INACTIVE

    bed.values["heart_rate"] = 125.0
    bed.run(5)

    assert bed.sound is MEDIUM
    ids = [c.occurrence for c in bed.changes if c.kind is ChangeKind.BEGAN]
    assert len(set(ids)) == len(ids) == 2


def test_the_second_of_two_screens_gets_an_answer_and_no_error(bed):
    fast(bed)
    first, second = bed.act("acknowledge"), bed.act("acknowledge", actor="BM")
    bed.run(0.1)

    answers = {c.command: (c.kind, c.reason) for c in bed.changes if c.command}
    assert answers[first] == (ChangeKind.ACKNOWLEDGED, "")
    assert answers[second] == (ChangeKind.ACKNOWLEDGED, "nothing")
    assert bed.engine.picture().alarms[0].acknowledged_by == "AK"


def test_an_acknowledgement_never_takes_in_what_begins_with_it(bed):
    """The condition is true at the very Tick that carries the acknowledgement out."""
    bed.well()
    bed.act("acknowledge")
    bed.rhythm("VFL", 6.0)
    bed.run(0.1)

    assert bed.phase("vent_fib") is Phase.ACTIVE
    assert bed.sound is HIGH


def test_only_the_occurrences_named_are_acknowledged(bed):
    fast(bed)
    bed.fact("screen")
    bed.run(1)
    named = bed.entry("hr_high").occurrence
    bed.act("acknowledge", occurrences=named)
    bed.run(0.1)

    assert bed.phase("hr_high") is Phase.ACKNOWLEDGED
    assert bed.phase("screen_lost") is Phase.ACTIVE


@pytest.mark.parametrize(("priority", "after_s"), [(HIGH, 180), (MEDIUM, 600)])
def test_what_is_acknowledged_and_stays_is_recalled_to_mind(small, priority, after_s):
    bed = small
    if priority is HIGH:
        bed.well()
        bed.rhythm("VFL", 6.0)
        bed.run(1)
    else:
        fast(bed)
    bed.act("acknowledge")
    bed.run(0.1)
    changes = bed.run(after_s - 1)
    assert ChangeKind.REMINDED not in [c.kind for c in changes]

    changes = bed.run(2)

    assert [c.priority for c in changes if c.kind is ChangeKind.REMINDED] == [priority]


def test_audio_pause_holds_sound_for_two_minutes_and_leaves_the_picture(small):
    bed = small
    fast(bed)
    bed.act("audio_pause")
    bed.run(0.1)
    began = bed.now

    picture = bed.engine.picture()
    assert picture.sound is None
    assert picture.alarms[0].flashes
    (pause,) = picture.pauses
    assert (pause.until_ns - began, pause.actor, pause.screen) == (120_000_000_000, "AK", "bed")

    bed.run(119.8)
    assert bed.sound is None
    bed.run(0.3)
    assert bed.sound is MEDIUM
    assert last(bed, ChangeKind.PAUSE_ENDED).reason == ChangeKind.AUDIO_PAUSED
    assert bed.engine.picture().pauses == ()


def test_a_key_ends_it_before_its_time(bed):
    fast(bed)
    bed.act("audio_pause")
    bed.run(1)
    bed.act("audio_pause_cancel")
    bed.run(0.1)

    assert bed.sound is MEDIUM


def test_under_audio_pause_what_is_worse_sounds_and_what_is_not_waits(bed):
    fast(bed)
    bed.act("audio_pause")
    bed.fact("clock")
    bed.fact("screen")
    bed.run(1)
    assert {a.row for a in bed.engine.picture().alarms} == {"hr_high", "clock_unset", "screen_lost"}
    assert bed.sound is None

    bed.rhythm("VFL", bed.now / 1e9 - 4)
    bed.run(0.1)

    assert bed.sound is HIGH


def test_under_audio_pause_of_a_high_alarm_another_high_one_sounds(bed):
    bed.well()
    bed.rhythm("VFL", 6.0)
    bed.run(1)
    bed.act("audio_pause")
    bed.run(1)
    assert bed.sound is None

    bed.values["spo2"] = 97.0
    bed.run(2)
    bed.values["spo2"] = 70.0
    bed.run(2)

    assert bed.sound is HIGH
    assert [a.row for a in bed.engine.picture().alarms if a.sounds] == ["desat"]


def test_alarm_pause_takes_picture_and_sound_but_never_a_new_high_alarm(small):
    bed = small
    fast(bed)
    bed.act("alarm_pause", seconds=180)
    bed.run(1)
    assert bed.engine.picture().alarms == ()
    assert bed.engine.picture().pauses[0].kind is ChangeKind.ALARM_PAUSED
    bed.fact("screen")
    bed.run(1)
    assert bed.engine.picture().alarms == ()
    assert bed.began("screen_lost")

    bed.rhythm("VFL", bed.now / 1e9 - 4)
    bed.run(0.1)
    assert bed.sound is HIGH
    assert [a.row for a in bed.engine.picture().alarms] == ["vent_fib"]

    bed.run(180)
    assert {a.row for a in bed.engine.picture().alarms} == {"vent_fib", "hr_high", "screen_lost"}


@pytest.mark.parametrize("seconds", ["181", "0", "-1", "nan", "long"])
def test_no_pause_is_longer_than_three_minutes(bed, seconds):
    bed.well()
    bed.act("alarm_pause", seconds=seconds)
    bed.run(0.1)

    assert last(bed, ChangeKind.REFUSED).text == "alarm.refused.too_long"
    assert bed.engine.picture().pauses == ()


def test_sound_returns_within_ten_minutes_unless_a_second_person_pauses(small):
    bed = small
    fast(bed)
    ends = None
    for _ in range(20):
        bed.act("audio_pause")
        bed.run(60)
        if bed.changes[-1].kind is ChangeKind.REFUSED or any(
            c.kind is ChangeKind.REFUSED for c in bed.changes[-3:]
        ):
            ends = bed.now
            break
    assert ends is not None
    assert ends / 1e9 - 15 <= 600 + 60
    assert last(bed, ChangeKind.REFUSED).text == "alarm.refused.sound_must_return"
    bed.run(61)
    assert bed.sound is MEDIUM

    bed.act("audio_pause", actor="BM")
    bed.run(1)
    assert bed.sound is None


def test_a_row_can_be_off_with_a_name_and_a_reminder_and_comes_back(small):
    bed = small
    fast(bed)
    bed.act("alarm_off", row="hr_high")
    bed.run(1)
    assert bed.phase("hr_high") is Phase.OFF
    assert bed.sound is None
    (off,) = bed.engine.picture().off
    assert (off.row, off.actor) == ("hr_high", "AK")

    reminders = [c for c in bed.run(601) if c.kind is ChangeKind.REMINDED]
    assert [(c.row, c.reason) for c in reminders] == [("hr_high", "off")]

    bed.act("alarm_on", row="hr_high")
    bed.run(5)
    assert bed.phase("hr_high") is Phase.ACTIVE


def test_lethal_alarms_cannot_be_off(bed):
    bed.well()
    bed.act("alarm_off", row="asystole")
    bed.run(0.1)

    assert last(bed, ChangeKind.REFUSED).text == "alarm.refused.never_off"


def test_limits_are_set_together_and_audited(bed):
    fast(bed)
    command = bed.act("limits", hr_high__above=150, hr_low__below=60)
    bed.run(6)

    said = [c for c in bed.changes if c.kind is ChangeKind.LIMITS_SET]
    assert [(c.row, dict(c.values), c.actor, c.command) for c in said] == [
        ("hr_high", {"key": "above", "old": 120.0, "new": 150.0}, "AK", command),
        ("hr_low", {"key": "below", "old": 50.0, "new": 60.0}, "AK", command),
    ]
    assert bed.phase("hr_high") is Phase.INACTIVE  # the value is inside now
    assert bed.engine.picture().differing == ("hr_high", "hr_low")

    bed.act("limits", hr_high__above="default", hr_low__below="default")
    bed.run(0.1)
    assert bed.engine.picture().differing == ()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"hr_high__above": "900"}, "alarm.refused.out_of_range"),
        ({"hr_high__above": "many"}, "alarm.refused.unknown"),
        ({"nothing__above": "default"}, "alarm.refused.unknown"),
        ({"asystole__on": "false"}, "alarm.refused.never_off"),
        ({"hr_low__below": "119"}, "alarm.refused.crossing"),
    ],
)
def test_what_cannot_be_set_is_refused_in_words(bed, values, text):
    bed.well()
    bed.act("limits", **values)
    bed.run(0.1)

    refused = last(bed, ChangeKind.REFUSED)
    assert refused.text == text
    assert "{" not in words.say(text, **{k: str(v) for k, v in refused.values})
    assert bed.engine.picture().differing == ()


def test_a_test_travels_the_whole_path_is_marked_and_hides_nothing(bed):
    fast(bed)
    bed.act("test", priority="low")
    bed.run(1)

    assert last(bed, ChangeKind.TESTED).seconds == 10
    assert bed.sound is MEDIUM
    assert {a.row for a in bed.engine.picture().alarms} == {"hr_high", "test_low"}


def test_discharge_begins_anew_and_what_is_still_there_sounds_at_once(bed):
    fast(bed)
    bed.act("limits", hr_high__above=122)
    bed.rhythm("VFL", bed.now / 1e9 - 4)
    bed.act("acknowledge")
    bed.run(1)
    bed.act("acknowledge")
    bed.act("audio_pause")
    bed.run(1)
    assert bed.sound is None

    bed.act("discharge")
    bed.run(0.1)

    assert last(bed, ChangeKind.DISCHARGED).actor == "AK"
    assert bed.sound is HIGH  # the box without a patient still alarms
    picture = bed.engine.picture()
    assert picture.pauses == picture.differing == picture.off == ()


def test_what_was_never_valid_for_the_new_patient_is_not_armed(bed):
    bed.well()
    bed.values.clear()
    bed.values["heart_rate"] = Why.LEADS_OFF
    bed.act("admit")
    bed.run(120)

    assert bed.phase("ecg_leads_off") is Phase.DISARMED
    assert "ecg_leads_off" in bed.engine.picture().unarmed
    assert bed.sound is None

    bed.values["heart_rate"] = 70.0
    bed.run(2)
    bed.values["heart_rate"] = Why.LEADS_OFF
    bed.run(8)
    assert bed.phase("ecg_leads_off") is Phase.ACTIVE


def test_reset_takes_away_only_what_is_over(bed):
    bed.well()
    bed.fact("store")
    bed.fact("sound")
    bed.run(1)
    bed.fact("store", FactState.OK)
    bed.run(1)
    assert bed.phase("recording_stopped") is Phase.LATCHED

    bed.act("reset")
    bed.run(0.1)

    assert bed.phase("recording_stopped") is Phase.INACTIVE
    assert bed.phase("sound_missing") is Phase.ACTIVE
    assert bed.sound is MEDIUM


def test_verbs_of_others_pass_by_and_a_flood_of_them_is_bounded(bed):
    bed.well()
    for n in range(1000):
        bed.item(Command(f"c{n}", bed.now, "1", "AK", "display", (("mode", "st"),)))
        bed.act("acknowledge")
    changes = bed.run(0.1)

    assert len(changes) <= 256


def test_every_act_answers_with_its_own_command():
    assert set(acts.VERBS) == {
        "acknowledge", "reset", "audio_pause", "audio_pause_cancel", "alarm_pause", "alarm_pause_cancel",
        "alarm_off", "alarm_on", "limits", "test", "admit", "discharge",
    }  # fmt: skip


@pytest.mark.parametrize("verb", acts.VERBS)
def test_every_verb_is_answered_even_without_values(bed, verb):
    bed.well()
    command = bed.act(verb)
    bed.run(0.1)

    assert any(c.command == command and c.actor == "AK" for c in bed.changes)
