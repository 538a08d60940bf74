"""The proof of the alarm chain: the real decoder, analysis, engine and sound desk; whatever is broken makes its own stage fail."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from daemon import audit
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.table import TABLE
from daemon.appliance import live_chain, reference_ecg
from daemon.appliance import shadow as shadow_module
from daemon.appliance.proof import ACT, ALARM_TEST, is_due
from daemon.appliance.shadow import Shadow
from daemon.cli.screen import _proof
from daemon.cli.test_alarm import lines, verdict
from daemon.config import Proof as Wanted
from daemon.control.messages import State
from daemon.control.proof import ProofTold, Stage
from daemon.model.signals import Command, Fact, FactState, Tick
from daemon.signals.messages import SpeakerState
from daemon.words import table
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import Damage, Samples
from tests.daemon.appliance._house import House, Recorded, S, at_once

STAGES = ("decoder", "analysis", "alarm", "engine", "sound", "screens")


def shadow(analysis, limits=None, **kwargs):
    engines = {"1": AlarmEngine(Limits(limits or {}), **kwargs.pop("engine", {}))}
    return asyncio.run(Shadow(analysis, engines, rest=at_once, **kwargs).run())


def states(stages):
    return [(stage.name, stage.state) for stage in stages]


@pytest.fixture(scope="module")
def real():
    """The whole way of the bytes with the real parts, a gap of 6 s set: stages, and what analysis found on it."""
    analysis = Recorded()
    return shadow(analysis, {"asystole": {"gap_s": 6.0}}), analysis.found


# --- the bytes and the shadow bed ----------------------------------------------------------------------------


def test_the_reference_is_what_the_board_sends():
    data = reference_ecg.frames(2.0)
    assert BOARDS["dm_ecg"].recognise(data) == 1.0
    got = BOARDS["dm_ecg"].board({"byte_order": "auto"}).feed(data, S)
    assert not [frame for frame in got if isinstance(frame, Damage)]
    counts = sum(frame.counts.shape[1] for frame in got if isinstance(frame, Samples))
    assert counts == 1000


def test_bytes_of_a_board_become_asystole_and_no_alarm_before(real):
    stages, found = real
    assert states(stages) == [("decoder", "ok"), ("analysis", "ok"), ("alarm", "ok")]
    assert 6000 <= stages[2].ms <= 7000, "the gap that is set is waited for"
    assert 0 < stages[1].ms < 8000
    assert 4000 <= shadow(Recorded(list(found)))[2].ms <= 5000, "the gap of the table"


def test_a_board_that_decodes_nothing_fails_the_decoder():
    board = BOARDS["dm_ecg"].board({})
    board.feed = lambda _data, _now_ns: []
    stages = shadow(Recorded(), board=board)
    assert [(s.name, s.state, s.why) for s in stages] == [
        ("decoder", "failed", "no_samples"),
        ("analysis", "not_possible", "not_reached"),
        ("alarm", "not_possible", "not_reached"),
    ]


def test_bytes_that_are_damaged_fail_the_decoder(real):
    data = bytearray(reference_ecg.frames(1.0))
    data[100 * 22 + 8] |= 0x80
    stages = shadow(Recorded(list(real[1])), data=bytes(data))
    assert (stages[0].state, stages[0].why.split()[0]) == ("failed", "damaged")


def test_a_decoder_that_breaks_down_is_a_result_and_no_error():
    board = BOARDS["dm_ecg"].board({})

    def broken(_data, _now_ns):
        raise ValueError

    board.feed = broken
    (decoder, *_) = shadow(Recorded(), board=board)
    assert (decoder.state, decoder.why) == ("failed", "broke ValueError")


def test_an_analysis_that_finds_nothing_fails():
    stages = shadow(Recorded([]))
    assert states(stages) == [("decoder", "ok"), ("analysis", "failed"), ("alarm", "not_possible")]


def test_an_engine_that_does_not_alarm_fails(real):
    table = [row for row in TABLE if row.name != "asystole"]
    engines = {"1": AlarmEngine(Limits(), table=table)}
    stages = asyncio.run(Shadow(Recorded(list(real[1])), engines, rest=at_once).run())
    assert (stages[2].state, stages[2].why) == ("failed", "none 1")


def test_an_alarm_before_the_heart_stands_still_fails_unless_the_limits_ask_for_it(real):
    asked = {"hr_low": {"below": 90.0}}
    assert shadow(Recorded(list(real[1])), asked)[2].state == "ok"

    class Off(Recorded):
        def push(self, item):
            found = super().push(item)
            if isinstance(item, Tick) and item.t_ns == 10 * S:
                engines["1"].step(Fact("store", FactState.FAILED, 10 * S, 10 * S))  # for no reason
            return found

    engines = {"1": AlarmEngine(Limits())}
    stages = asyncio.run(Shadow(Off(list(real[1])), engines, rest=at_once).run())
    assert (stages[2].state, stages[2].why) == ("failed", "early recording_stopped")


# --- the live half -------------------------------------------------------------------------------------------


@pytest.fixture
def house(real):
    return House(real[1])


def by_name(told):
    return {stage.name: stage for stage in told.stages}


async def test_the_whole_way_is_confirmed_with_its_times_and_logged(house):
    told = await house.prove()

    assert (told.state, [s.name for s in told.stages]) == ("passed", list(STAGES))
    stage = by_name(told)
    assert {s.state for s in told.stages} == {"ok"}
    assert 0 < stage["engine"].ms <= 300
    assert 0 < stage["sound"].ms <= 2000
    assert 0 < stage["screens"].ms <= 2000
    assert stage["screens"].why == "2"
    assert all(not picture.alarms for picture in house.pictures().values()), (
        "it is ended as soon as it is over"
    )
    (fact,) = house.facts
    assert (fact.source, fact.state) == (ALARM_TEST, FactState.OK)
    (entry,) = house.entries
    assert (entry.act, entry.actor, entry.body["state"]) == (ACT, "technician", "passed")
    assert house.proof.last == told


@pytest.mark.parametrize("broken", ["stalled", "deaf"])
async def test_a_loudspeaker_that_does_not_play_is_an_alarm_until_one_is_passed(house, broken):
    if broken == "stalled":
        house.state = SpeakerState.STALLED
    else:
        house.deaf = True
    told = await house.prove()
    stage = by_name(told)
    assert told.state == "failed"
    assert [name for name, one in stage.items() if one.state == "failed"] == ["sound"]
    assert house.facts[-1].state is FactState.FAILED
    assert "sound" in house.facts[-1].detail

    house.say(ALARM_TEST)
    house.tick()
    assert [a.row for a in house.pictures()["1"].alarms] == ["test_failed"]
    house.state, house.deaf = SpeakerState.WELL, False
    assert (await house.prove()).state == "passed", (
        "the alarm about the chain does not keep it from being tried"
    )
    assert house.facts[-1].state is FactState.OK


async def test_a_screen_that_does_not_show_it_fails(house):
    house.blind = {1}
    stage = by_name(await house.prove())
    assert {name for name, one in stage.items() if one.state == "failed"} == {"screens"}
    assert stage["screens"].why == "not_shown 1 / 2"


async def test_an_engine_that_takes_no_act_fails(house):
    house.obey = None
    house.proof._obey = lambda _command: None
    stage = by_name(await house.prove())
    assert stage["engine"].state == "failed"


async def test_what_the_box_does_not_have_is_not_possible_and_no_failure(real):
    house = House(real[1], speaker=False, screens=())
    told = await house.prove()
    stage = by_name(told)
    assert told.state == "passed"
    assert (stage["sound"].state, stage["sound"].why) == ("not_possible", "no_loudspeaker")
    assert (stage["screens"].state, stage["screens"].why) == ("not_possible", "no_screen")


async def test_a_bed_with_an_alarm_is_left_alone(house):
    house.say("analysis", bed="1")
    for _ in range(5):
        house.tick()
    acts = []
    obey = house.proof._obey
    house.proof._obey = lambda command: (acts.append(command.bed), obey(command))
    told = await house.prove()
    assert set(acts) == {"2"}
    assert by_name(told)["engine"].state == "ok"


async def test_where_alarms_stand_everywhere_nothing_sounds_and_it_does_not_count(house):
    house.say("acquisition_failed")
    for _ in range(5):
        house.tick()
    told = await house.prove()
    assert {by_name(told)[name].why for name in ("engine", "sound", "screens")} == {"alarms"}
    assert told.state == "passed"
    house.now += 3600 * S
    assert house.proof.due(), "it is tried again"


async def test_a_real_alarm_ends_it_at_once(house):
    told = await house.prove(meanwhile=lambda: house.say("acquisition_failed", bed="2"))
    assert (told.state, told.why) == ("interrupted", "devices_stopped")
    rows = {alarm.row for picture in house.pictures().values() for alarm in picture.alarms}
    assert rows == {"devices_stopped"}
    assert house.wanting.wanted.sound == "medium"


async def test_who_asks_while_one_runs_gets_its_result(house):
    asked = asyncio.create_task(house.prove()), asyncio.create_task(house.proof.prove("nurse"))
    first, second = await asked[0], await asked[1]
    assert first is second
    assert len(house.entries) == 1


async def test_a_failure_outlives_the_process(house, real):
    house.state = SpeakerState.STALLED
    await house.prove()
    (entry,) = house.entries

    class File:
        async def run(self, work):
            db = sqlite3.connect(":memory:")
            db.execute(
                "CREATE TABLE audit (id, command, utc_ns, clock, actor, act, bed, subject, body, hash)"
            )
            audit.append(db, entry)
            return work(db)

    later = House(real[1])
    await later.proof.restore(File())
    assert later.proof.last == house.proof.last
    assert [(fact.source, fact.state) for fact in later.facts] == [(ALARM_TEST, FactState.FAILED)]


# --- what a person reads --------------------------------------------------------------------------------------


def told_of(state, *stages, why=""):
    return ProofTold(
        id="x", utc_ms=0, clock_is_set=True, actor="AK", state=state, stages=stages, why=why, took_ms=1
    )


def test_the_command_line_says_each_stage_in_words():
    said = list(
        lines(
            told_of(
                "failed",
                Stage(name="alarm", state="ok", ms=4100),
                Stage(name="sound", state="failed", why="stalled"),
                Stage(name="screens", state="ok", why="2", ms=812),
            )
        )
    )
    assert said[0] == "FAILED"
    assert said[1].endswith("ok: 4.10 s")
    assert said[2].startswith(" !The loudspeaker plays it")
    assert said[2].endswith("FAILED: The speaker takes no sound.")
    assert said[3].endswith("ok: 0.81 s, screens: 2")
    assert verdict(told_of("interrupted", why="devices_stopped")) == "ended by an alarm: DEVICES STOPPED"


def test_every_reason_that_a_stage_gives_has_words():
    source = Path(shadow_module.__file__).read_text() + Path(live_chain.__file__).read_text()
    for name in STAGES:
        assert f"proof.stage.{name}" in table()
    codes = ("damaged", "no_samples", "broke", "no_rate", "early", "none", "not_reached")
    codes += ("alarms", "no_loudspeaker", "no_screen", "not_shown")
    for code in codes:
        assert f'"{code}' in source, code
        assert f"proof.why.{code}" in table()
    for code in (*(s.value for s in SpeakerState if s is not SpeakerState.WELL), "silent", "not_played"):
        assert f"fact.sound.{code}" in table()


def test_status_tells_the_last_result_and_its_age():
    state = State(seq=1, boot="b", version="1", box="B", demo=False, now_ns=1, utc_ms=3 * 3_600_000, beds=())
    failed = told_of("failed", Stage(name="screens", state="failed", why="not_shown 1 / 2"))
    health = {"proof": failed.model_dump(mode="json")}
    assert _proof({"health": health}, state) == (
        " !Alarm chain: FAILED (Every open screen shows it), 3h 0m ago"
    )
    assert "not tried yet" in _proof({"health": {"proof": None}}, state)


# --- the schedule --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_h", "hour", "due"),
    [(11.9, 11, False), (12.1, 11, True), (23, 3, False), (30, 3, False), (47, 10, False), (48.1, 3, True)],
)
def test_once_a_day_at_its_hour_and_at_once_where_that_was_missed(age_h, hour, due):
    assert is_due(age_h, hour, Wanted(every_h=24, hour=11)) is due


def test_more_often_than_once_a_day_at_any_hour():
    assert not is_due(5.9, 3, Wanted(every_h=6))
    assert is_due(6.0, 3, Wanted(every_h=6))


def test_the_schedule_waits_for_the_box_to_come_up_and_can_be_switched_off(house):
    assert not house.proof.due()
    house.now += 600 * S
    assert house.proof.due()
    house.proof._wanted = Wanted(every_h=0)
    assert not house.proof.due()


async def test_one_that_passed_is_not_made_again_at_once(house):
    await house.prove()
    house.now += 4 * 3600 * S
    assert not house.proof.due()
    house.now += 48 * 3600 * S
    assert house.proof.due()


def test_a_test_that_is_ended_ends_its_burst(house):
    """A person's test of ten seconds, and its end by an act."""
    before = house.wanting.wanted.silenced
    house.obey(Command("c" * 8, house.now, "1", "AK", "test", (("priority", "high"),)))
    house.tick()
    assert house.wanting.wanted.sound == "high"
    house.obey(Command("d" * 8, house.now, "1", "AK", "test", (("priority", "high"), ("seconds", "0"))))
    house.tick()
    assert (house.wanting.wanted.sound, house.wanting.wanted.silenced) == (None, before + 1)
