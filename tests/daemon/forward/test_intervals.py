"""A set of seqs as intervals does what a set does, and stays small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.forward import ledger
from daemon.forward.intervals import Intervals
from daemon.model.outgoing import Lane
from tests.daemon.forward.kit import Books

NUMBERS = st.integers(1, 60)
STEPS = st.lists(st.tuples(st.booleans(), NUMBERS, st.integers(0, 12)), max_size=40)


def both(steps):
    ours, plain = Intervals(), set()
    for put_in, first, length in steps:
        span = range(first, first + length)
        if put_in:
            ours.add(first, first + length - 1)
            plain |= set(span)
        else:
            ours.remove(first, first + length - 1)
            plain -= set(span)
    return ours, plain


@settings(deadline=None)
@given(STEPS)
def test_it_holds_what_a_set_holds(steps):
    ours, plain = both(steps)

    assert {n for first, last in ours.spans for n in range(first, last + 1)} == plain
    assert all((n in ours) == (n in plain) for n in range(1, 80))
    assert ours.highest == max(plain, default=0)


@settings(deadline=None)
@given(STEPS)
def test_spans_are_apart_and_in_order(steps):
    ours, _ = both(steps)
    spans = ours.spans

    assert all(first <= last for first, last in spans)
    assert all(a[1] + 1 < b[0] for a, b in zip(spans, spans[1:], strict=False))


@settings(deadline=None)
@given(STEPS, NUMBERS, st.integers(0, 30))
def test_gaps_are_the_stretches_that_are_not_in_it(steps, first, length):
    ours, plain = both(steps)
    last = first + length
    out = [n for n in range(first, last + 1) if n not in plain]
    lowest, highest = ours.lowest_gap(first, last), ours.highest_gap(first, last)

    assert (lowest is None) == (highest is None) == (not out)
    if lowest is not None and highest is not None:
        assert lowest[0] == out[0]
        assert highest[1] == out[-1]
        for a, b in (lowest, highest):
            assert all(n in out for n in range(a, b + 1))
            assert a == first or a - 1 in plain
            assert b == last or b + 1 in plain


@settings(deadline=None)
@given(STEPS)
def test_gaps_and_spans_are_everything(steps):
    ours, plain = both(steps)
    gaps = ours.gaps(1, 70)

    assert {n for first, last in gaps for n in range(first, last + 1)} == set(range(1, 71)) - plain
    assert len(gaps) <= len(ours) + 1


@settings(deadline=None)
@given(STEPS)
def test_complete_to_is_where_the_first_hole_is(steps):
    ours, plain = both(steps)

    assert ours.complete_to == next(n for n in range(1, 100) if n not in plain) - 1


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_the_ledger_keeps_the_same_intervals(steps):
    ours, _ = both(steps)
    db = Books().db
    destination, _ = ledger.destination(db, "there")
    for put_in, first, length in steps:
        change = ledger.done if put_in else ledger.undone
        change(db, destination, Lane.METRICS, first, first + length - 1)

    assert ledger.done_of(db, destination)[Lane.METRICS] == ours.spans
    db.close()
