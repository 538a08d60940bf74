"""Faults do what was asked, count it, and repeat with their seed."""

from __future__ import annotations

import pytest

from firmware_bridge.simulators.faults import Faults

DATA = bytes(range(256)) * 40


def test_without_faults_nothing_changes():
    assert Faults().apply(DATA, 0) == DATA


def test_exactly_the_kth_byte_is_lost():
    faults = Faults()
    faults.apply(b"before", 0)
    faults.drop_byte(3)
    faults.drop_byte(0)
    assert faults.apply(b"ab", 0) + faults.apply(b"cdef", 0) == b"bcef"
    assert faults.counts.dropped == 2


@pytest.mark.parametrize("fault", ["drop", "duplicate", "corrupt"])
def test_probabilities_are_met_counted_and_repeatable(fault):
    first, again = Faults(5), Faults(5)
    first.set(fault, 0.05)
    again.set(fault, 0.05)
    out = first.apply(DATA, 0)
    assert out == again.apply(DATA, 0)

    counts = first.counts
    hit = counts.dropped + counts.duplicated + counts.corrupted
    assert hit == pytest.approx(0.05 * len(DATA), rel=0.2)
    assert len(out) == len(DATA) - counts.dropped + counts.duplicated
    if fault == "corrupt":
        assert sum(a != b for a, b in zip(out, DATA, strict=True)) == hit
    first.set(fault, 0)
    assert first.apply(DATA, 0) == DATA


def test_garbage_comes_once_and_whole():
    faults = Faults()
    faults.garbage(200)
    out = faults.apply(b"", 0)
    assert len(out) == 200
    assert faults.apply(DATA, 0) == DATA
    faults.garbage(100)
    assert len(faults.apply(DATA, 0)) == len(DATA) + 100
    assert faults.counts.garbage == 300


def test_stall_loses_what_is_sent_meanwhile_and_ends():
    faults = Faults()
    faults.stall(2.0, 10_000_000_000)
    assert faults.apply(b"abc", 10_500_000_000) == b""
    assert faults.apply(b"abc", 11_999_999_999) == b""
    assert faults.apply(b"abc", 12_000_000_000) == b"abc"
    assert faults.counts.stalled == 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda f: f.set("drop", 1.5), "a probability must be 0 to 1"),
        (lambda f: f.set("melt", 0.5), "no fault 'melt'"),
        (lambda f: f.garbage(0), "garbage must be 1 to"),
        (lambda f: f.drop_byte(-1), "must be 0 or more"),
        (lambda f: f.stall(-1, 0), "a stall must be"),
    ],
)
def test_wrong_requests_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong(Faults())
