"""What holds whatever the alarm: the cut is of no account, memory is bounded, ids are exact, a restart forgets nothing."""

from __future__ import annotations

import gc
import json
import pickle
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.alarms import resume
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.phases import LISTED, THERE
from daemon.alarms.standing import Standing
from daemon.alarms.table import ROWS
from daemon.model.alarms import ChangeKind, Phase, Priority
from daemon.model.findings import Metric, Why
from daemon.model.signals import Command, DeviceSeen, DeviceStatus, Fact, FactState, LinkState, Reading, Tick

S = 1_000_000_000
HIGH = Priority.HIGH


class Recorded:
    """An engine that writes down what it is given."""

    def __init__(self, engine):
        self.engine, self.steps = engine, []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def step(self, item, findings=()):
        self.steps.append((item, tuple(findings)))
        return self.engine.step(item, findings)


def eventful(make_bed):
    """A bed after two minutes in which much happens, and all it was given."""
    bed = make_bed()
    bed.engine = Recorded(bed.engine)
    bed.well(20)
    bed.values["heart_rate"] = 130.0
    bed.run(6)
    bed.rhythm("VFL", 22.0)
    bed.run(5)
    bed.act("acknowledge")
    bed.act("audio_pause")
    bed.run(10)
    bed.rhythm("VFL", 22.0, bed.now / S)
    bed.event("pause", gap=3.0)
    bed.fact("store")
    bed.values["heart_rate"] = Why.LEADS_OFF
    bed.run(80)
    return bed


def test_the_cut_of_the_findings_is_of_no_account(make_bed):
    bed = eventful(make_bed)
    steps = bed.engine.steps

    for cut_s in (0.5, 7.0, 60.0):
        engine, changes = AlarmEngine(Limits(), boot="b"), []
        for first in range(round(bed.now / S / cut_s) + 1):
            begin, end = first * cut_s * S, (first + 1) * cut_s * S
            part = [(item, found) for item, found in steps if begin < item.t_ns <= end]
            block = [finding for _, found in part for finding in found]
            others = [item for item, _ in part if not isinstance(item, Tick)]
            for item in [i for i in others if not isinstance(i, Command)]:
                changes += engine.step(item)
            changes += engine.step(Reading("1", "X", "nothing", 0.0, "", round(end)), block)
            for item, _ in part:
                if isinstance(item, Tick | Command):
                    changes += engine.step(item)

        assert changes == bed.changes
    assert len(bed.changes) > 10


def test_the_same_twice(make_bed):
    assert eventful(make_bed).changes == eventful(make_bed).changes


