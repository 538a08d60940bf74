"""What screens are told of alarms: with the Tick that changed them, every second while something is there, and at once when new."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import pytest

from daemon.alarms.acts import VERBS
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.table import ROWS, TABLE
from daemon.alarms.watch import Watch
from daemon.control.board import AlarmBoard, limit_rows
from daemon.control.live import LiveHub
from daemon.control.messages import AlarmsSeen, AlarmVerb, DisplayState, LimitsSeen
from daemon.model.findings import Metric, Why
from daemon.model.signals import Command, Fact, FactState, Reading, Tick

S = 1_000_000_000
TICK = S // 10
FAILED, WELL = (Fact("store", state, 1, 1) for state in (FactState.FAILED, FactState.OK))
DISPLAY = DisplayState(mode="monitor", mains_hz=50, cleaning=False)


class Bed:
    """An engine and its board, Tick by Tick: the messages that come, with the Tick each came with."""

    def __init__(self):
        self.alarms = Watch(
            "1", lambda own, first: AlarmEngine(Limits(own=own), boot="b", first=first), print
        )
        self.board = AlarmBoard("1", self.alarms)
        self.at = 0
        self.limits = []

    def run(self, ticks):
        said = []
        for _ in range(ticks):
            self.at += 1
            changes = self.alarms.step(Tick(self.at * TICK))
            new = self.board.take(self.at * TICK, changes)
            if "alarms" in new:
                said.append((self.at, AlarmsSeen.model_validate_json(new["alarms"])))
            if "limits" in new:
                self.limits.append((self.at, LimitsSeen.model_validate_json(new["limits"])))
        return said

    def act(self, verb, **values):
        told = tuple((key.replace("__", "."), value) for key, value in values.items())
        self.alarms.step(Command("act-00001", self.at * TICK, "1", "AK", verb, told))


def test_the_verbs_of_the_socket_are_those_of_the_engine():
    assert set(get_args(AlarmVerb)) == set(VERBS)


def test_a_quiet_bed_is_said_every_second_with_the_tick_that_was_judged():
    bed = Bed()
    first = AlarmsSeen.model_validate_json(bed.board.alarms)
    assert (first.now_ns, first.picture.alarms, first.picture.sound) == (0, (), None)
    said = bed.run(32)
    assert [(k, seen.now_ns) for k, seen in said] == [(k, k * TICK) for k in (10, 20, 30)]
    assert bed.limits == []


def test_an_engine_that_judges_no_more_is_told_with_the_tick_it_stands_at(monkeypatch):
    bed = Bed()
    bed.run(10)
    monkeypatch.setattr(AlarmEngine, "step", lambda *_: 1 / 0)
    said = bed.run(30)
    assert len(said) == 3
    assert {seen.now_ns for _, seen in said} == {10 * TICK}


def test_an_alarm_comes_with_its_tick_and_then_every_second_until_it_is_over():
    bed = Bed()
    bed.run(3)
    bed.alarms.step(FAILED)
    said = bed.run(32)
    assert [k for k, _ in said] == [4, 14, 24, 34]
    [alarm] = said[0][1].picture.alarms
    assert (alarm.row, alarm.phase, alarm.priority, alarm.sounds) == (
        "recording_stopped",
        "active",
        "medium",
        True,
    )
    assert (said[0][1].picture.sound, said[0][1].picture.worst) == ("medium", "medium")

    bed.alarms.step(WELL)
    [(_, latched)] = bed.run(1)
    assert [a.phase for a in latched.picture.alarms] == ["latched"]
    bed.act("acknowledge")
    [(_, gone)] = bed.run(1)
    assert (gone.picture.alarms, gone.picture.sound) == ((), None)


def test_a_pause_counts_down_on_every_screen():
    bed = Bed()
    bed.act("audio_pause", screen="bed 1", seconds="2")
    said = bed.run(40)
    [pause] = said[0][1].picture.pauses
    assert (pause.kind, pause.actor, pause.screen, pause.until_ns) == (
        "audio_paused",
        "AK",
        "bed 1",
        TICK + 2 * S,
    )
    assert [k for k, _ in said] == [1, 11, 21, 31]
    assert said[-1][1].picture.pauses == ()


def test_limits_are_said_as_they_are_set():
    bed = Bed()
    bed.act("limits", hr_low__below="55", hr_low__delay_s="5")
    bed.act("alarm_off", row="hr_high")
    [(_, seen)] = bed.run(1)
    [(_, told)] = bed.limits
    rows = {row.row: row for row in told.limits}
    [below] = rows["hr_low"].limits
    assert (below.key, below.value, below.default, below.unit) == ("below", 55.0, 50.0, "bpm")
    assert (rows["hr_low"].delay.value, rows["hr_low"].delay.default) == (5.0, 3.0)
    assert (rows["hr_high"].on, rows["hr_high"].on_default) == (False, True)
    assert (rows["run"].on, rows["run"].on_default) == (False, False)
    assert [off.row for off in seen.picture.off] == ["hr_high"]
    assert set(seen.picture.differing) == {"hr_low", "hr_high"}


def test_every_row_of_the_table_is_there_with_all_that_can_be_set():
    rows = limit_rows(Limits())
    assert [row.row for row in rows] == [row.name for row in TABLE]
    for row in rows:
        assert row.may_be_off == ROWS[row.row].may_be_off
        assert row.on or row.may_be_off
        for limit in (*row.limits, *([row.delay] if row.delay else [])):
            assert limit.low <= limit.default <= limit.high
            assert limit.step > 0


def rate(bpm, t_ns, why=None):
    return Metric(t_ns, t_ns, "heart_rate", bpm, "bpm", why, "II", 1.0, None)


@pytest.mark.parametrize(
    ("bpm", "low", "high"),
    [(80.0, 60, 100), (62.4, 50, 90), (45.0, 40, 90), (150.0, 60, 160)],  # 25 % up, 20 % down, within bounds
)
def test_limits_are_proposed_from_the_present_value_within_bounds_and_not_set(bpm, low, high):
    bed = Bed()
    bed.alarms.step(Tick(TICK), [rate(bpm, TICK)])
    proposed = {(one.row, one.key): one for one in bed.board.told().proposed}
    assert {place: one.limit for place, one in proposed.items()} == {
        ("hr_low", "below"): low,
        ("hr_high", "above"): high,
    }
    assert (proposed["hr_high", "above"].value, proposed["hr_high", "above"].times) == (bpm, 1.25)
    assert bed.alarms.limits.differing == ()


def test_limits_are_proposed_from_a_devices_own_number_with_its_unit():
    bed = Bed()
    bed.run(1)
    bed.alarms.step(Reading("1", "OXI-1", "spo2", 97.0, "%", bed.at * TICK))
    bed.run(1)
    units = {(one.row, one.unit) for one in bed.board.told().proposed if one.metric == "spo2"}
    assert ("spo2_low", "%") in units


def test_no_limit_is_proposed_from_a_value_that_is_absent_or_old():
    bed = Bed()
    assert bed.board.told().proposed == ()
    bed.alarms.step(Tick(TICK), [rate(80.0, TICK)])
    bed.alarms.step(Tick(50 * TICK))
    assert bed.board.told().proposed == ()
    bed.alarms.step(Tick(51 * TICK), [rate(None, 51 * TICK, Why.LEADS_OFF)])
    assert bed.board.told().proposed == ()


@pytest.fixture
def hub():
    beds = [("1", "Bed 1", DISPLAY)]
    return LiveHub(boot="b", version="1", box="Box", demo=True, beds=beds, utc_ms=lambda: 5)


async def alarms_of(reader):
    """The next message about alarms."""
    async with asyncio.timeout(1):
        while True:
            message = await reader.take()
            if isinstance(message, str) and json.loads(message)["type"] == "alarms":
                return AlarmsSeen.model_validate_json(message)


async def test_who_comes_late_is_told_at_once_and_all_hear_of_it_with_the_same_tick(hub):
    bed = Bed()
    hub.watch("1", bed.alarms)
    early = hub.subscribe()
    assert (await alarms_of(early)).picture.alarms == ()

    bed.alarms.step(FAILED)
    changes = bed.alarms.step(Tick(TICK))
    hub.publish("1", Tick(TICK), [], changes)
    late = hub.subscribe()
    for reader in (early, late):
        seen = await alarms_of(reader)
        assert (seen.now_ns, [a.row for a in seen.picture.alarms]) == (TICK, ["recording_stopped"])


async def test_a_screen_that_is_late_gets_the_newest_only(hub):
    bed = Bed()
    hub.watch("1", bed.alarms)
    reader = hub.subscribe()
    bed.alarms.step(FAILED)
    for k in range(1, 100):
        hub.publish("1", Tick(k * TICK), [], bed.alarms.step(Tick(k * TICK)))
    assert (await alarms_of(reader)).now_ns == 91 * TICK
    with pytest.raises(TimeoutError):
        await alarms_of(reader)
