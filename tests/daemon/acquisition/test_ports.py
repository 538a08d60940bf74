"""The whole thread on real pseudo-terminals."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import pwd
import threading
import time
from pathlib import Path

import pytest

from daemon.acquisition.ports import MAX_TICKS_AT_ONCE, Acquisition, boottime_ns
from daemon.model.signals import TICK_NS, Fact, FactState, GapCause, LeadState, LinkState, SampleBlock, Tick

pytestmark = pytest.mark.slow


def consecutive(numbers: list[int]) -> bool:
    return all(b == a + 1 for a, b in zip(numbers, numbers[1:], strict=False))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_every_frame_arrives_once_in_order_and_stamped(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 400)
    blocks = w.blocks()

    assert w.numbers() == list(range(w.samples()))
    assert {b.segment.id for b in blocks} == {blocks[0].segment.id}
    assert blocks[0].segment.stream.device == "SN1"
    assert [b.first for b in blocks[1:]] == [b.first + b.n for b in blocks[:-1]]
    assert all(b.t0_ns <= b.arrived_ns for b in blocks)
    assert all(
        b.time_of(b.first) > a.time_of(a.first + a.n - 1) for a, b in zip(blocks, blocks[1:], strict=False)
    )
    assert w.states()[-3:] == [LinkState.OPENING, LinkState.SILENT, LinkState.STREAMING]
    assert w.seen().firmware == "1"
    assert w.gaps() == []
    assert device.farewell.wait(1), "the device was not brought to rest"


async def test_ticks_come_at_multiples_of_100_ms_between_what_arrived_before_and_after(plug, wanted, watch):
    plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 500)
    ticks = w.ticks()

    assert ticks == list(range(ticks[0], ticks[-1] + 1, TICK_NS))
    assert ticks[0] % TICK_NS == 0
    last_tick = 0
    for _, item in w.items:
        if isinstance(item, Tick):
            last_tick = item.t_ns
        elif isinstance(item, SampleBlock):
            assert last_tick <= item.arrived_ns < last_tick + TICK_NS


async def test_unplugged_is_lost_within_a_second_and_replugged_streams_within_three(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        await asyncio.to_thread(device.unplug)
        assert await w.until(lambda: w.state() is LinkState.LOST) < 1.0
        before = len(w.items)
        device.plug()
        assert await w.until(lambda: w.blocks(since=before)) < 3.0
    connections = [b.segment.connection for b in w.blocks()]

    assert sorted(set(connections)) == [1, 2]
    assert len({b.segment.id for b in w.blocks()}) == 2
    assert {b.segment.stream.device for b in w.blocks()} == {"SN1"}


async def test_replugged_under_another_name_goes_back_to_its_bed(plug, wanted, watch, tmp_path):
    one, two = plug("ttyUSB0", "SN1"), plug("ttyUSB1", "SN2")
    devices = {"1": [wanted("ttyUSB*", serial="SN1")], "2": [wanted("ttyUSB*", serial="SN2")]}
    async with watch(devices) as w:
        await w.until(lambda: w.samples("1") > 50 and w.samples("2") > 50)
        await asyncio.to_thread(one.unplug)
        await asyncio.to_thread(two.unplug)
        await w.until(lambda: w.state("1") is LinkState.LOST and w.state("2") is LinkState.LOST)
        before = len(w.items)
        one.plug(tmp_path / "ttyUSB1")
        two.plug(tmp_path / "ttyUSB7")
        await w.until(lambda: w.blocks("1", before) and w.blocks("2", before), 5.0)

    assert {b.segment.stream.device for b in w.blocks("1")} == {"SN1"}
    assert {b.segment.stream.device for b in w.blocks("2")} == {"SN2"}


async def test_serial_numbers_are_learned_and_swapped_ports_swap_back(plug, wanted, watch, tmp_path):
    one, two = plug("ttyUSB0", "SN1"), plug("ttyUSB1", "SN2")
    async with watch({"1": [wanted("ttyUSB*")], "2": [wanted("ttyUSB*")]}) as w:
        await w.until(lambda: w.samples("1") > 50 and w.samples("2") > 50)
        home = {bed: w.blocks(bed)[0].segment.stream.device for bed in ("1", "2")}
        assert set(home.values()) == {"SN1", "SN2"}
        await asyncio.to_thread(one.unplug)
        await asyncio.to_thread(two.unplug)
        await w.until(lambda: w.state("1") is LinkState.LOST and w.state("2") is LinkState.LOST)
        before = len(w.items)
        one.plug(tmp_path / "ttyUSB1")
        two.plug(tmp_path / "ttyUSB0")
        await w.until(lambda: w.blocks("1", before) and w.blocks("2", before), 5.0)

    for bed in ("1", "2"):
        assert {b.segment.stream.device for b in w.blocks(bed)} == {home[bed]}


async def test_garbage_is_counted_and_costs_no_good_frame(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        device.inject(b"\x00\xff\x13\x11" * 25)
        await w.until(lambda: w.seen().bytes_damaged == 100)
        await w.until(lambda: w.samples() > 300)

    assert consecutive(w.numbers())


async def test_counted_losses_become_a_gap_and_numbers_run_on(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        device.inject(b"torn")
        device.skip = 20
        await w.until(w.gaps)
        await w.until(lambda: w.seen().samples_lost == 20)
    (gap,) = w.gaps()
    after = next(b for b in w.blocks() if b.first >= gap.first)

    assert (gap.count, gap.cause) == (20, GapCause.NOISE)
    assert after.first == gap.first + 20
    assert after.counts[0, 0] == after.first


async def test_silence_is_a_stall_and_then_a_gap_in_time_without_a_counter_too(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted(options={"counter": "no"})]}) as w:
        await w.until(lambda: w.samples() > 6000, 20)
        device.paused = True
        await w.until(lambda: w.state() is LinkState.STALLED)
        await w.until(lambda: w.ticks()[-1] - w.blocks()[-1].arrived_ns > 2_000_000_000)
        device.paused = False
        await w.until(lambda: w.state() is LinkState.STREAMING)
        await w.until(lambda: w.gaps() and w.blocks()[-1].first > w.gaps()[-1].first)
    (gap,) = w.gaps()
    silence_ns = max(b.arrived_ns - a.arrived_ns for a, b in zip(w.blocks(), w.blocks()[1:], strict=False))

    assert gap.cause is GapCause.STALL
    assert gap.count == pytest.approx(silence_ns / 2e6, abs=50)
    assert len({b.segment.id for b in w.blocks()}) == 1


async def test_a_device_switched_off_and_on_behind_its_bridge_is_greeted_anew(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        device.started.clear()
        await w.until(lambda: w.state() is LinkState.STALLED)
        await w.until(lambda: w.state() is LinkState.STREAMING, 9.0)

    assert len({b.segment.id for b in w.blocks()}) == 2


async def test_leads_hold_from_the_next_sample_on(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        device.inject(b"\xa5L\x00\x00\x00\x00\x00\x4c")
        await w.until(lambda: any(isinstance(i, LeadState) for _, i in w.items))
        await w.until(lambda: w.samples() > 200)
    at = next(k for k, (_, i) in enumerate(w.items) if isinstance(i, LeadState))
    state = w.items[at][1]

    assert state.attached == (("LA", False),)
    assert w.blocks(since=at)[0].first == state.first


async def test_a_port_held_by_another_program_is_busy_until_it_lets_go(plug, wanted, watch):
    device = plug()
    other = os.open(device.node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    fcntl.flock(other, fcntl.LOCK_EX)
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.state() is LinkState.BUSY)
        assert "another program" in w.seen().detail
        os.close(other)
        await w.until(lambda: w.state() is LinkState.STREAMING, 4.0)


async def test_a_port_we_may_not_open_is_denied_and_says_what_to_do(plug, wanted, watch):
    device = plug()
    Path(device.node).chmod(0)
    if os.geteuid() == 0:
        os.chown(device.node, 0, 0)
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        async with watch({"1": [wanted(device.node)]}) as w:
            await w.until(lambda: w.state() is LinkState.DENIED)
    finally:
        os.seteuid(os.getuid())

    assert "dialout" in w.seen().detail


async def test_two_configured_devices_never_share_a_port(plug, wanted, watch):
    plug("ttyUSB0")
    async with watch({"1": [wanted("ttyUSB*")], "2": [wanted("ttyUSB0")]}) as w:
        await w.until(lambda: w.samples("2") > 300)

    assert w.samples("1") == 0
    assert w.states("1") == [LinkState.SEARCHING]


async def test_a_silent_port_is_left_for_the_one_that_speaks(plug, wanted, watch):
    quiet = plug("ttyUSB0")
    quiet.paused = True
    quiet._hear = lambda data: None
    plug("ttyUSB1", "SN2")
    async with watch({"1": [wanted("ttyUSB*")]}) as w:
        await w.until(lambda: w.samples() > 50, 8.0)

    assert w.seen().port.endswith("ttyUSB1")


async def test_auto_recognises_the_board_and_loses_nothing_of_what_was_heard(plug, wanted, watch):
    plug(auto=True)
    async with watch({"1": [wanted(kind="auto")]}) as w:
        await w.until(lambda: w.samples() > 300)

    assert w.seen().kind == "counting"
    assert consecutive(w.numbers())
    assert w.blocks()[0].n >= 5


async def test_a_fault_in_a_board_is_told_and_the_others_go_on(plug, wanted, watch, caplog):
    bad, _ = plug("ttyA", "SN1"), plug("ttyB", "SN2")
    async with watch({"1": [wanted("ttyA")], "2": [wanted("ttyB")]}) as w:
        await w.until(lambda: w.samples("1") > 50 and w.samples("2") > 50)
        bad.inject(b"\xa5!\x00\x00\x00\x00\x00\x21")
        await w.until(lambda: any(isinstance(i, Fact) for _, i in w.items))
        before = len(w.items)
        await w.until(lambda: w.blocks("1", before))
    (fact,) = [i for _, i in w.items if isinstance(i, Fact)]

    assert (fact.state, fact.bed) == (FactState.FAILED, "1")
    assert "the board's own bug" in caplog.text
    assert consecutive(w.numbers("2"))


async def test_a_flood_faster_than_the_line_stays_bounded_and_is_told(plug, wanted, watch):
    plug(rate_hz=40_000)
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 100)
        time.sleep(2.0)  # main blocked, on purpose  # noqa: ASYNC251
        waiting = w.acquisition.waiting()
        w.take()
    numbers = w.numbers()

    assert waiting < 9000
    covered = sum(b.n for b in w.blocks()) + sum(g.count for g in w.gaps())
    assert covered == w.blocks()[-1].first + w.blocks()[-1].n
    # A gap of the line's own that was dropped with the samples is within the ring's gap.
    overflow = sum(g.count for g in w.gaps() if g.cause is GapCause.OVERFLOW)
    assert 0 < w.acquisition.overflowed() <= overflow
    assert numbers == sorted(set(numbers))


async def test_main_blocked_for_two_seconds_loses_no_sample(plug, wanted, watch):
    plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 500)
        time.sleep(2.0)  # main blocked, on purpose  # noqa: ASYNC251
        await w.until(lambda: w.samples() > 2500)

    assert w.numbers() == list(range(w.samples()))
    assert w.gaps() == []
    assert w.ticks() == list(range(w.ticks()[0], w.ticks()[-1] + 1, TICK_NS))


async def test_fifty_replugs_leak_no_descriptor(plug, wanted, watch):
    device = plug(auto=True)
    async with watch({"1": [wanted(options={"mute": "yes"})]}) as w:
        await w.until(lambda: w.samples() > 10)
        open_before = open_descriptors()
        for _ in range(50):
            before = len(w.items)
            await asyncio.to_thread(device.unplug)
            device.plug()
            await w.until(lambda before=before: w.blocks(since=before))
        gc.collect()
        assert open_descriptors() <= open_before + 1


async def test_open_ports_go_round_and_a_closed_one_is_absent(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        first = w.acquisition.liveness()
        device.paused = True
        await w.until(lambda: w.state() is LinkState.STALLED)
        second = w.acquisition.liveness()
        await asyncio.to_thread(device.unplug)
        await w.until(lambda: w.state() is LinkState.LOST)
        ticks = len(w.ticks())
        await w.until(lambda: len(w.ticks()) > ticks + 1)
        third = w.acquisition.liveness()

    assert set(first) == {"", "1/ecg"} == set(second)
    assert second["1/ecg"].count > first["1/ecg"].count + 10
    assert second["1/ecg"].t_ns <= boottime_ns()
    assert set(third) == {""}


async def test_the_thread_stops_in_bounded_time_with_a_device_that_takes_nothing(plug, wanted, watch):
    device = plug()
    async with watch({"1": [wanted()]}) as w:
        await w.until(lambda: w.samples() > 50)
        began = time.monotonic()
        await asyncio.to_thread(device.unplug)
        assert await asyncio.to_thread(w.acquisition.stop)
        assert time.monotonic() - began < 3.0

    assert not any(t.name == "acquisition" and t.is_alive() for t in threading.enumerate())


async def test_time_goes_on_without_any_device(watch):
    async with watch({"1": []}) as w:
        await w.until(lambda: len(w.ticks()) > 3)

    assert w.ticks() == list(range(w.ticks()[0], w.ticks()[-1] + 1, TICK_NS))


def test_after_a_suspend_only_the_last_ticks_are_made():
    acquisition = Acquisition({}, "boot", boards={})
    acquisition.advance(1_000_000_001)
    acquisition.advance(1_000_000_001 + 8 * 3600 * 10**9)
    ticks = [item.t_ns for _, item in acquisition.drain(100_000)]

    assert len(ticks) == 1 + MAX_TICKS_AT_ONCE
    assert ticks == sorted(ticks)
    assert ticks[-1] == 1_000_000_000 + 8 * 3600 * 10**9
