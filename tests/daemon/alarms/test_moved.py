"""A person puts a device to another bed: what it alone gave is not missed here. One that goes by itself is missed as ever."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.needs import rests_on
from daemon.alarms.phases import LISTED, THERE
from daemon.alarms.table import TABLE
from daemon.alarms.watch import Watch
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.pipeline import Pipeline
from daemon.model.alarms import ChangeKind, Phase
from daemon.model.findings import Why
from daemon.model.signals import DeviceSeen, LinkState, Reading, SampleBlock, Tick
from tests.daemon.alarms.conftest import ECG, ECG_SEGMENT, TICK, Bed, S

MISSED = {
    "spo2": "no_spo2",
    "o2_purity": "no_o2_purity",
    "o2_flow": "no_o2_flow",
    "cpap_pressure": "no_cpap_pressure",
    "cpap_leak": "no_cpap_leak",
}
WELL = {"spo2": 97.0, "o2_purity": 93.0, "o2_flow": 2.0, "cpap_pressure": 8.0, "cpap_leak": 5.0}
LONG_S = 95  # any of these rows is there by then, were its number missed


@dataclass
class Machine:
    """One attached device that says some numbers every second."""

    name: str
    gives: frozenset[str]
    state: LinkState = LinkState.STREAMING

    def seen(self, now: int) -> DeviceSeen:
        return DeviceSeen("1", self.name.lower(), "vlp", "", self.name, "", "", self.state, now, now)


class Room:
    """A bed with machines."""

    def __init__(self, machines: list[Machine]) -> None:
        self.engine, self.machines, self.now = AlarmEngine(Limits(), boot="b"), machines, 0
        self.changes = []
        for machine in machines:
            self.engine.step(machine.seen(1))

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            for machine in self.machines:
                if machine.state is LinkState.STREAMING:
                    for name in sorted(machine.gives):
                        self.engine.step(Reading("1", machine.name, name, WELL[name], "", self.now + 1))
            for _ in range(10):
                self.now += TICK
                self.changes += self.engine.step(Tick(self.now))

    def goes(self, machine: Machine, state: LinkState) -> None:
        machine.state = state
        self.engine.step(machine.seen(self.now + 1))

    def there(self) -> set[tuple[str, str]]:
        return {(e.row.name, e.instance) for e in self.engine.listed if e.phase in THERE}


machines = st.lists(st.frozensets(st.sampled_from(sorted(WELL)), min_size=1), min_size=1, max_size=3).map(
    lambda gives: [Machine(f"D-{n}", one) for n, one in enumerate(gives)]
)
WAYS = (LinkState.MOVED, LinkState.LOST, LinkState.STALLED)


@settings(max_examples=25, deadline=None)
@given(machines, st.data())
def test_what_is_missed_is_what_a_device_that_belongs_here_gave(machines, data):
    """A bed misses exactly what devices gave that went by themselves, or stay; whatever order they go in."""
    room = Room(machines)
    room.run(3)
    for machine in data.draw(st.permutations(machines)):
        way = data.draw(st.sampled_from((*WAYS, LinkState.STREAMING)), label=machine.name)
        if way is LinkState.MOVED and data.draw(st.booleans(), label="lost first"):
            room.goes(machine, LinkState.LOST)
            room.run(data.draw(st.sampled_from((1, 50)), label="for"))
        room.goes(machine, way)
        room.run(1)
    room.run(LONG_S)

    ours = [m for m in machines if m.state is not LinkState.MOVED]
    expected = frozenset().union(*(m.gives for m in ours))
    given_now = frozenset().union(*(m.gives for m in ours if m.state is LinkState.STREAMING))
    gone = {m.name.lower() for m in ours if m.state is not LinkState.STREAMING}
    missed = {(MISSED[name], "") for name in expected - given_now}

    assert room.there() == missed | {("no_data_device", name) for name in gone}


@pytest.mark.parametrize("way", WAYS)
def test_an_alarm_of_a_device_that_is_taken_away_ends_and_one_that_latches_stays_to_be_seen(way):
    oximeter = Machine("OXI-1", frozenset({"spo2"}))
    room = Room([oximeter])
    room.run(3)
    room.machines = []
    for value in [86.0] * 15 + [75.0] * 3:
        room.engine.step(Reading("1", "OXI-1", "spo2", value, "%", room.now + 1))
        room.run(1)
    room.engine.step(Reading("1", "OXI-1", "o2_battery", 5.0, "%", room.now + 1))
    room.run(1)
    assert {"spo2_low", "desat", "battery_empty"} <= {row for row, _ in room.there()}

    room.goes(oximeter, way)
    room.run(LONG_S)
    if way is LinkState.MOVED:
        assert room.there() == set()
        assert [(e.row.name, e.phase) for e in room.engine.listed] == [("desat", Phase.LATCHED)]
        assert {c.reason for c in room.changes if c.kind is ChangeKind.ENDED} == {"moved"}
        assert room.engine.picture().sound is None
    else:
        assert {"spo2_low", "desat", "battery_empty", "no_spo2", "no_data_device"} <= {
            row for row, _ in room.there()
        }


def test_a_device_that_comes_back_is_missed_again():
    oximeter = Machine("OXI-1", frozenset({"spo2"}))
    room = Room([oximeter])
    room.run(3)
    room.goes(oximeter, LinkState.MOVED)
    room.run(30)
    room.goes(oximeter, LinkState.STREAMING)
    room.run(3)
    room.goes(oximeter, LinkState.LOST)
    room.run(LONG_S)

    assert room.there() == {("no_spo2", ""), ("no_data_device", "oxi-1")}


@pytest.mark.parametrize("way", WAYS)
def test_fibrillation_of_a_heart_whose_ecg_is_taken_away_is_kept_to_be_seen(way):
    """One that only falls off leaves it sounding: no alarm ends because data stopped."""
    bed = Bed()
    bed.link(LinkState.STREAMING)
    bed.block()
    bed.well(5)
    bed.rr_s, bed.values["heart_rate"] = None, Why.NO_BEATS
    bed.rhythm("VFL", bed.now / S)
    bed.run(3)
    assert bed.phase("vent_fib") is Phase.ACTIVE

    del bed.values["heart_rate"]
    bed.link(way)
    bed.rhythm("VFL", bed.now / S - 1)  # said late
    bed.run(LONG_S)
    if way is LinkState.MOVED:
        assert bed.phase("vent_fib") is Phase.LATCHED
        assert bed.sound is None
        assert bed.phase("no_data_ecg") not in LISTED
        assert bed.phase("no_heart_rate") not in LISTED
    else:
        assert bed.phase("vent_fib") is Phase.ACTIVE
        assert bed.began("no_data_ecg")


@pytest.mark.parametrize("way", [LinkState.MOVED, LinkState.LOST])
def test_the_real_analysis_of_an_ecg_that_is_taken_away_leaves_nothing_standing(way):
    watch = Watch("1", lambda own, first: AlarmEngine(Limits(own), boot="b", first=first), lambda error: None)
    analysis = Pipeline(load_qrs_table(), None)
    listed, now = set(), 0

    def push(item):
        watch.step(item, analysis.push(item))

    seen = DeviceSeen("1", "ecg", "dm_ecg", "", ECG.device, "", "", LinkState.STREAMING, 1, 1)
    push(seen)
    for n in range(15 * 20):
        at = np.arange(n * 25, (n + 1) * 25)
        beat = np.exp(-(((at % 400) - 200) ** 2) / 60.0) * 1000
        now = (n + 1) * 25 * 2_000_000
        push(SampleBlock(ECG_SEGMENT, n * 25, n * 25 * 2_000_000, 2e6, beat[None].astype(np.int32), now))
        push(Tick(now))
    assert "no_heart_rate" not in watch.picture().unarmed
    push(replace(seen, state=way, since_ns=now, t_ns=now))
    for n in range(1, 10 * LONG_S):
        push(Tick(now + n * TICK))
        listed |= {alarm.row for alarm in watch.picture().alarms}

    assert listed == (set() if way is LinkState.MOVED else {"no_data_ecg", "no_heart_rate"})
    assert ("no_heart_rate" in watch.picture().unarmed) == (way is LinkState.MOVED)


def test_every_row_that_waits_for_a_number_can_lose_it():
    """A row that is armed with a number rests on that number, so that nothing can be armed and never judged again."""
    armed = [row for row in TABLE if row.arms_with]
    assert armed
    for row in armed:
        if row.name not in {
            "nonsust_vt",
            "pause",
            "run",
            "couplet",
            "no_breath",
        }:  # events, and breaths by their time
            assert rests_on(row.condition, {row.arms_with}, set()), row.name
