"""One bed: items go to analysis, alarms and all sinks; what breaks costs itself only, and is said."""

from __future__ import annotations

import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.bedside import FIRST_RETRY_NS, Bedside
from daemon.model.alarms import ChangeKind, Phase
from daemon.model.signals import Command, Fact, FactState, Reading, Tick

S = 1_000_000_000
TICK = S // 10
DISK_FULL = Fact("store", FactState.FAILED, 1, 1)
READING = Reading("1", "X", "spo2", 97.0, "%", 5)


class Recorder:
    """A sink, or signals: what it was given, in order; `order` is shared with the others."""

    def __init__(self, name, order):
        self.name, self.order = name, order
        self.seen, self.changes = [], []

    def __call__(self, bed, item, *said):
        self.order.append((self.name, item))
        *findings, changes = said
        self.seen.append((item, *map(list, findings)))
        self.changes += changes


class Echo:
    def push(self, item):
        return [item]


class Breaks:
    def push(self, item):
        raise ZeroDivisionError


class House:
    """A Bedside and everything around it, handed out as the engine and analysis are made."""

    def __init__(self, analysis=Echo, engine=AlarmEngine):
        self.order, self.errors, self.engines = [], [], []
        self.signals, self.live, self.store = (Recorder(n, self.order) for n in ("signals", "live", "store"))
        self.make = engine
        self.bed = Bedside(
            "1",
            analysis=analysis,
            alarms=self.engine,
            signals=self.signals,
            live=self.live,
            store=self.store,
            failed=lambda what, error: self.errors.append((what, error)),
        )
        self.now = 0

    def engine(self, own, first):
        self.engines.append(self.make(Limits(own=own), boot="b", first=first))
        return self.engines[-1]

    def push(self, *items):
        for item in items:
            self.bed.push(item)

    def ticks(self, seconds):
        for _ in range(round(seconds * 10)):
            self.now += TICK
            self.push(Tick(self.now))

    def facts(self, source):
        return [item for item, _ in self.live.seen if isinstance(item, Fact) and item.source == source]

    def rows(self):
        return {alarm.row: alarm for alarm in self.bed.alarms.picture().alarms}


def bedside(make):
    house = House(make)
    return house.bed, house.live, house.store, house.errors


def test_item_and_findings_reach_both_sinks_in_order():
    bed, live, store, _ = bedside(Echo)
    bed.push(READING)
    bed.push(Tick(100))

    assert live.seen == store.seen == [(READING, [READING]), (Tick(100), [Tick(100)])]


def test_broken_analysis_is_said_once_and_items_still_flow():
    bed, live, store, errors = bedside(Breaks)
    bed.push(READING)
    bed.push(READING)

    facts = [item for item, _ in live.seen if isinstance(item, Fact)]
    assert [f.state for f in facts] == [FactState.FAILED]
    assert facts[0].detail == "ZeroDivisionError"
    assert [item for item, _ in store.seen].count(READING) == 2
    assert len(errors) == 1


