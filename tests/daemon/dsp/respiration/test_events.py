"""What disturbs breathing, of airflow made by hand and of the simulated body, against what was made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.dsp.beside import Beside
from daemon.dsp.respiration.airway import Airway, answer
from daemon.dsp.respiration.breaths import Breath
from daemon.dsp.respiration.limited import LimitedRuns
from daemon.dsp.respiration.night import APART_S, Night, Percentiles
from daemon.model.findings import Metric
from daemon.model.signals import Command, DeviceStatus, Reading, Tick
from firmware_bridge.simulators.lungs import Kind, Lungs
from tests.daemon.dsp.respiration.air import (
    S,
    blocks,
    breaths,
    events,
    number,
    said,
    segment,
    still,
    values,
)

APNOEAS = ("apnoea_obstructive", "apnoea_clear_airway", "apnoea_unclassified")
HZ = 25.0


def pressed(seconds, impedance, swing=0.5, hz=HZ):
    """Flow and pressure while the device presses at 4 Hz against so many cmH2O s/L."""
    t = np.arange(round(seconds * hz)) / hz
    wave = swing * np.sin(2 * np.pi * 4 * t)
    return np.roll(wave, 1) / impedance, wave


def with_pause(seconds, impedance=None):
    """Two minutes of breathing, a pause in which the device presses from the fourth second on, breathing again."""
    flow, pressure = still(HZ, seconds), np.zeros(round(seconds * HZ))
    if impedance is not None:
        late = round(4 * HZ)
        flow[late:], pressure[late:] = (wave[: len(flow) - late] for wave in pressed(seconds, impedance))
    whole = np.concatenate([breaths(HZ, 120), flow, breaths(HZ, 40)])
    held = np.concatenate([np.zeros(round(120 * HZ)), pressure, np.zeros(round(40 * HZ))]) + 10
    return np.stack([whole, held])


@pytest.mark.parametrize(
    ("impedance", "name"),
    [
        (4.0, "apnoea_clear_airway"),
        (15.0, "apnoea_obstructive"),
        (60.0, "apnoea_obstructive"),
        (8.5, "apnoea_unclassified"),
        (None, "apnoea_unclassified"),
    ],
)
def test_the_kind_of_an_apnoea_is_told_by_what_flows_when_the_device_presses(impedance, name):
    found = said(blocks(segment(), with_pause(18, impedance)))

    (event,) = events(found, *APNOEAS, "hypopnoea")
    assert event.name == name
    assert event.t_ns / S == pytest.approx(
        119.0, abs=1.5
    )  # the last of the breath before it is already quiet
    assert number(event, "duration") == pytest.approx(18.5, abs=1.5)
    assert event.due_ns / S <= 138 + 2.1
    assert number(event, "breathing_left") < 20
    if impedance is not None:
        assert number(event, "airway_impedance") == pytest.approx(impedance, rel=0.1)


@pytest.mark.parametrize(("seconds", "said_so"), [(6.5, False), (12.0, True)])
def test_an_apnoea_lasts_ten_seconds(seconds, said_so):
    found = said(blocks(segment(), with_pause(seconds)))

    assert bool(events(found, *APNOEAS)) is said_so


def test_an_apnoea_that_does_not_end_is_said_after_two_minutes_and_one_under_no_mask_never():
    flow = np.concatenate([breaths(HZ, 120), still(HZ, 150)])
    off = np.concatenate([np.full(round(122 * HZ), 8.0), np.zeros(round(148 * HZ))])

    found = said(blocks(segment(), np.stack([flow, np.full(len(flow), 8.0)])))
    without = said(blocks(segment(), np.stack([flow, off])))

    (event,) = events(found, *APNOEAS)
    assert number(event, "duration") == pytest.approx(120, abs=1.5)
    assert event.due_ns / S == pytest.approx(239, abs=2)
    assert not events(without, *APNOEAS)
    assert len(events(without, "therapy_stopped")) == 1


@pytest.mark.parametrize(
    ("share", "seconds", "count"), [(0.35, 20, 1), (0.35, 8, 0), (0.65, 20, 0), (0.35, 200, 0)]
)
def test_a_hypopnoea_is_half_of_the_breathing_for_ten_seconds_and_not_for_ever(share, seconds, count):
    flow = np.concatenate([breaths(HZ, 120), breaths(HZ, seconds, volume_l=0.5 * share), breaths(HZ, 60)])

    found = said(blocks(segment(), np.stack([flow, np.full(len(flow), 9.0)])))

    hypopnoeas = events(found, "hypopnoea")
    assert len(hypopnoeas) == count
    assert not events(found, *APNOEAS)
    for event in hypopnoeas:
        assert event.t_ns / S == pytest.approx(120, abs=0.5)
        assert number(event, "duration") == pytest.approx(20, abs=0.5)
        assert number(event, "breathing_left") == pytest.approx(35, abs=4)


def test_in_a_large_leak_nothing_counts():
    flow = with_pause(15, 15.0)
    bed = Beside()
    items = []
    for block in blocks(segment(), flow, cuts=range(125, flow.shape[1], 125)):
        items += [block, Reading("1", "cpap", "cpap_leak", 45.0, "L/min", block.arrived_ns)]

    found = said(items, bed)

    (event,) = events(found, *APNOEAS)
    assert (event.name, event.detail) == ("apnoea_unclassified", "large_leak")
    assert bed._night.events.total() == 0
    assert bed._night.valid_s == 0
    assert bed._night.therapy_s > 100


def test_index_usage_and_percentiles_of_a_night():
    pauses = [with_pause(15, 15.0) for _ in range(6)]
    flow = np.concatenate(pauses, axis=1)
    seconds = flow.shape[1] / HZ

    bed = Beside()
    found = said(blocks(segment(), flow), bed) + bed.finish()

    last = {f.name: f.value for f in found if isinstance(f, Metric)}
    assert last["usage_hours"] * 3600 == pytest.approx(seconds - 24, abs=5)
    assert last["ahi"] == pytest.approx(6 * 3600 / (seconds - 24), rel=0.02)
    assert last["therapy_pressure_median"] == pytest.approx(10, abs=0.05)
    assert last["therapy_pressure_p95"] == pytest.approx(10, abs=0.1)
    bed.push(Command("c", 0, "1", "AK", "admit", ()))
    assert bed._night.ahi() is None


def test_a_night_ends_after_hours_without_therapy_and_the_last_hour_forgets():
    night = Night()
    for t in range(1800):
        night.second(t * S, 1.0, 8.0, 3.0, valid=True, periodic=False)
    night.event(1799 * S, "hypopnoea")

    assert night.ahi() == pytest.approx(2.0)
    assert night.ahi_of_last_hour(1800 * S) == pytest.approx(2.0)
    assert night.ahi_of_last_hour(6000 * S) is None
    night.second((1800 + APART_S + 1) * S, 1.0, None, None, valid=True, periodic=False)
    assert (night.therapy_s, night.events.total()) == (1.0, 0)
    assert Percentiles(0.1).at(0.5) is None


def test_therapy_that_stops_is_said_with_the_time_and_the_reason():
    flow = np.concatenate([breaths(HZ, 120), still(HZ, 40)])
    off = np.concatenate([np.full(round(120 * HZ), 8.0), np.full(round(40 * HZ), 0.2)])
    on = np.full(len(flow), 8.0)

    by_pressure = said(blocks(segment(), np.stack([flow, off])))
    silent = said(
        [*blocks(segment(), np.stack([flow, on])), *(Tick(160 * S + k * S // 10) for k in range(300))]
    )
    told = said([*blocks(segment(), np.stack([flow, on])), DeviceStatus("1", "cpap", "mask", "off", 160 * S),
                 *blocks(segment(), np.stack([flow, on]), first=len(flow))])  # fmt: skip
    apnoea = said(
        blocks(segment(), np.stack([np.concatenate([flow, still(HZ, 60)]), np.full(len(flow) + 1500, 8.0)]))
    )

    (stopped,) = events(by_pressure, "therapy_stopped")
    assert (stopped.detail, stopped.t_ns / S) == ("pressure", pytest.approx(120, abs=1.1))
    assert stopped.due_ns / S == pytest.approx(130, abs=1.1)
    assert len(values(by_pressure, "since_breath", 60, 128)) == 68
    assert not len(values(by_pressure, "since_breath", 131))  # nobody wears the mask
    (stopped,) = events(silent, "therapy_stopped")
    assert (stopped.detail, stopped.t_ns / S) == ("no_data", pytest.approx(160, abs=1.1))
    assert stopped.due_ns / S == pytest.approx(170, abs=0.2)
    assert [e.detail for e in events(told, "therapy_stopped")] == ["mask_off"]
    assert not events(apnoea, "therapy_stopped")  # nobody breathes for a minute: that is no end of therapy
    assert len(events(by_pressure, "therapy_began")) == 1
    assert values(silent, "usage_hours")[-1] * 3600 == pytest.approx(136, abs=3)


def test_a_mask_that_is_taken_off_while_the_blower_runs_ends_therapy():
    """Vent 10 L/min per sqrt(cmH2O); then 85 L/min blow into the room at 2.5 cmH2O."""
    worn = breaths(HZ, 300) + 10 / 60 * np.sqrt(8)
    flow = np.concatenate([worn, np.full(round(120 * HZ), 85 / 60)])
    pressure = np.concatenate([np.full(len(worn), 8.0), np.full(round(120 * HZ), 2.5)])

    (stopped,) = events(said(blocks(segment(), np.stack([flow, pressure]))), "therapy_stopped")

    assert stopped.detail == "mask_off"
    assert stopped.t_ns / S == pytest.approx(300, abs=4.5)  # the last breath


def test_flat_breaths_that_end_in_a_deep_one_are_a_run():
    flat = breaths(HZ, 32, flat=1.0, volume_l=0.4)
    run = np.concatenate([breaths(HZ, 80), flat, breaths(HZ, 4, volume_l=0.9), breaths(HZ, 40)])
    alone = np.concatenate([breaths(HZ, 80), flat, breaths(HZ, 44, volume_l=0.3)])

    found = said(blocks(segment(), np.stack([run, np.full(len(run), 8.0)])))
    without = said(blocks(segment(), np.stack([alone, np.full(len(alone), 8.0)])))

    (event,) = events(found, "flow_limitation_run")
    assert event.t_ns / S == pytest.approx(80, abs=0.5)
    assert number(event, "duration") == pytest.approx(32, abs=0.5)
    assert number(event, "breaths") == 8
    assert not events(without, "flow_limitation_run")
    assert (
        values(found, "flow_limitation", 100, 110).min()
        > 0.5
        > values(found, "flow_limitation", 30, 79).max()
    )


def test_a_run_needs_ten_seconds_and_breaths_that_join():
    one = Breath(0, 40, 100, 0.4, 0.4, 0.3, 0.2, 1.6, 4.0, 0.8)
    deep = replace(one, peak_lps=0.6, limited=0.0)

    def run(*onsets):
        runs = LimitedRuns(HZ)
        for at in onsets:
            runs.push(replace(one, onset=at, turn=at + 40, end=at + 100))
        return runs.push(replace(deep, onset=onsets[-1] + 100, end=onsets[-1] + 200))

    assert run(0, 100, 200) is not None
    assert run(0, 100) is None
    assert run(0, 100, 400) is None


@pytest.mark.parametrize("hz", [20.0, 25.0, 31.25])
def test_impedance_is_measured_where_pressure_swings_and_nowhere_else(hz):
    flow, pressure = pressed(10, 5.0, hz=hz)
    rng = np.random.default_rng(2)

    assert answer(flow, pressure, hz) == (Airway.OPEN, pytest.approx(5.0, rel=0.02))
    assert answer(flow, pressure * 0.1, hz) == (Airway.UNKNOWN, None)
    assert answer(flow[:20], pressure[:20], hz) == (Airway.UNKNOWN, None)
    assert answer(flow, pressure, 10.0) == (Airway.UNKNOWN, None)
    airway, _ = answer(rng.normal(0, 0.5, len(flow)), pressure, hz)
    assert airway is not Airway.OPEN  # loud, and no answer


def breathe(lungs, t_s, seconds):
    """So many seconds of simulated lungs under their machine: flow and pressure."""
    step_s, parts = 1 / HZ, []
    for second in range(seconds):
        t = t_s + second + np.arange(round(HZ)) * step_s
        airway = lungs.next(t, step_s, np.zeros(len(t)))
        parts.append(np.stack([airway.flow, airway.pressure]))
    return np.concatenate(parts, axis=1)


@pytest.fixture(scope="module")
def body():
    """Simulated lungs at their machine: obstructive, central, shallow, then Cheyne-Stokes; with the truth about them."""
    lungs, parts, t_s = Lungs(np.random.default_rng(5)), [], 0
    for act, seconds in (
        (lambda: None, 150),
        (lambda: lungs.stop_breathing(20, Kind.OBSTRUCTIVE), 80),
        (lambda: lungs.stop_breathing(15, Kind.CENTRAL), 80),
        (lambda: lungs.breathe_less(25), 80),
        (lambda: lungs.cheyne_stokes(on=True), 400),
        (lambda: lungs.cheyne_stokes(on=False), 200),
    ):
        act()
        parts.append(breathe(lungs, t_s, seconds))
        t_s += seconds
    return said(blocks(segment(), np.concatenate(parts, axis=1))), sorted(
        lungs.events, key=lambda e: e.start_s
    )


def test_every_apnoea_and_hypopnoea_of_the_body_is_found_at_its_place_and_by_its_kind(body):
    found, truth = body
    named = {
        Kind.OBSTRUCTIVE: "apnoea_obstructive",
        Kind.CENTRAL: "apnoea_clear_airway",
        Kind.HYPOPNOEA: "hypopnoea",
    }
    wanted = [e for e in truth if e.kind in named]

    heard = events(found, *APNOEAS, "hypopnoea")

    assert len(wanted) >= 8
    assert [e.name for e in heard] == [named[e.kind] for e in wanted]
    for theirs, ours in zip(wanted, heard, strict=True):
        assert ours.t_ns / S == pytest.approx(theirs.start_s, abs=5)
        assert number(ours, "duration") == pytest.approx(theirs.end_s - theirs.start_s, abs=9)


def test_the_bodys_cheyne_stokes_breathing_is_found(body):
    found, truth = body
    state = next(e for e in truth if e.kind is Kind.CHEYNE_STOKES)

    (began,), (over,) = events(found, "cheyne_stokes"), events(found, "cheyne_stokes_over")

    assert state.start_s < began.t_ns / S < state.start_s + 60
    assert began.due_ns / S < state.start_s + 240
    assert number(over, "cycle") == pytest.approx(60, abs=2)
    assert number(over, "duration") > 250


def waxing(cycles, cycle_s=60.0):
    """Breathing that waxes, wanes and pauses for 20 s, again and again, through an open airway."""
    parts = [breaths(HZ, 120)]
    pressure = [np.zeros(len(parts[0]))]
    for _ in range(cycles):
        pause, wave = still(HZ, 20), np.zeros(round(20 * HZ))
        pause[100:], wave[100:] = (x[: len(pause) - 100] for x in pressed(20, 4.0))
        count = round((cycle_s - 20) / 4)
        sizes = 0.2 + 0.5 * np.sin(np.pi * (np.arange(count) + 0.5) / count)
        parts += [pause, *(breaths(HZ, 4, volume_l=size) for size in sizes)]
        pressure += [wave, np.zeros(sum(len(p) for p in parts) - sum(len(p) for p in pressure) - len(wave))]
    parts.append(breaths(HZ, 240))
    flow = np.concatenate(parts)
    return np.stack([flow, 10 + np.concatenate([*pressure, np.zeros(round(240 * HZ))])])


def test_cheyne_stokes_is_said_at_the_third_event_and_when_it_is_over():
    found = said(blocks(segment(), waxing(6)))

    assert {e.name for e in events(found, *APNOEAS)} == {"apnoea_clear_airway"}
    (began,), (over,) = events(found, "cheyne_stokes"), events(found, "cheyne_stokes_over")
    assert began.t_ns / S == pytest.approx(119, abs=3)
    assert began.due_ns / S == pytest.approx(120 + 2 * 60 + 20, abs=5)
    assert number(began, "cycle") == pytest.approx(60, abs=2)
    assert number(over, "cycles") == 5
    assert number(over, "duration") == pytest.approx(5 * 60 + 20, abs=5)
    assert values(found, "cheyne_stokes_share")[-1] > 30


def test_two_pauses_or_breathing_that_does_not_wax_are_no_cheyne_stokes():
    steady = [breaths(HZ, 120)]
    for _ in range(5):
        steady += [still(HZ, 20), breaths(HZ, 40)]
    flow = np.concatenate([*steady, breaths(HZ, 200)])

    assert not events(said(blocks(segment(), waxing(2))), "cheyne_stokes")
    found = said(blocks(segment(), np.stack([flow, np.full(len(flow), 8.0)])))
    assert len(events(found, *APNOEAS)) == 5
    assert not events(found, "cheyne_stokes")
