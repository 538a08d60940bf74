"""Devices that only say numbers and words, devices that are set, and devices that belong to another bed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from daemon.acquisition.device import Counters, Device
from daemon.model.signals import DeviceReply, DeviceStatus, LinkState, Reading, SampleBlock
from firmware_bridge.boards import Setting
from firmware_bridge.frames import (
    Channel,
    Facts,
    Frame,
    Number,
    PortSettings,
    Quantity,
    Reply,
    Samples,
    Status,
    StreamSpec,
)

S = 1_000_000_000
FLOW = StreamSpec("flow", 25.0, (Channel("flow", Quantity.FLOW, "L/s", 0.002),))
PRESSURE = Setting("target_pressure", "cmH2O", 4.0, 20.0, 0.2)


class Slow:
    """A board that says what it is told to; it speaks every 30 s."""

    def __init__(self) -> None:
        self.facts = Facts("slow", "Slow", PortSettings(), 10, (FLOW,), silent_after_s=60.0)
        self.next: list[Frame] = []

    def opened(self, now_ns: int) -> None: ...

    def feed(self, data: bytes, now_ns: int) -> list[Frame]:
        frames, self.next = self.next, []
        return frames

    def due(self, now_ns: int) -> bytes | None:
        return None

    def closing(self) -> bytes:
        return b""


class Set(Slow):
    """And one that takes a pressure, answers or not."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, float]] = []
        self.late: list[Reply] = []

    @property
    def settable(self) -> Sequence[Setting]:
        return (PRESSURE,)

    def command(self, request: str, name: str, value: float, now_ns: int) -> str:
        if self.asked:
            return "busy"
        self.asked.append((request, name, value))
        return ""

    def lapsed(self, now_ns: int) -> list[Reply]:
        late, self.late = self.late, []
        return late


class Bench:
    def __init__(self, board: Slow) -> None:
        self.items: list = []
        self.board = board
        self.device = Device("1", "boot", board, "port-label", Counters(), self.items.append)

    def give(self, now_ns: int, *frames: Frame) -> None:
        self.board.next = [replace(f, arrived_ns=now_ns) if isinstance(f, Samples) else f for f in frames]
        self.device.feed(b"", now_ns)

    def of(self, kind: type) -> list:
        return [item for item in self.items if isinstance(item, kind)]


def test_a_device_of_numbers_alone_is_heard_and_stalls_after_its_own_time():
    bench = Bench(Slow())
    assert not bench.device.stalled(S)

    bench.give(S, Number("o2_purity", 93.0, "%"))

    assert bench.of(Reading)[0].value == 93.0
    assert not bench.device.stalled(60 * S)
    assert bench.device.stalled(61 * S + 1)


def test_numbers_do_not_make_up_for_waves_that_stand_still():
    bench = Bench(Slow())
    bench.give(S, Samples("flow", np.zeros((1, 5), dtype=np.int32), S))

    bench.give(70 * S, Number("cpap_leak", 3.0, "L/min"))

    assert bench.device.stalled(70 * S)


def test_a_word_is_given_when_it_changes():
    bench = Bench(Slow())

    for second, text in enumerate(("CPAP", "CPAP", "AutoCPAP", "")):
        bench.give(second * S, Status("mode", text))

    assert [(said.text, said.t_ns // S) for said in bench.of(DeviceStatus)] == [
        ("CPAP", 0),
        ("AutoCPAP", 2),
        ("", 3),
    ]


def test_what_a_held_device_says_is_not_given_and_said_once_it_is_known():
    bench = Bench(Slow())
    bench.device.held = True
    bench.give(S, Status("mode", "CPAP"), Number("cpap_leak", 3.0, "L/min"))
    assert bench.items == []

    bench.device.held = False
    bench.give(2 * S, Status("mode", "CPAP"))

    assert [said.text for said in bench.of(DeviceStatus)] == ["CPAP"]


def test_a_read_only_device_says_so():
    bench = Bench(Slow())

    bench.device.command("r1", "target_pressure", 10.0, S)

    assert bench.of(DeviceReply) == [DeviceReply("1", "port-label", "r1", ok=False, text="read_only", t_ns=S)]


@pytest.mark.parametrize("ok", [True, False])
def test_the_devices_own_answer_is_the_end_of_a_request(ok):
    bench = Bench(Set())
    bench.device.command("r1", "target_pressure", 10.0, S)
    assert bench.of(DeviceReply) == []

    bench.give(2 * S, Reply("r1", ok=ok, text="standby"))
    bench.give(3 * S, Reply("r1", ok=ok, text="again"))

    assert [(r.request, r.ok, r.text) for r in bench.of(DeviceReply)] == [("r1", ok, "standby")]


def test_every_request_ends_busy_lapsed_or_with_the_device():
    board = Set()
    bench = Bench(board)
    bench.device.command("r1", "target_pressure", 10.0, S)
    bench.device.command("r2", "target_pressure", 11.0, S)
    board.late = [Reply("r1", ok=False, text="no_answer")]
    bench.device.lapse(4 * S)
    board.asked.clear()
    bench.device.command("r3", "target_pressure", 12.0, 5 * S)
    bench.device.gone(6 * S)

    told = [(r.request, r.text) for r in bench.of(DeviceReply)]
    assert told == [("r2", "busy"), ("r1", "no_answer"), ("r3", "device_gone")]


def test_at_another_bed_everything_begins_anew():
    bench = Bench(Slow())
    samples = Samples("flow", np.zeros((1, 5), dtype=np.int32), S)
    bench.give(S, samples, Status("mode", "CPAP"))
    bench.device.move("2")
    bench.give(2 * S, samples, Status("mode", "CPAP"))
    bench.device.flush()

    first, second = bench.of(SampleBlock)
    assert (first.segment.bed, second.segment.bed) == ("1", "2")
    assert first.segment.id != second.segment.id
    assert second.first == 0
    assert [(said.bed, said.text) for said in bench.of(DeviceStatus)] == [("1", "CPAP"), ("2", "CPAP")]


async def test_a_device_that_is_away_is_missed_at_the_bed_that_it_is_put_to(plug, wanted, watch):
    device = plug("ttyUSB0", "SN1")
    async with watch({"1": [wanted("ttyUSB*")], "2": []}) as w:
        await w.until(lambda: w.samples("1") > 50)
        device.unplug()
        await w.until(lambda: w.state("1") is LinkState.LOST)
        w.acquisition.assign({"SN1": "2"})
        await w.until(lambda: w.state("2") is LinkState.LOST)
        assert w.state("1") is LinkState.MOVED
        device.plug()
        await w.until(lambda: w.samples("2") > 50)
        assert w.state("2") is LinkState.STREAMING


async def test_a_device_put_to_another_bed_goes_there_and_stays(plug, wanted, watch):
    plug("ttyUSB0", "SN1")
    async with watch({"1": [wanted("ttyUSB*")], "2": []}) as w:
        await w.until(lambda: w.samples("1") > 50)
        w.acquisition.assign({"SN1": "2"})
        await w.until(lambda: w.samples("2") > 50)
        assert w.state("1") is LinkState.MOVED
        assert w.state("2") is LinkState.STREAMING
        here = w.samples("1")
        await w.until(lambda: w.samples("2") > 300)

    assert w.samples("1") == here
    numbers = [*w.numbers("1"), *w.numbers("2")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
