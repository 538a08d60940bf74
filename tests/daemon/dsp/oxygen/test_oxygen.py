"""A concentrator's warm-up, purity, flow and cycle, against a bench log and the simulated machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.beside import Beside
from daemon.dsp.oxygen.channels import Outlet
from daemon.model.findings import Event, Metric
from daemon.model.signals import Channel, DeviceStatus, Quantity, Reading, SampleBlock, Segment, Stream
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.source import BED_A, BED_B, FLOW, OXYGEN

S = 1_000_000_000
CHANNELS = (
    Channel("purity", Quantity.OXYGEN, "%", 0.01),
    Channel("flow", Quantity.FLOW, "L/min", 0.01),
    Channel("bed_a", Quantity.TANK_PRESSURE, "kPa", 0.01),
    Channel("bed_b", Quantity.TANK_PRESSURE, "kPa", 0.01),
)


def segment(rate_hz=50.0, channels=CHANNELS, device="o2", began_s=0.0):
    return Segment(device, "1", Stream(device, "oxygen", rate_hz, channels), "", 0, round(began_s * S))


def blocks(of, values, cuts=()):
    counts = np.stack(
        [np.rint(row / c.gain) for row, c in zip(values, of.stream.channels, strict=True)]
    ).astype(np.int32)
    period_ns, edges = S / of.stream.rate_hz, sorted({0, counts.shape[1], *cuts})
    for at, stop in zip(edges, edges[1:], strict=False):
        t0_ns = of.began_ns + round(at * period_ns)
        part = np.ascontiguousarray(counts[:, at:stop])
        yield SampleBlock(of, at, t0_ns, period_ns, part, t0_ns + round((stop - at) * period_ns))


def said(items, bed=None):
    bed = bed or Beside()
    return [finding for item in items for finding in bed.push(item)]


def events(findings):
    return {f.name: f for f in findings if isinstance(f, Event)}


def series(findings, name):
    return np.array([(f.t_ns / S, f.value) for f in findings if isinstance(f, Metric) and f.name == name])


def machine(seconds, *acts, rate_hz=25.0):
    """Rows of the simulated concentrator; `acts` are (second, what is done to it)."""
    source, rows, at = Concentrator(rate_hz), [], 0
    for second, act in (*acts, (seconds, lambda _: None)):
        rows.append(source.take(round((second - at) * rate_hz)))
        act(source)
        at = second
    x = np.concatenate(rows)
    return np.stack([x[:, OXYGEN], 60 * x[:, FLOW], x[:, BED_A], x[:, BED_B]])


@pytest.fixture(scope="module")
def log(recordings):
    return np.genfromtxt(recordings / "o2conc/devilbiss_psa_50hz.csv", delimiter=",", names=True)


@pytest.mark.recordings
def test_the_bench_log_warms_up_and_its_low_purity_is_said_at_the_right_seconds(log):
    values = np.stack(
        [log["o2_pct"], log["flow_patient_lpm"], log["p_inlet_pa"] / 1000, log["p_outlet_pa"] / 1000]
    )
    of = segment(began_s=float(log["t_s"][0]))

    found = said(blocks(of, values))

    happened = events(found)
    assert set(happened) == {"oxygen_warmed_up", "oxygen_purity_low", "cycle_stopped"}
    warm = happened["oxygen_warmed_up"]
    assert warm.t_ns / S == pytest.approx(11.0, abs=0.1)
    assert warm.due_ns / S == pytest.approx(66.9 + 30, abs=1.6)  # 85 % is reached at 66.9 s
    low = happened["oxygen_purity_low"]
    assert low.t_ns / S == pytest.approx(130.4, abs=1.1)  # where 82 % is lost
    assert low.due_ns / S == pytest.approx(140.4, abs=1.6)
    assert 123 < happened["cycle_stopped"].due_ns / S < 142  # the motor is slowed at about 123 s
    ready = series(found, "o2_warm")
    assert set(ready[ready[:, 0] < 96, 1]) == {0.0}
    assert set(ready[ready[:, 0] > 99, 1]) == {1.0}


@pytest.mark.recordings
def test_purity_flow_and_half_cycle_of_the_bench_log(log):
    values = np.stack(
        [log["o2_pct"], log["flow_patient_lpm"], log["p_inlet_pa"] / 1000, log["p_outlet_pa"] / 1000]
    )

    found = said(blocks(segment(), values))

    for name, column in (("o2_purity", "o2_pct"), ("o2_flow", "flow_patient_lpm")):
        ours = series(found, name)[:, 1]
        n = len(ours) * 50
        assert ours == pytest.approx(log[column][:n].reshape(-1, 50)[:, 40:].mean(axis=1), abs=0.01)
    half = series(found, "half_cycle")
    steady = half[(half[:, 0] > 30) & (half[:, 0] < 112), 1]
    assert np.median(steady) == pytest.approx(3.64, abs=0.1)
    assert len(steady) == pytest.approx(82 / 3.64, abs=2)


@pytest.mark.recordings
def test_a_sensors_log_gives_its_numbers_as_readings(recordings):
    """A Gasboard at a switched-on concentrator: it has not warmed up within its two minutes."""
    rows = np.genfromtxt(recordings / "o2conc/gasboard7500h/UP_7500HABC_15BMP50_1.csv", delimiter=",")[1:, :3]
    told = [
        Reading("1", "gas", name, float(value), unit, round(t * S))
        for t, purity, flow in rows
        for name, value, unit in (("o2_purity", purity, "%"), ("o2_flow", flow, "L/min"))
    ]

    found = said(told)

    warm = series(found, "o2_warm")
    assert len(warm) == len(rows)
    assert warm[0, 1] == 0
    assert "oxygen_purity_low" not in events(found)


def test_start_up_ends_at_thirty_seconds_above_85_or_at_the_devices_word_or_after_five_minutes():
    def told(purities, *between):
        items = [Reading("1", "o2", "o2_purity", p, "%", k * S) for k, p in enumerate(purities)]
        return said([*items[:5], *between, *items[5:]])

    slow = told([21.0] * 40 + [86.0] * 20 + [84.0] * 2 + [90.0] * 60)
    word = told([21.0] * 40, DeviceStatus("1", "o2", "mode", "normal", 4 * S))
    never = told([70.0] * 400)

    assert events(slow)["oxygen_warmed_up"].due_ns == 92 * S
    assert series(word, "o2_warm")[[4, 5], 1].tolist() == [0, 1]
    assert events(word)["oxygen_purity_low"].due_ns == 15 * S
    assert events(never)["oxygen_not_warm"].due_ns == 300 * S
    assert events(never)["oxygen_purity_low"].due_ns == 310 * S


def test_a_device_that_was_away_starts_up_anew_and_one_whose_purity_falls_does_not():
    def told(purities, from_s=0):
        return [Reading("1", "o2", "o2_purity", p, "%", (from_s + k) * S) for k, p in enumerate(purities)]

    bed = Beside()
    said(told([90.0] * 60), bed)
    fallen = said(told([60.0] * 30, 60), bed)
    again = said(told([40.0] * 20, 200), bed)

    assert "oxygen_purity_low" in events(fallen)
    assert set(series(fallen, "o2_warm")[:, 1]) == {1.0}
    assert set(series(again, "o2_warm")[:, 1]) == {0.0}


def test_flow_that_stops_is_said_and_flow_that_never_was_is_not():
    def told(flows):
        return said([Reading("1", "o2", "o2_flow", f, "L/min", k * S) for k, f in enumerate(flows)])

    stopped = told([5.0] * 30 + [0.0] * 30 + [5.0] * 30)

    assert events(stopped)["oxygen_flow_stopped"].t_ns == 30 * S
    assert events(stopped)["oxygen_flow_stopped"].due_ns == 40 * S
    assert events(stopped)["oxygen_flow_back"].t_ns == 60 * S
    assert events(told([0.0] * 60)) == {}


def test_the_simulated_beds_turn_alike_and_a_worn_compressor_is_weak():
    healthy = said(blocks(segment(25.0), machine(200)))
    worn = said(
        blocks(segment(25.0), machine(360, (200, lambda m: m.fault("worn_compressor", present=True))))
    )

    half = series(healthy, "half_cycle")
    assert half[half[:, 0] > 40, 1] == pytest.approx(3.64, abs=0.25)
    assert series(healthy, "valve_asymmetry")[-5:, 1].max() < 5
    assert series(healthy, "compressor_health")[-5:, 1] == pytest.approx(100, abs=4)
    assert not {"compressor_weak", "valve_uneven", "cycle_stopped"} & set(events(healthy))
    assert series(worn, "compressor_health")[-1, 1] < 80
    assert 200 < events(worn)["compressor_weak"].due_ns / S < 280


def test_valves_that_hold_one_bed_longer_are_uneven():
    t = np.arange(25 * 200) / 25
    phase = t % 7.0
    a = np.where(phase < 2.6, 300.0, 110.0)
    values = np.stack([np.full(len(t), 93.0), np.full(len(t), 5.0), a, 410 - a])

    found = said(blocks(segment(25.0), values))

    assert series(found, "valve_asymmetry")[-1, 1] == pytest.approx(100 * 1.8 / 7, abs=2)
    assert "valve_uneven" in events(found)


def test_a_cycle_that_stops_is_said_once():
    values = machine(120)
    values[2:, 25 * 80 :] = values[2:, 25 * 80 - 1 : 25 * 80]

    found = [
        f for f in said(blocks(segment(25.0), values)) if isinstance(f, Event) and f.name == "cycle_stopped"
    ]

    assert len(found) == 1
    assert 80 + 6 < found[0].due_ns / S < 80 + 20


@given(st.lists(st.integers(1, 25 * 90 - 1), max_size=8))
@settings(max_examples=10, deadline=None)
def test_no_cut_of_the_stream_changes_what_is_said(cuts):
    values = machine(90)

    assert said(blocks(segment(25.0), values, cuts)) == said(blocks(segment(25.0), values))


def test_what_the_device_tells_stands_before_what_is_sampled():
    values = machine(60)
    bed = Beside()
    first, second = blocks(segment(25.0), values, cuts=(25 * 30,))

    before = said([first], bed)
    bed.push(Reading("1", "o2", "o2_purity", 93.0, "%", 30 * S))
    after = said([second], bed)

    assert len(series(before, "o2_purity")) == 30
    assert len(series(after, "o2_purity")) == 20  # told once: it stands for ten seconds
    assert len(series(after, "o2_flow")) == 30


def test_which_streams_are_a_concentrators():
    flow, patient = CHANNELS[1], Channel("p", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.01)

    assert Outlet.of(Stream("d", "s", 50.0, CHANNELS)) is not None
    assert Outlet.of(Stream("d", "s", 1.0, CHANNELS)).beds == ()
    assert Outlet.of(Stream("d", "s", 25.0, (flow, patient))) is None
    pascal = Channel("p_inlet", Quantity.TANK_PRESSURE, "Pa", 1.0)
    assert Outlet.of(Stream("d", "s", 50.0, (pascal,))).beds == ((0, 1e-3),)