def test_changes_come_at_ticks_only_and_in_order(make_bed):
    bed = eventful(make_bed)

    assert all(c.due_ns % (S // 10) == 0 for c in bed.changes)
    assert [c.due_ns for c in bed.changes] == sorted(c.due_ns for c in bed.changes)
    assert bed.engine.engine.step(Fact("store", FactState.FAILED, bed.now, bed.now)) == []


def test_every_change_of_an_alarm_keeps_its_times_and_its_evidence(make_bed):
    bed = eventful(make_bed)
    began = {c.row: c for c in bed.changes if c.kind is ChangeKind.BEGAN}

    assert began["hr_high"].evidence
    assert began["hr_high"].due_ns - began["hr_high"].true_ns == 3 * S
    assert (began["hr_high"].value, began["hr_high"].limit, began["hr_high"].text) == (
        130,
        120,
        "alarm.hr_high",
    )
    assert began["vent_fib"].t_ns == 22 * S
    assert began["vent_fib"].evidence[0].rule == "window/1"


def test_ids_are_the_boots_own_and_rise(make_bed):
    bed = eventful(make_bed)
    ids = [c.occurrence for c in bed.changes if c.kind is ChangeKind.BEGAN]

    assert ids == [f"b:{n}" for n in range(1, len(ids) + 1)]
    assert make_bed(first=41).engine.number == 41


def test_the_worst_value_is_kept(make_bed):
    bed = make_bed(table=[ROWS["hr_low"]])
    bed.well()
    for rate in (45.0, 33.0, 44.0):
        bed.values["heart_rate"] = rate
        bed.run(5)

    (alarm,) = bed.engine.picture().alarms
    assert (alarm.value, alarm.worst, alarm.limit) == (44, 33, 50)
    bed.values["heart_rate"] = 80.0
    bed.run(10)
    assert (bed.changes[-1].kind, bed.changes[-1].value) == (ChangeKind.ENDED, 33)

    bed.values["heart_rate"] = 46.0
    bed.run(5)
    assert bed.engine.picture().alarms[0].worst == 46


def test_picture_is_sorted_and_speaks_json(make_bed):
    bed = eventful(make_bed)
    picture = bed.engine.picture()
    there = [a for a in picture.alarms if a.phase in THERE and not a.covered_by]
    ranks = [a.priority.rank for a in there]

    assert len(there) >= 3
    assert ranks == sorted(ranks, reverse=True)
    told = json.loads(json.dumps(picture.as_dict()))
    assert told["worst"] == "high"
    assert told["alarms"][0]["row"] == picture.alarms[0].row
    assert {"sound", "pauses", "off", "unarmed", "differing", "group"} <= set(told)


def size(engine):
    return (
        len(pickle.dumps(engine.seen)) + len(pickle.dumps(engine.entries)) + len(pickle.dumps(engine.pauses))
    )


def test_memory_is_bounded_whatever_comes(make_bed):
    """Ten minutes of beats, names, leads, facts, links and rhythms that never end, and none that is ever twice the same."""
    bed = make_bed()
    draw = random.Random(4)
    sizes = []
    bed.rr_s = 0.3
    for minute in range(10):
        for n in range(300):
            name = f"m{minute}-{n}"
            bed.metric(name, draw.random(), lead=name)
            bed.event(name, x=1)
            bed.rhythm(name, bed.now / S)
            bed.quality(name, electrodes=(name,))
            bed.fact(name)
            bed.reading(name, 1.0)
            bed.link(draw.choice(["lost", "streaming"]), name, name)
            bed.attached(**{name: False})
        bed.run(1)
        bed.engine.pauses.expire(bed.now + 10**12)
        bed.changes.clear()
        gc.collect()
        sizes.append(size(bed.engine))

    assert max(sizes[5:]) <= 1.1 * max(sizes[:5])


def test_findings_that_wait_are_taken_in_early_rather_than_lost(make_bed, monkeypatch):
    from daemon.alarms import observed

    monkeypatch.setattr(observed, "MOST_WAITING", 100)
    bed = make_bed()
    for n in range(1000):
        bed.engine.step(
            Reading("1", "X", "nothing", 0.0, "", 0),
            [Metric(n, 10**15 + n, "spo2", float(n), "%", None, "", 1.0, None)],
        )

    assert len(bed.engine.seen._waiting) == 100
    assert bed.engine.seen._latest["spo2"].value == 899


# A restart of the process.


def restarted(bed, after_s, boot="b"):
    state = json.loads(json.dumps(resume.saved(bed.engine)))
    limits = Limits(own=bed.engine.limits.as_dict())
    bed.engine = AlarmEngine(limits, boot=boot)
    bed.now += round(after_s * S)
    bed._said_second = bed.now // S
    went_on = resume.resume(bed.engine, state, bed.now)
    bed.values.clear()
    bed.rr_s = None
    return went_on


def test_after_a_short_restart_what_was_active_sounds_and_stands_until_it_is_judged(make_bed):
    bed = make_bed()
    bed.well(20)
    bed.rhythm("VFL", 16.0)
    bed.fact("screen")
    bed.run(1)
    bed.act("acknowledge", occurrences=bed.entry("screen_lost").occurrence)
    bed.run(1)
    before = {e.row.name: (e.occurrence, e.phase) for e in bed.engine.listed}
    assert restarted(bed, 4.0)
    bed.run(5)

    assert {e.row.name: (e.occurrence, e.phase) for e in bed.engine.listed} == before
    assert bed.sound is HIGH
    assert bed.phase("screen_lost") is Phase.ACKNOWLEDGED

    bed.well(12)
    assert bed.phase("vent_fib") is Phase.LATCHED
    bed.rhythm("VFL", bed.now / S - 4)
    bed.run(0.1)
    assert bed.entry("vent_fib").occurrence not in {occurrence for occurrence, _ in before.values()}


def test_a_pause_goes_on_for_what_was_left_and_holds_no_more_than_before(make_bed):
    bed = make_bed()
    bed.well(20)
    bed.rhythm("VFL", 16.0)
    bed.run(1)
    bed.act("audio_pause")
    bed.run(60)
    assert restarted(bed, 20.0)
    bed.run(1)
    assert bed.sound is None

    bed.run(40)
    assert bed.sound is HIGH


@pytest.mark.parametrize(("after_s", "boot"), [(31.0, "b"), (2.0, "another")])
def test_after_a_long_one_or_another_boot_all_is_judged_anew(make_bed, after_s, boot):
    bed = make_bed()
    bed.well(20)
    bed.rhythm("VFL", 16.0)
    bed.run(1)
    bed.act("acknowledge")
    bed.run(1)

    assert not restarted(bed, after_s, boot)
    assert bed.engine.listed == []
    bed.rhythm("VFL", bed.now / S - 4)
    bed.run(0.1)
    assert bed.sound is HIGH


@pytest.mark.parametrize(
    "phase", [Phase.ACTIVE, Phase.ACKNOWLEDGED, Phase.LATCHED, Phase.LATCHED_ACKNOWLEDGED]
)
def test_a_restart_in_every_phase_loses_no_alarm(make_bed, phase):
    bed = make_bed(table=[ROWS["vent_fib"]])
    bed.well(20)
    bed.rhythm("VFL", 16.0)
    bed.run(1)
    if phase in {Phase.ACKNOWLEDGED, Phase.LATCHED_ACKNOWLEDGED}:
        bed.act("acknowledge")
    if phase in {Phase.LATCHED, Phase.LATCHED_ACKNOWLEDGED}:
        bed.rhythm("VFL", 16.0, bed.now / S)
    bed.run(6)
    assert bed.phase("vent_fib") is phase

    assert restarted(bed, 2.0)
    bed.run(1)

    assert bed.phase("vent_fib") is phase
    assert (bed.sound is HIGH) == (phase is Phase.ACTIVE)


# A machine that presses everything.

ROWS_PRESSED = (
    "vent_fib",
    "asystole",
    "extreme_tachy",
    "hr_high",
    "no_data_ecg",
    "noisy_ecg",
    "screen_lost",
    "spo2_low",
    "desat",
)
STIMULI = st.one_of(
    st.tuples(st.just("rate"), st.sampled_from([75.0, 125.0, 190.0, Why.NOISE, Why.NO_BEATS, Why.NO_SIGNAL])),
    st.tuples(st.just("spo2"), st.sampled_from([97.0, 88.0, 70.0, Why.NOISE])),
    st.tuples(st.just("vfl"), st.booleans()),
    st.tuples(st.just("screen"), st.booleans()),
    st.tuples(
        st.just("act"),
        st.sampled_from(
            ["acknowledge", "audio_pause", "alarm_pause", "audio_pause_cancel", "reset", "admit"]
        ),
    ),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 4.0, 12.0, 40.0])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STIMULI, min_size=5, max_size=40))
