from __future__ import annotations

import itertools

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model.signals import Gap, GapCause
from daemon.store.cutting import Chunk, Cutter


def push_all(line, blocks):
    cutter = Cutter(line.segment)
    out = [entry for block in blocks for entry in cutter.push(block, 0)]
    return out + cutter.flush()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 1799), max_size=40))
def test_any_cut_into_blocks_gives_the_same_chunks(make_line, cuts):
    line = make_line()
    counts = line.samples(1800)
    chunks = push_all(line, line.blocks(counts, cuts))
    whole = push_all(line, line.blocks(counts, []))

    assert [(c.first, c.n, c.t0_ns) for c in chunks] == [(c.first, c.n, c.t0_ns) for c in whole]
    assert [c.first for c in chunks] == [0, 125, 250, 375, 500, 1000, 1500]
    np.testing.assert_array_equal(np.concatenate([c.counts() for c in chunks], axis=1), counts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 700), st.booleans()), min_size=1, max_size=12))
def test_every_number_is_in_exactly_one_chunk_or_gap_whatever_comes(make_line, steps):
    """Blocks that jump ahead, go back over what was, and gaps that are said or not."""
    line = make_line()
    cutter = Cutter(line.segment)
    out, at = [], 0
    for jump, n, said in steps:
        if said and jump:
            out += cutter.skip(Gap(line.segment, at, jump, at * 2_000_000, 0, GapCause.NOISE))
        first = at + jump if jump % 3 else max(at - jump, 0)
        out += cutter.push(line.block(first, line.samples(n)), 0)
        at = max(at, first + n)
    out += cutter.flush()

    spans = [(e.first, e.n if isinstance(e, Chunk) else e.count) for e in out]
    assert spans[0][0] == 0
    for (first, n), (following, _) in itertools.pairwise(spans):
        assert following == first + n
    assert sum(spans[-1]) == cutter.next


def test_a_hole_that_nobody_explained_is_a_gap_of_unknown_cause(make_line):
    line = make_line()
    cutter = Cutter(line.segment)
    cutter.push(line.block(0, line.samples(100)), 0)
    chunk, gap = cutter.push(line.block(130, line.samples(10)), 0)

    assert (chunk.first, chunk.n) == (0, 100)
    assert (gap.first, gap.count, gap.t0_ns, gap.cause) == (100, 30, 200_000_000, GapCause.UNKNOWN)
