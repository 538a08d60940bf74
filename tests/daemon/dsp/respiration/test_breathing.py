"""Breaths, rate, volumes, leak: the numbers of known airflow, at every rate that a device may have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.beside import Beside
from daemon.dsp.respiration.breaths import flattening
from daemon.dsp.respiration.channels import Airflow
from daemon.dsp.respiration.night import Night
from daemon.dsp.respiration.snore import Snore
from daemon.dsp.respiration.stage import RespirationSegment
from daemon.model.findings import Metric, Why
from daemon.model.signals import Channel, Quantity, Reading, Stream, Tick
from tests.daemon.dsp.respiration.air import (
    FLOW,
    LEAK,
    PRESSURE,
    S,
    blocks,
    breath,
    breaths,
    events,
    said,
    segment,
    still,
    values,
)


def at_pressure(flow, cm_h2o=10.0):
    return np.stack([flow, np.full(len(flow), cm_h2o)])


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 40.0, 50.0, 62.5, 100.0])
@pytest.mark.parametrize(("period_s", "volume_l"), [(6.0, 0.8), (4.0, 0.5), (2.4, 0.25)])
def test_rate_volumes_and_times_of_known_breaths(rate_hz, period_s, volume_l):
    flow = breaths(rate_hz, 120, period_s=period_s, volume_l=volume_l)

    found = said(blocks(segment(rate_hz), at_pressure(flow)))

    length = len(breath(rate_hz, period_s=period_s)) / rate_hz
    assert values(found, "respiration_rate", 80)[-20:] == pytest.approx(60 / length, rel=0.01)
    assert np.median(values(found, "tidal_volume", 80)) == pytest.approx(1000 * volume_l, rel=0.05)
    assert np.median(values(found, "expired_volume", 80)) == pytest.approx(1000 * volume_l, rel=0.05)
    assert values(found, "minute_volume", 100) == pytest.approx(60 / length * volume_l, rel=0.05)
    assert np.median(values(found, "inspiratory_time", 80)) == pytest.approx(0.4 * length, abs=0.25)
    assert {(f.lead, f.unit) for f in found if isinstance(f, Metric) and f.name == "tidal_volume"} == {
        ("flow", "mL")
    }


def test_no_rate_before_it_is_known_and_none_when_breathing_stops():
    flow = np.concatenate([breaths(25.0, 120), still(25.0, 100)])

    found = said(blocks(segment(), at_pressure(flow)))

    rates = [f for f in found if isinstance(f, Metric) and f.name == "respiration_rate"]
    assert rates[0].why is Why.LEARNING
    assert [f.value for f in rates if f.t_ns < 20 * S] == [None] * 20
    assert rates[-1].why is Why.NO_BREATHS
    slowing = values(found, "respiration_rate", 126, 150)
    assert (np.diff(slowing) <= 1e-9).all()
    assert slowing[-1] < 0.75 * slowing[0]
    assert values(found, "since_breath", 140, 141)[0] == pytest.approx(24, abs=1.5)  # it began at 116 s


@pytest.mark.parametrize("k", [8.0, 10.0, 12.0])
@pytest.mark.parametrize("leak_lpm", [12.0, 40.0])
def test_the_masks_curve_is_learned_and_leak_is_what_it_does_not_explain(k, leak_lpm):
    """Pressure goes between 6 and 14 cmH2O, so that no constant would do."""
    seconds, rate_hz = 900, 25.0
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    pressure = 10 + 4 * np.sin(2 * np.pi * t / 300)
    leak = np.where((t > 500) & (t < 700), leak_lpm, 0.0)
    flow = breaths(rate_hz, seconds) + k / 60 * np.sqrt(pressure) + leak / 60

    found = said(blocks(segment(), np.stack([flow, pressure])))

    assert values(found, "leak", 300, 490) == pytest.approx(0, abs=1.5)
    assert values(found, "leak", 540, 690) == pytest.approx(leak_lpm, abs=2.0)
    assert values(found, "leak", 740) == pytest.approx(0, abs=1.5)
    assert values(found, "total_leak", 300, 490).mean() == pytest.approx(
        k * np.sqrt(pressure[7500:12250]).mean(), rel=0.03
    )
    assert np.median(values(found, "tidal_volume", 300)) == pytest.approx(500, rel=0.05)


def test_flow_without_vent_has_no_leak_of_ours_but_the_devices_own():
    of = segment(channels=(FLOW, PRESSURE, LEAK))
    flow = breaths(25.0, 200)
    told = np.full(len(flow), 0.25)

    own = said(blocks(of, np.stack([flow, np.full(len(flow), 8.0), told])))
    none = said(blocks(segment(), at_pressure(flow)))
    bed = Beside()
    before = said(list(blocks(segment(), at_pressure(flow), cuts=(2500,)))[:1], bed)
    bed.push(Reading("1", "cpap", "cpap_leak", 33.0, "L/min", 100 * S))
    after = said(list(blocks(segment(), at_pressure(flow), cuts=(2500,)))[1:], bed)

    assert values(own, "leak") == pytest.approx(15.0)
    assert not len(values(none, "leak"))
    assert not len(values(none, "total_leak", 60))
    assert not len(values(before, "leak"))
    assert set(values(after, "leak")) == {33.0}
    assert len(values(after, "leak")) == 10  # what was told holds for ten seconds


@given(st.lists(st.integers(1, 25 * 260 - 1), max_size=10))
@settings(max_examples=8, deadline=None)
def test_no_cut_of_the_stream_changes_a_bit_of_what_is_said(cuts):
    rng = np.random.default_rng(4)
    flow = np.concatenate(
        [breaths(25.0, 140), still(25.0, 25), breaths(25.0, 45), breaths(25.0, 50, volume_l=0.2)]
    )
    flow = flow + rng.normal(0, 0.02, len(flow)) + 0.4
    pressure = 9 + rng.normal(0, 0.1, len(flow))
    gap = ((25 * 170 + 3, 25 * 185),)

    whole = said(blocks(segment(), np.stack([flow, pressure]), lost=gap))
    pieces = said(blocks(segment(), np.stack([flow, pressure]), cuts, lost=gap))

    assert pieces == whole
    assert events(whole, "apnoea_unclassified", "apnoea_obstructive")
    due = [f.due_ns for f in whole]
    assert due == sorted(due)
    assert all(f.due_ns >= f.t_ns and f.due_ns % 50_000_000 == 0 for f in whole)


def test_samples_seen_before_change_nothing_and_memory_stays_bounded():
    of, flow = segment(100.0), breaths(100.0, 400)
    parts = list(blocks(of, at_pressure(flow), cuts=(3000, 20_000)))
    again = list(blocks(of, at_pressure(flow), cuts=(2000,)))

    once, twice = said(parts), said([parts[0], parts[0], again[0], parts[1], parts[0], parts[2]])
    stage = RespirationSegment(of, Night())
    for block in parts:
        stage.push(block)

    assert twice == once
    assert stage._breaths._past._data.shape[1] <= 4 * 30 * 25 + 100
    assert stage._disturbances._past._data.shape[1] <= 2 * 130 * 25 + 100


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 25.0, 99.0, 125.0]))
def test_no_input_breaks_it_or_makes_a_number_that_is_none(seed, rate_hz):
    rng = np.random.default_rng(seed)
    of = segment(rate_hz)
    n = round(40 * rate_hz)
    extremes = np.array([-(2**30), 2**30, 0])
    parts = [rng.choice(extremes, (2, n)), np.zeros((2, n)), rng.integers(-3000, 3000, (2, n))]
    order = rng.permutation(3)
    flow = np.concatenate([parts[k] for k in order], axis=1)

    found = said([*blocks(of, flow * np.array([[FLOW.gain], [PRESSURE.gain]])), Tick(200 * S), Tick(400 * S)])

    assert all(np.isfinite(f.value) for f in found if isinstance(f, Metric) and f.value is not None)


def test_which_streams_are_airflow():
    tank = Channel("p", Quantity.TANK_PRESSURE, "kPa", 0.1)

    def airflow(rate_hz, *channels):
        return Airflow.of(Stream("d", "s", rate_hz, channels))

    assert airflow(25.0, FLOW, PRESSURE) is not None
    assert airflow(25.0, FLOW) is not None
    assert airflow(5.0, FLOW, PRESSURE) is None
    assert airflow(25.0, PRESSURE) is None
    assert airflow(50.0, FLOW, tank) is None  # an oxygen concentrator's
    with pytest.raises(ValueError, match="airflow"):
        RespirationSegment(segment(5.0), Night())


def test_flattening_is_one_of_a_plateau_and_none_of_a_sine():
    t = (np.arange(50) + 0.5) / 50

    assert flattening(np.sin(np.pi * t)) == 0
    assert flattening(np.ones(50)) == pytest.approx(1)
    assert 0.6 < flattening(breath(25.0, flat=1.0)[:40]) <= 1
    assert flattening(np.ones(5)) is None


def test_snore_is_the_ripple_above_thirty_hertz_and_none_is_said_of_slow_streams():
    rate_hz = 125.0
    t = np.arange(round(100 * rate_hz)) / rate_hz
    flow = breaths(rate_hz, 100)
    ripple = np.where(t > 50, 0.3 * np.sin(2 * np.pi * 45 * t), 0.0)

    found = said(blocks(segment(rate_hz), np.stack([flow, 10 + 0.5 * flow + ripple])))
    slow = said(blocks(segment(62.5), at_pressure(breaths(62.5, 60))))

    assert values(found, "snore", 5, 49).max() < 0.01
    assert values(found, "snore", 60) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    assert not len(values(slow, "snore"))
    assert Snore(100.0).push(np.ones(100)) is None