def test_a_new_alarm_of_high_priority_always_sounds_whatever_is_pressed(make_bed, stimuli):
    bed = make_bed(table=[ROWS[name] for name in ROWS_PRESSED])
    bed.values["spo2"] = 97.0
    bed.well(10)
    fluttering = None
    for kind, value in stimuli:
        if kind == "rate":
            bed.values["heart_rate"], bed.rr_s = value, 0.5 if isinstance(value, float) else None
        elif kind == "spo2":
            bed.values["spo2"] = value
        elif kind == "vfl" and value is (fluttering is None):
            if value:
                fluttering = bed.now / S - 4
                bed.rhythm("VFL", fluttering)
            else:
                bed.rhythm("VFL", fluttering, bed.now / S)
                fluttering = None
        elif kind == "screen":
            bed.fact("screen", FactState.FAILED if value else FactState.OK)
        elif kind == "act":
            bed.act(value)
        for _ in range(round(value * 10) if kind == "wait" else 1):
            changes = bed.run(0.1)
            picture = bed.engine.picture()
            if any(c.kind is ChangeKind.BEGAN and c.priority is HIGH for c in changes):
                assert picture.sound is HIGH
            phases = [e.phase for e in bed.engine.listed]
            assert all(phase in LISTED for phase in phases)
            assert all(p.until_ns - bed.now <= 180 * S for p in picture.pauses)
            if fluttering is not None:
                assert bed.phase("vent_fib") in THERE


def test_a_number_that_analysis_cannot_give_is_the_devices_own(make_bed):
    bed = make_bed()
    bed.well(10)
    for _ in range(20):
        bed.metric("pulse_rate", Why.NOISE)
        bed.reading("pulse_rate", 30.0, "bpm")
        bed.values["heart_rate"] = Why.LEADS_OFF
        bed.run(1)

    assert bed.began("pulse_low")


def test_a_leak_that_only_our_own_analysis_sees_is_alarmed(make_bed):
    bed = make_bed()
    bed.well(10)
    bed.values["leak"] = 60.0
    bed.run(63)

    assert bed.began("cpap_leak_high") == [pytest.approx(10 + 1 + 60, abs=1.1)]


def test_a_devices_own_alarm_goes_with_it_to_another_bed(make_bed):
    bed, standing = make_bed(), Standing()
    bed.well(5)
    said = [
        DeviceSeen("1", "oxygen", "vlp", "", "OXY-1", "", "", LinkState.STREAMING, bed.now, bed.now),
        DeviceStatus("1", "OXY-1", "alarm_code", "E07", bed.now),
    ]
    for item in said:
        standing.note(item, ())
        bed.item(item)
    bed.run(3)
    assert bed.phase("device_alarm", "OXY-1") is Phase.ACTIVE

    moved = replace(said[0], state=LinkState.MOVED, t_ns=bed.now)
    standing.note(moved, ())
    bed.item(moved)
    bed.run(5)
    assert "device_alarm" not in {alarm.row for alarm in bed.engine.picture().alarms}

    fresh = make_bed()
    standing.tell(fresh.engine)
    fresh.run(5)
    assert fresh.began("device_alarm") == fresh.began("no_data_device") == []
