"""The proof of the alarm chain: the real decoder, analysis, engine and sound desk; whatever is broken makes its own stage fail."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from daemon import audit
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.table import TABLE
from daemon.appliance import reference_ecg
from daemon.appliance.proof import ACT, ALARM_TEST, Proof, is_due
from daemon.appliance.shadow import Shadow
from daemon.config import Proof as Wanted
from daemon.control.messages import ScreensSeen, ScreenState
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import Command, Fact, FactState, Tick
from daemon.signals.bursts import RATE
from daemon.signals.loudspeaker import Desk
from daemon.signals.messages import Speaker, SpeakerState
from daemon.signals.wanting import Wanting
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import Damage, Samples

S = 1_000_000_000
TICK = S // 10
UTC_S = 1_790_000_000
STAGES = ("decoder", "analysis", "alarm", "engine", "sound", "screens")


async def at_once(_seconds):
    await asyncio.sleep(0)


class Recorded:
    """The real analysis, or what it has found before of the same items."""

    def __init__(self, found=None):
        self.found = [] if found is None else found
        self.pipeline = None
        if found is None:
            further = Tables(load_waves_table(), load_rhythm_table())
            self.pipeline = Pipeline(load_qrs_table(), None, load_class_table(), further)
        self.at = -1

    def push(self, item):
        self.at += 1
        if self.pipeline is not None:
            self.found.append(self.pipeline.push(item))
        return self.found[self.at] if self.at < len(self.found) else []


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


class House:
    """Beds with real engines, a real sound desk and screens, in simulated time. `break_` names what does not work."""

    def __init__(self, found, *, speaker=True, screens=("1", ""), beds=("1", "2")):
        self.now = 1000 * S
        self.found = found
        self.engines = {bed: AlarmEngine(Limits(), boot="b", first=1 + 100 * i) for i, bed in enumerate(beds)}
        self.wanting = Wanting(70)
        self.desk = Desk(self.now)
        self.state = SpeakerState.WELL
        self.deaf = False
        self.open = list(screens)
        self.blind = set()
        self.facts, self.entries = [], []
        self.waits = []
        self.proof = Proof(
            Wanted(),
            self,
            speaker=speaker,
            heard=lambda: self.desk.heard(self.now),
            obey=self.obey,
            tell=self.facts.append,
            trail=self,
            now=lambda: self.now,
            utc=lambda: (UTC_S * S + self.now, True),
            rest=at_once,
        )
        self.began = []
        for _ in range(100):  # the self-test at the start is over
            self.tick()

    def pictures(self):
        return {bed: engine.picture() for bed, engine in self.engines.items()}

    def fresh_analysis(self):
        return Recorded(list(self.found))

    def fresh_engines(self):
        return {bed: AlarmEngine(Limits()) for bed in self.engines}

    def offer(self, entry):
        self.entries.append(entry)

    def obey(self, command):
        self.engines[command.bed].step(command)

    def say(self, source, state=FactState.FAILED, bed=""):
        for key in [bed] if bed else self.engines:
            self.engines[key].step(Fact(source, state, self.now, self.now, bed=bed))

    def tick(self):
        self.now += TICK
        for bed, engine in self.engines.items():
            changes = engine.step(Tick(self.now))
            self.wanting.take(bed, engine.picture(), changes)
        if not self.deaf:
            self.desk.heartbeat(self.wanting.wanted, self.now)
        self.desk.speaker = Speaker(state=self.state)
        self.desk.look(self.now)
        self.desk.render(RATE // 10)
        self.proof.ticked()
        if self.now % S == 0:
            self.proof.hear(ScreensSeen(screens=tuple(self.screen(i) for i in range(len(self.open)))))

    def screen(self, i):
        bed = self.open[i]
        shown = [a for key, p in self.pictures().items() if bed in {key, ""} for a in p.alarms]
        tests = () if i in self.blind else tuple(a.occurrence for a in shown if a.row.startswith("test_"))
        return ScreenState(bed=bed, visible=True, draws=True, sound="off", tests=tests)

    async def prove(self, meanwhile=None):
        task = asyncio.create_task(self.proof.prove("technician"))
        for n in range(3000):
            if task.done():
                break
            for _ in range(400 if self.proof._live is None else 3):
                await asyncio.sleep(0)
            if meanwhile is not None and self.proof._live is not None:
                meanwhile, act = None, meanwhile
                act()
            if not task.done():
                self.tick()
            assert n < 2999
        told = await task
        for _ in range(3):
            self.tick()
        return told


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
