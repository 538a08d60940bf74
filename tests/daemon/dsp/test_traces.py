"""Waves of other devices for the screen: as they came, in people's units, whatever the cut, with every gap a gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.traces import Traces, TraceSegment, shown_rows
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream

CPAP = Stream(
    "CPAP-1",
    "flow",
    25.0,
    (
        Channel("flow", Quantity.FLOW, "L/s", 0.002, 0.0, -1000, 1000),
        Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.02, 0.0, 0, 2000),
        Channel("leak", Quantity.LEAK, "L/s", 0.002),
    ),
)
LIGHT = Stream("HPI", "ppg", 125.0, (Channel("ppg_infrared", Quantity.PPG_INFRARED, "1", 1.0),))
PLETH = Stream("OXI", "pleth", 75.0, (Channel("pleth", Quantity.PLETH, "1", 1.0, 0.0, 0, 255),))


def segment(stream, name="s"):
    return Segment(name, "1", stream, "b", 1, 0)


def block(of, first, counts, t0_ns=0):
    period_ns = 1e9 / of.stream.rate_hz
    counts = np.ascontiguousarray(counts, dtype=np.int32)
    at = t0_ns + round(first * period_ns)
    return SampleBlock(of, first, at, period_ns, counts, at + round(counts.shape[1] * period_ns))


def breathing(n):
    k = np.arange(n)
    flow = np.rint(250 * np.sin(2 * np.pi * 0.25 * k / 25)).astype(int)
    return np.stack([flow, 500 - flow // 25, k % 7])


def test_a_sample_is_drawn_where_and_as_it_was():
    drawn = Traces().push(block(segment(CPAP), 0, breathing(100)))
    values = np.concatenate([one.values for one in drawn], axis=1)

    assert [(one.leads, one.units, one.chain) for one in drawn[:1]] == [
        (("flow", "pressure"), ("L/min", "cmH2O"), ())
    ]
    assert values.shape == (2, 100)
    np.testing.assert_allclose(values[0], breathing(100)[0] * 0.002 * 60, rtol=1e-6)
    np.testing.assert_allclose(values[1], breathing(100)[1] * 0.02, rtol=1e-6)
    assert [(one.first, one.t0_ns) for one in drawn[:3]] == [(0, 0), (2, 80_000_000), (4, 160_000_000)]
    assert all(one.due_ns >= one.t0_ns and one.due_ns % 50_000_000 == 0 for one in drawn)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 199), max_size=12), st.sampled_from([CPAP, LIGHT, PLETH]))
def test_no_cut_of_the_stream_changes_what_is_drawn(cuts, stream):
    rows = len(stream.channels)
    counts = np.random.default_rng(4).integers(0, 200, (rows, 200))
    whole = Traces().push(block(segment(stream), 0, counts))
    traces, pieces = Traces(), []
    edges = [0, *sorted(set(cuts)), 200]
    for a, b in zip(edges, edges[1:], strict=False):
        pieces += traces.push(block(segment(stream), a, counts[:, a:b]))

    assert [(one.first, one.due_ns, one.chain) for one in pieces] == [
        (one.first, one.due_ns, one.chain) for one in whole
    ]
    for one, other in zip(pieces, whole, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_a_gap_stays_one_and_a_count_off_the_rails_is_nothing():
    of = segment(CPAP)
    traces = Traces()
    counts = breathing(50)
    counts[0, 10] = 1001
    drawn = [*traces.push(block(of, 0, counts[:, :31])), *traces.push(block(of, 45, counts[:, 45:]))]
    held = [k for one in drawn for k in range(one.first, one.first + one.values.shape[1])]

    assert held == [*range(30), *range(46, 50)]
    flow = np.concatenate([one.values[0] for one in drawn])
    assert np.flatnonzero(np.isnan(flow)).tolist() == [10]


def test_light_has_no_level_and_begins_anew_behind_a_gap():
    counts = 50_000 + np.rint(400 * np.sin(2 * np.pi * 1.2 * np.arange(2000) / 125)).astype(int)[None]
    of = segment(LIGHT)
    traces = Traces()
    drawn = traces.push(block(of, 0, counts))
    swing = np.concatenate([one.values[0] for one in drawn])[1000:]
    later = traces.push(block(of, 24_000, counts + 9000))

    assert drawn[0].chain == ("ppg_infrared ≥ 0.5 Hz, inverted",)
    assert abs(swing.mean()) < 20
    assert np.corrcoef(swing, counts[0, 1000 : 1000 + len(swing)])[0, 1] < -0.85  # up where light is lost
    assert 300 < swing.max() < 450
    assert np.abs(later[0].values).max() < 450  # the new level is no step


def test_light_is_not_drawn_while_an_oximeter_draws_its_pleth():
    light, pleth = segment(LIGHT, "light"), segment(PLETH, "pleth")
    traces = Traces()
    wave = np.arange(75)[None] % 50 + 100

    assert not np.isnan(traces.push(block(light, 0, wave))[0].values).all()
    assert traces.push(block(pleth, 0, wave))[0].leads == ("pleth",)
    assert np.isnan(traces.push(block(light, 75, wave))[-1].values).all()
    assert not np.isnan(traces.push(block(light, 1250, wave))[0].values).any()  # the pleth ended 9 s ago
    assert shown_rows(Stream("X", "x", 75.0, (*LIGHT.channels, *PLETH.channels))) == [1]


def test_what_is_not_drawn_has_no_trace_and_streams_are_bounded():
    ecg = Stream("E", "ecg", 500.0, (Channel("II", Quantity.ECG, "mV", 0.001),))
    traces = Traces()

    assert traces.push(block(segment(ecg), 0, np.zeros((1, 100)))) == []
    with pytest.raises(ValueError, match="drawn"):
        TraceSegment(segment(ecg))
    for k in range(20):
        stream = Stream(f"O{k}", "pleth", 75.0, PLETH.channels)
        drawn = traces.push(block(segment(stream, f"s{k}"), 0, np.zeros((1, 75))))
        assert bool(drawn) == (k < 16)
