"""What a board decodes becomes items: pure, with time passed in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.acquisition.device import Counters, Device
from daemon.model.signals import Gap, GapCause, Item, LeadState, Reading, SampleBlock
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Number,
    PortSettings,
    Quantity,
    Reply,
    Samples,
    Settings,
    StreamSpec,
)

ECG = StreamSpec("ecg", 500.0, (Channel("I", Quantity.ECG, "mV", 1.0),))
ACCELERATION = StreamSpec("acceleration", 25.0, (Channel("x", Quantity.ACCELERATION, "g", 1.0),))


class ScriptedBoard:
    """A board whose frames are handed to it."""

    def __init__(self) -> None:
        self.facts = Facts("scripted", "Scripted", PortSettings(), 1000, (ACCELERATION, ECG))
        self.next: list[Frame] = []

    def opened(self, now_ns: int) -> None: ...

    def feed(self, data: bytes, now_ns: int) -> list[Frame]:
        frames, self.next = self.next, []
        return frames

    def due(self, now_ns: int) -> bytes | None:
        return None

    def closing(self) -> bytes:
        return b""


class Bench:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.board = ScriptedBoard()
        self.counters = Counters()
        self.device = Device("1", "boot", self.board, "port-label", self.counters, self.items.append)
        self.now_ns = 10**12

    def give(self, *frames: Frame, after_ms: float = 10.0) -> None:
        self.now_ns += int(after_ms * 1e6)
        self.board.next = [
            replace(f, arrived_ns=self.now_ns) if isinstance(f, Samples) else f for f in frames
        ]
        self.device.feed(b"", self.now_ns)

    def blocks(self, stream: str = "ecg") -> list[SampleBlock]:
        return [i for i in self.items if isinstance(i, SampleBlock) and i.segment.stream.name == stream]

    def gaps(self) -> list[Gap]:
        return [i for i in self.items if isinstance(i, Gap)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def samples(n: int = 5, lost: int = 0, stream: str = "ecg") -> Samples:
    return Samples(stream, np.arange(n, dtype=np.int32)[None], 0, lost)


def test_each_stream_is_a_segment_of_one_connection(bench: Bench) -> None:
    bench.give(Identity("scripted", "SN1"), samples(), samples(1, stream="acceleration"))
    bench.device.flush()
    (ecg,), (motion,) = bench.blocks(), bench.blocks("acceleration")

    assert (ecg.segment.stream.id, motion.segment.stream.id) == ("SN1/ecg", "SN1/acceleration")
    assert ecg.segment.id != motion.segment.id
    assert ecg.segment.connection == motion.segment.connection == 1


def test_samples_before_the_serial_number_belong_to_the_port_and_those_after_to_the_device(
    bench: Bench,
) -> None:
    bench.give(samples())
    bench.give(Identity("scripted", "SN1"), samples())
    bench.give(Identity("scripted", firmware="2"), samples())
    bench.device.flush()

    assert [b.segment.stream.device for b in bench.blocks()] == ["port-label", "SN1"]
    assert [(b.first, b.segment.connection) for b in bench.blocks()] == [(0, 1), (0, 2)]
    assert (bench.device.identity.serial, bench.device.identity.firmware) == ("SN1", "2")


def test_other_channels_begin_another_segment(bench: Bench) -> None:
    bench.give(samples())
    louder = replace(ECG, channels=(replace(ECG.channels[0], gain=2.0),))
    bench.board.facts = replace(bench.board.facts, streams=(ACCELERATION, louder))
    bench.give(Settings((("gain", "2"),)), samples())
    bench.device.flush()

    assert [b.segment.stream.channels[0].gain for b in bench.blocks()] == [1.0, 2.0]
    assert [b.first for b in bench.blocks()] == [0, 0]
    assert bench.device.settings == {"gain": "2"}


@pytest.mark.parametrize(
    ("before", "after_ms", "cause"),
    [((), 10.0, GapCause.UNKNOWN), ((Damage(3),), 10.0, GapCause.NOISE), ((), 1510.0, GapCause.STALL)],
)
def test_a_loss_is_a_gap_with_its_cause_and_numbers_run_on(
    bench: Bench, before: tuple[Frame, ...], after_ms: float, cause: GapCause
) -> None:
    bench.give(samples())
    lost = round((after_ms - 10) / 2) + 7
    bench.give(*before, samples(lost=lost), after_ms=after_ms)
    bench.device.flush()
    (gap,) = bench.gaps()
    kinds = [type(i) for i in bench.items]

    assert (gap.first, gap.count, gap.cause) == (5, lost, cause)
    assert [b.first for b in bench.blocks()] == [0, 5 + lost]
    assert kinds == [SampleBlock, Gap, SampleBlock]
    assert bench.counters.samples_lost == lost


def test_a_loss_before_the_first_sample_is_no_loss_of_ours(bench: Bench) -> None:
    bench.give(samples(lost=40))
    bench.device.flush()

    assert bench.gaps() == []
    assert bench.blocks()[0].first == 0


def test_leads_said_before_the_first_sample_hold_from_sample_0(bench: Bench) -> None:
    bench.give(Leads((("LA", False),)))
    assert bench.items == []
    bench.give(samples())
    bench.give(Leads((("LA", True),)))
    bench.give(samples())
    bench.device.flush()
    states = [i for i in bench.items if isinstance(i, LeadState)]

    assert [(s.first, s.attached) for s in states] == [(0, (("LA", False),)), (5, (("LA", True),))]
    assert {s.segment.stream.name for s in states} == {"ecg"}


def test_a_device_that_may_be_anothers_is_not_believed(bench: Bench) -> None:
    bench.device.held = True
    bench.give(Leads((("LA", False),)), samples(), Number("spo2", 97.0, "%"))
    assert bench.items == []
    bench.device.held = False
    bench.give(samples(), Number("spo2", None, "%"))
    bench.device.flush()
    lead, reading, block = bench.items

    assert isinstance(lead, LeadState)
    assert isinstance(reading, Reading)
    assert (reading.value, reading.why) == (None, "not_given")
    assert isinstance(block, SampleBlock)
    assert block.first == 0


def test_a_refusal_is_kept_until_the_next_answer(bench: Bench) -> None:
    bench.give(Reply("START", ok=False))
    assert bench.device.refusal == "START: no answer"
    bench.give(Reply("START", ok=True))
    assert bench.device.refusal == ""


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10), st.booleans()), min_size=1, max_size=40))
def test_samples_and_gaps_cover_every_number_once(script: list[tuple[int, int, bool]]) -> None:
    bench = Bench()
    for n, lost, flush in script:
        bench.give(samples(n, lost), after_ms=2.0 * (n + lost))
        if flush:
            bench.device.flush()
    bench.device.flush()
    covered = 0
    for item in bench.items:
        assert isinstance(item, SampleBlock | Gap)
        assert item.first == covered
        covered += item.n if isinstance(item, SampleBlock) else item.count
    assert covered == sum(n + lost for n, lost, _ in script) - script[0][1]


def test_a_caller_that_never_flushes_still_has_bounded_blocks(bench: Bench) -> None:
    for _ in range(1000):
        bench.give(samples())

    assert max(b.n for b in bench.blocks()) <= 110
    assert sum(b.n for b in bench.blocks()) > 4800
