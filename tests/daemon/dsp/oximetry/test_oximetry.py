"""Desaturations and their index from an oximeter's own numbers, with probes that fall off and values that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.beside import Beside
from daemon.dsp.oximetry.desaturation import Artefacts, Desaturations
from daemon.model.findings import Event, Metric, Why
from daemon.model.signals import (
    Channel,
    Command,
    DeviceStatus,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)
from firmware_bridge.simulators.blood import Blood

S = 1_000_000_000


def readings(values, device="ox", from_s=0, name="spo2"):
    return [
        Reading("1", device, name, value, "%", (from_s + k) * S + S // 3) for k, value in enumerate(values)
    ]


def said(items, bed=None):
    bed = bed or Beside()
    return [finding for item in items for finding in bed.push(item)]


def falls(findings):
    return [
        (f.t_ns // S, *(value for _, value, _ in f.numbers))
        for f in findings
        if isinstance(f, Event) and f.name == "desaturation"
    ]


def last(findings, name):
    return next((f for f in reversed(findings) if isinstance(f, Metric) and f.name == name), None)


def dip(to, seconds=20, level=97.0):
    """Down within five seconds, there for so long, up again within five."""
    down = np.linspace(level, to, 6)[1:]
    return [*np.rint(down), *[to] * seconds, *np.rint(down[::-1])]


@pytest.mark.parametrize(
    ("to", "seconds", "three", "four"),
    [(95, 20, 0, 0), (94, 20, 1, 0), (93, 20, 1, 1), (90, 60, 1, 1), (92, 0, 0, 0)],
)
def test_a_fall_counts_by_its_depth_and_from_ten_seconds_on(to, seconds, three, four):
    series = [97.0] * 120 + dip(float(to), seconds) + [97.0] * 600
    bed = Beside()

    found = said(readings(series), bed)

    assert bed._oximetry._falls.counts == {3.0: three, 4.0: four}
    assert len(falls(found)) == three
    if three:
        (fall,) = falls(found)
        assert fall[:3] == (pytest.approx(121, abs=2), pytest.approx(97, abs=0.1), float(to))
        assert fall[3] == pytest.approx(seconds + 8, abs=3)


def last_valid(bed):
    return bed._oximetry._falls.valid_s


def test_index_is_of_valid_hours_and_none_before_ten_minutes():
    night = ([97.0] * 100 + dip(92.0)) * 12

    found = said(readings(night))
    early = said(readings(night[:500]))

    assert last(found, "odi4").value == pytest.approx(12 * 3600 / len(night), rel=0.05)
    assert (last(early, "odi4").value, last(early, "odi4").why) == (None, Why.LEARNING)
    assert last(found, "spo2_lowest").value == 92
    assert last(found, "spo2_baseline").value == pytest.approx(97, abs=0.2)
    assert last(found, "spo2_below_90").value == 0


def test_what_stays_low_is_a_new_level_and_time_below_is_counted():
    found = said(readings([97.0] * 120 + [87.0] * 480 + [97.0] * 240))

    assert falls(found) == []
    assert last(found, "spo2_below_90").value == pytest.approx(
        100 * 476 / 772, abs=1
    )  # as of the 11th minute
    assert last(found, "spo2_below_88").value == last(found, "spo2_below_90").value
    assert last(found, "spo2_baseline").value == pytest.approx(97, abs=0.5)


@pytest.mark.parametrize("away", ["none", "status", "zero", "silent", "perfusion"])
def test_a_probe_that_is_off_makes_no_fall_and_no_valid_time(away):
    bed = Beside()
    items = readings([97.0] * 300)
    if away == "none":
        items += readings([None] * 300, from_s=300)
    elif away == "status":
        items += [
            DeviceStatus("1", "ox", "signal", "finger out", 300 * S),
            *readings([70.0] * 300, from_s=300),
        ]
        items += [DeviceStatus("1", "ox", "signal", "", 600 * S)]
    elif away == "zero":
        items += readings([0.0] * 300, from_s=300)
    elif away == "perfusion":
        items += [*readings([0.02], from_s=300, name="perfusion_index"), *readings([70.0] * 300, from_s=300)]
        items += readings([2.0], from_s=600, name="perfusion_index")
    items += readings([97.0] * 300, from_s=600)

    found = said([*items, Tick(901 * S)], bed)

    assert falls(found) == []
    assert bed._oximetry._falls.valid_s == pytest.approx(600, abs=6)
    assert last(found, "spo2_below_90").value == 0


def test_a_jump_that_is_not_kept_is_an_artefact_and_one_that_is_is_real():
    artefacts = Artefacts()

    assert [artefacts.step(v, None) for v in (97.0, 80.0, 81.0, 97.0)] == [97.0, None, None, 97.0]
    assert [artefacts.step(v, None) for v in (80.0,) * 6] == [None] * 4 + [80.0, 80.0]
    assert artefacts.step(30.0, None) is None


def test_another_oximeter_takes_over_when_the_first_has_given_nothing_for_ten_seconds():
    bed = Beside()
    said(readings([97.0] * 60), bed)
    said(
        [
            r
            for pair in zip(readings([97.0] * 5, from_s=60), readings([88.0] * 5, "other", 60), strict=True)
            for r in pair
        ],
        bed,
    )
    assert last_valid(bed) == pytest.approx(64, abs=1)
    assert bed._oximetry._falls.below_s[90] == 0

    said(readings([88.0] * 60, "other", 65), bed)

    assert bed._oximetry._falls.below_s[90] == pytest.approx(60 - 10 - 4, abs=3)


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 127, allow_nan=False)), min_size=1, max_size=400),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_ticks_between_change_nothing_and_no_series_breaks_it(series, gaps):
    items = readings(series)
    if gaps:
        items = items[::3]
    ticked = [one for item in items for one in (item, Tick(item.t_ns + S // 10))]

    plain, between = said([*items, Tick(500 * S)]), said([*ticked, Tick(500 * S)])

    strip = [(f.t_ns, f.name, f.numbers if isinstance(f, Event) else f.value) for f in plain]
    assert strip == [(f.t_ns, f.name, f.numbers if isinstance(f, Event) else f.value) for f in between]
    assert all(f.due_ns >= f.t_ns for f in plain)


def test_another_patient_begins_with_nothing():
    bed = Beside()
    said(readings(([97.0] * 100 + dip(92.0)) * 6), bed)

    bed.push(Command("c", 0, "1", "AK", "discharge", ()))

    assert (last_valid(bed), bed._oximetry._falls.lowest) == (0, None)


def test_the_bodys_desaturations_are_found():
    """Simulated blood that goes down three times, each time for a minute."""
    blood, series = Blood(), []
    for second in range(900):
        if second in {200, 400, 600}:
            blood.desaturate(90.0, 60.0)
        blood.next(second + np.arange(10) / 10, 0.1, 1.0)
        series.append(float(round(blood.saturation_pct)))

    found = said(readings(series))

    assert [at for at, *_ in falls(found)] == [pytest.approx(t, abs=40) for t in (200, 400, 600)]
    assert all(lowest == pytest.approx(90, abs=1) for _, _, lowest, _ in falls(found))
    assert last(found, "odi3").value == pytest.approx(3 * 3600 / 890, rel=0.1)


def test_a_fall_whose_end_was_not_seen_is_none():
    watch = Desaturations()
    for second in range(60):
        watch.step(second, 97.0)
    for second in range(60, 80):
        watch.step(second, 90.0)
    for second in range(80, 120):
        watch.step(second, None)

    assert [watch.step(second, 97.0) for second in range(120, 200)] == [None] * 80
    assert watch.counts == {3.0: 0, 4.0: 0}


def test_a_pleth_gives_a_pulse_and_how_good_it_is_and_goes_before_a_light():
    t = np.arange(75 * 40) / 75
    phase = t % 0.75
    pulse = np.minimum(phase / 0.12, 1) * np.exp(-np.maximum(phase - 0.12, 0) / 0.2)

    def block(device, quantity, x):
        of = Segment(
            device, "1", Stream(device, "pleth", 75.0, (Channel("pleth", quantity, "1", 1e-3),)), "", 0, 0
        )
        return SampleBlock(of, 0, 0, S / 75, np.rint(1000 * x)[None].astype(np.int32), 0)

    bed = Beside()
    light = said([block("board", Quantity.PPG_INFRARED, pulse)], bed)
    pleth = said([block("ox", Quantity.PLETH, pulse)], bed)
    later = said([block("board", Quantity.PPG_INFRARED, pulse)], bed)

    assert {f.name for f in light} == {"pulse_rate"}
    assert last(pleth, "pulse_rate").value == pytest.approx(80, rel=0.03)
    assert last(pleth, "pleth_quality").value > 0.8
    assert last(pleth, "pleth_quality").unit == "1"
    assert later == []
