"""A concentrator with faults, on the wire: bytes of its board, the analysis, the alarms: the right one, in time, once.

The simulated machine is calibrated on a bench log; what it has of that is in tests/firmware_bridge/simulators/test_concentrator.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from daemon.acquisition.device import Counters, Device
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.pipeline import Pipeline
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Metric
from daemon.model.signals import DeviceSeen, Item, LinkState, Reading, Tick
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.gasboard import Gasboard
from firmware_bridge.simulators.vlp import VlpOxygen

S = 1_000_000_000
STEP_NS = S // 5
WARM_S = 130


class Machine:
    """The machine, its board, the wire between, and a bed."""

    def __init__(self, simulated: Callable[[Concentrator], VlpOxygen | Gasboard], kind: str) -> None:
        self.body = Concentrator(10.0)
        self.far = simulated(self.body)
        self.items: list[Item] = []
        self.device = Device("1", "boot", BOARDS[kind].board({}), "port", Counters(), self._hear)
        self.analysis = Pipeline(load_qrs_table(), None)
        self.alarms = AlarmEngine(Limits(), boot="boot")
        self.now = 0
        self.changes: list[Change] = []
        self.numbers: dict[str, list[tuple[float, float]]] = {}
        self.device.board.opened(0)
        self.far.power_on(0)

    def __deepcopy__(self, memo: dict[int, object]) -> Machine:
        """As it stands, without what it has said so far; bound methods go with their object."""
        other = object.__new__(Machine)
        memo[id(self)] = other
        kept = {name: value for name, value in vars(self).items() if name not in {"changes", "numbers"}}
        vars(other).update({name: copy.deepcopy(value, memo) for name, value in kept.items()})
        other.changes, other.numbers = [], {}
        return other

    def _hear(self, item: Item) -> None:
        self.items.append(item)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * S / STEP_NS)):
            self.now += STEP_NS
            self.device.feed(self.far.due(self.now), self.now)
            self.far.feed(self.device.board.due(self.now) or b"", self.now)
            self.device.flush()
            serial = self.device.name
            seen = DeviceSeen("1", "o2", "", "", serial, "", "", LinkState.STREAMING, 0, self.now)
            for item in [*self._taken(), seen, Tick(self.now)]:
                findings = self.analysis.push(item)
                for one in (item, *findings):
                    if isinstance(one, Metric | Reading) and one.value is not None:
                        self.numbers.setdefault(one.name, []).append((one.t_ns / S, one.value))
                self.changes += self.alarms.step(item, findings)

    def _taken(self) -> list[Item]:
        items = self.items[:]
        self.items.clear()
        return items

    def began(self) -> dict[str, list[float]]:
        """Seconds at which alarms began to be said by themselves: those that another one speaks for are no sound."""
        told: dict[str, list[float]] = {}
        for change in self.changes:
            if change.kind is ChangeKind.BEGAN and not change.covered_by:
                told.setdefault(change.row, []).append(change.due_ns / S)
        return told

    def below(self, name: str, limit: float) -> float:
        """When a number was below a limit for the first time."""
        return next(t_s for t_s, value in self.numbers[name] if value < limit)


@pytest.fixture(scope="module")
def warm() -> Machine:
    """One that has run for so long that its start is over, and nothing was wrong."""
    machine = Machine(lambda body: VlpOxygen(body, rate_hz=10.0), "vlp")
    machine.run(WARM_S)
    assert machine.numbers["o2_warm"][-1][1] == 1.0
    assert machine.began() == {}
    return machine


@pytest.fixture
def machine(warm: Machine) -> Machine:
    return copy.deepcopy(warm)


def test_low_purity_is_said_a_minute_after_it_fell_below_82_and_once(machine):
    machine.body.purity_pct = 78.0
    machine.run(110)
    began = machine.began()
    fell_s = machine.below("o2_purity", 82.0)

    assert set(began) == {"o2_purity_low", "device_alarm", "o2_purity_falling"}
    assert began["o2_purity_low"] == [pytest.approx(fell_s + 60, abs=2)]
    assert began["device_alarm"] == [
        pytest.approx(fell_s + 11, abs=3)
    ]  # its own LOW_O2, after its own ten seconds
    assert began["o2_purity_falling"] == [pytest.approx(machine.below("o2_purity", 85.0) + 60, abs=2)]


def test_no_flow_is_said_ten_seconds_after_it_stopped_and_once(machine):
    machine.body.fault("blocked_outlet", present=True)
    machine.run(60)
    began = machine.began()
    stopped_s = machine.below("o2_flow", 0.3)

    assert set(began) == {"o2_no_flow", "device_alarm"}
    assert began["o2_no_flow"] == [pytest.approx(stopped_s + 10, abs=2)]
    assert stopped_s == pytest.approx(WARM_S, abs=2)
    machine.body.fault("blocked_outlet", present=False)
    machine.run(30)
    assert machine.began() == began
    ended = {c.row: c.due_ns / S for c in machine.changes if c.kind is ChangeKind.ENDED}
    assert ended["o2_no_flow"] == pytest.approx(WARM_S + 60 + 10, abs=3)


def test_a_valve_that_sticks_is_said_within_three_half_cycles_then_by_the_machine_and_by_its_purity(
    machine, warm
):
    machine.body.fault("stuck_valve", present=True)
    machine.run(100)
    began = machine.began()
    fell_s = machine.below("o2_purity", 82.0)
    half_s = warm.numbers["half_cycle"][-1][1]

    assert set(began) == {"valves_stopped", "device_alarm", "o2_purity_low", "o2_purity_falling"}
    assert began["valves_stopped"] == [pytest.approx(WARM_S + 3 * half_s, abs=half_s + 2)]
    assert began["device_alarm"] == [pytest.approx(fell_s + 11, abs=3)]
    assert all(t_s < WARM_S + 5 for t_s, _ in machine.numbers.get("half_cycle", ()))  # noise is no turn
    assert WARM_S < fell_s < WARM_S + 15
    assert began["o2_purity_low"] == [pytest.approx(fell_s + 60, abs=2)]


def test_a_worn_compressor_is_called_weak_once(machine):
    machine.body.fault("worn_compressor", present=True)
    machine.run(120)
    began = machine.began()

    assert set(began) == {"compressor_weak"}
    assert len(began["compressor_weak"]) == 1


def test_a_machine_that_gets_too_hot_is_said_half_a_minute_after_41_degrees_and_once(machine):
    machine.body.fault("still_fan", present=True)
    machine.run(360)
    hot_s = next(
        change.true_ns / S for change in machine.changes if change.row == "device_hot" and change.true_ns
    )

    assert machine.began() == {"device_hot": [pytest.approx(hot_s + 30, abs=1)]}
    assert machine.body.numbers.gas_temperature_c == pytest.approx(41, abs=4)


def test_a_battery_that_runs_down_is_said_at_20_and_at_10_percent_once_each(machine):
    machine.body.on_mains = False
    for level, row in ((20.05, "battery_low"), (10.05, "battery_empty")):
        machine.body.battery_pct = level
        began_s = machine.now / S
        machine.run(30)
        assert machine.began()[row] == [pytest.approx(began_s + 7.2, abs=2.5)]

    assert set(machine.began()) == {"battery_low", "battery_empty", "device_alarm"}
    assert all(len(times) == 1 for times in machine.began().values())


def test_a_sensor_at_the_outlet_sees_the_same():
    """The Gasboard gives purity and flow alone, twice a second."""
    machine = Machine(Gasboard, "gasboard")
    machine.run(WARM_S)
    assert machine.began() == {}
    machine.body.fault("blocked_outlet", present=True)
    machine.run(40)
    assert machine.began() == {"o2_no_flow": [pytest.approx(WARM_S + 10, abs=3)]}
    machine.body.fault("blocked_outlet", present=False)
    machine.body.purity_pct = 70.0
    machine.run(110)
    fell_s = machine.began()["o2_purity_low"][0] - 60
    assert WARM_S + 40 < fell_s < WARM_S + 75
    assert {row: len(times) for row, times in machine.began().items()} == {
        "o2_no_flow": 1, "o2_purity_low": 1, "o2_purity_falling": 1,
    }  # fmt: skip
