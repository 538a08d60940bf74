"""Hops of means: the same for any cut, in their place behind a gap, and with the times of their samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.hops import Hops
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream

S = 1_000_000_000
FLOW = Channel("flow", Quantity.FLOW, "L/s", 0.5, 10.0)
LEAK = Channel("leak", Quantity.LEAK, "L/s", 2.0)


def segment(rate_hz):
    return Segment("s", "1", Stream("d", "flow", rate_hz, (FLOW, LEAK)), "", 0, 5 * S)


def block(of, counts, first):
    t0_ns = of.began_ns + round(first * S / of.stream.rate_hz)
    return SampleBlock(of, first, t0_ns, S / of.stream.rate_hz, counts, t0_ns)


def cut(of, counts, hops, cuts, first=0):
    edges = sorted({0, counts.shape[1], *cuts})
    return [
        hop
        for at, stop in zip(edges, edges[1:], strict=False)
        for hop in hops.push(block(of, np.ascontiguousarray(counts[:, at:stop]), first + at))
    ]


def plain(hops):
    return [(h.number, h.values.tolist(), h.first, h.last, h.t_ns, h.due_ns) for h in hops]


@given(
    st.sampled_from([10.0, 25.0, 62.5, 100.0]), st.lists(st.integers(1, 999), max_size=12), st.integers(0, 70)
)
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_hops(rate_hz, cuts, first):
    of = segment(rate_hz)
    counts = np.random.default_rng(1).integers(-1000, 1000, (2, 1000)).astype(np.int32)

    whole = cut(of, counts, Hops(of, [0], 25.0, 1.0), [], first)

    assert plain(cut(of, counts, Hops(of, [0], 25.0, 1.0), cuts, first)) == plain(whole)


def test_a_hop_holds_means_of_its_own_samples_at_their_time():
    of, hops = segment(50.0), Hops(segment(50.0), [1, 0], 25.0, 1.0)
    counts = np.arange(240, dtype=np.int32)[None] + np.array([[0], [1000]], dtype=np.int32)

    found = cut(of, counts, hops, [])

    assert [h.number for h in found] == [0, 1, 2, 3]
    third = found[2]
    assert third.values.shape == (2, 25)
    assert third.values[0, 0] == (1100.5) * 2
    assert third.values[1, 0] == (100.5 - 10) * 0.5
    assert (third.first, third.last) == (100, 149)
    assert third.t_ns == 5 * S + round(149 / 50 * S)
    assert third.due_ns == 8 * S
    assert hops.time_of(50) == 5 * S + round(100.5 / 50 * S)
    assert hops.heard == 239


def test_behind_a_gap_the_next_whole_hop_is_the_first():
    of, hops = segment(25.0), Hops(segment(25.0), [0], 25.0, 1.0)
    counts = np.ones((2, 200), dtype=np.int32)

    before = cut(of, counts[:, :60], hops, [])
    after = cut(of, counts[:, :100], hops, [], first=70)
    again = cut(of, counts[:, :50], hops, [], first=100)  # seen before

    assert [h.number for h in before] == [0, 1]
    assert [h.number for h in after] == [3, 4, 5]
    assert again == []


@pytest.mark.parametrize(("mean_hz", "of"), [(None, 1), (25.0, 4)])
def test_without_a_rate_of_means_every_sample_is_one(mean_hz, of):
    assert Hops(segment(100.0), [0], mean_hz, 0.1).of == of
