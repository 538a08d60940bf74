"""What stands between the acquisition thread and main."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daemon.acquisition.ring import MAX_ITEMS, MAX_TICKS, RING_S, Rings
from daemon.model.signals import (
    Channel,
    DeviceSeen,
    Gap,
    GapCause,
    LeadState,
    LinkState,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)

STREAM = Stream("SN1", "ecg", 500.0, (Channel("I", Quantity.ECG, "mV", 1.0),))
SEGMENT = Segment("segment", "1", STREAM, "boot", 1, 0)


def block(first: int, n: int, segment: Segment = SEGMENT) -> SampleBlock:
    counts = np.arange(first, first + n, dtype=np.int32)[None]
    return SampleBlock(segment, first, first * 2_000_000, 2e6, counts, (first + n) * 2_000_000)


def seen(t_ns: int) -> DeviceSeen:
    return DeviceSeen("1", "ecg", "dm_ecg", "", "", "", "", LinkState.STREAMING, 0, t_ns)


def drained(rings: Rings, slice_: int = 100) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    while items := rings.drain(slice_):
        out += items
    return out


def test_items_of_all_ports_and_ticks_come_out_in_the_order_they_went_in() -> None:
    rings = Rings(lambda: None)
    rings.push("1", "ecg", seen(1))
    rings.tick(Tick(100))
    rings.push("2", "ecg", seen(2))
    rings.push("1", "ecg", seen(3))
    rings.tick(Tick(200))

    assert drained(rings, 2) == [
        ("1", seen(1)),
        ("", Tick(100)),
        ("2", seen(2)),
        ("1", seen(3)),
        ("", Tick(200)),
    ]


def test_ten_seconds_at_line_rate_fit() -> None:
    rings = Rings(lambda: None)
    rings.size("1", "ecg", 500.0)
    for first in range(0, 5000, 10):
        rings.push("1", "ecg", block(first, 10))

    assert sum(b.n for _, b in drained(rings)) == 5000
    assert rings.overflowed() == 0


def test_a_full_ring_drops_the_oldest_and_says_exactly_how_many() -> None:
    rings = Rings(lambda: None)
    rings.size("1", "ecg", 500.0)
    total = round(500 * RING_S) + 1000
    rings.push("1", "ecg", LeadState(SEGMENT, 0, 0, (("LA", True),)))
    rings.tick(Tick(100))
    for first in range(0, total, 10):
        rings.push("1", "ecg", block(first, 10))
    rings.push("2", "ecg", seen(1))
    items = drained(rings)
    gap, leads = items[0][1], items[1][1]

    assert isinstance(gap, Gap)
    assert (gap.first, gap.count, gap.cause, gap.t0_ns) == (0, 1000, GapCause.OVERFLOW, 0)
    assert leads == LeadState(SEGMENT, 1000, 0, (("LA", True),))
    assert items[2][1] == Tick(100)
    assert items[3][1].first == 1000
    assert items[-1] == ("2", seen(1))
    assert rings.overflowed() == 1000


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5), st.booleans()), max_size=120))
def test_every_sample_comes_out_once_as_itself_or_in_a_gap(script: list[tuple[int, int, bool]]) -> None:
    rings = Rings(lambda: None)
    rings.size("1", "ecg", 10.0)  # 200 samples
    first, out = 0, []
    for n, lost, drain in script:
        if lost and first:
            rings.push("1", "ecg", Gap(SEGMENT, first, lost, first, first, GapCause.NOISE))
            first += lost
        rings.push("1", "ecg", block(first, n))
        first += n
        if drain:
            out += rings.drain(3)
    out += drained(rings)
    covered = 0
    for _, item in out:
        assert item.first == covered
        covered += item.n if isinstance(item, SampleBlock) else item.count
    assert covered == first


def test_small_items_and_ticks_are_bounded_too() -> None:
    rings = Rings(lambda: None)
    for t_ns in range(3 * MAX_ITEMS):
        rings.push("1", "ecg", Reading("1", "SN1", "spo2", 97.0, "%", t_ns))
        rings.push("1", "ecg", seen(t_ns))
        rings.tick(Tick(t_ns))

    assert rings.waiting() <= MAX_ITEMS + MAX_TICKS
    items = [i for _, i in drained(rings)]
    assert items[-1] == Tick(3 * MAX_ITEMS - 1)
    assert items[-2] == seen(3 * MAX_ITEMS - 1)


def test_a_thousand_reconnections_while_main_sleeps_are_bounded() -> None:
    rings = Rings(lambda: None)
    rings.size("1", "ecg", 1.0)
    for number in range(1000):
        segment = Segment(str(number), "1", STREAM, "boot", number, 0)
        for first in range(0, 100, 10):
            rings.push("1", "ecg", block(first, 10, segment))

    assert len(drained(rings)) < 100


def test_main_is_woken_once_until_it_drains_and_again_for_what_a_slice_left() -> None:
    woken: list[int] = []
    rings = Rings(lambda: woken.append(1))
    rings.flush()
    assert woken == []
    for t_ns in range(5):
        rings.push("1", "ecg", seen(t_ns))
        rings.flush()
    assert len(woken) == 1
    rings.drain(2)
    rings.flush()
    assert len(woken) == 2
    rings.drain(10)
    rings.flush()
    assert len(woken) == 2


def test_two_threads_lose_nothing() -> None:
    rings = Rings(lambda: None)
    total = 20_000

    def fill() -> None:
        for first in range(0, total, 5):
            rings.push("1", "ecg", block(first, 5))

    rings.size("1", "ecg", 10_000.0)
    writer = threading.Thread(target=fill)
    writer.start()
    covered = 0
    while covered < total:
        for _, item in rings.drain(7):
            assert item.first == covered
            covered += item.n if isinstance(item, SampleBlock) else item.count
    writer.join()
