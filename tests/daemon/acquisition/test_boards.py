"""Each real board, simulated at line rate on a pseudo-terminal, through the whole of acquisition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daemon.model.signals import LinkState
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators import SIMULATORS, simulator
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet

pytestmark = pytest.mark.slow


@pytest.fixture
async def outlet(tmp_path: Path) -> AsyncIterator[Callable[[str], Outlet]]:
    """Makes a plugged-in board of a kind, served until the test ends."""
    served: list[tuple[Outlet, asyncio.Task[None]]] = []

    def make(kind: str) -> Outlet:
        one = Outlet("ttyECG0", simulator(kind, Patient(seed=1)), tmp_path)
        one.plug()
        served.append((one, asyncio.create_task(one.run(), name=f"{kind}: outlet")))
        return one

    yield make
    for one, task in served:
        one.close()
        await task


# The old ASCII firmware says nothing until it is started and answers no question: it must be configured.
@pytest.mark.parametrize(
    ("kind", "wanted_kind"),
    [(k, k) for k in sorted(SIMULATORS)] + [(k, "auto") for k in sorted(SIMULATORS) if k != "dm_ecg_ascii"],
)
async def test_a_board_streams_at_its_rate(kind, wanted_kind, outlet, wanted, watch):
    outlet(kind)
    device = wanted("ttyECG*", kind=wanted_kind, ask=True)
    async with watch({"1": [device]}, boards=BOARDS) as w:
        await w.until(
            lambda: w.blocks() and w.blocks()[-1].first > 3 * BOARDS[kind].FACTS.streams[0].rate_hz, 30
        )
    first, last = w.blocks()[1], w.blocks()[-1]

    assert w.seen().kind == kind
    assert w.state() is LinkState.STREAMING
    streams = {b.segment.stream.name: b.segment.stream for b in w.blocks()}
    nominal = streams[last.segment.stream.name].rate_hz
    measured = (last.first - first.first) / ((last.t0_ns - first.t0_ns) * 1e-9)
    assert measured == pytest.approx(nominal, rel=0.05)
    assert w.gaps() == []


async def test_replugged_under_another_name_streams_within_three_seconds(outlet, wanted, watch):
    board = outlet("dm_ecg")
    async with watch({"1": [wanted("ttyECG*", kind="dm_ecg")]}, boards=BOARDS) as w:
        await w.until(lambda: w.samples() > 100)
        serial = w.seen().device
        board.unplug()
        assert await w.until(lambda: w.state() is LinkState.LOST) < 1.0
        before = len(w.items)
        board.plug("ttyECG7")
        assert await w.until(lambda: w.blocks(since=before)) < 3.0

    assert w.blocks()[-1].segment.stream.device == serial
    assert w.seen().port.endswith("ttyECG7")


async def test_a_board_that_stalls_for_two_seconds_leaves_a_gap_and_goes_on(outlet, wanted, watch):
    board = outlet("dm_ecg")
    async with watch({"1": [wanted("ttyECG*", kind="dm_ecg")]}, boards=BOARDS) as w:
        await w.until(lambda: w.samples() > 500)
        board.stall(2.0)
        await w.until(lambda: w.state() is LinkState.STALLED)
        await w.until(lambda: w.state() is LinkState.STREAMING)
        await w.until(lambda: w.samples() > 1000)
    last = w.blocks()[-1]
    began = w.blocks()[0]

    if last.segment.id == began.segment.id:
        assert sum(g.count for g in w.gaps()) == pytest.approx(1000, abs=100)
    assert last.t0_ns <= last.arrived_ns < last.t0_ns + 200_000_000
