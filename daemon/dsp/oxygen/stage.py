"""The concentrator of a bed: its samples where it is sampled, its own numbers where it tells them.

Of several the one that was heard first is followed, and another when it has been silent for ten seconds. What is sampled is
said once a second as `o2_purity` and `o2_flow`; a number that the device tells itself stands as it is. `o2_warm` is said with
every purity. Events of numbers that the device told come from no samples: their evidence names none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.hops import Hop, Hops
from daemon.dsp.oxygen.channels import Outlet
from daemon.dsp.oxygen.cycle import EVEN_PCT, UNEVEN_PCT, WEAK_PCT, WELL_PCT, Cycle
from daemon.dsp.oxygen.gas import (
    BACK_PCT,
    FLOWS_LPM,
    LOW_PCT,
    LOW_S,
    NO_FLOW_LPM,
    NO_FLOW_S,
    SECOND_NS,
    Happened,
    Level,
    WarmUp,
)
from daemon.model.findings import LIVE_STEP_NS, Event, Evidence, Finding, Metric
from daemon.model.signals import DeviceStatus, Nanos, Reading, SampleBlock, Segment
from daemon.units import OBSERVABLES

PURITY, FLOW, WARM = "o2_purity", "o2_flow", "o2_warm"
GAS_RULE, CYCLE_RULE = "oxygen/1", "cycle/1"
MEAN_HZ, SECOND_S = 25.0, 1.0
SILENT_NS: Nanos = 10 * SECOND_NS
READY = {"ready", "normal", "running"}  # words of a device's mode that end start-up
HEALTH_S = 10  # seconds between numbers on the health of compressor and valves

Floats = npt.NDArray[np.float64]
Numbers = tuple[tuple[str, float, str], ...]


class OxygenSegment:
    """One segment of a concentrator's samples. ValueError for a stream of anything else."""

    def __init__(self, segment: Segment, gas: Gas) -> None:
        outlet = Outlet.of(segment.stream)
        if outlet is None:
            raise ValueError("no concentrator's channels")
        self.segment = segment
        self._gas = gas
        self._outlet = outlet
        rows = [row for row in (outlet.purity, outlet.flow, *outlet.beds) if row is not None]
        self._factors = np.array([[factor] for _, factor in rows])
        self._hops = Hops(segment, [row for row, _ in rows], MEAN_HZ, SECOND_S)
        self._cycle = Cycle(self._hops.hz) if outlet.beds else None
        self._expected: int | None = None
        self._trouble: dict[str, bool] = dict.fromkeys(("weak", "uneven", "stopped"), False)

    @property
    def heard_ns(self) -> Nanos | None:
        """Time of the last sample that came, None before the first."""
        return self._hops.heard_ns

    def push(self, block: SampleBlock) -> list[Finding]:
        """What the block lets be said, in order of `due_ns`."""
        return [finding for hop in self._hops.push(block) for finding in self._second(hop)]

    def _second(self, hop: Hop) -> list[Finding]:
        values = hop.values * self._factors
        evidence = Evidence(self.segment.id, hop.first, hop.last, GAS_RULE)
        found: list[Finding] = []
        row = 0
        for name, there in ((PURITY, self._outlet.purity), (FLOW, self._outlet.flow)):
            if there is not None:
                value = float(values[row, 4 * self._hops.n // 5 :].mean())  # as the second ends
                device = self.segment.stream.device
                found += self._gas.sampled(device, name, value, hop.t_ns, hop.due_ns, evidence)
                row += 1
        if self._cycle is not None:
            found += self._turns(self._cycle, hop, values[row:])
        self._expected = hop.number + 1
        return found

    def _turns(self, cycle: Cycle, hop: Hop, pressures: Floats) -> list[Finding]:
        if hop.number != self._expected:
            cycle.begin()
        n, of = self._hops.n, self._hops.of
        found: list[Finding] = []
        for turn in cycle.push(hop.number * n, pressures):
            first = max(turn.at - round(turn.half_s * self._hops.hz), 0)
            evidence = Evidence(self.segment.id, first * of, (turn.at + 1) * of - 1, CYCLE_RULE)
            t_ns = self._hops.time_of(turn.at)
            found.append(_metric(t_ns, hop.due_ns, "half_cycle", turn.half_s, evidence))
            found.append(_metric(t_ns, hop.due_ns, "bed_pressure_swing", turn.swing_kpa, evidence))
        evidence = Evidence(self.segment.id, max(hop.first - 20 * n * of, 0), hop.last, CYCLE_RULE)
        health, uneven = cycle.health_pct(), cycle.asymmetry_pct()
        if hop.number % HEALTH_S == HEALTH_S - 1:
            for name, value in (("compressor_health", health), ("valve_asymmetry", uneven)):
                if value is not None:
                    found.append(_metric(hop.t_ns, hop.due_ns, name, value, evidence))
        stopped = cycle.stopped((hop.number + 1) * n)
        weak = None if health is None else WELL_PCT - health if self._trouble["weak"] else WEAK_PCT - health
        odd = None if uneven is None else uneven - (EVEN_PCT if self._trouble["uneven"] else UNEVEN_PCT)
        found += self._judge(
            hop, "weak", "compressor_weak", weak, ("compressor_health", health, "%"), evidence
        )
        found += self._judge(hop, "uneven", "valve_uneven", odd, ("valve_asymmetry", uneven, "%"), evidence)
        level = ("bed_pressure", float(pressures.mean()), "kPa")
        found += self._judge(hop, "stopped", "cycle_stopped", 1.0 if stopped else -1.0, level, evidence)
        return found

    def _judge(
        self,
        hop: Hop,
        kind: str,
        name: str,
        excess: float | None,
        number: tuple[str, float | None, str],
        evidence: Evidence,
    ) -> list[Finding]:
        """Say once that something is wrong, until it is well again."""
        key, value, unit = number
        if excess is None or value is None or (excess > 0) == self._trouble[kind]:
            return []
        self._trouble[kind] = excess > 0
        return [Event(hop.t_ns, hop.due_ns, name, ((key, value, unit),), evidence)] if excess > 0 else []


class Gas:
    """Purity and flow of the bed's concentrator, from samples or as told, and what became of them."""

    def __init__(self) -> None:
        self._device = ""
        self._heard_ns: Nanos | None = None
        self._told_ns: dict[str, Nanos] = {}
        self._warm = WarmUp()
        self.begin()

    def begin(self) -> None:
        """A new patient: the device is as warm as it was."""
        self._purity = Level(
            LOW_PCT, BACK_PCT, LOW_S, ("oxygen_purity_low", "oxygen_purity_back"), (PURITY, "%")
        )
        self._flow = Level(
            NO_FLOW_LPM, FLOWS_LPM, NO_FLOW_S, ("oxygen_flow_stopped", "oxygen_flow_back"), (FLOW, "L/min")
        )
        self._flowed = False

    def reading(self, reading: Reading) -> list[Finding]:
        """A number that a concentrator told; others pass by."""
        if reading.name not in {PURITY, FLOW} or not self._followed(reading.device, reading.t_ns):
            return []
        self._told_ns[reading.name] = reading.t_ns
        if reading.value is None:
            return []
        return self._step(
            reading.name, reading.value, reading.t_ns, _due(reading.t_ns), Evidence("", 0, 0, GAS_RULE)
        )

    def status(self, status: DeviceStatus) -> None:
        """A word of the device on itself."""
        if status.device == self._device and status.name == "mode" and status.text.lower() in READY:
            self._warm.told()

    def sampled(
        self, device: str, name: str, value: float, t_ns: Nanos, due_ns: Nanos, evidence: Evidence
    ) -> list[Finding]:
        """A second of samples; silent where the device tells the number itself."""
        if not self._followed(device, t_ns) or t_ns - self._told_ns.get(name, -SILENT_NS - 1) <= SILENT_NS:
            return []
        said: list[Finding] = [_metric(t_ns, due_ns, name, value, evidence)]
        return said + self._step(name, value, t_ns, due_ns, evidence)

    def _followed(self, device: str, t_ns: Nanos) -> bool:
        if device != self._device:
            if self._heard_ns is not None and t_ns - self._heard_ns <= SILENT_NS:
                return False
            if self._device:
                self._warm = WarmUp()
            self._device = device
        self._heard_ns = t_ns
        return True

    def _step(self, name: str, value: float, t_ns: Nanos, due_ns: Nanos, evidence: Evidence) -> list[Finding]:
        happened: list[Happened | None] = []
        found: list[Finding] = []
        if name == PURITY:
            happened.append(self._warm.step(t_ns, value))
            if self._warm.ready:
                happened.append(self._purity.step(t_ns, value))
            else:
                self._purity.forget()
            found.append(_metric(t_ns, due_ns, WARM, float(self._warm.ready), evidence))
        else:
            self._flowed = self._flowed or value >= FLOWS_LPM
            if self._flowed:
                happened.append(self._flow.step(t_ns, value))
        events = [Event(e.onset_ns, due_ns, e.name, e.numbers, evidence) for e in happened if e is not None]
        return [*found, *events]


def _metric(t_ns: Nanos, due_ns: Nanos, name: str, value: float, evidence: Evidence) -> Metric:
    source = evidence if evidence.segment else None
    return Metric(t_ns, due_ns, name, value, OBSERVABLES[name].unit, None, "", 1.0, source)


def _due(t_ns: Nanos) -> Nanos:
    return -(-t_ns // LIVE_STEP_NS) * LIVE_STEP_NS