def test_analysis_starts_anew_with_growing_waits_and_says_when_it_is_well():
    attempts = []

    def make():
        attempts.append(1)
        return Breaks() if len(attempts) < 3 else Echo()

    bed, live, _, errors = bedside(make)
    for k in range(100):
        bed.push(Tick(k * FIRST_RETRY_NS // 4))

    facts = [item.state for item, _ in live.seen if isinstance(item, Fact)]
    assert len(attempts) == 3
    assert len(errors) == 2
    assert facts == [FactState.FAILED, FactState.OK]


def test_the_order_is_signals_screen_store():
    house = House()
    house.push(READING)
    assert house.order == [(name, READING) for name in ("signals", "live", "store")]


def test_changes_reach_every_sink_with_the_tick_that_decided():
    house = House()
    house.push(DISK_FULL)
    house.ticks(0.1)
    for sink in (house.signals, house.live, house.store):
        assert [(c.kind, c.row) for c in sink.changes] == [(ChangeKind.BEGAN, "recording_stopped")]
        assert sink.changes[0].due_ns == TICK


def test_that_analysis_has_failed_is_an_alarm():
    house = House(Breaks)
    house.ticks(0.3)
    assert house.rows()["analysis_stopped"].phase is Phase.ACTIVE
    assert "analysis_stopped" in {c.row for c in house.store.changes}


class BreaksOnce(AlarmEngine):
    """An engine that raises at an item named POISON, and at every Tick while `wrong`."""

    wrong = False

    def step(self, item, findings=()):
        if isinstance(item, Reading) and item.name == "poison":
            raise ZeroDivisionError
        if BreaksOnce.wrong and isinstance(item, Tick):
            raise KeyError("wrong")
        return super().step(item, findings)


POISON = Reading("1", "X", "poison", 1.0, "", 5)


@pytest.fixture
def house():
    BreaksOnce.wrong = False
    yield House(engine=BreaksOnce)
    BreaksOnce.wrong = False


def test_an_engine_that_breaks_goes_on_with_what_stood_and_says_so(house):
    house.push(DISK_FULL)
    house.ticks(1)
    house.push(Command("act-00001", house.now, "1", "AK", "acknowledge"))
    house.push(Command("act-00002", house.now, "1", "AK", "limits", (("hr_low.below", "55"),)))
    house.ticks(1)
    before = house.rows()["recording_stopped"]
    house.push(POISON)
    house.ticks(0.1)

    after = house.rows()
    assert (before.phase, before.acknowledged_by) == (Phase.ACKNOWLEDGED, "AK")
    assert (after["recording_stopped"].occurrence, after["recording_stopped"].phase) == (
        before.occurrence,
        Phase.ACKNOWLEDGED,
    )
    assert after["alarms_failed"].phase is Phase.ACTIVE
    assert house.bed.alarms.limits.value("hr_low", "below") == 55
    assert [f.state for f in house.facts("alarms")] == [FactState.FAILED]
    assert [what for what, _ in house.errors] == ["alarms"]
    assert POISON in [item for item, _ in house.store.seen]

    house.push(Fact("store", FactState.OK, house.now, house.now))  # the fresh engine knows that it had failed
    house.ticks(1)
    assert house.rows()["recording_stopped"].phase is Phase.LATCHED_ACKNOWLEDGED
    house.ticks(31)
    assert [f.state for f in house.facts("alarms")] == [FactState.FAILED, FactState.OK]


def test_numbers_of_occurrences_go_on_rising_over_a_break(house):
    house.push(DISK_FULL)
    house.ticks(1)
    house.push(POISON)
    house.ticks(1)
    began = [c.occurrence for c in house.store.changes if c.kind is ChangeKind.BEGAN]
    assert len(set(began)) == len(began) == 2


def test_what_stood_before_the_break_and_waits_for_its_delay_is_still_known(house):
    house.push(Fact("disk_full", FactState.FAILED, 1, 1))  # an alarm after a minute
    house.ticks(1)
    house.push(POISON)
    house.ticks(59)
    assert "disk_full" not in house.rows()
    house.ticks(2)
    assert house.rows()["disk_full"].phase is Phase.ACTIVE


def test_an_engine_that_breaks_at_every_tick_is_said_once_never_raises_and_is_judged_by_its_ticks(house):
    house.push(DISK_FULL)
    house.ticks(1)
    well_ns = house.bed.alarms.judged_ns
    BreaksOnce.wrong = True
    house.ticks(5)
    assert [f.state for f in house.facts("alarms")] == [FactState.FAILED]
    assert house.bed.alarms.judged_ns == well_ns  # whoever sounds alarms sees that none are judged
    assert "recording_stopped" in house.rows()

    BreaksOnce.wrong = False
    house.ticks(1)
    assert house.bed.alarms.judged_ns == house.now
    assert house.rows()["alarms_failed"].phase is Phase.ACTIVE


def restarted(house, after_s, boot="b"):
    """Another process that goes on from what this one kept, so long after its last Tick."""
    kept = {**house.bed.alarms.kept, "boot": boot}
    following = House()
    following.now = house.now + round(after_s * S)
    return following, following.bed.restore(house.bed.alarms.own, kept, following.now)


def test_a_restart_goes_on_where_the_last_process_stood():
    house = House()
    house.push(DISK_FULL)
    house.ticks(1)
    house.push(Command("act-00001", house.now, "1", "AK", "limits", (("hr_low.below", "55"),)))
    house.ticks(1)
    following, resumed = restarted(house, 25)

    assert resumed
    assert following.rows()["recording_stopped"].phase is Phase.ACTIVE
    assert following.bed.alarms.limits.value("hr_low", "below") == 55
    [told] = following.store.changes
    assert (told.kind, told.row, told.occurrence) == (ChangeKind.RESUMED, "recording_stopped", "b:1")


@pytest.mark.parametrize(("after_s", "boot"), [(35, "b"), (1, "another")])
def test_after_a_long_break_or_a_reboot_all_is_judged_anew_and_the_log_says_so(after_s, boot):
    house = House()
    house.push(DISK_FULL)
    house.ticks(1)
    house.push(Command("act-00001", house.now, "1", "AK", "limits", (("hr_low.below", "55"),)))
    house.ticks(1)
    following, resumed = restarted(house, after_s, boot)

    assert not resumed
    assert following.rows() == {}
    assert following.bed.alarms.limits.value("hr_low", "below") == 55
    [lost] = following.store.changes
    assert (lost.kind, lost.row, lost.reason) == (ChangeKind.ENDED, "recording_stopped", "restart")
    following.push(DISK_FULL)
    following.ticks(0.1)
    assert following.rows()["recording_stopped"].phase is Phase.ACTIVE


def test_a_state_that_cannot_be_read_costs_the_state_only():
    house = House()
    house.bed.restore(
        {"hr_low": {"below": 55}}, {"boot": "b", "number": 3, "t_ns": 0, "alarms": [{"row": 1}]}, 5
    )
    assert house.errors
    assert house.bed.alarms.limits.value("hr_low", "below") == 55
    house.push(DISK_FULL)
    house.ticks(0.1)
    assert house.rows()["recording_stopped"].phase is Phase.ACTIVE
