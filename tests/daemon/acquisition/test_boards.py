"""Each real board, simulated at line rate on a pseudo-terminal, through the whole of acquisition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daemon.cli.outlets import AT_CONCENTRATOR
from daemon.model.signals import LinkState
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators import SIMULATORS, simulator
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.pty import Outlet

pytestmark = pytest.mark.slow

ASKED_FOR_EACH = {"resmed"}
GROUPS = 4
"""Several boards run at once, as at a bed: each has its own port."""


@pytest.fixture
async def outlet(tmp_path: Path) -> AsyncIterator[Callable[[str, str], Outlet]]:
    """Makes a plugged-in board of a kind, served until the test ends."""
    served: list[tuple[Outlet, asyncio.Task[None]]] = []

    def make(kind: str, name: str = "ttyECG0") -> Outlet:
        body = Concentrator() if kind in AT_CONCENTRATOR else Patient(seed=1)
        fast = {"period_s": 1} if kind == "vt_settings" else {}
        one = Outlet(name, simulator(kind, body, **fast), tmp_path)
        one.plug()
        served.append((one, asyncio.create_task(one.run(), name=f"{kind}: outlet")))
        return one

    yield make
    for one, task in served:
        one.close()
        await task


def spoken(simulated: str) -> str:
    """The kind of board that a simulator is: several devices speak our own link."""
    return "vlp" if simulated.startswith("vlp_") else simulated


def streams_long_enough(w, bed: str) -> bool:
    """Four seconds of its first stream, four samples at least; one that has none has said who it is."""
    blocks = w.blocks(bed)
    if not blocks:
        return bed == "vt_settings" and w.state(bed) is LinkState.STREAMING
    first = [b for b in blocks if b.segment.stream.name == blocks[0].segment.stream.name]
    return first[-1].first + first[-1].n > max(4 * first[0].segment.stream.rate_hz, 4)


# The old ASCII firmware says nothing until it is started and answers no question: it must be configured.
@pytest.mark.parametrize("auto", [False, True], ids=["configured", "recognised"])
@pytest.mark.parametrize("group", range(GROUPS))
async def test_every_board_streams_at_its_rate(group, auto, outlet, wanted, watch):
    kinds = [kind for kind in sorted(SIMULATORS)[group::GROUPS] if not auto or kind != "dm_ecg_ascii"]
    for kind in kinds:
        outlet(kind, f"tty_{kind}_0")
    beds = {
        kind: [wanted(f"tty_{kind}_*", kind="auto" if auto else spoken(kind), ask=True)] for kind in kinds
    }
    async with watch(beds, boards=BOARDS) as w:
        await w.until(lambda: all(streams_long_enough(w, bed) for bed in beds), 60)

    assert {bed: w.seen(bed).kind for bed in beds} == {kind: spoken(kind) for kind in kinds}
    assert {bed: w.state(bed) for bed in beds} == dict.fromkeys(beds, LinkState.STREAMING)
    # A device that is asked for each sample misses those that a busy machine asks for too late: they are counted.
    assert [gap for gap in w.gaps() if gap.segment.bed not in ASKED_FOR_EACH] == []
    for bed in beds:
        for name in {b.segment.stream.name for b in w.blocks(bed)}:
            blocks = [b for b in w.blocks(bed) if b.segment.stream.name == name]
            rate_hz = blocks[0].segment.stream.rate_hz
            last = blocks[-1].first + blocks[-1].n - 1
            if last > 4 * rate_hz > 40:
                # What was heard before the board was recognised came all at once: its clock needs a second.
                early = next(block for block in blocks if block.first > rate_hz)
                took_s = (blocks[-1].time_of(last) - early.t0_ns) * 1e-9
                assert (last - early.first) / took_s == pytest.approx(rate_hz, rel=0.05), (bed, name)


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
