"""Pictures of several beds become one sound."""

from __future__ import annotations

from daemon.model.alarms import About, Alarm, AlarmPicture, Change, ChangeKind, Pause, Phase, Priority
from daemon.signals.messages import OnceKind
from daemon.signals.wanting import Wanting

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW


def alarm(priority, active_ns, *, sounds=True, phase=Phase.ACTIVE):
    return Alarm(
        occurrence=f"o{active_ns}",
        row="asystole",
        instance="",
        about=About.PATIENT,
        priority=priority,
        phase=phase,
        text="alarm.asystole",
        values=(),
        value=None,
        worst=None,
        limit=None,
        unit="",
        t_ns=active_ns,
        active_ns=active_ns,
        sounds=sounds,
        flashes=True,
        updating=True,
    )


def picture(*alarms, pauses=(), group="cardiac"):
    heard = [a.priority for a in alarms if a.sounds]
    sound = max(heard, key=lambda p: p.rank, default=None)
    return AlarmPicture(1, sound, group, alarms, pauses, (), (), ())


def change(kind, **more):
    return Change(kind, t_ns=5, due_ns=5, **more)


def test_the_highest_priority_of_all_beds_is_heard_with_the_cause_of_its_newest():
    wanting = Wanting(60, melodies=True)
    wanting.take("1", picture(alarm(MEDIUM, 30), group="oxygen"), ())
    wanting.take("2", picture(alarm(HIGH, 10), alarm(LOW, 40)), ())
    wanting.take("3", picture(alarm(HIGH, 20), group="ventilation"), ())

    said = wanting.wanted
    assert (said.sound, said.group, said.newest_ns, said.volume) == (HIGH, "ventilation", 20, 60)
    wanting.take("3", picture(), ())
    assert (wanting.wanted.group, wanting.wanted.newest_ns) == ("cardiac", 10)
    wanting.take("2", picture(), ())
    assert wanting.wanted.sound is MEDIUM


def test_without_melodies_every_cause_sounds_alike():
    wanting = Wanting(60)
    wanting.take("1", picture(alarm(HIGH, 1)), ())
    assert wanting.wanted.group == "general"


def test_what_is_shown_but_not_heard_lights_the_lamp():
    wanting = Wanting(60)
    wanting.take("1", picture(alarm(HIGH, 1, sounds=False, phase=Phase.ACKNOWLEDGED), alarm(LOW, 2)), ())
    assert (wanting.wanted.sound, wanting.wanted.shown) == (LOW, HIGH)


def test_acts_of_a_person_silence_and_ends_of_conditions_do_not():
    wanting = Wanting(60)
    wanting.take("1", picture(), [change(ChangeKind.BEGAN), change(ChangeKind.ENDED)])
    before = wanting.wanted.silenced
    wanting.take("1", picture(), [change(ChangeKind.ACKNOWLEDGED)])
    assert wanting.wanted.silenced > before


def test_a_pause_of_all_alarms_is_said_and_a_pause_of_one_is_not():
    wanting = Wanting(60)
    wanting.take("1", picture(pauses=(Pause(ChangeKind.AUDIO_PAUSED, "hr_high", 9, 1, "n", "s"),)), ())
    assert not wanting.wanted.paused
    wanting.take("1", picture(pauses=(Pause(ChangeKind.AUDIO_PAUSED, "", 9, 1, "n", "s"),)), ())
    assert wanting.wanted.paused


def test_reminders_and_tests_have_an_id_of_their_own():
    wanting = Wanting(60)
    seen = [wanting.wanted.once.id]
    for due_ns in (1, 2):
        reminded = Change(ChangeKind.REMINDED, t_ns=1, due_ns=due_ns, occurrence="o")
        wanting.take("1", picture(), [reminded])
        assert wanting.wanted.once.kind is OnceKind.REMINDER
        seen.append(wanting.wanted.once.id)
    wanting.test("t")
    assert (wanting.wanted.once.id, wanting.wanted.once.kind) == ("t", OnceKind.TEST)
    assert len(set(seen)) == 3
